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

// gc(older_than_ms, dry_run): what was deleted.
int store_bind_gc(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "gc");
    const std::int64_t older_than_ms = args.integer(1, "older_than_ms", 0);
    if (older_than_ms < 0) {
      throw Error(ErrorCode::kInvalidParameter,
                  "gc: 'older_than_ms' must be at least 0, got " + std::to_string(older_than_ms));
    }
    const bool dry_run = args.boolean(2, "dry_run", false);
    const Session& session = script_state(L).session();
    TrackingStore::Garbage garbage = session.tracking().collect_garbage(older_than_ms, dry_run);
    garbage.artifact_bytes += session.registry().collect_garbage(dry_run);
    protect(L, [&](lua_State* P) {
      lua_createtable(P, 0, 4);
      store_set_count(P, "experiments", garbage.experiments);
      store_set_count(P, "runs", garbage.runs);
      store_set_count(P, "logged_models", garbage.logged_models);
      store_set_count(P, "artifact_bytes", garbage.artifact_bytes);
    });
    return 1;
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
                                        {"import", store_bind_import},
                                        {"export", store_bind_export},
                                        {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
}

}  // namespace mlrt
