#include "lua/guard.hpp"

#include <cstring>
#include <new>
#include <string_view>

#include "core/log.hpp"
#include "lua/script_state.hpp"

namespace mlrt {
namespace {

// Addresses that are keys of the registry.
const char kErrorMetatableKey = 0;
const char kPendingFailureKey = 0;

// Chunks of the stdlib are named so; an error belongs to the line of the script that called them.
constexpr const char* kStdlibChunkPrefix = "=mlrt:";

struct LuaPlainError {
  ErrorCode code;
  const char* message;
  std::size_t size;
};

int error_push_entry(lua_State* L) {
  const auto* error = static_cast<const LuaPlainError*>(lua_touserdata(L, 1));
  push_error_object(L, error->code, error->message, error->size);
  return 1;
}

int error_to_string(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "where");
  lua_getfield(L, 1, "message");
  if (lua_type(L, 3) != LUA_TSTRING) {
    lua_pushliteral(L, "an error without a message");
  } else if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushfstring(L, "%s: %s", lua_tostring(L, 2), lua_tostring(L, 3));
  }
  return 1;
}

// "script.lua:12" of the nearest running function that is the user's; nothing is pushed when there
// is none.
bool error_push_where(lua_State* L) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame) != 0; ++level) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0) continue;
    if (std::strncmp(frame.source, kStdlibChunkPrefix, std::strlen(kStdlibChunkPrefix)) == 0)
      continue;
    lua_pushfstring(L, "%s:%d", frame.short_src, frame.currentline);
    return true;
  }
  return false;
}

}  // namespace

void open_errors(lua_State* L) {
  lua_createtable(L, 0, 3);
  lua_pushliteral(L, "mlrt.Error");
  lua_setfield(L, -2, "__name");
  lua_pushcfunction(L, error_to_string);
  lua_setfield(L, -2, "__tostring");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kErrorMetatableKey);
  // The key stands from the start: storing a failure must not need memory.
  lua_pushboolean(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kPendingFailureKey);
}

void push_error_object(lua_State* L, ErrorCode code, const char* message, std::size_t size) {
  luaL_checkstack(L, 6, nullptr);
  lua_createtable(L, 0, 3);
  lua_pushstring(L, error_info(code).name);
  lua_setfield(L, -2, "code");
  lua_pushlstring(L, message, size);
  lua_setfield(L, -2, "message");
  if (error_push_where(L)) lua_setfield(L, -2, "where");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kErrorMetatableKey);
  lua_setmetatable(L, -2);
}

const char* error_object_code(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TTABLE || !lua_checkstack(L, 4)) return nullptr;
  index = lua_absindex(L, index);
  if (!lua_getmetatable(L, index)) return nullptr;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kErrorMetatableKey);
  const bool ours = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  if (!ours) return nullptr;
  // By a traversal and not by name: making the name could need memory.
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING &&
        std::strcmp(lua_tostring(L, -2), "code") == 0) {
      const char* code = lua_tostring(L, -1);  // stays alive in the object
      lua_pop(L, 2);
      return code;
    }
    lua_pop(L, 1);
  }
  return nullptr;
}

bool is_interrupted_error(lua_State* L, int index) {
  const char* code = error_object_code(L, index);
  return code != nullptr && std::strcmp(code, error_info(ErrorCode::kInterrupted).name) == 0;
}

void raise_lua_error(lua_State* L, ErrorCode code, const char* message) {
  push_error_object(L, code, message, std::strlen(message));
  lua_error(L);
  std::terminate();  // lua_error does not return, which its declaration does not say
}

PendingFailureScope::PendingFailureScope(lua_State* L) : state_(L), top_(lua_gettop(L)) {
  lua_guard::require_stack(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kPendingFailureKey);
}

PendingFailureScope::~PendingFailureScope() {
  lua_settop(state_, top_ + 1);
  lua_rawsetp(state_, LUA_REGISTRYINDEX, &kPendingFailureKey);
}

namespace lua_guard {

void push_exception(lua_State* L, const std::exception& error) {
  if (dynamic_cast<const LuaFailure*>(&error) != nullptr && lua_checkstack(L, 2)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kPendingFailureKey);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kPendingFailureKey);
    return;
  }
  LuaPlainError plain{ErrorCode::kInternal, error.what(), 0};
  if (const auto* known = dynamic_cast<const Error*>(&error)) {
    plain.code = known->code();
    if (!known->detail().empty()) log_debug(known->message(), {{"detail", known->detail()}});
  } else if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    plain.message = "not enough memory";
  }
  plain.size = std::strlen(plain.message);
  // A function that runs has these slots by contract (LUA_MINSTACK), unless it used them all
  // itself.
  if (!lua_checkstack(L, 4)) lua_settop(L, 0);
  lua_pushcfunction(L, error_push_entry);
  lua_pushlightuserdata(L, &plain);
  lua_pcall(L, 1, 1,
            0);  // when it fails, the value it leaves (out of memory) is the error to raise
}

void throw_failure(lua_State* L) {
  std::string text = "error in a script";
  if (lua_type(L, -1) == LUA_TSTRING) {
    std::size_t size = 0;
    const char* bytes = lua_tolstring(L, -1, &size);
    text.assign(bytes, size);
  } else if (error_object_code(L, -1) != nullptr && lua_checkstack(L, 3)) {
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
      const bool found = lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING &&
                         std::strcmp(lua_tostring(L, -2), "message") == 0;
      if (found) text = lua_tostring(L, -1);
      lua_pop(L, found ? 2 : 1);
      if (found) break;
    }
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kPendingFailureKey);
  throw LuaFailure(text);
}

void require_stack(lua_State* L, int slots) {
  if (!lua_checkstack(L, slots)) throw Error(ErrorCode::kScript, "stack overflow");
}

CallScope::CallScope(lua_State* L) : slot_(&script_state(L).calling), previous_(*slot_) {
  *slot_ = L;
}
CallScope::~CallScope() { *slot_ = previous_; }

}  // namespace lua_guard
}  // namespace mlrt
