#include "cli/runs_plot.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cli/line_chart.hpp"
#include "cli/run_output.hpp"
#include "cli/store_access.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kPlotRows = 20;
constexpr std::size_t kPointsPerColumn = 4;  // two dots, and the least and greatest of each

OrderedJson metric_point_json(const Metric& metric) {
  OrderedJson item;
  item["key"] = metric.key;
  item["value"] = json_metric(metric.value);
  item["timestamp"] = metric.timestamp_ms;
  item["step"] = metric.step;
  return item;
}

void print_history(OutputForm form, const std::vector<Metric>& history) {
  OrderedJson list = OrderedJson::array();
  for (const Metric& metric : history) list.push_back(metric_point_json(metric));
  print_listing(form, TextTable({}), metric_point_json(Metric()), list, "");
}

std::string history_chart(const RunRecord& run, const Metric& latest, std::vector<Metric> history,
                          const ChartOptions& options) {
  std::stable_sort(history.begin(), history.end(),
                   [](const Metric& a, const Metric& b) { return a.step < b.step; });
  const bool by_time = history.front().step == history.back().step;
  std::int64_t first_ms = history.front().timestamp_ms;
  for (const Metric& metric : history) first_ms = std::min(first_ms, metric.timestamp_ms);
  std::vector<ChartPoint> points;
  bool gaps = false;
  for (const Metric& metric : history) {
    const double x = by_time ? static_cast<double>(metric.timestamp_ms - first_ms) / 1000
                             : static_cast<double>(metric.step);
    points.push_back({x, metric.value});
    gaps = gaps || !std::isfinite(metric.value);
  }
  TextTable title({{latest.key + " of run " + run.name + " (" + run.run_id.substr(0, 8) + "), " +
                    "latest " + short_number(latest.value) + ", over " +
                    (by_time ? "seconds" : "steps") + (gaps ? "; gaps: NaN or infinite" : "")}});
  return title.text() + line_chart(points, options);
}

}  // namespace

void run_runs_plot(const GlobalOptions& global, const RunsPlotOptions& options) {
  const OutputForm form = output_form(options.output);
  const Session session = open_store(global);
  const TrackingStore& store = session.tracking();
  const RunRecord run = store.run(find_run_id(store, options.run));
  std::vector<std::string> keys;
  const Metric* latest = nullptr;
  for (const Metric& metric : run.metrics) {
    if (metric.key == options.key) latest = &metric;
    keys.push_back(metric.key);
  }
  if (latest == nullptr) {
    const std::string hint = did_you_mean(options.key, keys);
    throw Error(
        ErrorCode::kNotFound,
        "the run " + quoted(run.name) + " has no metric " + quoted(options.key) +
            (hint.empty() && !keys.empty() ? "; it has " + clipped(join(keys, ", "), 200) : hint));
  }
  if (form != OutputForm::kTable) {
    print_history(form, store.metric_history(run.run_id, options.key));
    return;
  }
  ChartOptions chart;
  chart.ascii = options.ascii;
  chart.columns =
      options.columns != 0 ? options.columns : static_cast<std::size_t>(terminal_size().columns);
  chart.rows = options.rows != 0 ? options.rows : kPlotRows;
  print_out(history_chart(
      run, *latest,
      store.sampled_history(run.run_id, options.key, chart.columns * kPointsPerColumn), chart));
}

}  // namespace mlrt
