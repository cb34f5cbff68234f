#include "lua/interrupts.hpp"

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "core/clock.hpp"
#include "core/interrupt.hpp"
#include "lua/guard.hpp"
#include "lua/script_state.hpp"

namespace mlrt {
namespace {

// How many instructions may pass until the hook looks, and how long a `__close` may take after an
// interrupt before it is interrupted itself.
constexpr int kInterruptHookCount = 200;
constexpr std::int64_t kInterruptGraceMs = 500;

// The coroutines that are inside of each other at this moment, the running one first. The nodes
// live in the C++ frames that resume them, so that the signal handler can walk them without a lock.
struct InterruptThread {
  lua_State* L;
  InterruptThread* outer;
};
std::atomic<InterruptThread*> interrupt_threads{nullptr};
pthread_t interrupt_owner;
static_assert(std::atomic<InterruptThread*>::is_always_lock_free, "a signal handler reads it");

void interrupt_hook(lua_State* L, lua_Debug*) {
  if (!interrupt_requested()) {
    lua_sethook(L, nullptr, 0, 0);
    return;
  }
  ScriptState& state = script_state(L);
  const std::int64_t now = monotonic_ms();
  if (state.interrupt_raised_ms >= 0 && now - state.interrupt_raised_ms < kInterruptGraceMs) return;
  state.interrupt_raised_ms = now;
  raise_lua_error(L, ErrorCode::kInterrupted, "interrupted");
}

extern "C" void mlrt_interrupt_handler(int signal_number) {
  const int saved_errno = errno;
  // A thread of a server may get the signal; the hook is only safe to set on the script's own
  // thread.
  if (pthread_equal(pthread_self(), interrupt_owner) == 0) {
    pthread_kill(interrupt_owner, signal_number);
    errno = saved_errno;
    return;
  }
  if (interrupt_requested()) {
    std::signal(signal_number, SIG_DFL);
    raise(signal_number);
  } else {
    request_interrupt();
    for (InterruptThread* thread = interrupt_threads.load(); thread != nullptr;
         thread = thread->outer) {
      lua_sethook(thread->L, interrupt_hook, LUA_MASKCOUNT, kInterruptHookCount);
    }
  }
  errno = saved_errno;
}

// After an interrupt nothing is caught: the error goes on, whatever the script made of it.
int interrupt_filter(lua_State* L, bool succeeded) {
  if (!succeeded && script_state(L).time_is_over) {
    raise_lua_error(L, ErrorCode::kTimeout, "its time is over");
  }
  if (!succeeded && interrupt_requested()) {
    raise_lua_error(L, ErrorCode::kInterrupted, "interrupted");
  }
  return lua_gettop(L);
}

int interrupt_after_call(lua_State* L, int, lua_KContext) {
  return interrupt_filter(L, lua_toboolean(L, 1) != 0);
}

// pcall and xpcall: Lua's own, the upvalue, with the filter behind it.
int interrupt_call(lua_State* L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, interrupt_after_call);
  return interrupt_after_call(L, LUA_OK, 0);
}

// Resumes `co` with the `arguments` values on top of L; pushes what it yields or returns, and
// returns their number, or -1 with the error value on top.
int interrupt_resume(lua_State* L, lua_State* co, int arguments) {
  if (!lua_checkstack(co, arguments)) {
    lua_pop(L, arguments);
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, arguments);
  InterruptThread thread{co, interrupt_threads.load()};
  interrupt_threads.store(&thread);
  int results = 0;
  const int status = lua_resume(co, L, arguments, &results);
  interrupt_threads.store(thread.outer);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, results + 1)) {
    lua_pop(co, results);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, results);
  return results;
}

lua_State* interrupt_check_coroutine(lua_State* L) {
  lua_State* co = lua_tothread(L, 1);
  luaL_argexpected(L, co != nullptr, 1, "coroutine");
  return co;
}

int interrupt_coroutine_resume(lua_State* L) {
  lua_State* co = interrupt_check_coroutine(L);
  const int results = interrupt_resume(L, co, lua_gettop(L) - 1);
  if (results < 0) {
    interrupt_filter(L, false);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  }
  lua_pushboolean(L, 1);
  lua_insert(L, -(results + 1));
  return results + 1;
}

