#include "lua/values.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace mlrt {
namespace {

const char kJsonNull = 0;
const char kJsonArray = 0;
constexpr int kLuaJsonMaxDepth = 64;

// Whether the table at `index` has exactly the keys 1..n; n may be 0.
bool value_is_sequence(lua_State* L, int index, std::size_t& count) {
  count = lua_rawlen(L, index);
  std::size_t keys = 0;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    const bool fits = lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1 &&
                      static_cast<lua_Unsigned>(lua_tointeger(L, -1)) <= count;
    if (!fits || ++keys > count) {
      lua_pop(L, 1);
      return false;
    }
  }
  return keys == count;
}

bool value_is_marked_array(lua_State* L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kJsonArray);
  const bool marked = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return marked;
}

std::string value_as_string(lua_State* L, int index) {
  std::size_t size = 0;
  const char* bytes = lua_tolstring(L, index, &size);
  return std::string(bytes, size);
}

Json value_read_json(lua_State* L, int index, const char* what, int depth) {
  if (depth > kLuaJsonMaxDepth) {
    throw Error(
        ErrorCode::kInvalidParameter,
        std::string(what) + ": tables are nested deeper than 64 levels, or one contains itself");
  }
  lua_guard::require_stack(L, 6);
  index = lua_absindex(L, index);
  switch (lua_type(L, index)) {
    case LUA_TNIL:
      return nullptr;
    case LUA_TBOOLEAN:
      return lua_toboolean(L, index) != 0;
    case LUA_TNUMBER:
      if (lua_isinteger(L, index)) return static_cast<std::int64_t>(lua_tointeger(L, index));
      return lua_tonumber(L, index);
    case LUA_TSTRING:
      return value_as_string(L, index);
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, index) == &kJsonNull) return nullptr;
      break;
    case LUA_TTABLE: {
      std::size_t count = 0;
      const bool sequence = value_is_sequence(L, index, count);
      if (sequence && (count > 0 || value_is_marked_array(L, index))) {
        Json array = Json::array();
        for (std::size_t i = 1; i <= count; ++i) {
          lua_rawgeti(L, index, static_cast<lua_Integer>(i));
          array.push_back(value_read_json(L, -1, what, depth + 1));
          lua_pop(L, 1);
        }
        return array;
      }
      Json object = Json::object();
      lua_pushnil(L);
      while (lua_next(L, index) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING) {
          const std::string key = lua_type(L, -2) == LUA_TNUMBER
                                      ? format_double(lua_tonumber(L, -2))
                                      : describe_value(L, -2);
          throw Error(ErrorCode::kInvalidParameter,
                      std::string(what) +
                          ": a table needs either the keys 1..n or only strings as keys, found " +
                          key);
        }
        object[value_as_string(L, -2)] = value_read_json(L, -1, what, depth + 1);
        lua_pop(L, 1);
      }
      return object;
    }
    default:
      break;
  }
  throw Error(ErrorCode::kInvalidParameter,
              std::string(what) + ": " + describe_value(L, index) + " has no JSON form");
}

}  // namespace

std::string describe_value(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
      return "nil";
    case LUA_TBOOLEAN:
      return lua_toboolean(L, index) != 0 ? "true" : "false";
    default:
      return std::string("a ") + luaL_typename(L, index);
  }
}

void LuaArgs::wrong(int index, const char* argument, const char* wanted) const {
  throw Error(ErrorCode::kInvalidParameter, std::string(name_) + ": '" + argument + "' must be " +
                                                wanted + ", got " + describe_value(state_, index));
}

std::string_view LuaArgs::text(int index, const char* argument) const {
  if (lua_type(state_, index) != LUA_TSTRING) wrong(index, argument, "a string");
  std::size_t size = 0;
  const char* bytes = lua_tolstring(state_, index, &size);
  return {bytes, size};
}

std::string LuaArgs::text(int index, const char* argument, const char* fallback) const {
  return absent(index) ? std::string(fallback) : std::string(text(index, argument));
}

double LuaArgs::number(int index, const char* argument) const {
  if (lua_type(state_, index) != LUA_TNUMBER) wrong(index, argument, "a number");
  return lua_tonumber(state_, index);
}

