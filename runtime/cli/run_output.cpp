#include "cli/run_output.hpp"

#include <cstdio>

#include "core/clock.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kDescribedValueSize = 100;

constexpr std::size_t kRunMetricsShown = 3;

const std::string& shown_experiment(const RunRecord& run, const ExperimentNames& experiments) {
  const auto found = experiments.find(run.experiment_id);
  return found == experiments.end() ? run.experiment_id : found->second;
}

std::string run_metrics_text(const RunRecord& run) {
  std::string out;
  for (std::size_t i = 0; i < run.metrics.size() && i < kRunMetricsShown; ++i)
    out += (i > 0 ? " " : "") + run.metrics[i].key + "=" + short_number(run.metrics[i].value);
  if (run.metrics.size() > kRunMetricsShown)
    out += " +" + std::to_string(run.metrics.size() - kRunMetricsShown) + " more";
  return out;
}

}  // namespace

std::string short_number(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

std::string run_duration_text(const RunRecord& run) {
  if (run.end_time_ms == 0) return "";
  const double seconds =
      (static_cast<double>(run.end_time_ms) - static_cast<double>(run.start_time_ms)) / 1000;
  char text[400];
  if (seconds < 60) {
    std::snprintf(text, sizeof(text), "%.1f s", seconds);
  } else if (seconds < 3600) {
    std::snprintf(text, sizeof(text), "%.1f min", seconds / 60);
  } else {
    std::snprintf(text, sizeof(text), "%.1f h", seconds / 3600);
  }
  return text;
}

std::string size_text(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"KB", "MB", "GB", "TB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; size >= 1024 && unit < 3; ++unit) size /= 1024;
  char text[40];
  std::snprintf(text, sizeof(text), "%.1f %s", size, kUnits[unit]);
  return text;
}

std::string clipped(const std::string& text, std::size_t most) {
  std::size_t characters = 0;
  std::size_t cut = 0;  // where the last character that may stay ends
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    if (characters + 1 == most) cut = i;
    if (++characters > most) return text.substr(0, cut) + "\xE2\x80\xA6";
  }
  return text;
}

std::string described_value(const std::string& text) { return clipped(text, kDescribedValueSize); }

void append_block(std::string& out, const char* title, const std::string& text, bool empty) {
  if (empty) return;
  out += std::string("\n") + title + "\n";
  for (const std::string& line : split(text.substr(0, text.size() - 1), '\n'))
    out += "  " + line + "\n";
}

OrderedJson run_json(const RunRecord& run, const ExperimentNames& experiments) {
  const auto experiment = experiments.find(run.experiment_id);
  OrderedJson item;
  item["run_id"] = run.run_id;
  item["run_name"] = run.name;
  item["experiment_id"] = run.experiment_id;
  item["experiment_name"] = experiment == experiments.end() ? "" : experiment->second;
  item["user_id"] = run.user;
  item["status"] = run_status_name(run.status);
  item["lifecycle_stage"] = run.lifecycle_stage;
  item["start_time"] = run.start_time_ms;
  item["end_time"] = run.end_time_ms == 0 ? OrderedJson() : OrderedJson(run.end_time_ms);
  item["artifact_uri"] = run.artifact_folder;
  item["params"] = OrderedJson::object();
  for (const Param& param : run.params) item["params"][param.key] = param.value;
  item["metrics"] = OrderedJson::object();
  for (const Metric& metric : run.metrics) item["metrics"][metric.key] = json_metric(metric.value);
  item["tags"] = OrderedJson::object();
  for (const Tag& tag : run.tags) item["tags"][tag.key] = tag.value;
  return item;
}

void print_runs(OutputForm form, const std::vector<RunRecord>& runs,
                const ExperimentNames& experiments, const std::string& when_empty) {
  TextTable table({{"RUN ID"},
                   {"NAME"},
                   {"EXPERIMENT"},
                   {"STATUS"},
                   {"STARTED (UTC)"},
                   {"TOOK", TextTable::Align::kRight},
                   {"METRICS"}});
  OrderedJson list = OrderedJson::array();
  for (const RunRecord& run : runs) {
    if (form == OutputForm::kTable) {
      const bool deleted = run.lifecycle_stage == "deleted";
      table.add({run.run_id, run.name, shown_experiment(run, experiments),
                 std::string(run_status_name(run.status)) + (deleted ? " (deleted)" : ""),
                 format_time_ms(run.start_time_ms), run_duration_text(run), run_metrics_text(run)});
      list.push_back(nullptr);
    } else {
      list.push_back(run_json(run, experiments));
    }
  }
  print_listing(form, table, run_json(RunRecord(), {}), list, when_empty);
}

}  // namespace mlrt
