#ifndef MLRT_TRACKING_METRIC_JOURNAL_HPP_
#define MLRT_TRACKING_METRIC_JOURNAL_HPP_

// Internal: how a metric is logged. It is appended to a journal beside the store, from which a
// thread brings it into the database.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "store/database.hpp"
#include "store/journal.hpp"
#include "tracking/metric_folder.hpp"
#include "tracking/records.hpp"
#include "tracking/run_metrics.hpp"

namespace mlrt {

// One journal an opened store. Any thread may use it. In the child of a fork it begins a journal of
// its own.
class MetricJournal final : public StoreCompanion {
 public:
  // The journal of `database`, made by the first call.
  static MetricJournal& of(Database& database);

  explicit MetricJournal(Database& database);
  ~MetricJournal() override;

  // Throws kNotFound for an unknown run, kInvalidParameter for a deleted one.
  std::shared_ptr<RunMetrics> open_run(const std::string& run_id);
  // The same for a run that is known to be there and active.
  std::shared_ptr<RunMetrics> adopt_run(const std::string& run_id);
  // The run was, or runs were, deleted or restored: ask the store before the next metric.
  void forget_run(const std::string& run_id);
  void forget_all_runs();

  // Returns when the metric is acknowledged (store/durability.hpp). What reaches a run that another
  // process deleted meanwhile is kept with it; from the next fold on it is refused. At the bound of
  // the backlog it waits for the thread that folds. A timestamp of 0 means now. Throws
  // kInvalidParameter against the rules, kNotFound for a logged model that the store does not have,
  // kIo (a full disk), kUnavailable when the store takes nothing in for too long; the metric is not
  // logged then. Only when a sync fails (Durability::kPower, kIo) it may be there all the same.
  void log(RunMetrics& run, std::string_view key, double value, std::int64_t step,
           std::int64_t timestamp_ms = 0);
  // All or none. `metrics` were checked.
  void log(RunMetrics& run, const std::vector<Metric>& metrics);

  // Brings in what this process logged before the call.
  void fold_own();
  // And what other processes' journals hold, as far as the store lets us write.
  void fold_others();

  // ---- StoreCompanion
  void before_read() override;
  void committed() noexcept override;
  void close() noexcept override;
  bool try_hold(std::timed_mutex* of_database) noexcept override;
  void let_go() noexcept override;
  void was_torn() noexcept override;

 private:
  struct Worker;

  using Lock = std::unique_lock<std::mutex>;
  void require_own_process();
  void begin_process();
  void revalidate(RunMetrics& run);
  void require_models(RunMetrics& run, const std::vector<Metric>& metrics);
  void tell_reader(const char* message, const Error& error);
  Lock lock_for_appending(std::size_t slots);
  void wait_for_room(Lock& lock, std::int64_t slots);
  void end_broken_batch();
  void define(RunMetrics::Channel& channel, const std::string& run_id);
  void append(RunMetrics& run, RunMetrics::Channel& channel, double value, std::int64_t step,
              std::int64_t timestamp_ms, bool more);
  void acknowledge(Lock& lock);
  void sync_acknowledged(Worker& worker, const std::string& writer_id, std::int64_t until);
  void wake() noexcept;
  void work_without_thread();

  // Worker's thread.
  void work(Worker& worker);
  bool rest(Worker& worker);
  bool try_to(Worker& worker, bool (MetricJournal::*act)(Worker&));
  bool fold_all(Worker& worker);
  void fold_patiently(Worker& worker);
  bool keep_promises(Worker& worker);
  void apply_limits(Worker& worker);
  static bool must_stop(Worker& worker);
  bool fold_own_once(std::int64_t until, int timeout_ms);

  Database& database_;
  const bool synced_calls_;          // Durability::kPower
  const std::size_t segment_bytes_;  // the most that one takes
  const std::int64_t backlog_slots_;

  std::mutex mutex_;  // guards appending, down to the next blank line
  std::unique_ptr<JournalWriter> writer_;
  std::uint32_t next_channel_ = 0;
  std::uint64_t channel_segment_ = 0;
  bool batch_is_open_ = false;  // a batch broke off after some of its slots
  std::unordered_map<std::string, std::weak_ptr<RunMetrics>> runs_;
  std::size_t runs_to_prune_ = 2048;
  std::uint64_t deletions_ = 0;
  std::vector<std::shared_ptr<RunMetrics>> recent_;  // a ring: they stay in runs_
  std::size_t next_recent_ = 0;

  // Numbers of slots: all below are whole, in the store, in the store and on the disk.
  std::atomic<std::int64_t> published_{1}, folded_{1}, released_{1};

  std::timed_mutex fold_mutex_;  // one fold at a time; guards the folders
  std::unique_ptr<MetricFolder> own_folder_;
  std::map<std::string, std::unique_ptr<MetricFolder>> other_folders_;
  bool told_read_only_ = false;
  std::atomic<std::int64_t> told_reader_ms_{0};
  std::atomic<bool> knows_others_{false};  // other_folders_ is not empty

  std::atomic<std::uint64_t> generation_{0};
  std::atomic<bool> is_working_{false};
  std::unique_ptr<Worker> worker_;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_METRIC_JOURNAL_HPP_
