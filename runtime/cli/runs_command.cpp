#include "cli/runs_command.hpp"

#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "api/session.hpp"
#include "cli/output.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kRunMetricsShown = 3;

using ExperimentNames = std::map<std::string, std::string>;  // by id

ExperimentNames read_experiment_names(const TrackingStore& store) {
  ExperimentNames names;
  for (const Experiment& experiment : store.list_experiments())
    names[experiment.id] = experiment.name;
  return names;
}

std::string run_experiment_id(const TrackingStore& store, const std::string& name,
                              const ExperimentNames& experiments) {
  const std::optional<Experiment> found = store.experiment_by_name(name);
  if (found) return found->id;
  std::vector<std::string> names;
  for (const auto& experiment : experiments) names.push_back(experiment.second);
  throw Error(ErrorCode::kNotFound,
              "there is no experiment " + quoted(name) + did_you_mean(name, names));
}

std::string run_duration_text(const RunRecord& run) {
  if (run.end_time_ms == 0) return "";
  const double seconds = static_cast<double>(run.end_time_ms - run.start_time_ms) / 1000;
  char text[40];
  if (seconds < 60) {
    std::snprintf(text, sizeof(text), "%.1f s", seconds);
  } else if (seconds < 3600) {
    std::snprintf(text, sizeof(text), "%.1f min", seconds / 60);
  } else {
    std::snprintf(text, sizeof(text), "%.1f h", seconds / 3600);
  }
  return text;
}

std::string run_metrics_text(const RunRecord& run) {
  std::string out;
  for (std::size_t i = 0; i < run.metrics.size() && i < kRunMetricsShown; ++i) {
    char value[40];
    std::snprintf(value, sizeof(value), "%.4g", run.metrics[i].value);
    out += (i > 0 ? " " : "") + run.metrics[i].key + "=" + value;
  }
  if (run.metrics.size() > kRunMetricsShown) {
    out += " +" + std::to_string(run.metrics.size() - kRunMetricsShown) + " more";
  }
  return out;
}

std::string runs_table_text(const std::vector<RunRecord>& runs,
                            const ExperimentNames& experiments) {
  TextTable table({{"RUN ID"},
                   {"NAME"},
                   {"EXPERIMENT"},
                   {"STATUS"},
                   {"STARTED (UTC)"},
                   {"TOOK", TextTable::Align::kRight},
                   {"METRICS"}});
  for (const RunRecord& run : runs) {
    const auto experiment = experiments.find(run.experiment_id);
    table.add({run.run_id, run.name,
               experiment == experiments.end() ? run.experiment_id : experiment->second,
               run_status_name(run.status), format_time_ms(run.start_time_ms),
               run_duration_text(run), run_metrics_text(run)});
  }
  return table.text();
}

// JSON has no word for NaN and infinities: MLflow writes them as text.
OrderedJson run_metric_json(double value) {
  return std::isfinite(value) ? OrderedJson(value) : OrderedJson(format_double(value));
}

std::string runs_json_text(const std::vector<RunRecord>& runs, const ExperimentNames& experiments) {
  OrderedJson list = OrderedJson::array();
  for (const RunRecord& run : runs) {
    const auto experiment = experiments.find(run.experiment_id);
    OrderedJson item;
    item["run_id"] = run.run_id;
    item["run_name"] = run.name;
    item["experiment_id"] = run.experiment_id;
    item["experiment_name"] = experiment == experiments.end() ? "" : experiment->second;
    item["user_id"] = run.user;
    item["status"] = run_status_name(run.status);
    item["start_time"] = run.start_time_ms;
    item["end_time"] = run.end_time_ms == 0 ? OrderedJson() : OrderedJson(run.end_time_ms);
    item["params"] = OrderedJson::object();
    for (const Param& param : run.params) item["params"][param.key] = param.value;
    item["metrics"] = OrderedJson::object();
    for (const Metric& metric : run.metrics)
      item["metrics"][metric.key] = run_metric_json(metric.value);
    item["tags"] = OrderedJson::object();
    for (const Tag& tag : run.tags) item["tags"][tag.key] = tag.value;
    list.push_back(std::move(item));
  }
  return list.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace

void run_runs_list(const GlobalOptions& global, const RunsListOptions& options) {
  SessionOptions session_options;
  session_options.store = global.store;
  session_options.must_exist = true;
  const Session session(session_options);
  const TrackingStore& store = session.tracking();
  const ExperimentNames experiments = read_experiment_names(store);
  std::vector<std::string> ids;
  if (!options.experiment.empty())
    ids.push_back(run_experiment_id(store, options.experiment, experiments));
  const std::vector<RunRecord> runs = store.list_runs(ids, options.max_results);
  if (options.json) {
    print_out(runs_json_text(runs, experiments));
  } else if (runs.empty()) {
    print_out("no runs in " + session.store() + "\n");
  } else {
    print_out(runs_table_text(runs, experiments));
  }
}

}  // namespace mlrt
