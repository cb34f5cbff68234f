#ifndef MLRT_LUA_VALUES_HPP_
#define MLRT_LUA_VALUES_HPP_

// Internal to lua/: Lua values as C++ values and back. The readers run inside guard() and throw
// kInvalidParameter as "run:log_metric: 'value' must be a number, got nil"; they never convert
// between strings and numbers, and raise no Lua error. The push functions may raise one: they run
// in protect().

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.hpp"
#include "lua/guard.hpp"

namespace mlrt {

// The arguments of one call of the bound function `name`.
class LuaArgs {
 public:
  LuaArgs(lua_State* L, const char* name) : state_(L), name_(name) {}

  const char* name() const { return name_; }
  bool absent(int index) const { return lua_isnoneornil(state_, index); }

  // The view lives as long as the argument is on the stack.
  std::string_view text(int index, const char* argument) const;
  std::string text(int index, const char* argument, const char* fallback) const;
  double number(int index, const char* argument) const;
  double number(int index, const char* argument, double fallback) const;
  std::int64_t integer(int index, const char* argument) const;
  std::int64_t integer(int index, const char* argument, std::int64_t fallback) const;
  bool boolean(int index, const char* argument, bool fallback) const;
  void require_function(int index, const char* argument) const;
  void require_table(int index, const char* argument) const;

  // {"a", "b"}; none or nil is the empty list.
  std::vector<std::string> texts(int index, const char* argument) const;
  // {key = value}, by key; values are strings, numbers or booleans.
  std::map<std::string, std::string> text_map(int index, const char* argument) const;
  // {key = number}, by key.
  std::vector<std::pair<std::string, double>> numbers(int index, const char* argument) const;
  // A string, number or boolean as text, as a parameter or tag is stored.
  std::string scalar(int index, const char* argument) const;

  // Throws "name: 'argument' must be <wanted>, got <what stands there>".
  [[noreturn]] void wrong(int index, const char* argument, const char* wanted) const;

 private:
  bool scalar_text(int index, std::string& text) const;
  // The key of the entry that lua_next has just pushed, which must be a string.
  std::string entry_key(const char* argument) const;

  lua_State* state_;
  const char* name_;
};

// "nil", "a string", "a table", ...: the value at `index` for a message.
std::string describe_value(lua_State* L, int index);

inline void push_text(lua_State* L, std::string_view text) {
  lua_pushlstring(L, text.data(), text.size());
}
// t[key] = value for the table on top.
void set_text(lua_State* L, const char* key, const std::string& value);
void set_integer(lua_State* L, const char* key, std::int64_t value);
void set_number(lua_State* L, const char* key, double value);
void push_texts(lua_State* L, const std::vector<std::string>& values);
void push_numbers(lua_State* L, const std::vector<std::pair<std::string, double>>& values);

// The value at `index` as JSON. A table with the keys 1..n is an array, one with string keys an
// object, an empty one an object unless it was made by json.decode or json.array. Throws
// kInvalidParameter, with `what`, for what JSON cannot hold, other keys, or more than 64 levels.
Json read_json_value(lua_State* L, int index, const char* what);
// Arrays get the array metatable, null becomes json.null. May raise a Lua error.
void push_json_value(lua_State* L, const Json& value);
// The address whose light userdata is json.null, and the registry key of the array metatable.
const void* json_null_address();
const void* json_array_key();

// Fills the table on top of the stack with `functions`.
void set_functions(lua_State* L, const luaL_Reg* functions);

}  // namespace mlrt

#endif  // MLRT_LUA_VALUES_HPP_
