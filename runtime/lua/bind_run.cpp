// mlrt.native.run: one run, and what is logged to it.

#include "lua/bind_run.hpp"

#include <cstring>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/interrupt.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "lua/bind_model.hpp"
#include "lua/bind_table.hpp"
#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/tracking_values.hpp"

namespace mlrt {

template <>
const HandleKind& handle_kind<Run>() {
  static constexpr HandleKind kKind{"a run", "mlrt.Run"};
  return kKind;
}

namespace {

using RunHandle = std::shared_ptr<Run>;

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
    run->log_params(read_params(args, 2, "params"));
    return 0;
  });
}

// log_metric(self, key, value, step or {step, timestamp_ms, model, dataset})
int run_bind_log_metric(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_metric");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::string key(args.text(2, "key"));
    const double value = args.number(3, "value");
    if (lua_type(L, 4) != LUA_TTABLE) {
      run->log_metric(key, value, args.integer(4, "step", 0));
      return 0;
    }
    Metric metric;
    metric.key = key;
    metric.value = value;
    read_metric_fields(L, args.name(), 4, false, metric);
    run->log_batch({metric}, {}, {});
    return 0;
  });
}

int run_bind_log_metrics(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_metrics");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    args.require_table(2, "metrics");
    if (lua_type(L, 3) != LUA_TTABLE) {
      const std::int64_t step = args.integer(3, "step", 0);
      run->log_metrics(args.numbers(2, "metrics"), step);
      return 0;
    }
    Metric common;
    read_metric_fields(L, args.name(), 3, false, common);
    std::vector<Metric> metrics;
    for (auto& [key, value] : args.numbers(2, "metrics")) {
      metrics.push_back(common);
      metrics.back().key = key;
      metrics.back().value = value;
    }
    run->log_batch(metrics, {}, {});
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

int run_bind_set_tags(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "set_tags");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    args.require_table(2, "tags");
    run->set_tags(read_tags(args, 2, "tags"));
    return 0;
  });
}

int run_bind_delete_tag(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "delete_tag");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    run->delete_tag(std::string(args.text(2, "key")));
    return 0;
  });
}

int run_bind_set_description(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "set_description");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    run->set_description(std::string(args.text(2, "text")));
    return 0;
  });
}

// log_batch(self, metrics, params, tags)
int run_bind_log_batch(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_batch");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::vector<Metric> metrics = read_metrics(L, args, 2, "metrics");
    const std::vector<Param> params = read_params(args, 3, "params");
    run->log_batch(metrics, params, read_tags(args, 4, "tags"));
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

int run_bind_log_json(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_json");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::string path(args.text(3, "path"));
    run->log_json(dump_json(read_json_value(L, 2, args.name())), path);
    return 0;
  });
}

int run_bind_log_table(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_table");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::shared_ptr<const Table> table = check_table(L, 2, args.name(), "table");
    run->log_table(*table, std::string(args.text(3, "path")));
    return 0;
  });
}

// Bytes say by their beginning what they are; everything else is the path of a file.
bool run_looks_like_image(std::string_view text) {
  for (const char* magic : {"\x89PNG", "\xff\xd8\xff", "GIF8", "RIFF", "<svg", "<?xml"}) {
    if (starts_with(text, magic)) return true;
  }
  return text.find('\0') != std::string_view::npos || text.size() > 4096;
}

