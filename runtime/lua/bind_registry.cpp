// mlrt.native.registry

#include <string>
#include <vector>

#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/tracking_values.hpp"

namespace mlrt {
namespace {

void registry_set_optional(lua_State* L, const char* key, const std::string& text) {
  if (!text.empty()) set_text(L, key, text);
}

void registry_push_version(lua_State* L, const ModelVersion& version) {
  lua_createtable(L, 0, 13);
  set_text(L, "name", version.name);
  set_integer(L, "version", version.version);
  set_text(L, "source", version.source);
  registry_set_optional(L, "run_id", version.run_id);
  registry_set_optional(L, "model_id", version.model_id);
  registry_set_optional(L, "run_link", version.run_link);
  registry_set_optional(L, "user", version.user);
  set_text(L, "description", version.description);
  set_text(L, "stage", version.stage);
  set_integer(L, "creation_time_ms", version.creation_time_ms);
  set_integer(L, "last_update_time_ms", version.last_update_time_ms);
  push_texts(L, version.aliases);
  lua_setfield(L, -2, "aliases");
  push_tags(L, version.tags);
  lua_setfield(L, -2, "tags");
}

void registry_push_model(lua_State* L, const RegisteredModel& model) {
  lua_createtable(L, 0, 8);
  set_text(L, "name", model.name);
  set_text(L, "description", model.description);
  set_integer(L, "creation_time_ms", model.creation_time_ms);
  set_integer(L, "last_update_time_ms", model.last_update_time_ms);
  push_tags(L, model.tags);
  lua_setfield(L, -2, "tags");
  lua_createtable(L, 0, static_cast<int>(model.aliases.size()));
  for (const ModelAlias& alias : model.aliases) set_integer(L, alias.alias.c_str(), alias.version);
  lua_setfield(L, -2, "aliases");
  push_list(L, model.latest_versions, registry_push_version);
  lua_setfield(L, -2, "latest_versions");
}

void registry_push_event(lua_State* L, const RegistryEvent& event) {
  lua_createtable(L, 0, 8);
  set_integer(L, "time_ms", event.time_ms);
  set_text(L, "action", event.action);
  set_text(L, "name", event.name);
  if (event.version > 0) set_integer(L, "version", event.version);
  registry_set_optional(L, "user", event.user);
  registry_set_optional(L, "alias", event.alias);
  registry_set_optional(L, "before", event.before);
  registry_set_optional(L, "after", event.after);
}

void registry_push_lineage(lua_State* L, const ModelLineage& lineage) {
  lua_createtable(L, 0, 7);
  registry_push_version(L, lineage.version);
  lua_setfield(L, -2, "version");
  registry_set_optional(L, "run_name", lineage.run_name);
  registry_set_optional(L, "run_status", lineage.run_status);
  registry_set_optional(L, "experiment_id", lineage.experiment_id);
  registry_set_optional(L, "model_name", lineage.model_name);
  registry_set_optional(L, "model_status", lineage.model_status);
  push_list(L, lineage.datasets, push_dataset);
  lua_setfield(L, -2, "datasets");
}

// What a function begins with: its name, the registry and the arguments, of which the first is the
// model's name. One C function serves all that give the same: a function each is three times the
// code.
struct RegistryCall {
  explicit RegistryCall(lua_State* L)
      : function(lua_tostring(L, lua_upvalueindex(1))),
        args(L, function.data()),
        session(script_state(L).session()),
        registry(session.registry()) {}
  bool is(std::string_view name) const { return function == name; }
  std::string text(int index, const char* argument) const {
    return std::string(args.text(index, argument));
  }
  std::string name() const { return text(1, "name"); }
  std::int64_t version() const { return args.integer(2, "version"); }

