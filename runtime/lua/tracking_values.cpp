#include "lua/tracking_values.hpp"

#include <algorithm>
#include <cstring>

#include "core/text.hpp"
#include "lua/bind_logged_models.hpp"
#include "lua/bind_run.hpp"

namespace mlrt {
namespace {

// Calls `read(name, top)` for each field of the table at `index`, its value at the stack's top.
template <class F>
void tracking_each_field(lua_State* L, const char* function, int index, const F& read) {
  lua_guard::require_stack(L, 8);
  index = lua_absindex(L, index);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    const char* key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : nullptr;
    if (key == nullptr) {
      throw Error(
          ErrorCode::kInvalidParameter,
          std::string(function) + ": the fields must have names, one is " + describe_value(L, -2));
    }
    read(key, lua_gettop(L));
    lua_pop(L, 1);
  }
}

[[noreturn]] void tracking_unknown_field(const char* function, const char* field,
                                         const std::vector<std::string>& known) {
  std::string hint = did_you_mean(field, known);
  if (hint.empty()) hint = "; the fields are " + join(known, ", ");
  throw Error(ErrorCode::kInvalidParameter,
              std::string(function) + ": there is no field " + quoted(field) + hint);
}

std::string tracking_text_field(lua_State* L, int index, const char* key) {
  std::string text;
  if (push_raw_field(L, index, key) == LUA_TSTRING) {
    std::size_t size = 0;
    const char* bytes = lua_tolstring(L, -1, &size);
    text.assign(bytes, size);
  }
  lua_pop(L, 1);
  return text;
}

void tracking_push_run_output(lua_State* L, const RunOutput& output) {
  lua_createtable(L, 0, 2);
  set_text(L, "model_id", output.model_id);
  set_integer(L, "step", output.step);
}

std::string tracking_id_field(lua_State* L, int index, const char* key) {
  return lua_type(L, index) == LUA_TTABLE ? tracking_text_field(L, index, key) : std::string();
}

}  // namespace

void push_tags(lua_State* L, const std::vector<Tag>& tags) {
  lua_createtable(L, 0, static_cast<int>(tags.size()));
  for (const Tag& tag : tags) {
    push_text(L, tag.key);
    push_text(L, tag.value);
    lua_rawset(L, -3);
  }
}

void push_params(lua_State* L, const std::vector<Param>& params) {
  lua_createtable(L, 0, static_cast<int>(params.size()));
  for (const Param& param : params) {
    push_text(L, param.key);
    push_text(L, param.value);
    lua_rawset(L, -3);
  }
}

void push_metric(lua_State* L, const Metric& metric) {
  lua_createtable(L, 0, 4);
  set_text(L, "key", metric.key);
  set_number(L, "value", metric.value);
  set_integer(L, "step", metric.step);
  set_integer(L, "timestamp_ms", metric.timestamp_ms);
  if (!metric.model_id.empty()) set_text(L, "model", metric.model_id);
  if (!metric.dataset_name.empty() || !metric.dataset_digest.empty()) {
    lua_createtable(L, 0, 2);
    set_text(L, "name", metric.dataset_name);
    set_text(L, "digest", metric.dataset_digest);
    lua_setfield(L, -2, "dataset");
  }
}

void push_dataset(lua_State* L, const DatasetInput& dataset) {
  lua_createtable(L, 0, 8);
  set_text(L, "name", dataset.name);
  set_text(L, "digest", dataset.digest);
  set_text(L, "source_type", dataset.source_type);
  set_text(L, "source", dataset.source);
  set_text(L, "schema", dataset.schema);
  set_text(L, "profile", dataset.profile);
  set_text(L, "context", dataset.context);
  push_tags(L, dataset.tags);
  lua_setfield(L, -2, "tags");
}

