#ifndef MLRT_LUA_GUARD_HPP_
#define MLRT_LUA_GUARD_HPP_

// Internal to lua/: the two borders between Lua and C++.
//
// Lua reports an error by leaving frames (an exception when Lua is compiled as C++, longjmp when as
// C); C++ by throwing. Neither may cross the other: a longjmp skips destructors, and Lua's own
// handlers would swallow a C++ exception. So
//   - every function that Lua calls runs its C++ in guard(), which turns exceptions into Lua
//     errors after all C++ objects of the call are gone;
//   - inside of it, whatever may raise a Lua error (all that allocates or calls) runs in
//     protect(), which turns Lua errors into the exception LuaFailure. What the manual marks "-"
//     needs no protection: lua_type, lua_rawget, lua_tolstring of a string, lua_next in a
//     traversal, ...

#include <exception>
#include <string>
#include <type_traits>

#include "core/error.hpp"
#include "lua/lua_api.hpp"

namespace mlrt {

// A Lua error on its way through C++. The error value itself waits in the registry
// (pending_failure).
class LuaFailure final : public Error {
 public:
  explicit LuaFailure(std::string message) : Error(ErrorCode::kScript, std::move(message)) {}
};

// Makes what guard and error objects need; may raise a Lua error. Once a state, before any binding.
void open_errors(lua_State* L);

// Pushes the error object {code, message, where}; `where` is the line of the script that is
// running, past the functions of the stdlib. May raise a Lua error (out of memory).
void push_error_object(lua_State* L, ErrorCode code, const char* message, std::size_t size);

// The `code` of the error object at `index`, or null for any other value. Raises nothing.
const char* error_object_code(lua_State* L, int index);
bool is_interrupted_error(lua_State* L, int index);

// Raises an error object. For frames without C++ objects.
[[noreturn]] void raise_lua_error(lua_State* L, ErrorCode code, const char* message);

// Keeps the pending failure as it is while other Lua code runs, for destructors. Throws when Lua
// has no stack space left.
class PendingFailureScope {
 public:
  explicit PendingFailureScope(lua_State* L);
  ~PendingFailureScope();
  PendingFailureScope(const PendingFailureScope&) = delete;
  PendingFailureScope& operator=(const PendingFailureScope&) = delete;

 private:
  lua_State* state_;
  int top_;
};

namespace lua_guard {

// Pushes one value, the Lua error for `error`; raises nothing.
void push_exception(lua_State* L, const std::exception& error);
// The error value on top becomes the pending one, and is thrown as LuaFailure.
[[noreturn]] void throw_failure(lua_State* L);
void require_stack(lua_State* L, int slots);

// Marks the coroutine that a binding was called from, for observers that call back into Lua.
class CallScope {
 public:
  explicit CallScope(lua_State* L);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  lua_State** slot_;
  lua_State* previous_;
};

template <class F>
struct ProtectedCall {
  F* function;
  std::exception_ptr error;
};

template <class F>
int protected_entry(lua_State* L) {
  auto* call = static_cast<ProtectedCall<F>*>(lua_touserdata(L, 1));
  lua_remove(L, 1);
  try {
    (*call->function)(L);
  } catch (const std::exception&) {
    call->error = std::current_exception();
    return 0;
  }
  return lua_gettop(L);
}

}  // namespace lua_guard

// Runs `function(L)`, which may raise Lua errors, on a stack of its own: the values at `arguments`
// (of the caller) come first, and all that it leaves there is pushed for the caller. It may use C++
// objects of the caller, but must not own any while it calls Lua. Throws LuaFailure, or what
// `function` threw.
template <class F>
void protect(lua_State* L, std::initializer_list<int> arguments, F&& function) {
  using Function = std::remove_reference_t<F>;
  static_assert(std::is_trivially_destructible_v<Function>,
                "a Lua error would skip its destructor");
  const int base = lua_gettop(L);
  lua_guard::require_stack(L, static_cast<int>(arguments.size()) + 8);
  lua_guard::ProtectedCall<Function> call{&function, nullptr};
  lua_pushcfunction(L, &lua_guard::protected_entry<Function>);
  lua_pushlightuserdata(L, &call);
  for (int index : arguments) lua_pushvalue(L, index > 0 ? index : base + 1 + index);
  const int status = lua_pcall(L, 1 + static_cast<int>(arguments.size()), LUA_MULTRET, 0);
  if (status != LUA_OK) lua_guard::throw_failure(L);
  if (call.error) std::rethrow_exception(call.error);
}

template <class F>
void protect(lua_State* L, F&& function) {
  protect(L, {}, std::forward<F>(function));
}

// The body of every bound function: runs `body()`, which returns the number of results that it
// pushed.
template <class F>
int guard(lua_State* L, F&& body) {
  static_assert(std::is_trivially_destructible_v<std::remove_reference_t<F>>,
                "a Lua error would skip its destructor");
  int results = -1;
  {
    lua_guard::CallScope scope(L);
    try {
      results = body();
    } catch (const std::exception& error) {
      lua_guard::push_exception(L, error);
    }
  }
  return results >= 0 ? results : lua_error(L);
}

}  // namespace mlrt

#endif  // MLRT_LUA_GUARD_HPP_
