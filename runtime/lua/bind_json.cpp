// mlrt.native.json

#include <string>

#include "core/json.hpp"
#include "lua/bindings.hpp"
#include "lua/values.hpp"

namespace mlrt {
namespace {

// encode(value, indent): JSON text with sorted keys; indent 0 is one line.
int json_bind_encode(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "json.encode");
    const std::int64_t indent = args.integer(2, "indent", 0);
    if (indent < 0 || indent > 16) {
      throw Error(ErrorCode::kInvalidParameter, "json.encode: 'indent' must be from 0 to 16");
    }
    const Json value = read_json_value(L, 1, "json.encode");
    const std::string text = indent == 0 ? dump_json(value)
                                         : value.dump(static_cast<int>(indent), ' ', false,
                                                      Json::error_handler_t::replace);
    protect(L, [&](lua_State* P) { push_text(P, text); });
    return 1;
  });
}

// decode(text): its value; null is json.null.
int json_bind_decode(lua_State* L) {
  return guard(L, [=] {
    const Json value = parse_json(LuaArgs(L, "json.decode").text(1, "text"), "json.decode");
    protect(L, [&](lua_State* P) { push_json_value(P, value); });
    return 1;
  });
}

// array(table): marks the table as a JSON array, for one that may be empty; returns it.
int json_bind_array(lua_State* L) {
  return guard(L, [=] {
    LuaArgs(L, "json.array").require_table(1, "table");
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, json_array_key());
    lua_setmetatable(L, 1);
    return 1;
  });
}

}  // namespace

void open_json_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"encode", json_bind_encode},
                                        {"decode", json_bind_decode},
                                        {"array", json_bind_array},
                                        {nullptr, nullptr}};
  lua_newtable(L);
  lua_pushliteral(L, "mlrt.json.array");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, json_array_key());
  lua_newtable(L);
  set_functions(L, kFunctions);
  lua_pushlightuserdata(L, const_cast<void*>(json_null_address()));
  lua_setfield(L, -2, "null");
}

}  // namespace mlrt
