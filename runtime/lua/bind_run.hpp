#ifndef MLRT_LUA_BIND_RUN_HPP_
#define MLRT_LUA_BIND_RUN_HPP_

// Internal to lua/: runs as other bindings take and give them.

#include "api/run.hpp"
#include "lua/handle.hpp"

namespace mlrt {

template <>
const HandleKind& handle_kind<Run>();

}  // namespace mlrt

#endif  // MLRT_LUA_BIND_RUN_HPP_
