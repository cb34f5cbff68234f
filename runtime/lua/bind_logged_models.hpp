#ifndef MLRT_LUA_BIND_LOGGED_MODELS_HPP_
#define MLRT_LUA_BIND_LOGGED_MODELS_HPP_

// Internal to lua/: logged models as other bindings take and give them.

#include "api/session.hpp"
#include "lua/handle.hpp"

namespace mlrt {

// What a handle holds: the store that the model is in, which stays open with it, and what of the
// model never changes.
struct ScriptLoggedModel {
  Session session;
  LoggedModel created;
};

template <>
const HandleKind& handle_kind<ScriptLoggedModel>();

}  // namespace mlrt

#endif  // MLRT_LUA_BIND_LOGGED_MODELS_HPP_
