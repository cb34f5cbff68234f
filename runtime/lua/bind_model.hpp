#ifndef MLRT_LUA_BIND_MODEL_HPP_
#define MLRT_LUA_BIND_MODEL_HPP_

// Internal to lua/: models as other bindings take and give them.

#include "lua/handle.hpp"
#include "model/model.hpp"

namespace mlrt {

template <>
const HandleKind& handle_kind<const Model>();

// [{name, type, required}] for the columns of a signature or of training data. May raise a Lua
// error.
void push_column_specs(lua_State* L, const std::vector<ColumnSpec>& columns);

}  // namespace mlrt

#endif  // MLRT_LUA_BIND_MODEL_HPP_
