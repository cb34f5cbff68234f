#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/signal_mask.hpp"
#include "core/timed_lock.hpp"
#include "tracking/metric_worker.hpp"
#include "tracking/retention.hpp"

namespace mlrt {
namespace {

// A power cut loses at most a second: this, and the time that a sync takes.
constexpr std::int64_t kSyncMs = 400;
// How often the store's limits are looked at while something is logged.
constexpr std::int64_t kLimitsMs = 5000;
// And how much later when that failed.
constexpr std::int64_t kLimitsPauseMs = 60000;
// How long the thread waits for the store before it looks after the journal, and waits again.
constexpr int kFoldTimeoutMs = 200;
// After an error the thread waits before it folds again, twice as long each time.
constexpr std::int64_t kFirstPauseMs = 100, kLongestPauseMs = 5000;
// How often a thread that cannot be made is tried again.
constexpr std::int64_t kThreadRetryMs = 1000;
// How long a reader waits for a store that others hold before it answers without their journals.
constexpr int kOthersTimeoutMs = 2000;

}  // namespace

void MetricJournal::wake() noexcept {
  if (is_working_.exchange(true)) return;
  Worker& worker = *worker_;
  // The thread begins with this mutex too, so nobody finds it half made.
  const std::lock_guard<std::mutex> lock(worker.mutex);
  if (worker.stop) return;
  if (worker.thread.joinable()) {
    worker.wake.notify_one();
    return;
  }
  const std::int64_t now = monotonic_ms();
  if (!worker.told_no_thread || now - worker.no_thread_ms >= kThreadRetryMs) {
    try {
      const SignalMask no_signals;
      worker.thread = std::thread([this, &worker] { work(worker); });
      return;
    } catch (const std::exception& error) {
      worker.no_thread_ms = now;
      if (!std::exchange(worker.told_no_thread, true)) {
        log_warn("no thread can be made to bring metrics into the store: it is done in between",
                 {{"error", error.what()}});
      }
    }
  }
  is_working_ = false;
}

// Now and then, whoever logs does it. What is logged last waits for a reader, or for the end.
void MetricJournal::work_without_thread() {
  Worker& worker = *worker_;
  const std::unique_lock<std::mutex> duty(worker.duty, std::try_to_lock);
  const std::int64_t now = monotonic_ms();
  if (!duty.owns_lock() || now - worker.alone_ms < kGatherTime.count()) return;
  worker.alone_ms = now;
  try_to(worker, &MetricJournal::fold_all);
  try_to(worker, &MetricJournal::keep_promises);
}

void MetricJournal::work(Worker& worker) {
  const std::lock_guard<std::mutex> duty(worker.duty);
  worker.patience_ms = database_.options().busy_timeout_ms;
  while (rest(worker)) {
    const bool folded = try_to(worker, &MetricJournal::fold_all);
    // The journal is kept from harm also when the store takes nothing in.
    if (!try_to(worker, &MetricJournal::keep_promises) || !folded) continue;
    apply_limits(worker);
    // Whoever appends or commits after this wakes the thread; what came before is seen here.
    const std::lock_guard<std::mutex> lock(mutex_);
    is_working_ = false;
    if (folded_.load() < published_.load() || !database_.is_durable()) is_working_ = true;
  }
}

// Until there is something to do, and enough of it. False at the end.
bool MetricJournal::rest(Worker& worker) {
  std::unique_lock<std::mutex> lock(worker.mutex);
  worker.wake.wait(lock, [this, &worker] { return worker.stop || is_working_; });
  const bool is_well = worker.pause_ms == 0;
  worker.wake.wait_for(lock, is_well ? kGatherTime : 2 * kGatherTime,
                       [&worker, is_well] { return worker.stop || (worker.urgent && is_well); });
  return !worker.stop;
}

// False if it failed or is not done; a failure is said once.
bool MetricJournal::try_to(Worker& worker, bool (MetricJournal::*act)(Worker&)) {
  try {
    return (this->*act)(worker);
  } catch (const std::exception& error) {
    const bool is_first = worker.pause_ms == 0;
    worker.pause_ms = std::clamp(2 * worker.pause_ms, kFirstPauseMs, kLongestPauseMs);
    worker.retry_ms = monotonic_ms() + worker.pause_ms;
    if (is_first) {
      log_warn("metrics wait in the journal: the store takes nothing in",
               {{"store", database_.path()}, {"error", error.what()}});
    }
    const std::lock_guard<std::mutex> lock(worker.mutex);
    worker.troubled = true;
    worker.urgent = false;
    std::snprintf(worker.error, sizeof(worker.error), "%s", error.what());
    return false;
  }
}

bool MetricJournal::fold_all(Worker& worker) {
  {
    const std::lock_guard<std::mutex> lock(worker.mutex);
    if (worker.pause_ms != 0 && !worker.urgent && monotonic_ms() < worker.retry_ms) return false;
  }
  while (folded_.load() < published_.load(std::memory_order_acquire)) {
    if (must_stop(worker)) return false;
    fold_patiently(worker);
    keep_promises(worker);
    apply_limits(worker);
  }
  worker.pause_ms = 0;
  const std::lock_guard<std::mutex> lock(worker.mutex);
  worker.troubled = worker.urgent = false;
  return true;
}

// Others may have the store for long; what is logged meanwhile is to last all the same.
void MetricJournal::fold_patiently(Worker& worker) {
  const std::int64_t start_ms = monotonic_ms();
  for (;;) {
    try {
      fold_own_once(published_.load(std::memory_order_acquire), kFoldTimeoutMs);
      return;
    } catch (const Error& error) {
      if (must_stop(worker)) return;
      if (error.code() != ErrorCode::kUnavailable ||
          monotonic_ms() - start_ms >= worker.patience_ms) {
        throw;
      }
    }
    keep_promises(worker);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool MetricJournal::must_stop(Worker& worker) {
  const std::lock_guard<std::mutex> lock(worker.mutex);
  return worker.stop;
}

// The store's quota and retention, a step at a time and in between what is logged. Where that fails
// it is tried again later, and nothing else waits for it.
void MetricJournal::apply_limits(Worker& worker) {
  const std::int64_t now = monotonic_ms();
  if (worker.limits_ms != 0 && now - worker.limits_ms < kLimitsMs) return;
  worker.limits_ms = now;
  try {
    while (!must_stop(worker) && apply_store_limits(database_)) {
      keep_promises(worker);
      if (folded_.load() >= published_.load(std::memory_order_acquire)) continue;
      worker.limits_ms = 1;  // goes on after the next fold
      return;
    }
  } catch (const std::exception& error) {
    worker.limits_ms = now + kLimitsPauseMs;
    log_warn("the limits of the store could not be applied",
             {{"store", database_.path()}, {"error", error.what()}});
  }
}

// Makes things last, when it is time. True if everything does and no file is left to give up.
bool MetricJournal::keep_promises(Worker& worker) {
  const std::int64_t folded = folded_.load();
  const std::int64_t published = published_.load(std::memory_order_acquire);
  const std::int64_t released = released_.load();
  const bool is_full = published - released > backlog_slots_ / 2;
  if (database_.is_durable() && folded == released && folded >= published) return true;
  if (monotonic_ms() - worker.last_sync_ms < kSyncMs && !is_full) return false;
  // Another process may have brought some of it in, so its log is synced in any case.
  database_.make_durable(folded != released);
  if (folded != released) {
    release_segments(database_.path(), own_folder_->writer_id(), folded);
    released_ = folded;
    worker.room.notify_all();
  }
  if (!synced_calls_ && published > folded && published > worker.synced) {
    sync_segments(database_.path(), own_folder_->writer_id(), worker.synced, published);
    worker.synced = published;
  }
  worker.last_sync_ms = monotonic_ms();
  return database_.is_durable() && folded >= published_.load();
}

bool MetricJournal::fold_own_once(std::int64_t until, int timeout_ms) {
  // Others who use this database go first.
  for (int i = 0; database_.waiting() > 0 && i < 100; ++i)
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  const std::lock_guard<std::timed_mutex> lock(fold_mutex_);
  if (folded_.load() >= until) return false;
  bool any = false;
  for (const bool may_lose : {false, true}) {
    // Somebody may have removed them. What they held is still there, and comes in.
    {
      const std::lock_guard<std::mutex> appending(mutex_);
      if (writer_->restore_files()) own_folder_->abandon();
    }
    any = own_folder_->fold(database_, until, timeout_ms, may_lose);
    folded_ = own_folder_->folded() + 1;
    if (!own_folder_->met().misses_slots) break;
  }
  const MetricFolder::Met& met = own_folder_->met();
  if (met.has_lost) {
    // Somebody may have put another file in its place.
    const std::lock_guard<std::mutex> appending(mutex_);
    writer_->leave_segment();
  }
  for (const std::string& run_id : met.ended_runs) forget_run(run_id);
  return any;
}

void MetricJournal::fold_own() {
  require_own_process();
  const std::int64_t until = published_.load(std::memory_order_acquire);
  while (folded_.load() < until) fold_own_once(until, -1);
}

void MetricJournal::fold_others() {
  const std::vector<JournalFiles> journals = find_journals(database_.path());
  if (journals.empty() && !knows_others_.load()) return;
  const std::lock_guard<std::timed_mutex> lock(fold_mutex_);
  for (auto folder = other_folders_.begin(); folder != other_folders_.end();) {
    const bool is_there = std::any_of(
        journals.begin(), journals.end(),
        [&folder](const JournalFiles& files) { return files.writer_id == folder->first; });
    folder = is_there ? std::next(folder) : other_folders_.erase(folder);
  }
  knows_others_ = !other_folders_.empty();
  for (const JournalFiles& files : journals) {
    if (files.writer_id == own_folder_->writer_id()) continue;
    if (database_.read_only()) {
      if (!std::exchange(told_read_only_, true)) {
        log_warn("metrics of a journal are not shown: the store is read-only",
                 {{"store", database_.path()}});
      }
      return;
    }
    std::unique_ptr<MetricFolder>& folder = other_folders_[files.writer_id];
    if (!folder) folder = std::make_unique<MetricFolder>(database_.path(), files.writer_id);
    knows_others_ = true;
    // What a writer goes on to write meanwhile could keep us for ever.
    std::int64_t end = 0;
    if (!files.segments.empty()) end = files.segments.back().first + files.segments.back().slots;
    if (folder->is_foreign()) continue;
    try {
      const bool gone = folder->writer_is_gone();
      if (!gone && !folder->has_news(files.segments)) continue;
      while (folder->fold(database_, std::nullopt, kOthersTimeoutMs) &&
             (gone || folder->folded() + 1 < end)) {
      }
      if (!gone || folder->is_foreign()) continue;
      database_.make_durable(true);
      folder->remove_files();
      other_folders_.erase(files.writer_id);
    } catch (const Error& error) {
      // The store is as it was, and so is the journal.
      tell_reader("the latest metrics of another process are not shown", error);
      if (error.code() == ErrorCode::kUnavailable) return;
    }
  }
}

}  // namespace mlrt
