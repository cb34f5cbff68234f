#ifndef MLRT_LUA_SERVER_HOOK_THREAD_HPP_
#define MLRT_LUA_SERVER_HOOK_THREAD_HPP_

// Internal to lua/: the thread on which the hooks of a server run.

#include <cstdint>
#include <memory>
#include <type_traits>

#include "lua/script_state.hpp"
#include "lua/server_config.hpp"

namespace mlrt {

// A Lua state with the hooks of a file, as places in its registry; LUA_NOREF where there is none.
// For one thread at a time.
struct ServerHookState {
  ScriptState script;
  ServerHookLimits limits;
  int on_request = LUA_NOREF;
  int on_run_end = LUA_NOREF;
  int on_model_version = LUA_NOREF;

  ServerHookState() = default;
  ~ServerHookState();
  ServerHookState(const ServerHookState&) = delete;
  ServerHookState& operator=(const ServerHookState&) = delete;
};

// Makes the Lua state, in which nothing can run beyond the deadline that its owner sets.
void open_server_hook_state(ServerHookState& state);

// Calls `function` on an empty stack, where it may raise Lua errors, with a time limit. Throws
// kScript with the error's text.
template <typename Function>
void call_server_hook(ServerHookState& state, std::int64_t deadline_ms, Function function);
// The part of it that is no template.
void call_server_hook_entry(ServerHookState& state, std::int64_t deadline_ms, lua_CFunction entry,
                            void* function);

// Owns the state and lets its hooks run on a thread of its own.
std::shared_ptr<ServerHooks> start_server_hooks(std::shared_ptr<ServerHookState> state);

// -----------------------------------------------------------------------------------------------

template <typename Function>
void call_server_hook(ServerHookState& state, std::int64_t deadline_ms, Function function) {
  static_assert(std::is_trivially_destructible_v<Function>,
                "a Lua error would skip its destructor");
  call_server_hook_entry(
      state, deadline_ms,
      [](lua_State* L) -> int {
        auto* called = static_cast<Function*>(lua_touserdata(L, 1));
        lua_settop(L, 0);
        (*called)(L);
        return 0;
      },
      &function);
}

}  // namespace mlrt

#endif  // MLRT_LUA_SERVER_HOOK_THREAD_HPP_