double LuaArgs::number(int index, const char* argument, double fallback) const {
  return absent(index) ? fallback : number(index, argument);
}

std::int64_t LuaArgs::integer(int index, const char* argument) const {
  int whole = 0;
  const lua_Integer value =
      lua_type(state_, index) == LUA_TNUMBER ? lua_tointegerx(state_, index, &whole) : 0;
  if (whole == 0) wrong(index, argument, "a whole number");
  return value;
}

std::int64_t LuaArgs::integer(int index, const char* argument, std::int64_t fallback) const {
  return absent(index) ? fallback : integer(index, argument);
}

bool LuaArgs::boolean(int index, const char* argument, bool fallback) const {
  if (absent(index)) return fallback;
  if (lua_type(state_, index) != LUA_TBOOLEAN) wrong(index, argument, "true or false");
  return lua_toboolean(state_, index) != 0;
}

void LuaArgs::require_function(int index, const char* argument) const {
  if (lua_type(state_, index) != LUA_TFUNCTION) wrong(index, argument, "a function");
}

void LuaArgs::require_table(int index, const char* argument) const {
  if (lua_type(state_, index) != LUA_TTABLE) wrong(index, argument, "a table");
}

std::vector<std::string> LuaArgs::texts(int index, const char* argument) const {
  std::vector<std::string> values;
  if (absent(index)) return values;
  if (lua_type(state_, index) != LUA_TTABLE) wrong(index, argument, "a list of strings");
  lua_guard::require_stack(state_, 4);
  std::size_t count = 0;
  if (!value_is_sequence(state_, index, count))
    wrong(index, argument, "a list of strings (keys 1..n)");
  for (std::size_t i = 1; i <= count; ++i) {
    lua_rawgeti(state_, index, static_cast<lua_Integer>(i));
    if (lua_type(state_, -1) != LUA_TSTRING) {
      throw Error(ErrorCode::kInvalidParameter, std::string(name_) + ": '" + argument +
                                                    "' must be a list of strings, its value " +
                                                    std::to_string(i) + " is " +
                                                    describe_value(state_, -1));
    }
    values.push_back(value_as_string(state_, -1));
    lua_pop(state_, 1);
  }
  return values;
}

bool LuaArgs::scalar_text(int index, std::string& text) const {
  switch (lua_type(state_, index)) {
    case LUA_TSTRING:
      text = value_as_string(state_, index);
      return true;
    case LUA_TBOOLEAN:
      text = lua_toboolean(state_, index) != 0 ? "true" : "false";
      return true;
    case LUA_TNUMBER:
      text = lua_isinteger(state_, index) ? std::to_string(lua_tointeger(state_, index))
                                          : format_double(lua_tonumber(state_, index));
      return true;
    default:
      return false;
  }
}

std::string LuaArgs::scalar(int index, const char* argument) const {
  std::string text;
  if (!scalar_text(index, text)) wrong(index, argument, "a string, a number or a boolean");
  return text;
}

std::string LuaArgs::entry_key(const char* argument) const {
  if (lua_type(state_, -2) != LUA_TSTRING) {
    throw Error(ErrorCode::kInvalidParameter, std::string(name_) + ": the keys of '" + argument +
                                                  "' must be strings, one is " +
                                                  describe_value(state_, -2));
  }
  return value_as_string(state_, -2);
}

std::map<std::string, std::string> LuaArgs::text_map(int index, const char* argument) const {
  std::map<std::string, std::string> values;
  if (absent(index)) return values;
  require_table(index, argument);
  lua_guard::require_stack(state_, 4);
  lua_pushnil(state_);
  while (lua_next(state_, index) != 0) {
    const std::string key = entry_key(argument);
    std::string text;
    if (!scalar_text(lua_gettop(state_), text)) {
      throw Error(ErrorCode::kInvalidParameter,
                  std::string(name_) + ": " + quoted(key) + " in '" + argument +
                      "' must be a string, a number or a boolean, got " +
                      describe_value(state_, -1));
    }
    values.emplace(key, std::move(text));
    lua_pop(state_, 1);
  }
  return values;
}