int interrupt_close_thread(lua_State* L, lua_State* co) {
  InterruptThread thread{co, interrupt_threads.load()};
  interrupt_threads.store(&thread);
#if LUA_VERSION_RELEASE_NUM >= 50406
  const int status = lua_closethread(co, L);
#else
  static_cast<void>(L);
  const int status = lua_resetthread(co);
#endif
  interrupt_threads.store(thread.outer);
  return status;
}

int interrupt_wrapped(lua_State* L) {
  lua_State* co = lua_tothread(L, lua_upvalueindex(1));
  const int results = interrupt_resume(L, co, lua_gettop(L));
  if (results >= 0) return results;
  const int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    // It died of an error: its `<close>` variables run now, and may put another error in its place.
    lua_pop(L, 1);
    interrupt_close_thread(L, co);
    lua_xmove(co, L, 1);
  }
  interrupt_filter(L, false);
  // A text says where it came from, as coroutine.wrap does it; other values go on as they are.
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

int interrupt_coroutine_wrap(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State* co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, interrupt_wrapped, 1);
  return 1;
}

int interrupt_coroutine_close(lua_State* L) {
  lua_State* co = interrupt_check_coroutine(L);
  const int status = lua_status(co);
  lua_Debug frame;
  const bool dead_or_new = status == LUA_OK && lua_getstack(co, 0, &frame) == 0;
  if (co == L || (status == LUA_OK && !dead_or_new)) {
    return luaL_error(L, "cannot close a running coroutine");
  }
  if (interrupt_close_thread(L, co) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  interrupt_filter(L, false);
  return 2;
}

// os.execute: Lua's own, the upvalue. While the command runs, C's system() ignores Ctrl-C, which
// the terminal sends to both, so the command's end tells of it. A shell says 128 + 2 for its child.
int interrupt_execute(lua_State* L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  if (lua_gettop(L) == 3 && lua_type(L, 2) == LUA_TSTRING) {
    const bool by_signal = std::strcmp(lua_tostring(L, 2), "signal") == 0;
    if (lua_tointeger(L, 3) == (by_signal ? SIGINT : 128 + SIGINT)) {
      raise(SIGINT);
      if (interrupt_requested()) raise_lua_error(L, ErrorCode::kInterrupted, "interrupted");
    }
  }
  return lua_gettop(L);
}

}  // namespace

void open_interrupts(lua_State* L) {
  for (const char* name : {"pcall", "xpcall"}) {
    lua_getglobal(L, name);
    lua_pushcclosure(L, interrupt_call, 1);
    lua_setglobal(L, name);
  }
  lua_getglobal(L, LUA_COLIBNAME);
  lua_pushcfunction(L, interrupt_coroutine_resume);
  lua_setfield(L, -2, "resume");
  lua_pushcfunction(L, interrupt_coroutine_wrap);
  lua_setfield(L, -2, "wrap");
  lua_pushcfunction(L, interrupt_coroutine_close);
  lua_setfield(L, -2, "close");
  lua_getglobal(L, LUA_OSLIBNAME);
  lua_getfield(L, -1, "execute");
  lua_pushcclosure(L, interrupt_execute, 1);
  lua_setfield(L, -2, "execute");
  lua_pop(L, 2);
}

namespace {
InterruptThread interrupt_main_thread{nullptr, nullptr};
}

InterruptScope::InterruptScope(lua_State* L) {
  if (interrupt_threads.load() != nullptr) return;
  installed_ = true;
  script_state(L).interrupt_raised_ms = -1;
  interrupt_owner = pthread_self();
  interrupt_main_thread.L = L;
  interrupt_threads.store(&interrupt_main_thread);
  // No SA_RESTART: a read that blocks (io.read) returns, and the hook gets its turn.
  struct sigaction action {};
  action.sa_handler = mlrt_interrupt_handler;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &previous_int_);
  sigaction(SIGTERM, &action, &previous_term_);
}

InterruptScope::~InterruptScope() {
  if (!installed_) return;
  sigaction(SIGINT, &previous_int_, nullptr);
  sigaction(SIGTERM, &previous_term_, nullptr);
  interrupt_threads.store(nullptr);
  lua_sethook(interrupt_main_thread.L, nullptr, 0, 0);
}

}  // namespace mlrt
