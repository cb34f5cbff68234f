// mlrt.native.tracking: the session, runs and what they recorded.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "lua/bind_model.hpp"
#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/values.hpp"

namespace mlrt {

template <>
const HandleKind& handle_kind<Run>() {
  static constexpr HandleKind kKind{"a run", "mlrt.Run"};
  return kKind;
}

namespace {

using RunHandle = std::shared_ptr<Run>;

void tracking_push_metric(lua_State* L, const Metric& metric) {
  lua_createtable(L, 0, 3);
  set_number(L, "value", metric.value);
  set_integer(L, "step", metric.step);
  set_integer(L, "timestamp_ms", metric.timestamp_ms);
}

void tracking_push_record(lua_State* L, const RunRecord& record) {
  lua_createtable(L, 0, 13);
  set_text(L, "run_id", record.run_id);
  set_text(L, "name", record.name);
  set_text(L, "experiment_id", record.experiment_id);
  set_text(L, "user", record.user);
  lua_pushstring(L, run_status_name(record.status));
  lua_setfield(L, -2, "status");
  set_integer(L, "start_time_ms", record.start_time_ms);
  if (record.end_time_ms != 0) set_integer(L, "end_time_ms", record.end_time_ms);
  set_text(L, "lifecycle_stage", record.lifecycle_stage);
  set_text(L, "artifact_folder", record.artifact_folder);
  lua_createtable(L, 0, static_cast<int>(record.params.size()));
  for (const Param& param : record.params) {
    push_text(L, param.key);
    push_text(L, param.value);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "params");
  lua_createtable(L, 0, static_cast<int>(record.tags.size()));
  for (const Tag& tag : record.tags) {
    push_text(L, tag.key);
    push_text(L, tag.value);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "tags");
  lua_createtable(L, 0, static_cast<int>(record.metrics.size()));
  for (const Metric& metric : record.metrics) {
    push_text(L, metric.key);
    lua_pushnumber(L, metric.value);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "metrics");
  lua_createtable(L, static_cast<int>(record.inputs.size()), 0);
  lua_Integer i = 0;
  for (const DatasetInput& input : record.inputs) {
    lua_createtable(L, 0, 7);
    set_text(L, "name", input.name);
    set_text(L, "digest", input.digest);
    set_text(L, "source_type", input.source_type);
    set_text(L, "source", input.source);
    set_text(L, "schema", input.schema);
    set_text(L, "profile", input.profile);
    set_text(L, "context", input.context);
    lua_rawseti(L, -2, ++i);
  }
  lua_setfield(L, -2, "inputs");
}

int tracking_push_run(lua_State* L, const RunHandle& run) {
  protect(L, [&](lua_State* P) { push_handle(P, run); });
  return 1;
}

// session(store, must_exist): opens a store and makes it the script's; returns its path.
int tracking_bind_session(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "session");
    ScriptState& state = script_state(L);
    SessionOptions options;
    options.store = args.text(1, "store", state.store.c_str());
    options.must_exist = args.boolean(2, "must_exist", false);
    const std::string store = state.switch_session(options).store();
    protect(L, [&](lua_State* P) { push_text(P, store); });
    return 1;
  });
}

int tracking_bind_set_experiment(lua_State* L) {
  return guard(L, [=] {
    script_state(L).session().set_experiment(
        std::string(LuaArgs(L, "set_experiment").text(1, "name")));
    return 0;
  });
}

// start_run(name, experiment, tags, nested)
int tracking_bind_start_run(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "start_run");
    ScriptState& state = script_state(L);
    RunOptions options;
    options.name = args.text(1, "name", "");
    options.experiment = args.text(2, "experiment", "");
    for (auto& tag : args.text_map(3, "tags")) options.tags.push_back({tag.first, tag.second});
    options.source_name = state.source_name;
    const bool nested = args.boolean(4, "nested", false);
    if (const Run* active = state.active_run()) {
      if (!nested) {
        throw Error(
            ErrorCode::kConflict,
            "start_run: the run " + quoted(active->name()) + " (" + active->id() +
                ") is active; finish it first, or pass nested = true for a run inside of it");
      }
      options.parent_run_id = active->id();
    }
    const auto run = std::make_shared<Run>(state.session().start_run(options));
    state.active_runs.push_back(run);
    return tracking_push_run(L, run);
  });
}