std::vector<std::pair<std::string, double>> LuaArgs::numbers(int index,
                                                             const char* argument) const {
  std::vector<std::pair<std::string, double>> values;
  if (absent(index)) return values;
  require_table(index, argument);
  lua_guard::require_stack(state_, 4);
  lua_pushnil(state_);
  while (lua_next(state_, index) != 0) {
    std::string key = entry_key(argument);
    if (lua_type(state_, -1) != LUA_TNUMBER) {
      throw Error(ErrorCode::kInvalidParameter, std::string(name_) + ": " + quoted(key) + " in '" +
                                                    argument + "' must be a number, got " +
                                                    describe_value(state_, -1));
    }
    values.emplace_back(std::move(key), lua_tonumber(state_, -1));
    lua_pop(state_, 1);
  }
  std::sort(values.begin(), values.end());
  return values;
}

void set_text(lua_State* L, const char* key, const std::string& value) {
  push_text(L, value);
  lua_setfield(L, -2, key);
}

void set_integer(lua_State* L, const char* key, std::int64_t value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

void set_number(lua_State* L, const char* key, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, key);
}

void push_texts(lua_State* L, const std::vector<std::string>& values) {
  lua_createtable(L, static_cast<int>(values.size()), 0);
  lua_Integer i = 0;
  for (const std::string& value : values) {
    push_text(L, value);
    lua_rawseti(L, -2, ++i);
  }
}

void push_numbers(lua_State* L, const std::vector<std::pair<std::string, double>>& values) {
  lua_createtable(L, 0, static_cast<int>(values.size()));
  for (const auto& entry : values) {
    push_text(L, entry.first);
    lua_pushnumber(L, entry.second);
    lua_rawset(L, -3);
  }
}

Json read_json_value(lua_State* L, int index, const char* what) {
  return value_read_json(L, index, what, 1);
}

void push_json_value(lua_State* L, const Json& value) {
  luaL_checkstack(L, 6, nullptr);
  switch (value.type()) {
    case Json::value_t::boolean:
      lua_pushboolean(L, *value.get_ptr<const Json::boolean_t*>());
      return;
    case Json::value_t::number_integer:
      lua_pushinteger(L, *value.get_ptr<const Json::number_integer_t*>());
      return;
    case Json::value_t::number_unsigned: {
      const Json::number_unsigned_t number = *value.get_ptr<const Json::number_unsigned_t*>();
      if (number <= static_cast<std::uint64_t>(INT64_MAX)) {
        lua_pushinteger(L, static_cast<lua_Integer>(number));
      } else {
        lua_pushnumber(L, static_cast<lua_Number>(number));
      }
      return;
    }
    case Json::value_t::number_float:
      lua_pushnumber(L, *value.get_ptr<const Json::number_float_t*>());
      return;
    case Json::value_t::string:
      push_text(L, *value.get_ptr<const Json::string_t*>());
      return;
    case Json::value_t::array: {
      const auto& array = *value.get_ptr<const Json::array_t*>();
      lua_createtable(L, static_cast<int>(array.size()), 0);
      lua_Integer i = 0;
      for (const Json& element : array) {
        push_json_value(L, element);
        lua_rawseti(L, -2, ++i);
      }
      lua_rawgetp(L, LUA_REGISTRYINDEX, &kJsonArray);
      lua_setmetatable(L, -2);
      return;
    }
    case Json::value_t::object: {
      const auto& object = *value.get_ptr<const Json::object_t*>();
      lua_createtable(L, 0, static_cast<int>(object.size()));
      for (const auto& member : object) {
        push_text(L, member.first);
        push_json_value(L, member.second);
        lua_rawset(L, -3);
      }
      return;
    }
    default:
      lua_pushlightuserdata(L, const_cast<char*>(&kJsonNull));
      return;
  }
}

const void* json_null_address() { return &kJsonNull; }
const void* json_array_key() { return &kJsonArray; }

void set_functions(lua_State* L, const luaL_Reg* functions) {
  for (; functions->name != nullptr; ++functions) {
    lua_pushcfunction(L, functions->func);
    lua_setfield(L, -2, functions->name);
  }
}

}  // namespace mlrt
