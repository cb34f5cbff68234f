#include "lua/interpreter.hpp"

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/interrupt.hpp"
#include "core/log.hpp"
#include "lua/bindings.hpp"
#include "lua/guard.hpp"
#include "lua/interrupts.hpp"
#include "lua/modules.hpp"
#include "lua/prompt.hpp"
#include "lua/script_state.hpp"
#include "lua/traceback.hpp"

namespace mlrt {
namespace {

constexpr std::uint64_t kScriptMaxBytes = std::uint64_t{64} << 20;

thread_local LuaMemory* interpreter_test_memory = nullptr;

void* interpreter_allocate(void* user, void* block, std::size_t old_size, std::size_t new_size) {
  auto* memory = static_cast<LuaMemory*>(user);
  if (block == nullptr) old_size = 0;  // it says what kind of object is to be made
  if (new_size == 0) {
    memory->used_bytes -= old_size;
    std::free(block);
    return nullptr;
  }
  const std::uint64_t after = memory->used_bytes - old_size + new_size;
  if (memory->max_bytes != 0 && new_size > old_size && after > memory->max_bytes) return nullptr;
  ++memory->allocations;
  if (memory->fail_at != 0 && memory->allocations >= memory->fail_at) {
    if (memory->fail_once) memory->fail_at = 0;
    return nullptr;
  }
  void* moved = std::realloc(block, new_size);
  if (moved != nullptr) memory->used_bytes = after;
  return moved;
}

// Runs for an error outside of any protected call, which would be a defect of ours.
int interpreter_panic(lua_State* L) {
  const char* text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error object";
  log_error("unprotected Lua error", {{"error", text}});
  return 0;  // Lua aborts
}

struct ScriptSource {
  std::string_view text;
  const char* chunk_name;
  const char* argument_zero;
  const std::vector<std::string>* arguments;
};

// Pushes nothing on success, else the error text.
int interpreter_call(lua_State* L, const ScriptSource& source) {
  const int count = static_cast<int>(source.arguments->size());
  luaL_checkstack(L, count + 8, "too many arguments");
  lua_createtable(L, count, 1);
  lua_pushstring(L, source.argument_zero);
  lua_rawseti(L, -2, 0);
  for (int i = 0; i < count; ++i) {
    const std::string& argument = (*source.arguments)[static_cast<std::size_t>(i)];
    lua_pushlstring(L, argument.data(), argument.size());
    lua_rawseti(L, -2, i + 1);
  }
  lua_setglobal(L, "arg");
  int status = load_lua_text(L, source.text, source.chunk_name);
  if (status == LUA_OK) {
    for (int i = 0; i < count; ++i) {
      const std::string& argument = (*source.arguments)[static_cast<std::size_t>(i)];
      lua_pushlstring(L, argument.data(), argument.size());
    }
    status = call_with_traceback(L, count, 0);
  }
  return status;
}

// Runs one chunk and ends what it leaves open.
void interpreter_run(ScriptState& state, const ScriptSource& source) {
  lua_State* L = state.main;
  lua_settop(L, 0);
  std::string failure;
  bool failed = false;
  bool interrupted = false;
  {
    InterruptScope interrupts(L);
    try {
      int status = LUA_OK;
      protect(L, [&](lua_State* P) { status = interpreter_call(P, source); });
      if (status != LUA_OK) {
        failed = true;
        std::size_t size = 0;
        const char* bytes = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : nullptr;
        failure = bytes != nullptr ? std::string(bytes, size) : std::string("the script failed");
      }
    } catch (const LuaFailure& error) {  // no memory to report with
      failed = true;
      failure = error.message();
    }
    lua_settop(L, 0);
    interrupted = failed && interrupt_requested();
  }
  RunStatus status = RunStatus::kFinished;
  if (failed) status = interrupted ? RunStatus::kKilled : RunStatus::kFailed;
  try {
    state.end_open(status);
  } catch (const Error&) {
    if (!failed) throw;  // else the script's own error is the one to tell; the log has the other
  }
  if (interrupted) clear_interrupt();  // it has been served
  if (failed) throw Error(interrupted ? ErrorCode::kInterrupted : ErrorCode::kScript, failure);
}

}  // namespace

void set_lua_memory_for_tests(LuaMemory* memory) { interpreter_test_memory = memory; }

struct Interpreter::State {
  ScriptState script;

  ~State() {
    if (script.main == nullptr) return;
    try {
      script.end_open(RunStatus::kFinished);
    } catch (const std::exception& error) {
      log_error("closing the interpreter", {{"reason", error.what()}});
    }
    lua_close(script.main);  // finalizers may still use all that `script` holds
  }
};

void open_script_state(ScriptState& script) {
  lua_State* L = lua_newstate(interpreter_allocate, script.memory);
  if (L == nullptr) throw Error(ErrorCode::kUnavailable, "not enough memory to start Lua");
  *static_cast<ScriptState**>(lua_getextraspace(L)) = &script;
  script.main = L;
  script.calling = L;
  lua_atpanic(L, interpreter_panic);
  const int status = [L] {
    lua_pushcfunction(L, [](lua_State* P) -> int {
      // No collection while the libraries open: nothing is garbage yet.
      lua_gc(P, LUA_GCSTOP);
      open_errors(P);
      open_modules(P);
      open_interrupts(P);
      preload_bindings(P);
      lua_gc(P, LUA_GCRESTART);
      return 0;
    });
    return lua_pcall(L, 0, 0, 0);
  }();
  if (status != LUA_OK) {
    const std::string text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "unknown error";
    throw Error(ErrorCode::kUnavailable, "Lua could not be started: " + text);
  }
}

Interpreter::Interpreter(const InterpreterOptions& options) : state_(std::make_unique<State>()) {
  ScriptState& script = state_->script;
  script.store = options.store;
  script.overlay = options.overlay;
  script.memory = interpreter_test_memory != nullptr ? interpreter_test_memory : &script.own_memory;
  open_script_state(script);
}

Interpreter::~Interpreter() = default;

void Interpreter::run_file(const std::string& path, const std::vector<std::string>& args) {
  const std::string text = fs::read_file(path, kScriptMaxBytes);
  const std::string chunk_name = "@" + path;
  state_->script.script_folder = fs::parent(path);
  state_->script.source_name = path;
  interpreter_run(state_->script, {text, chunk_name.c_str(), path.c_str(), &args});
}

void Interpreter::run_string(const std::string& code, const std::vector<std::string>& args) {
  state_->script.script_folder = ".";
  state_->script.source_name = "(command line)";
  interpreter_run(state_->script, {code, "=(command line)", "-e", &args});
}

void Interpreter::run_prompt() {
  ScriptState& script = state_->script;
  script.script_folder = ".";
  script.source_name = "(prompt)";
  lua_settop(script.main, 0);
  run_lua_prompt(script);
  script.end_open(RunStatus::kFinished);
}

}  // namespace mlrt