// active_run(start): the innermost run, else nil; with `start` one is started then.
int tracking_bind_active_run(lua_State* L) {
  return guard(L, [=] {
    const bool start = LuaArgs(L, "active_run").boolean(1, "start", false);
    ScriptState& state = script_state(L);
    if (state.active_run() == nullptr) {
      if (!start) {
        lua_pushnil(L);
        return 1;
      }
      RunOptions options;
      options.source_name = state.source_name;
      state.active_runs.push_back(std::make_shared<Run>(state.session().start_run(options)));
    }
    const RunHandle run = state.active_runs.back();
    return tracking_push_run(L, run);
  });
}

int tracking_bind_runs(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "runs");
    const std::string experiment = args.text(1, "experiment", "");
    const std::int64_t max_results = args.integer(2, "max_results", 1000);
    if (max_results < 1 || max_results > 50000) {
      throw Error(ErrorCode::kInvalidParameter, "runs: 'max_results' must be from 1 to 50000");
    }
    const TrackingStore& store = script_state(L).session().tracking();
    std::vector<std::string> ids;
    if (!experiment.empty()) {
      const auto found = store.experiment_by_name(experiment);
      if (!found) {
        std::vector<std::string> names;
        for (const Experiment& other : store.list_experiments()) names.push_back(other.name);
        throw Error(ErrorCode::kNotFound, "runs: there is no experiment " + quoted(experiment) +
                                              did_you_mean(experiment, names));
      }
      ids.push_back(found->id);
    }
    const std::vector<RunRecord> records =
        store.list_runs(ids, static_cast<std::size_t>(max_results));
    protect(L, [&](lua_State* P) {
      lua_createtable(P, static_cast<int>(records.size()), 0);
      lua_Integer i = 0;
      for (const RunRecord& record : records) {
        tracking_push_record(P, record);
        lua_rawseti(P, -2, ++i);
      }
    });
    return 1;
  });
}

int tracking_bind_run(lua_State* L) {
  return guard(L, [=] {
    const RunRecord record =
        script_state(L).session().tracking().run(std::string(LuaArgs(L, "run").text(1, "run_id")));
    protect(L, [&](lua_State* P) { tracking_push_record(P, record); });
    return 1;
  });
}

int tracking_bind_metric_history(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "metric_history");
    const std::string run_id(args.text(1, "run_id"));
    const std::string key(args.text(2, "key"));
    const std::vector<Metric> history =
        script_state(L).session().tracking().metric_history(run_id, key);
    protect(L, [&](lua_State* P) {
      lua_createtable(P, static_cast<int>(history.size()), 0);
      lua_Integer i = 0;
      for (const Metric& metric : history) {
        tracking_push_metric(P, metric);
        lua_rawseti(P, -2, ++i);
      }
    });
    return 1;
  });
}

int tracking_bind_artifacts(lua_State* L) {
  return guard(L, [=] {
    const std::vector<std::string> paths = script_state(L).session().tracking().list_artifacts(
        std::string(LuaArgs(L, "artifacts").text(1, "run_id")));
    protect(L, [&](lua_State* P) { push_texts(P, paths); });
    return 1;
  });
}

int run_bind_log_param(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_param");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::string key(args.text(2, "key"));
    run->log_param(key, args.scalar(3, "value"));
    return 0;
  });
}

int run_bind_log_params(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_params");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    args.require_table(2, "params");
    std::vector<Param> params;
    for (auto& entry : args.text_map(2, "params")) params.push_back({entry.first, entry.second});
    run->log_params(params);
    return 0;
  });
}

int run_bind_log_metric(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_metric");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::string key(args.text(2, "key"));
    const double value = args.number(3, "value");
    run->log_metric(key, value, args.integer(4, "step", 0));
    return 0;
  });
}

int run_bind_log_metrics(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_metrics");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    args.require_table(2, "metrics");
    const std::int64_t step = args.integer(3, "step", 0);
    run->log_metrics(args.numbers(2, "metrics"), step);
    return 0;
  });
}

int run_bind_set_tag(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "set_tag");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::string key(args.text(2, "key"));
    run->set_tag(key, args.scalar(3, "value"));
    return 0;
  });
}

int run_bind_log_text(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_text");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::string text(args.text(2, "text"));
    run->log_text(text, std::string(args.text(3, "path")));
    return 0;
  });
}

int run_bind_log_artifact(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_artifact");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::string file(args.text(2, "file"));
    run->log_artifact(file, args.text(3, "path", ""));
    return 0;
  });
}

int run_bind_log_model(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_model");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const auto model = check_handle<const Model>(L, 2, args.name(), "model");
    const std::string uri = run->log_model(*model, args.text(3, "path", "model"));
    protect(L, [&](lua_State* P) { push_text(P, uri); });
    return 1;
  });
}

