// mlrt.native.logged_models: models with an id of their own.

#include "lua/bind_logged_models.hpp"

#include <memory>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/tracking_values.hpp"

namespace mlrt {

template <>
const HandleKind& handle_kind<ScriptLoggedModel>() {
  static constexpr HandleKind kKind{"a logged model", "mlrt.LoggedModel"};
  return kKind;
}

namespace {

using LoggedModelHandle = std::shared_ptr<ScriptLoggedModel>;

int logged_push(lua_State* L, Session& session, LoggedModel model) {
  const auto handle =
      std::make_shared<ScriptLoggedModel>(ScriptLoggedModel{session, std::move(model)});
  protect(L, [&](lua_State* P) { push_handle(P, handle); });
  return 1;
}

// create(name, experiment, source_run, model_type, params, tags): of the active run, unless told
// otherwise.
int logged_bind_create(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "create_logged_model");
    ScriptState& state = script_state(L);
    Session& session = state.session();
    LoggedModels::NewModel model;
    model.name = args.text(1, "name", "");
    model.experiment_id = state.experiment_id;
    if (!args.absent(3)) {
      model.source_run_id = read_run_id(L, args, 3, "source_run");
      model.experiment_id = session.tracking().run(model.source_run_id).experiment_id;
    } else if (const Run* active = state.active_run()) {
      model.source_run_id = active->id();
      model.experiment_id = active->experiment_id();
    }
    if (!args.absent(2)) {
      model.experiment_id =
          find_experiment_argument(session.tracking(), std::string(args.text(2, "experiment")),
                                   args.name())
              .id;
    }
    model.model_type = args.text(4, "model_type", "");
    model.params = read_params(args, 5, "params");
    model.tags = read_tags(args, 6, "tags");
    return logged_push(L, session, session.logged_models().create(model));
  });
}

int logged_bind_get(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "logged_model");
    Session& session = script_state(L).session();
    return logged_push(L, session,
                       session.logged_models().get(read_model_id(L, args, 1, "model_id")));
  });
}

// search(experiments, filter, order_by, view, max_results, page_token)
int logged_bind_search(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "search_logged_models");
    const Session& session = script_state(L).session();
    const SearchQuery query = read_query(args, 2);
    const SearchPage<LoggedModel> page =
        session.logged_models().search(read_experiment_ids(L, args, 1, session.tracking()), query);
    protect(L, [&](lua_State* P) { push_page(P, page, push_logged_model_record); });
    return 1;
  });
}

int logged_bind_finalize(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "model:finalize");
    const auto model = check_handle<ScriptLoggedModel>(L, 1, args.name());
    model->session.logged_models().finalize(
        model->created.model_id, parse_logged_model_status(args.text(2, "status", "READY")));
    return 0;
  });
}

int logged_bind_log_params(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "model:log_params");
    const auto model = check_handle<ScriptLoggedModel>(L, 1, args.name());
    args.require_table(2, "params");
    model->session.logged_models().log_params(model->created.model_id,
                                              read_params(args, 2, "params"));
    return 0;
  });
}

int logged_bind_set_tags(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "model:set_tags");
    const auto model = check_handle<ScriptLoggedModel>(L, 1, args.name());
    args.require_table(2, "tags");
    model->session.logged_models().set_tags(model->created.model_id, read_tags(args, 2, "tags"));
    return 0;
  });
}

int logged_bind_delete_tag(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "model:delete_tag");
    const auto model = check_handle<ScriptLoggedModel>(L, 1, args.name());
    model->session.logged_models().delete_tag(model->created.model_id,
                                              std::string(args.text(2, "key")));
    return 0;
  });
}

int logged_bind_delete(lua_State* L) {
  return guard(L, [=] {
    const auto model = check_handle<ScriptLoggedModel>(L, 1, "model:delete");
    model->session.logged_models().remove(model->created.model_id);
    return 0;
  });
}

int logged_bind_restore(lua_State* L) {
  return guard(L, [=] {
    const auto model = check_handle<ScriptLoggedModel>(L, 1, "model:restore");
    model->session.logged_models().restore(model->created.model_id);
    return 0;
  });
}

int logged_bind_record(lua_State* L) {
  return guard(L, [=] {
    const auto model = check_handle<ScriptLoggedModel>(L, 1, "model:record");
    const LoggedModel record = model->session.logged_models().get(model->created.model_id);
    protect(L, [&](lua_State* P) { push_logged_model_record(P, record); });
    return 1;
  });
}

template <std::string LoggedModel::*Field>
int logged_bind_text(lua_State* L) {
  return guard(L, [=] {
    const auto model = check_handle<ScriptLoggedModel>(L, 1, "model");
    protect(L, [&](lua_State* P) { push_text(P, model->created.*Field); });
    return 1;
  });
}

int logged_bind_to_string(lua_State* L) {
  return guard(L, [=] {
    const LoggedModelHandle* handle = test_handle<ScriptLoggedModel>(L, 1);
    std::string text = "logged model";
    if (handle != nullptr && *handle != nullptr) {
      const LoggedModel& model = (*handle)->created;
      text += " " + model.name + " (" + model.model_id + ")";
    }
    protect(L, [&](lua_State* P) { push_text(P, text); });
    return 1;
  });
}

}  // namespace

void open_logged_models_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"create", logged_bind_create},
                                        {"get", logged_bind_get},
                                        {"search", logged_bind_search},
                                        {nullptr, nullptr}};
  static const luaL_Reg kMethods[] = {
      {"finalize", logged_bind_finalize}, {"log_params", logged_bind_log_params},
      {"set_tags", logged_bind_set_tags}, {"delete_tag", logged_bind_delete_tag},
      {"delete", logged_bind_delete},     {"restore", logged_bind_restore},
      {"record", logged_bind_record},     {nullptr, nullptr}};
  static const luaL_Reg kGetters[] = {
      {"id", logged_bind_text<&LoggedModel::model_id>},
      {"name", logged_bind_text<&LoggedModel::name>},
      {"experiment_id", logged_bind_text<&LoggedModel::experiment_id>},
      {"artifact_folder", logged_bind_text<&LoggedModel::artifact_folder>},
      {nullptr, nullptr}};
  static const luaL_Reg kMeta[] = {{"__gc", close_handle<ScriptLoggedModel>},
                                   {"__tostring", logged_bind_to_string},
                                   {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
  lua_handle::make_metatable(L, handle_kind<ScriptLoggedModel>(), kMethods, kGetters, kMeta);
  lua_setfield(L, -2, "methods");
}

}  // namespace mlrt
