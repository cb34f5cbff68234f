// mlrt.native.registry

#include <string>
#include <vector>

#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/values.hpp"

namespace mlrt {
namespace {

void registry_push_version(lua_State* L, const ModelVersion& version) {
  lua_createtable(L, 0, 7);
  set_text(L, "name", version.name);
  set_integer(L, "version", version.version);
  set_text(L, "source", version.source);
  if (!version.run_id.empty()) set_text(L, "run_id", version.run_id);
  set_text(L, "description", version.description);
  set_integer(L, "creation_time_ms", version.creation_time_ms);
  push_texts(L, version.aliases);
  lua_setfield(L, -2, "aliases");
}

// register(source, name, alias, run_id): the new version.
int registry_bind_register(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "register_model");
    const std::string source(args.text(1, "source"));
    const std::string name(args.text(2, "name"));
    const std::string alias = args.text(3, "alias", "");
    const ModelVersion version =
        script_state(L).session().register_model(source, name, alias, args.text(4, "run_id", ""));
    protect(L, [&](lua_State* P) { registry_push_version(P, version); });
    return 1;
  });
}

int registry_bind_models(lua_State* L) {
  return guard(L, [=] {
    const std::vector<RegisteredModel> models = script_state(L).session().registry().list_models();
    protect(L, [&](lua_State* P) {
      lua_createtable(P, static_cast<int>(models.size()), 0);
      lua_Integer i = 0;
      for (const RegisteredModel& model : models) {
        lua_createtable(P, 0, 5);
        set_text(P, "name", model.name);
        set_text(P, "description", model.description);
        set_integer(P, "creation_time_ms", model.creation_time_ms);
        set_integer(P, "last_update_time_ms", model.last_update_time_ms);
        lua_createtable(P, static_cast<int>(model.versions.size()), 0);
        lua_Integer v = 0;
        for (const ModelVersion& version : model.versions) {
          registry_push_version(P, version);
          lua_rawseti(P, -2, ++v);
        }
        lua_setfield(P, -2, "versions");
        lua_rawseti(P, -2, ++i);
      }
    });
    return 1;
  });
}

int registry_bind_set_alias(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "set_alias");
    const std::string name(args.text(1, "name"));
    const std::string alias(args.text(2, "alias"));
    script_state(L).session().registry().set_alias(name, alias, args.integer(3, "version"));
    return 0;
  });
}

int registry_bind_delete_alias(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "delete_alias");
    const std::string name(args.text(1, "name"));
    script_state(L).session().registry().delete_alias(name, std::string(args.text(2, "alias")));
    return 0;
  });
}

}  // namespace

void open_registry_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"register", registry_bind_register},
                                        {"models", registry_bind_models},
                                        {"set_alias", registry_bind_set_alias},
                                        {"delete_alias", registry_bind_delete_alias},
                                        {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
}

}  // namespace mlrt
