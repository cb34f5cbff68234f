#include "lua/traceback.hpp"

namespace mlrt {
namespace {

// The key in the registry of the text that belongs to the last error.
const char kTracebackTextKey = 0;

// The message handler. It runs where the error was raised, and again if a `__close` raises another
// one.
int traceback_handler(lua_State* L) {
  lua_settop(L, 1);
  if (lua_isstring(L, 1) || luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL) {
    lua_settop(L, 1);
    luaL_tolstring(L, 1, nullptr);
  } else {
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  luaL_traceback(L, L, lua_tostring(L, -1), 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kTracebackTextKey);
  lua_settop(L, 1);
  return 1;
}

}  // namespace

int call_with_traceback(lua_State* L, int arguments, int results) {
  lua_pushboolean(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kTracebackTextKey);
  const int function = lua_gettop(L) - arguments;
  lua_pushcfunction(L, traceback_handler);
  lua_insert(L, function);
  const int status = lua_pcall(L, arguments, results, function);
  lua_remove(L, function);
  if (status != LUA_OK) {
    // There is no text when memory ran out, or the handler failed: then the value is one.
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kTracebackTextKey) == LUA_TSTRING &&
        status == LUA_ERRRUN) {
      lua_replace(L, -2);
    } else {
      lua_pop(L, 1);
    }
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kTracebackTextKey);
  }
  return status;
}

}  // namespace mlrt
