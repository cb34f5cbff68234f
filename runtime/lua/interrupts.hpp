#ifndef MLRT_LUA_INTERRUPTS_HPP_
#define MLRT_LUA_INTERRUPTS_HPP_

// Internal to lua/: how Ctrl-C ends a script in an orderly way.
//
// The signal handler sets the flag of core/interrupt.hpp and a count hook on the coroutines that
// are running; the hook raises the error "interrupted", so that `<close>` variables run. pcall and
// its like are replaced by ones that do not catch while the flag is set, and os.execute by one that
// passes on the Ctrl-C that ended its command. A second signal ends the process at once.

#include <csignal>

#include "lua/lua_api.hpp"

namespace mlrt {

// Replaces pcall, xpcall, coroutine.resume, .wrap and .close, and os.execute in the open libraries;
// may raise a Lua error.
void open_interrupts(lua_State* L);

// While it lives, SIGINT and SIGTERM interrupt the script of `L`, which runs on this thread. Inside
// of another such scope it does nothing.
class InterruptScope {
 public:
  explicit InterruptScope(lua_State* L);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  bool installed_ = false;
  struct sigaction previous_int_;
  struct sigaction previous_term_;
};

}  // namespace mlrt

#endif  // MLRT_LUA_INTERRUPTS_HPP_
