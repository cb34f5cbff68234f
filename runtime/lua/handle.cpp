#include "lua/handle.hpp"

#include <algorithm>
#include <vector>

#include "core/text.hpp"

namespace mlrt {
namespace {

void handle_add_names(lua_State* L, int index, std::vector<std::string>& names) {
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_type(L, -2) == LUA_TSTRING) names.push_back(lua_tostring(L, -2));
    lua_pop(L, 1);
  }
}

// __index. Upvalues: the methods, the getters, the kind.
int handle_index(lua_State* L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
  }
  return guard(L, [=]() -> int {
    const auto* kind = static_cast<const HandleKind*>(lua_touserdata(L, lua_upvalueindex(3)));
    std::vector<std::string> names;
    handle_add_names(L, lua_upvalueindex(1), names);
    handle_add_names(L, lua_upvalueindex(2), names);
    std::sort(names.begin(), names.end());  // of two that are as near, always the same one
    std::string field = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
    throw Error(ErrorCode::kInvalidParameter,
                std::string(kind->name) + " has no " + quoted(field) + did_you_mean(field, names));
  });
}

int handle_new_index(lua_State* L) {
  return guard(L, [=]() -> int {
    const auto* kind = static_cast<const HandleKind*>(lua_touserdata(L, lua_upvalueindex(1)));
    throw Error(ErrorCode::kInvalidParameter,
                std::string("the fields of ") + kind->name + " cannot be set");
  });
}

void handle_set_functions(lua_State* L, const luaL_Reg* functions) {
  for (; functions != nullptr && functions->name != nullptr; ++functions) {
    lua_pushcfunction(L, functions->func);
    lua_setfield(L, -2, functions->name);
  }
}

}  // namespace

namespace lua_handle {

void* test(lua_State* L, int index, const HandleKind& kind) {
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_checkstack(L, 2)) return nullptr;
  if (!lua_getmetatable(L, index)) return nullptr;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kind);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same ? lua_touserdata(L, index) : nullptr;
}

void throw_wrong_type(lua_State* L, int index, const HandleKind& kind, const char* function,
                      const char* argument) {
  const std::string got =
      lua_isnoneornil(L, index) ? "nil" : std::string("a ") + luaL_typename(L, index);
  throw Error(ErrorCode::kInvalidParameter,
              std::string(function) + ": '" + argument + "' must be " + kind.name + ", got " + got);
}

void throw_closed(const HandleKind& kind, const char* function) {
  throw Error(ErrorCode::kConflict,
              std::string(function) + ": " + kind.name + " that is closed cannot be used");
}

void make_metatable(lua_State* L, const HandleKind& kind, const luaL_Reg* methods,
                    const luaL_Reg* getters, const luaL_Reg* metamethods) {
  lua_newtable(L);  // the metatable
  lua_pushstring(L, kind.lua_name);
  lua_setfield(L, -2, "__name");
  handle_set_functions(L, metamethods);
  lua_pushlightuserdata(L, const_cast<HandleKind*>(&kind));
  lua_pushcclosure(L, handle_new_index, 1);
  lua_setfield(L, -2, "__newindex");
  lua_newtable(L);  // the methods
  handle_set_functions(L, methods);
  lua_pushvalue(L, -1);
  lua_newtable(L);  // the getters
  handle_set_functions(L, getters);
  lua_pushlightuserdata(L, const_cast<HandleKind*>(&kind));
  lua_pushcclosure(L, handle_index, 3);
  lua_setfield(L, -3, "__index");
  lua_pushvalue(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kind);
  lua_remove(L, -2);
}

void set_metatable(lua_State* L, const HandleKind& kind) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kind);
  lua_setmetatable(L, -2);
}

}  // namespace lua_handle
}  // namespace mlrt
