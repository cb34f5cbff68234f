#include "cli/limits_command.hpp"

#include <cmath>
#include <cstdio>

#include "cli/listing.hpp"
#include "cli/output.hpp"
#include "cli/run_output.hpp"
#include "cli/signals.hpp"
#include "cli/store_access.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::int64_t kLimitsDayMs = 24 * 3600 * 1000;

std::string limits_counted(std::uint64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string limits_days(const StoreLimits& limits) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.4g",
                static_cast<double>(limits.retention_ms) / static_cast<double>(kLimitsDayMs));
  return std::string(text) + (limits.retention_ms == kLimitsDayMs ? " day" : " days");
}

std::string limits_kept(const StoreLimits& limits) {
  return limits.keep_points == 0
             ? "the last point of a metric"
             : "about " + limits_counted(limits.keep_points, "point") + " of a metric";
}

std::string limits_table(const StoreLimitsState& state) {
  const StoreLimits& limits = state.limits;
  TextTable table({{"Quota"}, {limits.quota_bytes == 0 ? "none" : size_text(limits.quota_bytes)}});
  table.add({"In use", size_text(state.used_bytes)});
  table.add({"Retention", limits.retention_ms == 0 ? "for ever" : limits_days(limits)});
  table.add({"Then keeps", limits_kept(limits)});
  table.add({"Thinned", limits_counted(state.thinned_runs, "run")});
  table.add({"Dropped", limits_counted(state.dropped_runs, "run")});
  table.add(
      {"Last change (UTC)", state.applied_ms == 0 ? "never" : format_time_ms(state.applied_ms)});
  return table.text();
}

void apply_all_limits(const Session& session) {
  const InterruptSignals signals;
  ProgressLine progress("applying the limits");
  for (std::uint64_t steps = 1; session.apply_limits(); ++steps) {
    if (interrupt_requested())
      throw Error(ErrorCode::kInterrupted, "interrupted; what is done so far stays");
    progress.show(steps, 0);
  }
}

}  // namespace

std::uint64_t read_size_bytes(const std::string& option, const std::string& text) {
  std::string number = to_lower(trim(text));
  if (!number.empty() && number.back() == 'b') number.pop_back();
  double factor = 1;
  static constexpr char kUnits[] = {'k', 'm', 'g', 't'};
  for (int i = 0; i < 4 && !number.empty(); ++i) {
    if (number.back() != kUnits[i]) continue;
    number.pop_back();
    factor = std::pow(1024.0, i + 1);
    break;
  }
  double value = 0;
  if (!parse_double(trim(number), value) || !(value >= 0) || !(value * factor < 4e18)) {
    throw Error(ErrorCode::kUsage,
                option + " takes a size such as 500MB or 2GB, or 0 for none, not " + quoted(text));
  }
  return static_cast<std::uint64_t>(value * factor);
}

OrderedJson limits_json(const StoreLimitsState& state) {
  OrderedJson out;
  out["quota_bytes"] = state.limits.quota_bytes;
  out["retention_days"] =
      static_cast<double>(state.limits.retention_ms) / static_cast<double>(kLimitsDayMs);
  out["keep_points"] = state.limits.keep_points;
  out["used_bytes"] = state.used_bytes;
  out["thinned_runs"] = state.thinned_runs;
  out["dropped_runs"] = state.dropped_runs;
  out["applied_time"] = state.applied_ms == 0 ? OrderedJson() : OrderedJson(state.applied_ms);
  return out;
}

std::string limits_sentence(const StoreLimitsState& state) {
  const StoreLimits& limits = state.limits;
  std::string out;
  if (limits.quota_bytes != 0) {
    out = "quota " + size_text(limits.quota_bytes) + ", in use " + size_text(state.used_bytes);
    if (state.used_bytes > limits.quota_bytes) out += " (ABOVE)";
  }
  if (limits.retention_ms != 0)
    out += (out.empty() ? "" : "; ") + std::string("histories whole for ") + limits_days(limits);
  if (out.empty()) out = "none";
  if (state.thinned_runs + state.dropped_runs != 0) {
    out += "; " + limits_counted(state.thinned_runs, "run") + " thinned, " +
           std::to_string(state.dropped_runs) + " dropped";
  }
  if (state.applied_ms != 0) out += ", last on " + format_time_ms(state.applied_ms);
  return out;
}

void run_limits(const GlobalOptions& global, const LimitsOptions& options) {
  const bool sets = options.quota_bytes || options.retention_days;
  if (options.off && sets)
    throw Error(ErrorCode::kUsage, "--off goes without --quota and --retention-days");
  const Session session = open_store(global);
  StoreLimits limits = session.limits().limits;
  if (options.off) limits.quota_bytes = limits.retention_ms = 0;
  if (options.quota_bytes) limits.quota_bytes = *options.quota_bytes;
  if (options.retention_days) limits.retention_ms = *options.retention_days * kLimitsDayMs;
  if (options.keep_points) limits.keep_points = *options.keep_points;
  if (options.off || sets || options.keep_points) session.set_limits(limits);
  if (options.apply) apply_all_limits(session);
  const StoreLimitsState state = session.limits();
  print_out(options.json ? json_text(limits_json(state)) : limits_table(state));
}

}  // namespace mlrt
