#ifndef MLRT_LUA_BIND_TABLE_HPP_
#define MLRT_LUA_BIND_TABLE_HPP_

// Internal to lua/: tables as other bindings take and give them.

#include <memory>

#include "data/table.hpp"
#include "lua/handle.hpp"

namespace mlrt {

// Tables are shared and never changed once a script can see them.
template <>
const HandleKind& handle_kind<const Table>();

// The table at `index`: a handle, or a Lua table of columns or of rows, which is converted. Throws
// kInvalidParameter for anything else.
std::shared_ptr<const Table> check_table(lua_State* L, int index, const char* function,
                                         const char* argument);

// Pushes a handle, and tells the collector of the memory that it keeps. May raise a Lua error.
void push_table_handle(lua_State* L, const std::shared_ptr<const Table>& table);

}  // namespace mlrt

#endif  // MLRT_LUA_BIND_TABLE_HPP_