void push_experiment(lua_State* L, const Experiment& experiment) {
  lua_createtable(L, 0, 7);
  set_text(L, "id", experiment.id);
  set_text(L, "name", experiment.name);
  set_text(L, "artifact_location", experiment.artifact_location);
  set_text(L, "lifecycle_stage", experiment.lifecycle_stage);
  set_integer(L, "creation_time_ms", experiment.creation_time_ms);
  set_integer(L, "last_update_time_ms", experiment.last_update_time_ms);
  push_tags(L, experiment.tags);
  lua_setfield(L, -2, "tags");
}

void push_run_record(lua_State* L, const RunRecord& record) {
  lua_createtable(L, 0, 14);
  set_text(L, "run_id", record.run_id);
  set_text(L, "name", record.name);
  set_text(L, "experiment_id", record.experiment_id);
  set_text(L, "user", record.user);
  lua_pushstring(L, run_status_name(record.status));
  lua_setfield(L, -2, "status");
  set_integer(L, "start_time_ms", record.start_time_ms);
  if (record.end_time_ms != 0) set_integer(L, "end_time_ms", record.end_time_ms);
  set_text(L, "lifecycle_stage", record.lifecycle_stage);
  set_text(L, "artifact_folder", record.artifact_folder);
  push_params(L, record.params);
  lua_setfield(L, -2, "params");
  push_tags(L, record.tags);
  lua_setfield(L, -2, "tags");
  lua_createtable(L, 0, static_cast<int>(record.metrics.size()));
  for (const Metric& metric : record.metrics) {
    push_text(L, metric.key);
    lua_pushnumber(L, metric.value);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "metrics");
  push_list(L, record.inputs, push_dataset);
  lua_setfield(L, -2, "inputs");
  push_list(L, record.outputs, tracking_push_run_output);
  lua_setfield(L, -2, "outputs");
}

void push_logged_model_record(lua_State* L, const LoggedModel& model) {
  lua_createtable(L, 0, 13);
  set_text(L, "model_id", model.model_id);
  set_text(L, "experiment_id", model.experiment_id);
  set_text(L, "name", model.name);
  set_text(L, "model_type", model.model_type);
  if (!model.source_run_id.empty()) set_text(L, "source_run_id", model.source_run_id);
  set_text(L, "artifact_folder", model.artifact_folder);
  lua_pushstring(L, logged_model_status_name(model.status));
  lua_setfield(L, -2, "status");
  set_text(L, "lifecycle_stage", model.lifecycle_stage);
  set_integer(L, "creation_time_ms", model.creation_time_ms);
  set_integer(L, "last_update_time_ms", model.last_update_time_ms);
  push_params(L, model.params);
  lua_setfield(L, -2, "params");
  push_tags(L, model.tags);
  lua_setfield(L, -2, "tags");
  push_list(L, model.metrics, push_metric);
  lua_setfield(L, -2, "metrics");
}

int push_raw_field(lua_State* L, int index, const char* key) {
  lua_guard::require_stack(L, 4);
  index = lua_absindex(L, index);
  // By a traversal and not by name: making the name could need memory.
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_type(L, -2) == LUA_TSTRING && std::strcmp(lua_tostring(L, -2), key) == 0) {
      lua_remove(L, -2);
      return lua_type(L, -1);
    }
    lua_pop(L, 1);
  }
  lua_pushnil(L);
  return LUA_TNIL;
}

std::vector<Param> read_params(const LuaArgs& args, int index, const char* argument) {
  std::vector<Param> params;
  for (auto& entry : args.text_map(index, argument)) params.push_back({entry.first, entry.second});
  return params;
}

std::vector<Tag> read_tags(const LuaArgs& args, int index, const char* argument) {
  std::vector<Tag> tags;
  for (auto& entry : args.text_map(index, argument)) tags.push_back({entry.first, entry.second});
  return tags;
}

