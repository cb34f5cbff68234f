// mlrt.native.tracking: the session, experiments, and runs as a store has them.

#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"
#include "lua/bind_run.hpp"
#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/tracking_values.hpp"

namespace mlrt {
namespace {

int tracking_push_run(lua_State* L, const std::shared_ptr<Run>& run) {
  protect(L, [&](lua_State* P) { push_handle(P, run); });
  return 1;
}

const TrackingStore& tracking_of_script(lua_State* L) {
  return script_state(L).session().tracking();
}

// session(store, must_exist, durability): opens a store and makes it the script's; returns its path
// and durability.
int tracking_bind_session(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "session");
    ScriptState& state = script_state(L);
    SessionOptions options;
    options.store = args.text(1, "store", state.store.c_str());
    options.must_exist = args.boolean(2, "must_exist", false);
    if (!args.absent(3)) options.durability = parse_durability(args.text(3, "durability"));
    const Session session = state.switch_session(options);
    protect(L, [&](lua_State* P) {
      push_text(P, session.store());
      lua_pushstring(P, durability_name(session.durability()));
    });
    return 2;
  });
}

// ---- experiments

// create_experiment(name, artifact_location, tags): the id.
int tracking_bind_create_experiment(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "create_experiment");
    const std::string name(args.text(1, "name"));
    const std::string location = args.text(2, "artifact_location", "");
    const std::string id = script_state(L).session().tracking().create_experiment(
        name, location, read_tags(args, 3, "tags"));
    protect(L, [&](lua_State* P) { push_text(P, id); });
    return 1;
  });
}

int tracking_bind_experiment(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "experiment");
    const Experiment found = find_experiment_argument(
        tracking_of_script(L), std::string(args.text(1, "id_or_name")), args.name());
    protect(L, [&](lua_State* P) { push_experiment(P, found); });
    return 1;
  });
}

// search_experiments(filter, order_by, view, max_results, page_token)
int tracking_bind_search_experiments(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "search_experiments");
    const SearchPage<Experiment> page =
        tracking_of_script(L).search_experiments(read_query(args, 1));
    protect(L, [&](lua_State* P) { push_page(P, page, push_experiment); });
    return 1;
  });
}

int tracking_bind_rename_experiment(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "rename_experiment");
    TrackingStore& store = script_state(L).session().tracking();
    const std::string name(args.text(2, "name"));
    store.rename_experiment(
        find_experiment_argument(store, std::string(args.text(1, "id_or_name")), args.name()).id,
        name);
    return 0;
  });
}

template <void (TrackingStore::*Change)(const std::string&)>
int tracking_change_experiment(lua_State* L, const char* function) {
  return guard(L, [=] {
    const LuaArgs args(L, function);
    TrackingStore& store = script_state(L).session().tracking();
    (store.*Change)(
        find_experiment_argument(store, std::string(args.text(1, "id_or_name")), args.name()).id);
    return 0;
  });
}

int tracking_bind_delete_experiment(lua_State* L) {
  return tracking_change_experiment<&TrackingStore::delete_experiment>(L, "delete_experiment");
}

int tracking_bind_restore_experiment(lua_State* L) {
  return tracking_change_experiment<&TrackingStore::restore_experiment>(L, "restore_experiment");
}

int tracking_bind_set_experiment_tag(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "set_experiment_tag");
    TrackingStore& store = script_state(L).session().tracking();
    const std::string key(args.text(2, "key"));
    const std::string value = args.scalar(3, "value");
    store.set_experiment_tag(
        find_experiment_argument(store, std::string(args.text(1, "id_or_name")), args.name()).id,
        key, value);
    return 0;
  });
}

int tracking_bind_delete_experiment_tag(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "delete_experiment_tag");
    TrackingStore& store = script_state(L).session().tracking();
    const std::string key(args.text(2, "key"));
    store.delete_experiment_tag(
        find_experiment_argument(store, std::string(args.text(1, "id_or_name")), args.name()).id,
        key);
    return 0;
  });
}

// set_experiment(name): the experiment.
int tracking_bind_set_experiment(lua_State* L) {
  return guard(L, [=] {
    const std::string name(LuaArgs(L, "set_experiment").text(1, "name"));
    ScriptState& state = script_state(L);
    state.session().set_experiment(name);
    const auto found = state.session().tracking().experiment_by_name(name);
    if (!found)
      throw Error(ErrorCode::kConflict, "set_experiment: " + quoted(name) + " was just deleted");
    state.experiment_id = found->id;
    protect(L, [&](lua_State* P) { push_experiment(P, *found); });
    return 1;
  });
}

// ---- runs

