#include "lua/script_state.hpp"

#include <exception>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace mlrt {

Session& ScriptState::session() {
  if (!open_session) {
    SessionOptions options;
    options.store = store;
    open_session.emplace(options);
  }
  return *open_session;
}

Session& ScriptState::switch_session(const SessionOptions& options) {
  if (const Run* run = active_run()) {
    throw Error(ErrorCode::kConflict, "session: finish the active run " + quoted(run->name()) +
                                          " before another store is opened");
  }
  Session opened(options);
  open_session = opened;
  experiment_id = "0";
  if (autolog != nullptr) set_autolog(autolog_options);
  return *open_session;
}

void ScriptState::set_autolog(const AutologOptions& options) {
  autolog_options = options;
  autolog_options.source_name = source_name;
  auto observer = make_autolog(
      session(), [this] { return active_run(); }, autolog_options);
  remove_autolog();
  hooks.add(observer);
  autolog = std::move(observer);
}

void ScriptState::remove_autolog() {
  if (autolog != nullptr) hooks.remove(autolog.get());
  autolog.reset();
}

Run* ScriptState::active_run() {
  while (!active_runs.empty() && active_runs.back()->ended()) active_runs.pop_back();
  return active_runs.empty() ? nullptr : active_runs.back().get();
}

void ScriptState::end_open(RunStatus status) {
  std::exception_ptr first;
  for (const auto& weak : trainings) {
    if (const auto training = weak.lock()) {
      if (!training->training) continue;
      training->training->set_failure("the script ended before the training did");
      training->training.reset();
    }
  }
  trainings.clear();
  while (!active_runs.empty()) {
    const std::shared_ptr<Run> run = active_runs.back();
    active_runs.pop_back();
    try {
      run->end(status);
    } catch (const std::exception& error) {
      log_error("a run that the script left open could not be ended",
                {{"run", run->id()}, {"reason", error.what()}});
      if (!first) first = std::current_exception();
    }
  }
  for (const auto& weak : services) {
    if (const auto service = weak.lock()) service->stop();
  }
  services.clear();
  if (first) std::rethrow_exception(first);
}

ScriptState& script_state(lua_State* L) {
  return **static_cast<ScriptState**>(lua_getextraspace(L));
}

}  // namespace mlrt
