#ifndef MLRT_LUA_HANDLE_HPP_
#define MLRT_LUA_HANDLE_HPP_

// Internal to lua/: C++ objects as userdata. A handle holds a shared_ptr; closing or collecting it
// empties it, and what uses it afterwards gets a clean error.

#include <memory>
#include <new>
#include <string>

#include "core/error.hpp"
#include "lua/guard.hpp"

namespace mlrt {

// One kind of handle: its name in messages ("table") and, by its address, its key in the registry.
struct HandleKind {
  const char* name;      // with its article: "a table"
  const char* lua_name;  // "mlrt.Table"
};

// Specialised beside each bound type.
template <class T>
const HandleKind& handle_kind();

namespace lua_handle {

// The userdata at `index` if it is of `kind`, else null. Raises nothing.
void* test(lua_State* L, int index, const HandleKind& kind);
// "run:log_metric: 'self' must be a run, got nil".
[[noreturn]] void throw_wrong_type(lua_State* L, int index, const HandleKind& kind,
                                   const char* function, const char* argument);
[[noreturn]] void throw_closed(const HandleKind& kind, const char* function);
// Makes the metatable: `methods`, `getters` (fields such as run.id) and `metamethods`. Any other
// field is an error with the nearest name. Leaves the table of methods on the stack. May raise a
// Lua error.
void make_metatable(lua_State* L, const HandleKind& kind, const luaL_Reg* methods,
                    const luaL_Reg* getters, const luaL_Reg* metamethods);
void set_metatable(lua_State* L, const HandleKind& kind);

}  // namespace lua_handle

// Pushes a handle of `object`. May raise a Lua error.
template <class T>
void push_handle(lua_State* L, const std::shared_ptr<T>& object) {
  void* place = lua_newuserdatauv(L, sizeof(std::shared_ptr<T>), 0);
  auto* handle = new (place) std::shared_ptr<T>();
  lua_handle::set_metatable(L, handle_kind<T>());
  *handle = object;
}

template <class T>
std::shared_ptr<T>* test_handle(lua_State* L, int index) {
  return static_cast<std::shared_ptr<T>*>(lua_handle::test(L, index, handle_kind<T>()));
}

// The object of the handle at `index`, which the caller then shares. Throws kInvalidParameter for
// another value, kConflict for a closed handle.
template <class T>
std::shared_ptr<T> check_handle(lua_State* L, int index, const char* function,
                                const char* argument = "self") {
  std::shared_ptr<T>* handle = test_handle<T>(L, index);
  if (handle == nullptr)
    lua_handle::throw_wrong_type(L, index, handle_kind<T>(), function, argument);
  if (*handle == nullptr) lua_handle::throw_closed(handle_kind<T>(), function);
  return *handle;
}

// __gc, and close() of handles that have nothing to end: lets the object go. Calling it again is
// fine.
template <class T>
int close_handle(lua_State* L) {
  return guard(L, [=] {
    if (std::shared_ptr<T>* handle = test_handle<T>(L, 1)) {
      // Emptied first: what the destructor calls must see a closed handle.
      std::shared_ptr<T> last = std::move(*handle);
      handle->reset();
    }
    return 0;
  });
}

}  // namespace mlrt

#endif  // MLRT_LUA_HANDLE_HPP_
