#include "lua/bindings.hpp"

#include "core/version.hpp"

namespace mlrt {
namespace {

int bindings_open(lua_State* L) {
  struct Part {
    const char* name;
    void (*open)(lua_State*);
  };
  static constexpr Part kParts[] = {
      {"errors", open_errors_module},     {"json", open_json_module},
      {"table", open_table_module},       {"model", open_model_module},
      {"train", open_train_module},       {"tracking", open_tracking_module},
      {"run", open_run_module},           {"artifacts", open_artifacts_module},
      {"store", open_store_module},       {"logged_models", open_logged_models_module},
      {"registry", open_registry_module}, {"server", open_server_module},
      {"http", open_http_module},
  };
  lua_newtable(L);
  lua_pushliteral(L, MLRT_VERSION);
  lua_setfield(L, -2, "version");
  for (const Part& part : kParts) {
    part.open(L);
    lua_setfield(L, -2, part.name);
  }
  return 1;
}

}  // namespace

void preload_bindings(lua_State* L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, bindings_open);
  lua_setfield(L, -2, "mlrt.native");
  lua_pop(L, 1);
}

}  // namespace mlrt
