#include "lua/table_values.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "lua/guard.hpp"
#include "lua/values.hpp"

namespace mlrt {
namespace {

// A Lua table is sparse, a column is not: {[2^60] = 1} must not take the machine's memory.
constexpr std::size_t kTableMaxRows = std::size_t{1} << 31;
constexpr std::size_t kTableMaxGap = 1000000;

bool table_cell_is_missing(lua_State* L, int index) {
  return lua_isnoneornil(L, index) || (lua_type(L, index) == LUA_TLIGHTUSERDATA &&
                                       lua_touserdata(L, index) == json_null_address());
}

// Gathers the values of one column and then gives it the narrowest type that holds them all.
class ColumnBuilder {
 public:
  ColumnBuilder(std::string name, const char* function)
      : name_(std::move(name)), function_(function) {}

  // The value at `index` becomes that of `row`; rows come in any order.
  void set(lua_State* L, int index, std::size_t row) {
    if (table_cell_is_missing(L, index)) return;
    const int type = lua_type(L, index);
    if (type != LUA_TNUMBER && type != LUA_TBOOLEAN && type != LUA_TSTRING) {
      throw Error(
          ErrorCode::kInvalidParameter,
          where(row) + " must be a number, a boolean or a string, got " + describe_value(L, index));
    }
    if (lua_type_ != LUA_TNIL && type != lua_type_) {
      throw Error(ErrorCode::kInvalidParameter, where(row) + " is " + describe_value(L, index) +
                                                    ", but the column holds " +
                                                    lua_typename(L, lua_type_) + "s before");
    }
    lua_type_ = type;
    if (row >= present_.size()) present_.resize(row + 1);
    present_[row] = 1;
    if (type == LUA_TSTRING) {
      if (row >= strings_.size()) strings_.resize(row + 1);
      std::size_t size = 0;
      const char* bytes = lua_tolstring(L, index, &size);
      if (!is_utf8({bytes, size})) {
        throw Error(ErrorCode::kInvalidParameter, where(row) + " must be UTF-8 text");
      }
      strings_[row].assign(bytes, size);
    } else {
      if (row >= integers_.size()) integers_.resize(row + 1);
      if (row >= doubles_.size()) doubles_.resize(row + 1);
      if (type == LUA_TBOOLEAN) {
        integers_[row] = lua_toboolean(L, index);
      } else {
        all_integer_ = all_integer_ && lua_isinteger(L, index) != 0;
        if (lua_isinteger(L, index)) integers_[row] = lua_tointeger(L, index);
        doubles_[row] = lua_tonumber(L, index);
      }
    }
  }

  Column build(std::size_t row_count) {
    present_.resize(row_count);
    std::vector<std::uint8_t> missing;
    if (std::find(present_.begin(), present_.end(), 0) != present_.end()) {
      missing.resize(row_count);
      for (std::size_t i = 0; i < row_count; ++i) missing[i] = present_[i] == 0;
    }
    if (lua_type_ == LUA_TSTRING) {
      strings_.resize(row_count);
      return Column::of_strings(name_, std::move(strings_), std::move(missing));
    }
    if (lua_type_ == LUA_TBOOLEAN) {
      std::vector<std::uint8_t> values(row_count);
      for (std::size_t i = 0; i < integers_.size(); ++i) values[i] = integers_[i] != 0;
      return Column::of_booleans(name_, std::move(values), std::move(missing));
    }
    if (lua_type_ == LUA_TNUMBER && all_integer_) {
      integers_.resize(row_count);
      return Column::of_longs(name_, std::move(integers_), std::move(missing));
    }
    doubles_.resize(row_count);
    for (std::size_t i = 0; i < row_count; ++i) {
      if (present_[i] == 0) doubles_[i] = std::numeric_limits<double>::quiet_NaN();
    }
    return Column::of_doubles(name_, std::move(doubles_));
  }

 private:
  std::string where(std::size_t row) const {
    return std::string(function_) + ": column " + quoted(name_) + ", row " +
           std::to_string(row + 1);
  }

