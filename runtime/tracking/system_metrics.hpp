#ifndef MLRT_TRACKING_SYSTEM_METRICS_HPP_
#define MLRT_TRACKING_SYSTEM_METRICS_HPP_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

// One reading of the machine, from the kernel's files (/proc, statvfs), by MLflow's names and
// units: system/cpu_utilization_percentage, system/system_memory_usage_megabytes,
// system/system_memory_usage_percentage, system/disk_usage_megabytes, system/disk_usage_percentage,
// system/disk_available_megabytes, system/network_receive_megabytes,
// system/network_transmit_megabytes (network: since the sampler began). What the kernel does not
// tell is left out.
class SystemMetricsReader {
 public:
  // `proc` and `disk` are folders; others than the defaults are for tests.
  explicit SystemMetricsReader(std::string proc = "/proc", std::string disk = "/");
  std::vector<Metric> read();

 private:
  std::string proc_, disk_;
  double cpu_busy_ = 0, cpu_total_ = 0;
  double received_ = 0, sent_ = 0;
  bool first_ = true;
};

// Samples in a thread of its own, every `interval_ms`, and hands each reading to `log` with steps
// 0, 1, ... A reading that cannot be logged is a warning, once. Stops, after the sample under way,
// when destroyed.
class SystemMetricsSampler {
 public:
  using Log = std::function<void(const std::vector<Metric>&)>;
  SystemMetricsSampler(std::int64_t interval_ms, Log log);
  ~SystemMetricsSampler();
  SystemMetricsSampler(const SystemMetricsSampler&) = delete;
  SystemMetricsSampler& operator=(const SystemMetricsSampler&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_SYSTEM_METRICS_HPP_
