#ifndef MLRT_LUA_LUA_API_HPP_
#define MLRT_LUA_LUA_API_HPP_

// Internal to lua/: the one place that includes Lua's headers. Our build compiles Lua as C++. A
// program that takes the single header is linked to its system's Lua, which is C unless
// MLRT_LUA_IS_CPP says otherwise; guard.hpp is written so that both are sound.
#if (defined(MLRT_IMPLEMENTATION) || defined(MLRT_EXPOSE_INTERNALS)) && !defined(MLRT_LUA_IS_CPP)
extern "C" {
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
}
#else
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

#if LUA_VERSION_NUM != 504 || LUA_VERSION_RELEASE_NUM < 50404
#error "mlrt needs Lua 5.4.4 or a later 5.4"
#endif

#endif  // MLRT_LUA_LUA_API_HPP_
