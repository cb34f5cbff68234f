#ifndef MLRT_LUA_PROMPT_HPP_
#define MLRT_LUA_PROMPT_HPP_

#include "lua/script_state.hpp"

namespace mlrt {

// Internal to lua/: what Interpreter::run_prompt does. Throws only when Lua has no memory left to
// go on.
void run_lua_prompt(ScriptState& state);

}  // namespace mlrt

#endif  // MLRT_LUA_PROMPT_HPP_