SearchQuery read_query(const LuaArgs& args, int first) {
  SearchQuery query;
  query.filter = args.text(first, "filter", "");
  query.order_by = args.texts(first + 1, "order_by");
  const std::string view = args.text(first + 2, "view", "active");
  if (view == "deleted") {
    query.view = ViewType::kDeleted;
  } else if (view == "all") {
    query.view = ViewType::kAll;
  } else if (view != "active") {
    throw Error(ErrorCode::kInvalidParameter,
                std::string(args.name()) + ": 'view' must be 'active', 'deleted' or 'all', got " +
                    quoted(view));
  }
  if (!args.absent(first + 3)) {
    const std::int64_t count = args.integer(first + 3, "max_results");
    if (count < 1) {
      throw Error(ErrorCode::kInvalidParameter, std::string(args.name()) +
                                                    ": 'max_results' must be at least 1, got " +
                                                    std::to_string(count));
    }
    query.max_results = static_cast<std::size_t>(count);
  }
  query.page_token = args.text(first + 4, "page_token", "");
  return query;
}

std::string read_run_id(lua_State* L, const LuaArgs& args, int index, const char* argument) {
  if (test_handle<Run>(L, index) != nullptr)
    return check_handle<Run>(L, index, args.name(), argument)->id();
  if (lua_type(L, index) == LUA_TSTRING) return std::string(args.text(index, argument));
  std::string id = tracking_id_field(L, index, "run_id");
  if (id.empty()) args.wrong(index, argument, "a run or its id");
  return id;
}

std::string read_model_id(lua_State* L, const LuaArgs& args, int index, const char* argument) {
  if (test_handle<ScriptLoggedModel>(L, index) != nullptr)
    return check_handle<ScriptLoggedModel>(L, index, args.name(), argument)->created.model_id;
  if (lua_type(L, index) == LUA_TSTRING) return std::string(args.text(index, argument));
  std::string id = tracking_id_field(L, index, "model_id");
  if (id.empty()) args.wrong(index, argument, "a logged model or its id");
  return id;
}

std::string read_owner_id(lua_State* L, const LuaArgs& args, int index, const char* argument) {
  const bool is_model = test_handle<ScriptLoggedModel>(L, index) != nullptr ||
                        !tracking_id_field(L, index, "model_id").empty();
  return is_model ? read_model_id(L, args, index, argument) : read_run_id(L, args, index, argument);
}

Experiment find_experiment_argument(const TrackingStore& store, const std::string& id_or_name,
                                    const char* function) {
  // A name may consist of digits too: the id comes first, as in MLflow's URLs.
  long long number = 0;
  if (parse_int64(id_or_name, number) && number >= 0) {
    try {
      return store.experiment(id_or_name);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
    }
  }
  if (auto found = store.experiment_by_name(id_or_name)) return *found;
  std::vector<std::string> names;
  for (const Experiment& other : store.list_experiments()) names.push_back(other.name);
  throw Error(ErrorCode::kNotFound, std::string(function) + ": there is no experiment " +
                                        quoted(id_or_name) + did_you_mean(id_or_name, names));
}

std::vector<std::string> read_experiment_ids(lua_State* L, const LuaArgs& args, int index,
                                             const TrackingStore& store) {
  std::vector<std::string> ids;
  if (lua_type(L, index) == LUA_TSTRING) {
    ids.push_back(
        find_experiment_argument(store, std::string(args.text(index, "experiments")), args.name())
            .id);
    return ids;
  }
  for (const std::string& each : args.texts(index, "experiments"))
    ids.push_back(find_experiment_argument(store, each, args.name()).id);
  return ids;
}