int run_bind_record(lua_State* L) {
  return guard(L, [=] {
    const RunRecord record = check_handle<Run>(L, 1, "run:record")->record();
    protect(L, [&](lua_State* P) { tracking_push_record(P, record); });
    return 1;
  });
}

void run_end(lua_State* L, const RunHandle& run, RunStatus status) {
  run->end(status);
  script_state(L).active_run();  // forgets those that have ended
}

int run_bind_finish(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "run:finish");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const RunStatus status = parse_run_status(args.text(2, "status", "FINISHED"));
    if (status == RunStatus::kRunning || status == RunStatus::kScheduled) {
      throw Error(ErrorCode::kInvalidParameter,
                  "run:finish: 'status' must be 'FINISHED', 'FAILED' or 'KILLED'");
    }
    run_end(L, run, status);
    return 0;
  });
}

// __close(self, error): FINISHED, or FAILED when the scope was left by an error, KILLED by an
// interrupt.
int run_bind_close(lua_State* L) {
  return guard(L, [=] {
    RunHandle* handle = test_handle<Run>(L, 1);
    if (handle == nullptr || *handle == nullptr || (*handle)->ended()) return 0;
    RunStatus status = RunStatus::kFinished;
    if (!lua_isnoneornil(L, 2)) {
      // After an interrupt a close handler may have put an error of its own in the place of the
      // first.
      const bool interrupted = is_interrupted_error(L, 2) || interrupt_requested();
      status = interrupted ? RunStatus::kKilled : RunStatus::kFailed;
    }
    run_end(L, *handle, status);
    return 0;
  });
}

template <const std::string& (Run::*Field)() const>
int run_bind_text(lua_State* L) {
  return guard(L, [=] {
    const RunHandle run = check_handle<Run>(L, 1, "run");
    protect(L, [&](lua_State* P) { push_text(P, (run.get()->*Field)()); });
    return 1;
  });
}

int run_bind_ended(lua_State* L) {
  return guard(L, [=] {
    lua_pushboolean(L, check_handle<Run>(L, 1, "run.ended")->ended());
    return 1;
  });
}

int run_bind_equal(lua_State* L) {
  return guard(L, [=] {
    const RunHandle* a = test_handle<Run>(L, 1);
    const RunHandle* b = test_handle<Run>(L, 2);
    lua_pushboolean(L, a != nullptr && b != nullptr && *a == *b);
    return 1;
  });
}

int run_bind_to_string(lua_State* L) {
  return guard(L, [=] {
    const RunHandle* handle = test_handle<Run>(L, 1);
    const std::string text = handle != nullptr && *handle != nullptr
                                 ? "run " + (*handle)->name() + " (" + (*handle)->id() + ")"
                                 : "run";
    protect(L, [&](lua_State* P) { push_text(P, text); });
    return 1;
  });
}

}  // namespace

void open_tracking_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"session", tracking_bind_session},
                                        {"set_experiment", tracking_bind_set_experiment},
                                        {"start_run", tracking_bind_start_run},
                                        {"active_run", tracking_bind_active_run},
                                        {"runs", tracking_bind_runs},
                                        {"run", tracking_bind_run},
                                        {"metric_history", tracking_bind_metric_history},
                                        {"artifacts", tracking_bind_artifacts},
                                        {nullptr, nullptr}};
  static const luaL_Reg kMethods[] = {{"log_param", run_bind_log_param},
                                      {"log_params", run_bind_log_params},
                                      {"log_metric", run_bind_log_metric},
                                      {"log_metrics", run_bind_log_metrics},
                                      {"set_tag", run_bind_set_tag},
                                      {"log_text", run_bind_log_text},
                                      {"log_artifact", run_bind_log_artifact},
                                      {"log_model", run_bind_log_model},
                                      {"record", run_bind_record},
                                      {"finish", run_bind_finish},
                                      {nullptr, nullptr}};
  static const luaL_Reg kGetters[] = {{"id", run_bind_text<&Run::id>},
                                      {"name", run_bind_text<&Run::name>},
                                      {"experiment_id", run_bind_text<&Run::experiment_id>},
                                      {"ended", run_bind_ended},
                                      {nullptr, nullptr}};
  static const luaL_Reg kMeta[] = {{"__close", run_bind_close},
                                   {"__gc", close_handle<Run>},
                                   {"__eq", run_bind_equal},
                                   {"__tostring", run_bind_to_string},
                                   {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
  lua_handle::make_metatable(L, handle_kind<Run>(), kMethods, kGetters, kMeta);
  lua_setfield(L, -2, "methods");
}

}  // namespace mlrt