// log_image(self, bytes or file, path) or (..., key, step)
int run_bind_log_image(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_image");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::string_view image = args.text(2, "image");
    const std::string bytes =
        run_looks_like_image(image) ? std::string(image) : fs::read_file(std::string(image));
    if (args.absent(4)) {
      run->log_image(bytes, std::string(args.text(3, "path")));
    } else {
      const std::string key(args.text(4, "key"));
      run->log_image(bytes, key, args.integer(5, "step", 0));
    }
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

int run_bind_log_artifacts(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_artifacts");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const std::string folder(args.text(2, "folder"));
    run->log_artifacts(folder, args.text(3, "path", ""));
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

// Where the data came from, as MLflow writes it: a file, an address, or else the script.
void run_describe_source(const std::string& source, const std::string& script,
                         DatasetInput& dataset) {
  if (source.empty()) {
    dataset.source_type = "code";
    dataset.source = dump_json(Json{{"tags", Json{{"mlflow.source.name", script}}}});
  } else if (starts_with(source, "http://") || starts_with(source, "https://")) {
    dataset.source_type = "http";
    dataset.source = dump_json(Json{{"url", source}});
  } else {
    dataset.source_type = "local";
    dataset.source = dump_json(Json{{"uri", source}});
  }
}

DatasetInput run_describe_table(const Table& table) {
  DatasetInput dataset;
  dataset.name = "dataset";
  dataset.digest = table.digest();
  std::vector<ColumnSpec> columns;
  for (const Column& column : table.columns())
    columns.push_back({column.name(), column_type_name(column.type()), true});
  dataset.schema =
      dump_json(Json{{"mlflow_colspec", parse_json(format_schema(columns), "a schema")}});
  dataset.profile = dump_json(Json{{"num_rows", table.row_count()},
                                   {"num_elements", table.row_count() * table.column_count()}});
  return dataset;
}

// log_input(self, data or record, name, context, source, tags): the record of what was logged.
int run_bind_log_input(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_input");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    const bool is_record = lua_type(L, 2) == LUA_TTABLE && is_dataset_record(L, 2);
    const std::string source = args.text(5, "source", "");
    DatasetInput dataset;
    if (is_record) {
      dataset = read_dataset_record(L, args.name(), 2);
    } else {
      dataset = run_describe_table(*check_table(L, 2, args.name(), "data"));
    }
    if (!is_record || !source.empty())
      run_describe_source(source, script_state(L).source_name, dataset);
    if (!args.absent(3)) dataset.name = args.text(3, "name");
    if (!args.absent(4)) dataset.context = args.text(4, "context");
    if (!args.absent(6)) dataset.tags = read_tags(args, 6, "tags");
    run->log_input(dataset);
    protect(L, [&](lua_State* P) { push_dataset(P, dataset); });
    return 1;
  });
}

int run_bind_log_output(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "log_output");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    RunOutput output;
    output.model_id = read_model_id(L, args, 2, "model");
    output.step = args.integer(3, "step", 0);
    if (run->ended()) {
      throw Error(ErrorCode::kConflict,
                  "the run " + run->id() + " has ended: nothing more can be logged to it");
    }
    script_state(L).session().tracking().log_outputs(run->id(), {output});
    return 0;
  });
}

int run_bind_start_system_metrics(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "start_system_metrics");
    const RunHandle run = check_handle<Run>(L, 1, args.name());
    if (args.absent(2)) {
      run->start_system_metrics();
    } else {
      run->start_system_metrics(args.integer(2, "interval_ms"));
    }
    return 0;
  });
}

int run_bind_record(lua_State* L) {
  return guard(L, [=] {
    const RunRecord record = check_handle<Run>(L, 1, "run:record")->record();
    protect(L, [&](lua_State* P) { push_run_record(P, record); });
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

void open_run_module(lua_State* L) {
  // Under names of their own: the stdlib checks the options of these first.
  static const luaL_Reg kFunctions[] = {{"log_batch", run_bind_log_batch},
                                        {"log_image", run_bind_log_image},
                                        {"log_input", run_bind_log_input},
                                        {nullptr, nullptr}};
  static const luaL_Reg kMethods[] = {{"log_param", run_bind_log_param},
                                      {"log_params", run_bind_log_params},
                                      {"log_metric", run_bind_log_metric},
                                      {"log_metrics", run_bind_log_metrics},
                                      {"set_tag", run_bind_set_tag},
                                      {"set_tags", run_bind_set_tags},
                                      {"delete_tag", run_bind_delete_tag},
                                      {"set_description", run_bind_set_description},
                                      {"log_text", run_bind_log_text},
                                      {"log_json", run_bind_log_json},
                                      {"log_table", run_bind_log_table},
                                      {"log_artifact", run_bind_log_artifact},
                                      {"log_artifacts", run_bind_log_artifacts},
                                      {"log_model", run_bind_log_model},
                                      {"log_output", run_bind_log_output},
                                      {"start_system_metrics", run_bind_start_system_metrics},
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
