// mlrt.native.store: what concerns a whole store.

#include <exception>
#include <string>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/tracking_values.hpp"

namespace mlrt {
namespace {

void store_set_count(lua_State* L, const char* key, std::uint64_t count) {
  set_integer(L, key, static_cast<std::int64_t>(count));
}

// gc(older_than_ms, dry_run, compact): what was deleted.
int store_bind_gc(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "gc");
    const std::int64_t older_than_ms = args.integer(1, "older_than_ms", 0);
    if (older_than_ms < 0) {
      throw Error(ErrorCode::kInvalidParameter,
                  "gc: 'older_than_ms' must be at least 0, got " + std::to_string(older_than_ms));
    }
    const bool dry_run = args.boolean(2, "dry_run", false);
    const bool compact = args.boolean(3, "compact", false);
    if (dry_run && compact) {
      throw Error(ErrorCode::kInvalidParameter, "gc: 'compact' goes without 'dry_run'");
    }
    const Session& session = script_state(L).session();
    TrackingStore::Garbage garbage = session.tracking().collect_garbage(older_than_ms, dry_run);
    garbage.artifact_bytes += session.registry().collect_garbage(dry_run);
    const std::uint64_t given_back = compact ? session.compact() : 0;
    protect(L, [&](lua_State* P) {
      lua_createtable(P, 0, 6);
      store_set_count(P, "experiments", garbage.experiments);
      store_set_count(P, "runs", garbage.runs);
      store_set_count(P, "logged_models", garbage.logged_models);
      store_set_count(P, "kept", garbage.kept);
      store_set_count(P, "artifact_bytes", garbage.artifact_bytes);
      store_set_count(P, "database_bytes", given_back);
    });
    return 1;
  });
}

constexpr double kStoreDayMs = 24.0 * 3600 * 1000;

int store_push_limits(lua_State* L, const StoreLimitsState& state) {
  protect(L, [&](lua_State* P) {
    lua_createtable(P, 0, 7);
    store_set_count(P, "quota_bytes", state.limits.quota_bytes);
    set_number(P, "retention_days", static_cast<double>(state.limits.retention_ms) / kStoreDayMs);
    store_set_count(P, "keep_points", state.limits.keep_points);
    store_set_count(P, "used_bytes", state.used_bytes);
    store_set_count(P, "thinned_runs", state.thinned_runs);
    store_set_count(P, "dropped_runs", state.dropped_runs);
    if (state.applied_ms != 0) set_integer(P, "applied_time", state.applied_ms);
  });
  return 1;
}

int store_bind_limits(lua_State* L) {
  return guard(L, [=] { return store_push_limits(L, script_state(L).session().limits()); });
}

// set_limits(quota_bytes, retention_days, keep_points, apply): the limits.
int store_bind_set_limits(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "set_limits");
    const Session& session = script_state(L).session();
    StoreLimits limits = session.limits().limits;
    const std::int64_t quota =
        args.integer(1, "quota_bytes", static_cast<std::int64_t>(limits.quota_bytes));
    const double days = args.number(2, "retention_days", 0);
    const std::int64_t keep =
        args.integer(3, "keep_points", static_cast<std::int64_t>(limits.keep_points));
    const bool apply = args.boolean(4, "apply", false);
    if (quota < 0 || keep < 0 || !(days >= 0 && days <= 36500)) {
      throw Error(ErrorCode::kInvalidParameter,
                  "set_limits: 'quota_bytes' and 'keep_points' must be at least 0, "
                  "'retention_days' from 0 to 36500");
    }
    limits.quota_bytes = static_cast<std::uint64_t>(quota);
    if (!args.absent(2)) limits.retention_ms = static_cast<std::int64_t>(days * kStoreDayMs);
    limits.keep_points = static_cast<std::size_t>(keep);
    session.set_limits(limits);
    while (apply && session.apply_limits()) {
      if (interrupt_requested()) throw Error(ErrorCode::kInterrupted, "set_limits: interrupted");
    }
    return store_push_limits(L, session.limits());
  });
}

void store_push_import(lua_State* L, const ImportReport& report) {
  lua_createtable(L, 0, 11);
  store_set_count(L, "experiments", report.experiments);
  store_set_count(L, "runs", report.runs);
  store_set_count(L, "params", report.params);
  store_set_count(L, "tags", report.tags);
  store_set_count(L, "metrics", report.metrics);
  store_set_count(L, "inputs", report.inputs);
  store_set_count(L, "logged_models", report.logged_models);
  store_set_count(L, "registered_models", report.registered_models);
  store_set_count(L, "model_versions", report.model_versions);
  store_set_count(L, "artifacts", report.artifacts);
  push_texts(L, report.problems);
  lua_setfield(L, -2, "problems");
}

// Calls the function at index 4.
void store_report_progress(lua_State* L, std::uint64_t done, std::uint64_t total) {
  protect(L, {4}, [&](lua_State* P) {
    lua_pushinteger(P, static_cast<lua_Integer>(done));
    lua_pushinteger(P, static_cast<lua_Integer>(total));
    lua_call(P, 2, 0);
  });
}

// import(path, experiment, copy_artifacts, progress): the report.
int store_bind_import(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "import");
    const std::string path(args.text(1, "path"));
    ImportOptions options;
    options.experiment = args.text(2, "experiment", "");
    options.copy_artifacts = args.boolean(3, "copy_artifacts", true);
    const bool reports = !args.absent(4);
    if (reports) args.require_function(4, "progress");
    std::exception_ptr stop;
    options.progress = [L, reports, &stop](std::uint64_t done, std::uint64_t total) {
      try {
        if (stop) std::rethrow_exception(stop);
        if (interrupt_requested()) throw Error(ErrorCode::kInterrupted, "import: interrupted");
        if (reports) store_report_progress(L, done, total);
      } catch (const std::exception&) {
        stop = std::current_exception();
        throw;
      }
    };
    const ImportReport report = script_state(L).session().import_tracking(path, options);
    // An importer that takes every error for one of its source's must not swallow this one.
    if (stop) std::rethrow_exception(stop);
    protect(L, [&](lua_State* P) { store_push_import(P, report); });
    return 1;
  });
}

// export(path): the revision of MLflow's schema that was written.
int store_bind_export(lua_State* L) {
  return guard(L, [=] {
    const std::string path(LuaArgs(L, "export").text(1, "path"));
    const std::string revision = script_state(L).session().export_mlflow(path);
    protect(L, [&](lua_State* P) { push_text(P, revision); });
    return 1;
  });
}

}  // namespace

void open_store_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"gc", store_bind_gc},
                                        {"limits", store_bind_limits},
                                        {"set_limits", store_bind_set_limits},
                                        {"import", store_bind_import},
                                        {"export", store_bind_export},
                                        {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
}

}  // namespace mlrt
