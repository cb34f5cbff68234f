#ifndef MLRT_TRACKING_RUN_METRICS_HPP_
#define MLRT_TRACKING_RUN_METRICS_HPP_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

// The metrics of one run on their way into the journal: which of its keys have a channel. Belongs
// to the journal that made it.
class RunMetrics {
 public:
  explicit RunMetrics(std::string run_id) : run_id_(std::move(run_id)) {}
  const std::string& run_id() const { return run_id_; }

 private:
  friend class MetricJournal;
  // A run with more keys than this defines them anew from time to time.
  static constexpr std::size_t kMaxChannels = 8192;
  struct Channel {
    Metric example;  // key and link
    std::uint64_t hash = 0;
    std::uint64_t segment = 0;  // where it is defined
    std::uint32_t number = 0;
  };

  static std::uint64_t hash(std::string_view key) { return hash(key, 0); }
  static std::uint64_t hash(const Metric& metric);
  static std::uint64_t hash(std::string_view text, std::uint64_t before);
  Channel* find(std::string_view key, std::uint64_t hash) const;
  Channel* find(const Metric& metric, std::uint64_t hash) const;
  Channel& add(const Metric& metric, std::uint64_t hash);

  const std::string run_id_;
  // Not 0 when the run was deleted: to be asked for again. Each time another number.
  std::atomic<std::uint64_t> stale_{0};
  // What follows is guarded by the journal's mutex.
  std::vector<Channel*> table_;  // open addressing, a power of two, at most half full
  std::vector<std::unique_ptr<Channel>> channels_;
  Channel* last_ = nullptr;
  std::set<std::string, std::less<>> models_;  // that are known to exist
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_RUN_METRICS_HPP_
