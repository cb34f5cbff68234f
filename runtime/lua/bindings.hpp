#ifndef MLRT_LUA_BINDINGS_HPP_
#define MLRT_LUA_BINDINGS_HPP_

// Internal to lua/: the modules of C++ functions, one bind_<module>.cpp each. Every open function
// pushes one table of functions and may raise a Lua error; stdlib/mlrt.lua makes the public module
// of them.

#include "lua/lua_api.hpp"

namespace mlrt {

void open_errors_module(lua_State* L);
void open_json_module(lua_State* L);
void open_table_module(lua_State* L);
void open_model_module(lua_State* L);
void open_train_module(lua_State* L);
void open_tracking_module(lua_State* L);
void open_run_module(lua_State* L);
void open_artifacts_module(lua_State* L);
void open_logged_models_module(lua_State* L);
void open_store_module(lua_State* L);
void open_registry_module(lua_State* L);
void open_server_module(lua_State* L);
void open_http_module(lua_State* L);

// Puts a loader of all of them into package.preload as "mlrt.native"; nothing is made until it is
// required. May raise a Lua error.
void preload_bindings(lua_State* L);

}  // namespace mlrt

#endif  // MLRT_LUA_BINDINGS_HPP_
