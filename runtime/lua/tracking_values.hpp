#ifndef MLRT_LUA_TRACKING_VALUES_HPP_
#define MLRT_LUA_TRACKING_VALUES_HPP_

// Internal to lua/: what a store holds as Lua tables, and back. As in values.hpp, the readers run
// inside guard() and throw kInvalidParameter, the push functions run in protect().

#include <string>
#include <vector>

#include "api/session.hpp"
#include "lua/values.hpp"

namespace mlrt {

void push_tags(lua_State* L, const std::vector<Tag>& tags);        // {key = value}
void push_params(lua_State* L, const std::vector<Param>& params);  // {key = value}
void push_metric(lua_State* L, const Metric& metric);
void push_dataset(lua_State* L, const DatasetInput& dataset);
void push_experiment(lua_State* L, const Experiment& experiment);
void push_run_record(lua_State* L, const RunRecord& record);
void push_logged_model_record(lua_State* L, const LoggedModel& model);

// The list of `items`, each pushed by `push_item`.
template <typename Item>
void push_list(lua_State* L, const std::vector<Item>& items,
               void (*push_item)(lua_State*, const Item&)) {
  lua_createtable(L, static_cast<int>(items.size()), 0);
  lua_Integer i = 0;
  for (const Item& item : items) {
    push_item(L, item);
    lua_rawseti(L, -2, ++i);
  }
}

// The same with the field next_page_token, unless it is the last page.
template <typename Item>
void push_page(lua_State* L, const SearchPage<Item>& page,
               void (*push_item)(lua_State*, const Item&)) {
  push_list(L, page.items, push_item);
  if (!page.next_page_token.empty()) set_text(L, "next_page_token", page.next_page_token);
}

// Pushes the field `key` of the table at `index` without metamethods and without a Lua error, nil
// if it is absent; returns its type.
int push_raw_field(lua_State* L, int index, const char* key);

std::vector<Param> read_params(const LuaArgs& args, int index, const char* argument);
std::vector<Tag> read_tags(const LuaArgs& args, int index, const char* argument);

// filter, order_by, view, max_results and page_token at `first` and the four places after it.
SearchQuery read_query(const LuaArgs& args, int first);

// The id of the run at `index`: a handle, an id, or a table that has a run_id.
std::string read_run_id(lua_State* L, const LuaArgs& args, int index, const char* argument);
// The same for what may also be a logged model (a handle, "m-...", a table that has a model_id).
std::string read_owner_id(lua_State* L, const LuaArgs& args, int index, const char* argument);
std::string read_model_id(lua_State* L, const LuaArgs& args, int index, const char* argument);

// The experiment that `id_or_name` names. Throws kNotFound with the nearest name.
Experiment find_experiment_argument(const TrackingStore& store, const std::string& id_or_name,
                                    const char* function);
// The ids of a list of ids and names, or of one.
std::vector<std::string> read_experiment_ids(lua_State* L, const LuaArgs& args, int index,
                                             const TrackingStore& store);

// Reads {key, value, step, timestamp_ms, model, dataset} of the table at `index` over what `metric`
// holds. Another field is an error with the nearest name.
void read_metric_fields(lua_State* L, const char* function, int index, bool with_key_and_value,
                        Metric& metric);
// {name = number}, or a list of tables {key = , value = , ...}.
std::vector<Metric> read_metrics(lua_State* L, const LuaArgs& args, int index,
                                 const char* argument);

// Whether the table at `index` describes a data set (a text as its name or digest) and is not the
// data itself.
bool is_dataset_record(lua_State* L, int index);
DatasetInput read_dataset_record(lua_State* L, const char* function, int index);

}  // namespace mlrt

#endif  // MLRT_LUA_TRACKING_VALUES_HPP_
