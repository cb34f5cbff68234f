#ifndef MLRT_LUA_TABLE_VALUES_HPP_
#define MLRT_LUA_TABLE_VALUES_HPP_

// Internal to lua/: Lua tables as columns.

#include <cstddef>
#include <string>
#include <vector>

#include "data/table.hpp"
#include "lua/lua_api.hpp"

namespace mlrt {

// The Lua table at `index`, {name = {values}} or a list of rows {name = value}, as a Table. Columns
// stand in the order of `order`, those that it does not name after them by name. A value that is
// nil or json.null is missing. Throws kInvalidParameter, with `function`, for a column of mixed
// types or another shape.
Table read_table_value(lua_State* L, int index, const std::vector<std::string>& order,
                       const char* function);

// The Lua array at `index` as a column of `row_count` values.
Column read_column_value(lua_State* L, int index, const std::string& name, std::size_t row_count,
                         const char* function);

// Pushes one cell; nil if it is missing. May raise a Lua error.
void push_cell(lua_State* L, const Column& column, std::size_t row);

}  // namespace mlrt

#endif  // MLRT_LUA_TABLE_VALUES_HPP_
