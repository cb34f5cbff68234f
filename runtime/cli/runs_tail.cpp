#include "cli/runs_tail.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "cli/listing.hpp"
#include "cli/run_output.hpp"
#include "cli/signals.hpp"
#include "cli/store_access.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr int kTailPeriodMs = 200;

// Follows the metrics of one run.
class RunTail {
 public:
  RunTail(const TrackingStore& store, std::string run_id, const std::vector<std::string>& keys)
      : store_(store), run_id_(std::move(run_id)), keys_(keys) {}

  // What came since the last call, in the order of time. A key's history is read only if its
  // latest point moved, or if `all`: points of smaller steps do not move it.
  std::vector<Metric> news(const RunRecord& run, bool all) {
    std::vector<Metric> out;
    for (const Metric& latest : run.metrics) {
      if (!keys_.empty() && std::find(keys_.begin(), keys_.end(), latest.key) == keys_.end())
        continue;
      Seen& seen = seen_[latest.key];
      const Place place(latest.timestamp_ms, latest.step);
      if (!all && seen.points > 0 && seen.latest == place) continue;
      seen.latest = place;
      add_points(latest.key, seen, out);
    }
    std::stable_sort(out.begin(), out.end(), [](const Metric& a, const Metric& b) {
      return std::tie(a.timestamp_ms, a.step) < std::tie(b.timestamp_ms, b.step);
    });
    return out;
  }

 private:
  using Place = std::pair<std::int64_t, std::int64_t>;  // time, step
  struct Seen {
    Place latest;
    Place last;               // of the history's points that were given out
    std::size_t points = 0;   // how many were
    std::size_t at_last = 0;  // how many of them stand at `last`
  };

  void add_points(const std::string& key, Seen& seen, std::vector<Metric>& out) const {
    const std::vector<Metric> history = store_.metric_history(run_id_, key);
    std::size_t equal = 0;
    const Place before = seen.last;
    const bool first = seen.points == 0;
    const std::size_t known = seen.at_last;
    for (const Metric& metric : history) {
      const Place place(metric.timestamp_ms, metric.step);
      if (!first && (place < before || (place == before && ++equal <= known))) continue;
      seen.at_last = seen.points > 0 && place == seen.last ? seen.at_last + 1 : 1;
      seen.last = place;
      ++seen.points;
      out.push_back(metric);
    }
  }

  const TrackingStore& store_;
  std::string run_id_;
  const std::vector<std::string>& keys_;
  std::map<std::string, Seen> seen_;
};

std::string tail_line(const Metric& metric, bool json) {
  if (!json) {
    return format_time_ms(metric.timestamp_ms) + "  step " + std::to_string(metric.step) + "  " +
           metric.key + " = " + format_double(metric.value) + "\n";
  }
  OrderedJson line;
  line["key"] = metric.key;
  line["value"] = json_metric(metric.value);
  line["timestamp"] = metric.timestamp_ms;
  line["step"] = metric.step;
  return line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

void print_tail(const std::vector<Metric>& metrics, std::size_t first, bool json) {
  std::string text;
  for (std::size_t i = first; i < metrics.size(); ++i) text += tail_line(metrics[i], json);
  if (!text.empty()) print_out(text);
}

void print_tail_end(const RunRecord& run, bool json) {
  if (json) return;
  std::string text = "run " + quoted(run.name) + " is " + run_status_name(run.status);
  if (run.end_time_ms != 0) text += " after " + run_duration_text(run);
  print_out(text + "\n");
}

}  // namespace

int run_runs_tail(const GlobalOptions& global, const RunsTailOptions& options) {
  StopSignals signals;
  const Session session = open_store(global);
  const TrackingStore& store = session.tracking();
  const std::string run_id = find_run_id(store, options.run);
  RunTail tail(store, run_id, options.keys);
  RunRecord run = store.run(run_id);
  const std::vector<Metric> before = tail.news(run, true);
  print_tail(before, before.size() > options.lines ? before.size() - options.lines : 0,
             options.json);
  while (run.status == RunStatus::kRunning || run.status == RunStatus::kScheduled) {
    if (signals.wait_ms(kTailPeriodMs)) return error_info(ErrorCode::kInterrupted).exit_code;
    run = store.run(run_id);
    // At the end all is read, what had not moved the latest point too.
    print_tail(tail.news(run, run.end_time_ms != 0), 0, options.json);
  }
  print_tail_end(run, options.json);
  return 0;
}

}  // namespace mlrt