// start_run(name, experiment, tags, nested, run_id, description, parent_run_id,
// system_metrics_interval_ms)
int tracking_bind_start_run(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "start_run");
    ScriptState& state = script_state(L);
    RunOptions options;
    options.name = args.text(1, "name", "");
    options.experiment = args.text(2, "experiment", "");
    options.tags = read_tags(args, 3, "tags");
    options.source_name = state.source_name;
    const bool nested = args.boolean(4, "nested", false);
    const std::string run_id = args.text(5, "run_id", "");
    const std::string description = args.text(6, "description", "");
    options.parent_run_id = args.text(7, "parent_run_id", "");
    const std::int64_t interval_ms = args.integer(8, "system_metrics", 0);
    if (!args.absent(8) && interval_ms < 1) {
      throw Error(ErrorCode::kInvalidParameter,
                  "start_run: 'system_metrics' must be true or milliseconds between two samples, "
                  "got " +
                      std::to_string(interval_ms));
    }
    if (!description.empty()) options.tags.push_back({"mlflow.note.content", description});
    if (const Run* active = state.active_run()) {
      if (!nested) {
        throw Error(
            ErrorCode::kConflict,
            "start_run: the run " + quoted(active->name()) + " (" + active->id() +
                ") is active; finish it first, or pass nested = true for a run inside of it");
      }
      if (options.parent_run_id.empty()) options.parent_run_id = active->id();
    }
    std::shared_ptr<Run> run;
    if (run_id.empty()) {
      run = std::make_shared<Run>(state.session().start_run(options));
    } else {
      if (!options.name.empty() || !options.experiment.empty() || !args.absent(7)) {
        throw Error(ErrorCode::kInvalidParameter,
                    "start_run: 'name', 'experiment' and 'parent_run_id' are for a new run; "
                    "'run_id' opens one that has them");
      }
      for (const auto& open : state.active_runs) {
        if (open->id() == run_id && !open->ended()) {
          throw Error(ErrorCode::kConflict, "start_run: the run " + quoted(open->name()) + " (" +
                                                run_id + ") is active already");
        }
      }
      // First what may be refused: after an error the run is as it was.
      if (!options.tags.empty()) state.session().tracking().set_tags(run_id, options.tags);
      run = std::make_shared<Run>(state.session().resume_run(run_id));
    }
    state.active_runs.push_back(run);
    if (interval_ms > 0) run->start_system_metrics(interval_ms);
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
    const std::shared_ptr<Run> run = state.active_runs.back();
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
    const TrackingStore& store = tracking_of_script(L);
    std::vector<std::string> ids;
    if (!experiment.empty())
      ids.push_back(find_experiment_argument(store, experiment, args.name()).id);
    const std::vector<RunRecord> records =
        store.list_runs(ids, static_cast<std::size_t>(max_results));
    protect(L, [&](lua_State* P) { push_list(P, records, push_run_record); });
    return 1;
  });
}

// search_runs(experiments, filter, order_by, view, max_results, page_token)
int tracking_bind_search_runs(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "search_runs");
    const TrackingStore& store = tracking_of_script(L);
    const SearchQuery query = read_query(args, 2);
    const SearchPage<RunRecord> page =
        store.search_runs(read_experiment_ids(L, args, 1, store), query);
    protect(L, [&](lua_State* P) { push_page(P, page, push_run_record); });
    return 1;
  });
}

int tracking_bind_run(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "run");
    const RunRecord record = tracking_of_script(L).run(read_run_id(L, args, 1, "run_id"));
    protect(L, [&](lua_State* P) { push_run_record(P, record); });
    return 1;
  });
}

template <void (TrackingStore::*Change)(const std::string&)>
int tracking_change_run(lua_State* L, const char* function) {
  return guard(L, [=] {
    const LuaArgs args(L, function);
    (script_state(L).session().tracking().*Change)(read_run_id(L, args, 1, "run"));
    return 0;
  });
}

int tracking_bind_delete_run(lua_State* L) {
  return tracking_change_run<&TrackingStore::delete_run>(L, "delete_run");
}

int tracking_bind_restore_run(lua_State* L) {
  return tracking_change_run<&TrackingStore::restore_run>(L, "restore_run");
}

// update_run(run, name, status, end_time_ms): the record.
int tracking_bind_update_run(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "update_run");
    const std::string run_id = read_run_id(L, args, 1, "run");
    TrackingStore::RunUpdate update;
    if (!args.absent(2)) update.name = std::string(args.text(2, "name"));
    if (!args.absent(3)) update.status = parse_run_status(args.text(3, "status"));
    update.end_time_ms = args.integer(4, "end_time_ms", 0);
    const RunRecord record = script_state(L).session().tracking().update_run(run_id, update);
    protect(L, [&](lua_State* P) { push_run_record(P, record); });
    return 1;
  });
}

// metric_history(run, key, max_points)
int tracking_bind_metric_history(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "metric_history");
    const std::string run_id = read_run_id(L, args, 1, "run_id");
    const std::string key(args.text(2, "key"));
    const TrackingStore& store = tracking_of_script(L);
    std::vector<Metric> history;
    if (args.absent(3)) {
      history = store.metric_history(run_id, key);
    } else {
      const std::int64_t max_points = args.integer(3, "max_points");
      if (max_points < 1) {
        throw Error(
            ErrorCode::kInvalidParameter,
            "metric_history: 'max_points' must be at least 1, got " + std::to_string(max_points));
      }
      history = store.sampled_history(run_id, key, static_cast<std::size_t>(max_points));
    }
    protect(L, [&](lua_State* P) { push_list(P, history, push_metric); });
    return 1;
  });
}

}  // namespace

void open_tracking_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {
      {"session", tracking_bind_session},
      {"create_experiment", tracking_bind_create_experiment},
      {"experiment", tracking_bind_experiment},
      {"search_experiments", tracking_bind_search_experiments},
      {"rename_experiment", tracking_bind_rename_experiment},
      {"delete_experiment", tracking_bind_delete_experiment},
      {"restore_experiment", tracking_bind_restore_experiment},
      {"set_experiment_tag", tracking_bind_set_experiment_tag},
      {"delete_experiment_tag", tracking_bind_delete_experiment_tag},
      {"set_experiment", tracking_bind_set_experiment},
      {"start_run", tracking_bind_start_run},
      {"active_run", tracking_bind_active_run},
      {"runs", tracking_bind_runs},
      {"search_runs", tracking_bind_search_runs},
      {"run", tracking_bind_run},
      {"delete_run", tracking_bind_delete_run},
      {"restore_run", tracking_bind_restore_run},
      {"update_run", tracking_bind_update_run},
      {"metric_history", tracking_bind_metric_history},
      {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
}

}  // namespace mlrt
