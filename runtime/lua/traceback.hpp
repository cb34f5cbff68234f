#ifndef MLRT_LUA_TRACEBACK_HPP_
#define MLRT_LUA_TRACEBACK_HPP_

#include "lua/lua_api.hpp"

namespace mlrt {

// Internal to lua/: lua_pcall, but an error leaves its text with the traceback on the stack. Inside
// of the call the error stays what it is, so that `<close>` variables see the error object. May
// raise a Lua error (out of memory, before the call).
int call_with_traceback(lua_State* L, int arguments, int results);

}  // namespace mlrt

#endif  // MLRT_LUA_TRACEBACK_HPP_
