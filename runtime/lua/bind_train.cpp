// mlrt.native.train

#include <memory>
#include <string>
#include <utility>

#include "lua/bind_model.hpp"
#include "lua/bind_table.hpp"
#include "lua/bindings.hpp"
#include "lua/lua_observer.hpp"
#include "lua/script_state.hpp"
#include "lua/values.hpp"
#include "train/logistic.hpp"

namespace mlrt {

template <>
const HandleKind& handle_kind<ScriptTraining>() {
  static constexpr HandleKind kKind{"a training", "mlrt.Training"};
  return kKind;
}

template <>
const HandleKind& handle_kind<LuaObserver>() {
  static constexpr HandleKind kKind{"a training observer", "mlrt.Observer"};
  return kKind;
}

namespace {

int train_positive_int(const LuaArgs& args, int index, const char* argument, int fallback) {
  const std::int64_t value = args.integer(index, argument, fallback);
  if (value < 1 || value > 1000000) {
    throw Error(ErrorCode::kInvalidParameter, std::string(args.name()) + ": '" + argument +
                                                  "' must be from 1 to 1000000, got " +
                                                  std::to_string(value));
  }
  return static_cast<int>(value);
}

// logistic_regression(table, label, standardize, numeric, one_hot, max_categories, l2,
// max_iterations, tolerance, dataset)
int train_bind_logistic(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "logistic_regression");
    const std::shared_ptr<const Table> table = check_table(L, 1, args.name(), "table");
    const std::string label(args.text(2, "label"));
    FeatureSpec features;
    features.standardize = args.texts(3, "standardize");
    features.numeric = args.texts(4, "numeric");
    features.one_hot = args.texts(5, "one_hot");
    features.max_categories = static_cast<std::size_t>(
        train_positive_int(args, 6, "max_categories", static_cast<int>(features.max_categories)));
    LogisticOptions options;
    options.l2 = args.number(7, "l2", options.l2);
    options.max_iterations = train_positive_int(args, 8, "max_iterations", options.max_iterations);
    options.tolerance = args.number(9, "tolerance", options.tolerance);
    const std::shared_ptr<const Model> model =
        fit_logistic(*table, label, features, options, &script_state(L).hooks,
                     args.text(10, "dataset", "train"));
    protect(L, [&](lua_State* P) { push_handle(P, model); });
    return 1;
  });
}

// training(learner, params, dataset, table): a training that the script reports itself.
int train_bind_training(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "training");
    TrainingInfo info;
    info.learner = args.text(1, "learner");
    for (auto& param : args.text_map(2, "params"))
      info.params.emplace_back(param.first, param.second);
    info.dataset_name = args.text(3, "dataset", "train");
    if (!args.absent(4)) {
      const std::shared_ptr<const Table> table = check_table(L, 4, args.name(), "table");
      info.dataset_digest = table->digest();
      info.row_count = table->row_count();
      for (const Column& column : table->columns()) {
        info.columns.push_back({column.name(), column_type_name(column.type()), true});
      }
    }
    ScriptState& state = script_state(L);
    const auto training = std::make_shared<ScriptTraining>();
    protect(L, [&](lua_State* P) { push_handle(P, training); });
    state.trainings.push_back(training);
    training->training = std::make_unique<Training>(&state.hooks, info);
    return 1;
  });
}

void train_require_idle(const ScriptTraining& training, const char* function) {
  if (training.telling) {
    throw Error(ErrorCode::kConflict,
                std::string(function) +
                    ": the training is telling its observers; a callback cannot report to it");
  }
}

// Keeps the training as it is while its observers, which may be callbacks of the script, are told.
class TrainTelling {
 public:
  TrainTelling(const std::shared_ptr<ScriptTraining>& training, const char* function)
      : training_(training) {
    train_require_idle(*training, function);
    if (training->training == nullptr) {
      throw Error(ErrorCode::kConflict, std::string(function) + ": the training has ended");
    }
    training->telling = true;
  }
  ~TrainTelling() { training_->telling = false; }
  TrainTelling(const TrainTelling&) = delete;
  TrainTelling& operator=(const TrainTelling&) = delete;

  Training* operator->() const { return training_->training.get(); }

 private:
  std::shared_ptr<ScriptTraining> training_;
};