void read_metric_fields(lua_State* L, const char* function, int index, bool with_key_and_value,
                        Metric& metric) {
  const LuaArgs fields(L, function);
  bool has_key = false, has_value = false;
  tracking_each_field(L, function, index, [&](const char* field, int top) {
    if (with_key_and_value && std::strcmp(field, "key") == 0) {
      metric.key = fields.text(top, field);
      has_key = true;
    } else if (with_key_and_value && std::strcmp(field, "value") == 0) {
      metric.value = fields.number(top, field);
      has_value = true;
    } else if (std::strcmp(field, "step") == 0) {
      metric.step = fields.integer(top, field);
    } else if (std::strcmp(field, "timestamp_ms") == 0) {
      metric.timestamp_ms = fields.integer(top, field);
    } else if (std::strcmp(field, "model") == 0) {
      metric.model_id = read_model_id(L, fields, top, field);
    } else if (std::strcmp(field, "dataset") == 0) {
      if (lua_type(L, top) != LUA_TTABLE || !is_dataset_record(L, top))
        fields.wrong(top, field, "what log_input gave, or {name = , digest = }");
      metric.dataset_name = tracking_text_field(L, top, "name");
      metric.dataset_digest = tracking_text_field(L, top, "digest");
    } else {
      std::vector<std::string> known = {"dataset", "model", "step", "timestamp_ms"};
      if (with_key_and_value) known.insert(known.end(), {"key", "value"});
      tracking_unknown_field(function, field, known);
    }
  });
  if (with_key_and_value && !(has_key && has_value)) {
    throw Error(ErrorCode::kInvalidParameter,
                std::string(function) + ": a metric needs a '" + (has_key ? "value" : "key") + "'");
  }
}

std::vector<Metric> read_metrics(lua_State* L, const LuaArgs& args, int index,
                                 const char* argument) {
  std::vector<Metric> metrics;
  if (args.absent(index)) return metrics;
  args.require_table(index, argument);
  const std::size_t count = lua_rawlen(L, index);
  if (count == 0) {
    for (auto& [key, value] : args.numbers(index, argument)) {
      metrics.emplace_back();
      metrics.back().key = key;
      metrics.back().value = value;
    }
    return metrics;
  }
  for (std::size_t i = 1; i <= count; ++i) {
    lua_guard::require_stack(L, 2);
    lua_rawgeti(L, index, static_cast<lua_Integer>(i));
    if (lua_type(L, -1) != LUA_TTABLE)
      args.wrong(lua_gettop(L), argument, "{name = number} or a list of {key = , value = }");
    Metric metric;
    read_metric_fields(L, args.name(), lua_gettop(L), true, metric);
    metrics.push_back(std::move(metric));
    lua_pop(L, 1);
  }
  return metrics;
}

bool is_dataset_record(lua_State* L, int index) {
  const bool named = push_raw_field(L, index, "name") == LUA_TSTRING;
  const bool digested = push_raw_field(L, index, "digest") == LUA_TSTRING;
  lua_pop(L, 2);
  return named || digested;
}

DatasetInput read_dataset_record(lua_State* L, const char* function, int index) {
  const LuaArgs fields(L, function);
  DatasetInput dataset;
  dataset.source_type = "code";
  dataset.source = "{\"tags\": {}}";
  struct Field {
    const char* name;
    std::string* text;
  };
  const Field known[] = {{"name", &dataset.name},
                         {"digest", &dataset.digest},
                         {"source_type", &dataset.source_type},
                         {"source", &dataset.source},
                         {"schema", &dataset.schema},
                         {"profile", &dataset.profile},
                         {"context", &dataset.context}};
  tracking_each_field(L, function, index, [&](const char* field, int top) {
    if (std::strcmp(field, "tags") == 0) {
      dataset.tags = read_tags(fields, top, field);
      return;
    }
    for (const Field& each : known) {
      if (std::strcmp(field, each.name) != 0) continue;
      *each.text = fields.text(top, field);
      return;
    }
    std::vector<std::string> names = {"tags"};
    for (const Field& each : known) names.push_back(each.name);
    tracking_unknown_field(function, field, names);
  });
  if (dataset.name.empty()) dataset.name = "dataset";
  if (dataset.digest.empty()) {
    throw Error(ErrorCode::kInvalidParameter,
                std::string(function) + ": a data set needs a 'digest'");
  }
  return dataset;
}

}  // namespace mlrt