  std::string_view function;
  LuaArgs args;
  Session& session;
  Registry& registry;
};

// register(source, name, alias, run_id, description, tags)
ModelVersion registry_register(const RegistryCall& call) {
  const std::string source = call.text(1, "source");
  return call.session.register_model(
      source, call.text(2, "name"), call.args.text(3, "alias", ""), call.args.text(4, "run_id", ""),
      call.args.text(5, "description", ""), read_tags(call.args, 6, "tags"));
}

// create_version(name, source, run_id, model_id, run_link, description, tags, alias, create_model)
ModelVersion registry_create_version(const RegistryCall& call) {
  Registry::NewVersion version;
  version.name = call.name();
  version.source = call.text(2, "source");
  version.run_id = call.args.text(3, "run_id", "");
  version.model_id = call.args.text(4, "model_id", "");
  version.run_link = call.args.text(5, "run_link", "");
  version.description = call.args.text(6, "description", "");
  version.tags = read_tags(call.args, 7, "tags");
  version.alias = call.args.text(8, "alias", "");
  version.create_model = call.args.boolean(9, "create_model", false);
  return call.registry.create_version(version);
}

ModelVersion registry_call_version(const RegistryCall& call) {
  Registry& registry = call.registry;
  if (call.is("register_model")) return registry_register(call);
  if (call.is("create_version")) return registry_create_version(call);
  if (call.is("version_by_uri")) return registry.version_by_uri(call.text(1, "uri"));
  const std::string name = call.name();
  if (call.is("latest_version")) return registry.latest_version(name);
  if (call.is("version_by_alias")) return registry.version_by_alias(name, call.text(2, "alias"));
  const std::int64_t version = call.version();
  if (call.is("version")) return registry.version(name, version);
  if (call.is("update_version"))
    return registry.update_version(name, version, call.text(3, "description"));
  // set_stage(name, version, stage, archive_existing)
  return registry.set_stage(name, version, call.text(3, "stage"),
                            call.args.boolean(4, "archive_existing", false));
}

RegisteredModel registry_call_model(const RegistryCall& call) {
  const std::string name = call.name();
  if (call.is("model")) return call.registry.model(name);
  if (call.is("rename_model")) return call.registry.rename_model(name, call.text(2, "new_name"));
  if (call.is("update_model")) return call.registry.update_model(name, call.text(2, "description"));
  // create_model(name, description, tags)
  return call.registry.create_model(name, call.args.text(2, "description", ""),
                                    read_tags(call.args, 3, "tags"));
}

void registry_call_change(const RegistryCall& call) {
  Registry& registry = call.registry;
  const std::string name = call.name();
  if (call.is("delete_model")) return registry.delete_model(name);
  if (call.is("set_alias"))
    return registry.set_alias(name, call.text(2, "alias"), call.args.integer(3, "version"));
  if (call.is("delete_alias"))
    return static_cast<void>(registry.delete_alias(name, call.text(2, "alias")));
  if (call.is("set_model_tag"))
    return registry.set_model_tag(name, call.text(2, "key"), call.args.scalar(3, "value"));
  if (call.is("delete_model_tag")) return registry.delete_model_tag(name, call.text(2, "key"));
  const std::int64_t version = call.version();
  if (call.is("delete_version")) return registry.delete_version(name, version);
  if (call.is("set_version_tag"))
    return registry.set_version_tag(name, version, call.text(3, "key"),
                                    call.args.scalar(4, "value"));
  registry.delete_version_tag(name, version, call.text(3, "key"));
}

// What the functions give.

int registry_bind_version(lua_State* L) {
  return guard(L, [=] {
    const ModelVersion version = registry_call_version(RegistryCall(L));
    protect(L, [&](lua_State* P) { registry_push_version(P, version); });
    return 1;
  });
}

int registry_bind_model(lua_State* L) {
  return guard(L, [=] {
    const RegisteredModel model = registry_call_model(RegistryCall(L));
    protect(L, [&](lua_State* P) { registry_push_model(P, model); });
    return 1;
  });
}

int registry_bind_change(lua_State* L) {
  return guard(L, [=] {
    registry_call_change(RegistryCall(L));
    return 0;
  });
}

int registry_bind_versions(lua_State* L) {
  return guard(L, [=] {
    const RegistryCall call(L);
    SearchPage<ModelVersion> page;
    if (call.is("search_versions")) {
      // search_versions(filter, order_by, view, max_results, page_token)
      page = call.registry.search_versions(read_query(call.args, 1));
    } else if (call.is("versions")) {
      page.items = call.registry.versions(call.name());
    } else {
      page.items = call.registry.latest_versions(call.name(), call.args.texts(2, "stages"));
    }
    protect(L, [&](lua_State* P) { push_page(P, page, registry_push_version); });
    return 1;
  });
}

// search_models(filter, order_by, view, max_results, page_token)
int registry_bind_search_models(lua_State* L) {
  return guard(L, [=] {
    const RegistryCall call(L);
    const auto page = call.registry.search_models(read_query(call.args, 1));
    protect(L, [&](lua_State* P) { push_page(P, page, registry_push_model); });
    return 1;
  });
}

int registry_bind_download_uri(lua_State* L) {
  return guard(L, [=] {
    const RegistryCall call(L);
    const std::string uri = call.registry.download_uri(call.name(), call.version());
    protect(L, [&](lua_State* P) { push_text(P, uri); });
    return 1;
  });
}

int registry_bind_lineage(lua_State* L) {
  return guard(L, [=] {
    const RegistryCall call(L);
    const ModelLineage lineage = call.registry.lineage(call.name(), call.version());
    protect(L, [&](lua_State* P) { registry_push_lineage(P, lineage); });
    return 1;
  });
}

// history(name, max_results)
int registry_bind_history(lua_State* L) {
  return guard(L, [=] {
    const RegistryCall call(L);
    const std::int64_t most = call.args.integer(2, "max_results", 0);
    if (most < 0) call.args.wrong(2, "max_results", "a whole number from 0");
    const auto events = call.registry.history(call.name(), static_cast<std::size_t>(most));
    protect(L, [&](lua_State* P) { push_list(P, events, registry_push_event); });
    return 1;
  });
}

}  // namespace

void open_registry_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"register_model", registry_bind_version},
                                        {"create_model", registry_bind_model},
                                        {"model", registry_bind_model},
                                        {"search_models", registry_bind_search_models},
                                        {"rename_model", registry_bind_model},
                                        {"update_model", registry_bind_model},
                                        {"delete_model", registry_bind_change},
                                        {"set_model_tag", registry_bind_change},
                                        {"delete_model_tag", registry_bind_change},
                                        {"create_version", registry_bind_version},
                                        {"version", registry_bind_version},
                                        {"versions", registry_bind_versions},
                                        {"latest_version", registry_bind_version},
                                        {"latest_versions", registry_bind_versions},
                                        {"version_by_alias", registry_bind_version},
                                        {"version_by_uri", registry_bind_version},
                                        {"search_versions", registry_bind_versions},
                                        {"update_version", registry_bind_version},
                                        {"delete_version", registry_bind_change},
                                        {"set_version_tag", registry_bind_change},
                                        {"delete_version_tag", registry_bind_change},
                                        {"set_stage", registry_bind_version},
                                        {"set_alias", registry_bind_change},
                                        {"delete_alias", registry_bind_change},
                                        {"download_uri", registry_bind_download_uri},
                                        {"lineage", registry_bind_lineage},
                                        {"history", registry_bind_history}};
  lua_newtable(L);
  for (const luaL_Reg& entry : kFunctions) {
    lua_pushstring(L, entry.name);
    lua_pushcclosure(L, entry.func, 1);
    lua_setfield(L, -2, entry.name);
  }
}

}  // namespace mlrt