  std::string name_;
  const char* function_;
  int lua_type_ = LUA_TNIL;
  bool all_integer_ = true;
  std::vector<std::uint8_t> present_;
  std::vector<std::int64_t> integers_;
  std::vector<double> doubles_;
  std::vector<std::string> strings_;
};

std::string table_key_text(lua_State* L, int index, const char* function) {
  if (lua_type(L, index) != LUA_TSTRING) {
    throw Error(ErrorCode::kInvalidParameter,
                std::string(function) + ": the names of columns must be strings, one is " +
                    describe_value(L, index));
  }
  std::size_t size = 0;
  const char* bytes = lua_tolstring(L, index, &size);
  return std::string(bytes, size);
}

// The largest whole key of the array at `index`, which may have holes (missing values).
std::size_t table_array_length(lua_State* L, int index, const std::string& name,
                               const char* function) {
  const std::size_t border = lua_rawlen(L, index);
  std::size_t length = border;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1) {
      throw Error(ErrorCode::kInvalidParameter,
                  std::string(function) + ": column " + quoted(name) +
                      " must be a list (keys 1..n), it has the key " +
                      (lua_type(L, -1) == LUA_TNUMBER ? format_double(lua_tonumber(L, -1))
                                                      : describe_value(L, -1)));
    }
    length = std::max(length, static_cast<std::size_t>(lua_tointeger(L, -1)));
  }
  if (length > kTableMaxRows || length - border > kTableMaxGap) {
    throw Error(ErrorCode::kInvalidParameter, std::string(function) + ": column " + quoted(name) +
                                                  " has a gap of more than a million rows");
  }
  return length;
}

}  // namespace

Column read_column_value(lua_State* L, int index, const std::string& name, std::size_t row_count,
                         const char* function) {
  ColumnBuilder builder(name, function);
  lua_guard::require_stack(L, 4);
  for (std::size_t row = 0; row < row_count; ++row) {
    lua_rawgeti(L, index, static_cast<lua_Integer>(row + 1));
    builder.set(L, lua_gettop(L), row);
    lua_pop(L, 1);
  }
  return builder.build(row_count);
}

Table read_table_value(lua_State* L, int index, const std::vector<std::string>& order,
                       const char* function) {
  index = lua_absindex(L, index);
  lua_guard::require_stack(L, 8);
  const std::size_t list_length = lua_rawlen(L, index);
  std::map<std::string, Column> columns;
  if (list_length > 0) {  // a list of rows
    std::map<std::string, ColumnBuilder> builders;
    for (const std::string& name : order) builders.emplace(name, ColumnBuilder(name, function));
    for (std::size_t row = 0; row < list_length; ++row) {
      lua_rawgeti(L, index, static_cast<lua_Integer>(row + 1));
      if (lua_type(L, -1) != LUA_TTABLE) {
        throw Error(ErrorCode::kInvalidParameter,
                    std::string(function) + ": row " + std::to_string(row + 1) +
                        " must be a table {column = value}, got " + describe_value(L, -1));
      }
      lua_pushnil(L);
      while (lua_next(L, -2) != 0) {
        const std::string name = table_key_text(L, -2, function);
        auto found = builders.find(name);
        if (found == builders.end())
          found = builders.emplace(name, ColumnBuilder(name, function)).first;
        found->second.set(L, lua_gettop(L), row);
        lua_pop(L, 1);
      }
      lua_pop(L, 1);
    }
    for (auto& entry : builders) columns.emplace(entry.first, entry.second.build(list_length));
  } else {
    std::size_t row_count = 0;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
      const std::string name = table_key_text(L, -2, function);
      if (lua_type(L, -1) != LUA_TTABLE) {
        throw Error(ErrorCode::kInvalidParameter,
                    std::string(function) + ": column " + quoted(name) +
                        " must be a list of values, got " + describe_value(L, -1));
      }
      row_count = std::max(row_count, table_array_length(L, lua_gettop(L), name, function));
      lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
      const std::string name = table_key_text(L, -2, function);
      columns.emplace(name, read_column_value(L, lua_gettop(L), name, row_count, function));
      lua_pop(L, 1);
    }
  }
  Table table;
  for (const std::string& name : order) {
    const auto found = columns.find(name);
    if (found == columns.end()) {
      throw Error(ErrorCode::kInvalidParameter, std::string(function) +
                                                    ": the data has no column " + quoted(name) +
                                                    ", which 'columns' names");
    }
    if (!table.has(name)) table.set(found->second);
  }
  for (const auto& entry : columns) {
    if (!table.has(entry.first)) table.set(entry.second);
  }
  return table;
}

void push_cell(lua_State* L, const Column& column, std::size_t row) {
  if (column.is_missing(row)) {
    lua_pushnil(L);
    return;
  }
  switch (column.type()) {
    case ColumnType::kBoolean:
      lua_pushboolean(L, column.integer(row) != 0);
      return;
    case ColumnType::kLong:
      lua_pushinteger(L, column.integer(row));
      return;
    case ColumnType::kDouble:
      lua_pushnumber(L, column.number(row));
      return;
    case ColumnType::kString: {
      const std::string& text = column.text(row);
      lua_pushlstring(L, text.data(), text.size());
      return;
    }
  }
  lua_pushnil(L);
}

}  // namespace mlrt
