#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "core/error.hpp"
#include "server/rest_call.hpp"
#include "server/rest_records.hpp"
#include "tracking/search_page.hpp"

namespace mlrt {
namespace {

constexpr std::int64_t kRestMaxBulkPoints = 25000;
constexpr std::size_t kRestMaxBulkRuns = 100;
constexpr std::int64_t kRestMaxSampledPoints = 2500;

// Its history, or none for a run that is not there: a chart shows what is left.
std::vector<Metric> rest_history_if_any(const RestCall& call, const std::string& run_id,
                                        const std::string& key) {
  try {
    return call.tracking().metric_history(run_id, key);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    return {};
  }
}

void rest_get_history(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_id", RestType::kText, true},
                                          {"metric_key", RestType::kText, true},
                                          {"max_results", RestType::kInteger},
                                          {"page_token", RestType::kText}};
  call.request.check(kFields);
  const std::int64_t max_results = call.request.integer("max_results", 1);
  if (max_results <= 0) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid value " + std::to_string(max_results) +
                    " for parameter 'max_results' supplied. It must be a positive integer.");
  }
  const auto offset = static_cast<std::size_t>(parse_page_token(call.request.text("page_token")));
  const std::size_t limit =
      call.request.has("max_results") ? static_cast<std::size_t>(max_results) : SIZE_MAX - 1;
  std::vector<Metric> history = call.tracking().metric_history(
      call.request.text("run_id"), call.request.text("metric_key"), offset, limit + 1);
  const bool more = history.size() > limit;
  if (more) history.pop_back();
  if (!history.empty()) {
    call.out.open("metrics", '[');
    for (const Metric& metric : history) rest_write_metric(call.out, metric, {});
    call.out.close(']');
  }
  if (more) {
    call.out.member("next_page_token",
                    make_page_token(static_cast<std::int64_t>(offset + history.size())));
  }
}

void rest_write_point(RestWriter& out, const Metric& metric, const std::string& run_id) {
  out.open('{');
  out.member("key", metric.key);
  out.member("value", metric.value);
  out.member("timestamp", metric.timestamp_ms);
  out.member("step", metric.step);
  out.member("run_id", run_id);
  out.close('}');
}

void rest_get_history_bulk(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_id", RestType::kTexts},
                                          {"metric_key", RestType::kText},
                                          {"max_results", RestType::kInteger}};
  call.request.check(kFields);
  std::vector<std::string> run_ids = call.request.texts("run_id");
  if (run_ids.empty()) {
    throw Error(ErrorCode::kInvalidParameter,
                "GetMetricHistoryBulk request must specify at least one run_id.");
  }
  if (run_ids.size() > kRestMaxBulkRuns) {
    throw Error(ErrorCode::kInvalidParameter,
                "GetMetricHistoryBulk request cannot specify more than 100 run_ids. Received " +
                    std::to_string(run_ids.size()) + " run_ids.");
  }
  if (!call.request.has("metric_key")) {
    throw Error(ErrorCode::kInvalidParameter,
                "GetMetricHistoryBulk request must specify a metric_key.");
  }
  std::int64_t left =
      std::min(call.request.integer("max_results", kRestMaxBulkPoints), kRestMaxBulkPoints);
  std::sort(run_ids.begin(), run_ids.end());
  const std::string key = call.request.text("metric_key");
  call.out.open("metrics", '[');
  for (std::size_t i = 0; i < run_ids.size() && left > 0; ++i) {
    if (i > 0 && run_ids[i] == run_ids[i - 1]) continue;
    for (const Metric& metric : rest_history_if_any(call, run_ids[i], key)) {
      if (left-- <= 0) break;
      rest_write_point(call.out, metric, run_ids[i]);
    }
  }
  call.out.close(']');
}

// A point of a history, and which.
struct RestPoint {
  std::int64_t step, timestamp_ms;
  double value;
  const Metric* metric;
};

