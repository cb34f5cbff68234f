#ifndef MLRT_LUA_SCRIPT_STATE_HPP_
#define MLRT_LUA_SCRIPT_STATE_HPP_

// Internal to lua/: what one interpreter holds beside its Lua state, and how bindings find it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/autolog.hpp"
#include "api/scoring_service.hpp"
#include "api/session.hpp"
#include "lua/interpreter.hpp"
#include "lua/lua_api.hpp"
#include "train/hooks.hpp"

namespace mlrt {

// Memory of a Lua state. Tests make its Nth allocation fail.
struct LuaMemory {
  std::uint64_t used_bytes = 0;
  std::uint64_t max_bytes = 0;  // beyond, allocations fail; 0: no limit
  std::uint64_t allocations = 0;
  std::uint64_t fail_at =
      0;                   // 0: never; else this allocation and all after it, until it is set anew
  bool fail_once = false;  // only that one
};

// Counts and, when told to, fails the allocations of interpreters made later on this thread; null:
// none. For tests.
void set_lua_memory_for_tests(LuaMemory* memory);

// A training that a script reports; `training` is empty once it has ended.
struct ScriptTraining {
  std::unique_ptr<Training> training;
  bool telling = false;  // its observers are being told: they must not end it beneath us
};

struct ScriptState {
  lua_State* main = nullptr;
  lua_State* calling = nullptr;  // the coroutine that called the binding under way
  LuaMemory own_memory;
  LuaMemory* memory = nullptr;
  std::int64_t interrupt_raised_ms =
      -1;  // when the hook last raised; -1: not since the last interrupt

  // Of who calls Lua with a time limit: when it ends, by monotonic_ms, and whether it has, after
  // which nothing catches the error that ends the call.
  std::int64_t deadline_ms = 0;
  bool time_is_over = false;

  std::string store;  // of InterpreterOptions
  std::string overlay;
  std::string script_folder;  // where `require` looks first; empty: nowhere
  std::string source_name;    // for the runs' tag

  // What follows may refer to the Lua state, but never touches it when it is destroyed.
  std::optional<Session> open_session;
  std::string experiment_id = "0";  // the session's
  TrainHooks hooks;
  std::shared_ptr<TrainObserver> autolog;
  AutologOptions autolog_options;
  std::vector<std::shared_ptr<Run>> active_runs;  // the innermost last
  std::vector<std::weak_ptr<ScoringService>> services;
  std::vector<std::weak_ptr<ScriptTraining>> trainings;

  // The session, opened when it is first asked for.
  Session& session();
  // Another store from now on. Throws kConflict while a run is active.
  Session& switch_session(const SessionOptions& options);
  // Log every training from now on, or none any more.
  void set_autolog(const AutologOptions& options);
  void remove_autolog();
  // The innermost run that has not ended, or null. Ended ones are forgotten.
  Run* active_run();
  // Ends what a script left open: trainings, runs (with `status`), servers. Throws the first error,
  // after all was tried.
  void end_open(RunStatus status);
};

// Makes `state.main`, with mlrt's modules, for a state that has none; `state.memory` is set. Throws
// kUnavailable when there is not enough memory. Whoever owns `state` closes it.
void open_script_state(ScriptState& state);

// The state behind L or any of its coroutines.
ScriptState& script_state(lua_State* L);

}  // namespace mlrt

#endif  // MLRT_LUA_SCRIPT_STATE_HPP_