int train_bind_round(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "training:round");
    const auto training = check_handle<ScriptTraining>(L, 1, args.name());
    const std::int64_t step = args.integer(2, "step");
    args.require_table(3, "metrics");
    const NamedValues metrics = args.numbers(3, "metrics");
    TrainTelling(training, args.name())->round(step, metrics);
    return 0;
  });
}

int train_bind_finish(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "training:finish");
    const auto training = check_handle<ScriptTraining>(L, 1, args.name());
    std::shared_ptr<const Model> model;
    if (!args.absent(2)) model = check_handle<const Model>(L, 2, args.name(), "model");
    const NamedValues metrics = args.numbers(3, "metrics");
    TrainTelling(training, args.name())->finish(model, metrics);
    training->training.reset();
    return 0;
  });
}

// fail(reason), __close(self, error): ends the training without a model; fine when it has ended.
int train_bind_fail(lua_State* L) {
  return guard(L, [=] {
    const std::shared_ptr<ScriptTraining>* handle = test_handle<ScriptTraining>(L, 1);
    if (handle == nullptr || *handle == nullptr || (*handle)->training == nullptr) return 0;
    train_require_idle(**handle, "training:fail");
    const std::unique_ptr<Training> training = std::move((*handle)->training);
    if (!lua_isnoneornil(L, 2)) {
      protect(L, {2}, [&](lua_State* P) {
        std::size_t size = 0;
        const char* text = luaL_tolstring(P, 1, &size);
        training->set_failure(std::string(text, size));
        lua_settop(P, 0);
      });
    }
    return 0;
  });
}

// on_training(callbacks): an observer that is told of every training from now on.
int train_bind_on_training(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "on_training");
    args.require_table(1, "callbacks");
    lua_settop(L, 1);
    ScriptState& state = script_state(L);
    int reference = LUA_NOREF;
    protect(L, {1}, [&](lua_State* P) { reference = luaL_ref(P, LUA_REGISTRYINDEX); });
    const auto observer = std::make_shared<LuaObserver>(state, reference);
    protect(L, [&](lua_State* P) { push_handle(P, observer); });
    state.hooks.add(observer);
    return 1;
  });
}

// remove(), __close: the observer hears of no further training.
int train_bind_remove(lua_State* L) {
  return guard(L, [=] {
    std::shared_ptr<LuaObserver>* handle = test_handle<LuaObserver>(L, 1);
    if (handle == nullptr)
      lua_handle::throw_wrong_type(L, 1, handle_kind<LuaObserver>(), "observer:remove", "self");
    if (*handle != nullptr) script_state(L).hooks.remove(handle->get());
    handle->reset();
    return 0;
  });
}

// autolog(enabled, log_model, log_dataset)
int train_bind_autolog(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "autolog");
    const bool enabled = args.boolean(1, "enabled", true);
    AutologOptions options;
    options.log_model = args.boolean(2, "log_model", options.log_model);
    options.log_dataset = args.boolean(3, "log_dataset", options.log_dataset);
    ScriptState& state = script_state(L);
    if (enabled) {
      state.set_autolog(options);
    } else {
      state.remove_autolog();
    }
    return 0;
  });
}

}  // namespace

void open_train_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"logistic_regression", train_bind_logistic},
                                        {"training", train_bind_training},
                                        {"on_training", train_bind_on_training},
                                        {"autolog", train_bind_autolog},
                                        {nullptr, nullptr}};
  static const luaL_Reg kTrainingMethods[] = {{"round", train_bind_round},
                                              {"finish", train_bind_finish},
                                              {"fail", train_bind_fail},
                                              {nullptr, nullptr}};
  static const luaL_Reg kTrainingMeta[] = {
      {"__close", train_bind_fail}, {"__gc", close_handle<ScriptTraining>}, {nullptr, nullptr}};
  static const luaL_Reg kObserverMethods[] = {{"remove", train_bind_remove}, {nullptr, nullptr}};
  static const luaL_Reg kObserverMeta[] = {
      {"__close", train_bind_remove}, {"__gc", close_handle<LuaObserver>}, {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
  lua_handle::make_metatable(L, handle_kind<ScriptTraining>(), kTrainingMethods, nullptr,
                             kTrainingMeta);
  lua_setfield(L, -2, "training_methods");
  lua_handle::make_metatable(L, handle_kind<LuaObserver>(), kObserverMethods, nullptr,
                             kObserverMeta);
  lua_setfield(L, -2, "observer_methods");
}

}  // namespace mlrt