bool rest_point_before(const RestPoint& a, const RestPoint& b) {
  if (a.step != b.step) return a.step < b.step;
  if (a.timestamp_ms != b.timestamp_ms) return a.timestamp_ms < b.timestamp_ms;
  if (std::isnan(a.value) || std::isnan(b.value))
    return std::isnan(b.value) && !std::isnan(a.value);
  return a.value < b.value;
}

// Those of the points with steps in [start, end] by step, at most `count` of them, evenly over
// their order: the first and the last are among them, of one it is the last.
std::vector<RestPoint> rest_sample_points(const std::vector<Metric>& history, std::int64_t start,
                                          std::int64_t end, std::size_t count) {
  std::vector<RestPoint> points;
  for (const Metric& metric : history) {
    if (metric.step < start || metric.step > end) continue;
    points.push_back({metric.step, metric.timestamp_ms, metric.value, &metric});
  }
  std::sort(points.begin(), points.end(), rest_point_before);
  if (points.size() <= count) return points;
  const std::size_t last = points.size() - 1;
  if (count == 1) {
    points.front() = points[last];
  } else {
    for (std::size_t i = 1; i < count; ++i) points[i] = points[i * last / (count - 1)];
  }
  points.resize(count);
  return points;
}

void rest_get_history_interval(RestCall& call) {
  static constexpr RestField kFields[] = {{"run_ids", RestType::kTexts, true},
                                          {"metric_key", RestType::kText, true},
                                          {"start_step", RestType::kInteger},
                                          {"end_step", RestType::kInteger},
                                          {"max_results", RestType::kInteger}};
  call.request.check(kFields);
  const std::vector<std::string> run_ids = call.request.texts("run_ids");
  constexpr char kSeeDocs[] = " See the API docs for more information about request parameters.";
  if (run_ids.size() > kRestMaxBulkRuns) {
    throw Error(ErrorCode::kInvalidParameter,
                "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received " +
                    std::to_string(run_ids.size()) + " run_ids." + kSeeDocs);
  }
  const std::int64_t count = call.request.integer("max_results", kRestMaxSampledPoints);
  if (count < 1 || count > kRestMaxSampledPoints) {
    throw Error(ErrorCode::kInvalidParameter,
                std::string("max_results must be between 1 and 2500.") + kSeeDocs);
  }
  if (call.request.has("start_step") != call.request.has("end_step")) {
    throw Error(ErrorCode::kInvalidParameter,
                "If either start step or end step are specified, both must be specified.");
  }
  using Limits = std::numeric_limits<std::int64_t>;
  const std::int64_t start = call.request.integer("start_step", Limits::min());
  const std::int64_t end = call.request.integer("end_step", Limits::max());
  if (start > end) {
    throw Error(ErrorCode::kInvalidParameter,
                "end_step must be greater than start_step. Found start_step=" +
                    std::to_string(start) + " and end_step=" + std::to_string(end) + ".");
  }
  bool any = false;
  for (const std::string& run_id : run_ids) {
    const std::vector<Metric> history =
        rest_history_if_any(call, run_id, call.request.text("metric_key"));
    const std::vector<RestPoint> points =
        rest_sample_points(history, start, end, static_cast<std::size_t>(count));
    if (!points.empty() && !any) call.out.open("metrics", '[');
    any = any || !points.empty();
    for (const RestPoint& point : points) rest_write_point(call.out, *point.metric, run_id);
  }
  if (any) call.out.close(']');
}

constexpr RestRoute kRestMetricRoutes[] = {
    {"GET", "/metrics/get-history", rest_get_history, false},
    {"GET", "/metrics/get-history-bulk", rest_get_history_bulk, false},
    {"GET", "/metrics/get-history-bulk-interval", rest_get_history_interval, false},
};

}  // namespace

void add_metric_routes(Router& router, RestContext& context) {
  add_rest_routes(router, context, kRestMetricRoutes, std::size(kRestMetricRoutes));
}

}  // namespace mlrt
