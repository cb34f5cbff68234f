#ifndef MLRT_LUA_LUA_OBSERVER_HPP_
#define MLRT_LUA_LUA_OBSERVER_HPP_

// Internal to lua/: a script that listens to training.

#include <string>

#include "lua/lua_api.hpp"
#include "train/hooks.hpp"

namespace mlrt {

struct ScriptState;

// Calls the functions begin, round, finish and fail of a Lua table, each if it is there. An error
// in one ends the training; in `fail` it goes to the log. The object may outlive the Lua state, but
// must not be told anything then.
class LuaObserver final : public TrainObserver {
 public:
  // `reference` is the table's place in the registry; it is never given back, since observers live
  // as long as the script as a rule.
  LuaObserver(ScriptState& state, int reference) : state_(state), reference_(reference) {}

  void on_begin(const TrainingInfo& info) override;
  void on_round(std::int64_t step, const NamedValues& metrics) override;
  void on_finish(const std::shared_ptr<const Model>& model, const NamedValues& metrics) override;
  void on_failure(const std::string& reason) noexcept override;

 private:
  template <class F>
  void call(const char* name, F&& push_arguments);

  ScriptState& state_;
  int reference_;
};

}  // namespace mlrt

#endif  // MLRT_LUA_LUA_OBSERVER_HPP_
