#include "tracking/metric_journal.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/timed_lock.hpp"
#include "tracking/logged_model_rows.hpp"
#include "tracking/metric_worker.hpp"
#include "tracking/rules.hpp"
#include "tracking/tracking_rows.hpp"

namespace mlrt {
namespace {

// How often readers are told that something is not shown.
constexpr std::int64_t kTellMs = 10000;
// Runs that are kept open for calls that name them by their id.
constexpr std::size_t kRecentRuns = 1024;

// Small where the bound is: together with what is left of the first segment, and of the last one
// not yet used, the files stay below it.
std::size_t journal_segment_bytes(std::uint64_t backlog_bytes) {
  return static_cast<std::size_t>(
      std::clamp<std::uint64_t>(backlog_bytes / 8, 64 << 10, JournalOptions().max_segment_bytes));
}

}  // namespace

MetricJournal& MetricJournal::of(Database& database) {
  return static_cast<MetricJournal&>(
      database.companion([](Database& opened) -> std::unique_ptr<StoreCompanion> {
        return std::make_unique<MetricJournal>(opened);
      }));
}

MetricJournal::MetricJournal(Database& database)
    : database_(database),
      synced_calls_(database.options().durability == Durability::kPower),
      segment_bytes_(journal_segment_bytes(database.options().backlog_bytes)),
      backlog_slots_(static_cast<std::int64_t>(
          (std::max<std::uint64_t>(database.options().backlog_bytes, 1 << 20) -
           2 * segment_bytes_) /
          kJournalSlotBytes)) {
  begin_process();
}

MetricJournal::~MetricJournal() = default;

// Under mutex_. In a child all that the parent has is let go of.
void MetricJournal::begin_process() {
  database_.require_whole();
  if (writer_) {
    writer_->abandon();
    static_cast<void>(worker_.release());
  }
  JournalOptions options;
  options.mapped = !database_.on_network();
  options.max_segment_bytes = segment_bytes_;
  const std::string writer_id = random_hex(16);
  writer_ = std::make_unique<JournalWriter>(database_.path(), writer_id, options);
  own_folder_ = std::make_unique<MetricFolder>(database_.path(), writer_id);
  other_folders_.clear();
  worker_ = std::make_unique<Worker>();
  published_ = folded_ = released_ = 1;
  batch_is_open_ = false;
  is_working_ = false;
  generation_.store(process_generation());
}

void MetricJournal::require_own_process() {
  if (generation_.load(std::memory_order_acquire) == process_generation()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (generation_ != process_generation()) begin_process();
}

// ---- runs

std::shared_ptr<RunMetrics> MetricJournal::adopt_run(const std::string& run_id) {
  require_own_process();
  const std::lock_guard<std::mutex> lock(mutex_);
  std::weak_ptr<RunMetrics>& known = runs_[run_id];
  std::shared_ptr<RunMetrics> run = known.lock();
  if (!run) {
    run = std::make_shared<RunMetrics>(run_id);
    known = run;
  }
  run->stale_ = 0;
  if (runs_.size() >= runs_to_prune_) {
    for (auto it = runs_.begin(); it != runs_.end();)
      it = it->second.expired() ? runs_.erase(it) : std::next(it);
    runs_to_prune_ = 2 * runs_.size() + kRecentRuns;
  }
  if (recent_.size() < kRecentRuns) {
    recent_.push_back(run);
  } else {
    recent_[next_recent_++ % kRecentRuns] = run;
  }
  return run;
}

std::shared_ptr<RunMetrics> MetricJournal::open_run(const std::string& run_id) {
  require_own_process();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto known = runs_.find(run_id);
    if (known != runs_.end()) {
      std::shared_ptr<RunMetrics> run = known->second.lock();
      if (run && run->stale_ == 0) return run;
    }
  }
  {
    Transaction transaction(database_, Transaction::Mode::kReadStored);
    find_active_run_row(transaction, run_id);
  }
  return adopt_run(run_id);
}

void MetricJournal::forget_run(const std::string& run_id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto known = runs_.find(run_id);
  if (known == runs_.end()) return;
  if (const std::shared_ptr<RunMetrics> run = known->second.lock()) run->stale_ = ++deletions_;
}

void MetricJournal::forget_all_runs() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++deletions_;
  for (const auto& entry : runs_) {
    if (const std::shared_ptr<RunMetrics> run = entry.second.lock()) run->stale_ = deletions_;
  }
}

void MetricJournal::revalidate(RunMetrics& run) {
  std::uint64_t stale = run.stale_.load();
  {
    Transaction transaction(database_, Transaction::Mode::kReadStored);
    find_active_run_row(transaction, run.run_id_);
  }
  run.stale_.compare_exchange_strong(stale, 0);  // it may have been deleted again since
  const std::lock_guard<std::mutex> lock(mutex_);
  run.models_.clear();
}

// Only a model that is there can have metrics: a mistyped id would lose them.
void MetricJournal::require_models(RunMetrics& run, const std::vector<Metric>& metrics) {
  std::set<std::string> unknown;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const Metric& metric : metrics) {
      if (!metric.model_id.empty() && run.models_.count(metric.model_id) == 0)
        unknown.insert(metric.model_id);
    }
  }
  if (unknown.empty()) return;
  {
    Transaction transaction(database_, Transaction::Mode::kReadStored);
    for (const std::string& model_id : unknown) find_logged_model(transaction, model_id);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (run.models_.size() > RunMetrics::kMaxChannels) run.models_.clear();
  run.models_.insert(unknown.begin(), unknown.end());
}

// ---- appending

void MetricJournal::log(RunMetrics& run, std::string_view key, double value, std::int64_t step,
                        std::int64_t timestamp_ms) {
  if (timestamp_ms == 0) timestamp_ms = now_ms();
  if (run.stale_.load(std::memory_order_relaxed) != 0) revalidate(run);
  const std::uint64_t hash = RunMetrics::hash(key);
  Lock lock = lock_for_appending(1);
  RunMetrics::Channel* channel = run.find(key, hash);
  if (channel == nullptr || timestamp_ms < 0) {
    Metric metric;
    metric.key = key;
    metric.value = value;
    metric.timestamp_ms = timestamp_ms;
    check_metric(metric, "");
    channel = &run.add(metric, hash);
  }
  run.last_ = channel;
  append(run, *channel, value, step, timestamp_ms, false);
  acknowledge(lock);
}

void MetricJournal::log(RunMetrics& run, const std::vector<Metric>& metrics) {
  if (metrics.empty()) return;
  const std::int64_t now = now_ms();
  if (run.stale_ != 0) revalidate(run);
  require_models(run, metrics);
  Lock lock = lock_for_appending(metrics.size());
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const Metric& metric = metrics[i];
    const std::uint64_t hash = RunMetrics::hash(metric);
    RunMetrics::Channel* channel = run.find(metric, hash);
    if (channel == nullptr) channel = &run.add(metric, hash);
    const bool more = i + 1 < metrics.size();
    append(run, *channel, metric.value, metric.step,
           metric.timestamp_ms == 0 ? now : metric.timestamp_ms, more);
    batch_is_open_ = more;
  }
  acknowledge(lock);
}

MetricJournal::Lock MetricJournal::lock_for_appending(std::size_t slots) {
  if (database_.read_only()) {
    throw Error(
        ErrorCode::kPermissionDenied,
        "the store '" + database_.path() + "' is read-only: the system allows no change to it");
  }
  Lock lock(mutex_);
  if (generation_.load(std::memory_order_relaxed) != process_generation()) begin_process();
  if (batch_is_open_) end_broken_batch();
  if (writer_->next() - released_.load(std::memory_order_relaxed) +
          static_cast<std::int64_t>(slots) >
      backlog_slots_) {
    wait_for_room(lock, static_cast<std::int64_t>(slots));
    if (batch_is_open_) end_broken_batch();  // of another thread meanwhile
  }
  return lock;
}

// Published at once: the backlog is to be free of it again.
void MetricJournal::end_broken_batch() {
  if (writer_->room() == 0) writer_->begin_segment();
  writer_->append({kMetricSlotAbort, {0, 0, 0}});
  batch_is_open_ = false;
  published_.store(writer_->next(), std::memory_order_release);
}

void MetricJournal::append(RunMetrics& run, RunMetrics::Channel& channel, double value,
                           std::int64_t step, std::int64_t timestamp_ms, bool more) {
  while (channel.segment != writer_->segment() || writer_->room() == 0) {
    if (writer_->room() == 0) {
      writer_->begin_segment();
    } else {
      define(channel, run.run_id_);
    }
  }
  JournalSlot slot;
  slot.tag = kMetricSlotPoint | channel.number | (more ? kMetricSlotMore : 0);
  slot.words[0] = static_cast<std::uint64_t>(step);
  slot.words[1] = static_cast<std::uint64_t>(timestamp_ms);
  std::memcpy(&slot.words[2], &value, sizeof(value));
  writer_->append(slot);
}

void MetricJournal::define(RunMetrics::Channel& channel, const std::string& run_id) {
  if (channel_segment_ != writer_->segment()) {
    channel_segment_ = writer_->segment();
    next_channel_ = 0;
  }
  const std::uint32_t number = next_channel_++;
  const std::vector<JournalSlot> slots = define_channel(number, run_id, channel.example);
  if (writer_->room() <= slots.size()) {  // no room for a metric behind it
    writer_->begin_segment();
    return;
  }
  for (const JournalSlot& slot : slots) writer_->append(slot);
  channel.number = number;
  channel.segment = writer_->segment();
}

// Publishes what was appended; in the mode that survives a power cut, returns when it does.
void MetricJournal::acknowledge(Lock& lock) {
  const std::int64_t until = writer_->next();
  published_.store(until, std::memory_order_release);
  bool no_thread = false;
  if (!is_working_.load(std::memory_order_relaxed)) {
    wake();
    no_thread = !is_working_.load(std::memory_order_relaxed);
  }
  if (!synced_calls_ && !no_thread) return;
  const std::string writer_id = writer_->writer_id();
  Worker& worker = *worker_;
  lock.unlock();
  if (synced_calls_) sync_acknowledged(worker, writer_id, until);
  if (no_thread) work_without_thread();
}

// Whoever comes first syncs for all who wait; those who come meanwhile wait for the next sync,
// which one of them does.
void MetricJournal::sync_acknowledged(Worker& worker, const std::string& writer_id,
                                      std::int64_t until) {
  std::unique_lock<std::mutex> lock(worker.sync_mutex);
  for (;;) {
    worker.synced_more.wait(lock, [&] { return worker.synced >= until || !worker.is_syncing; });
    if (worker.synced >= until) return;
    worker.is_syncing = true;
    const std::int64_t from = worker.synced;
    const std::int64_t all = published_.load(std::memory_order_acquire);
    lock.unlock();
    try {
      sync_segments(database_.path(), writer_id, from, all);
    } catch (const std::exception&) {
      lock.lock();
      worker.is_syncing = false;
      worker.synced_more.notify_all();
      throw;
    }
    lock.lock();
    worker.synced = all;
    worker.is_syncing = false;
    worker.synced_more.notify_all();
  }
}

void MetricJournal::wait_for_room(Lock& lock, std::int64_t slots) {
  const std::int64_t start_ms = monotonic_ms();
  std::int64_t progress = released_.load();
  std::int64_t since_ms = start_ms;
  for (;;) {
    const std::int64_t released = released_.load();
    if (writer_->next() == released || writer_->next() - released + slots <= backlog_slots_) return;
    if (released != progress) {
      progress = released;
      since_ms = monotonic_ms();
    } else if (monotonic_ms() - since_ms > database_.options().busy_timeout_ms) {
      const std::lock_guard<std::mutex> reading(worker_->mutex);
      throw Error(ErrorCode::kUnavailable,
                  "the metric was not logged: the journal has reached its bound, and the store "
                  "takes nothing in" +
                      (worker_->troubled ? std::string(": ") + worker_->error : ""));
    }
    wake();
    if (!is_working_) {  // there is no thread: this one does its work
      lock.unlock();
      work_without_thread();
      std::this_thread::sleep_for(kGatherTime / 10);
      lock.lock();
      continue;
    }
    {
      const std::lock_guard<std::mutex> telling(worker_->mutex);
      worker_->urgent = true;
      worker_->wake.notify_one();
    }
    worker_->room.wait_for(lock, std::chrono::milliseconds(20));
  }
}

// ---- StoreCompanion

// Every reader meets the same, so it is said now and then.
void MetricJournal::tell_reader(const char* message, const Error& error) {
  const std::int64_t now = monotonic_ms();
  std::int64_t before = told_reader_ms_.load();
  if (before != 0 && now - before < kTellMs) return;
  if (told_reader_ms_.compare_exchange_strong(before, now))
    log_warn(message, {{"store", database_.path()}, {"error", error.message()}});
}

void MetricJournal::before_read() {
  try {
    fold_own();
  } catch (const Error& error) {
    // A full disk, a store that another process holds: what is in it can still be read.
    if (error.code() != ErrorCode::kIo && error.code() != ErrorCode::kUnavailable) throw;
    tell_reader("the latest metrics are not shown: the store takes nothing in", error);
  }
  fold_others();
}

void MetricJournal::committed() noexcept {
  try {
    require_own_process();
  } catch (const std::exception&) {  // the next metric tells
    return;
  }
  if (!is_working_.load() && !database_.is_durable()) wake();
}

void MetricJournal::close() noexcept {
  try {
    if (generation_ != process_generation()) {  // a child that never used it
      static_cast<void>(worker_.release());
      return;
    }
    {
      const std::lock_guard<std::mutex> lock(worker_->mutex);
      worker_->stop = true;
      worker_->wake.notify_one();
    }
    if (worker_->thread.joinable()) worker_->thread.join();
    fold_own();
    database_.make_durable(published_ != 1);
    writer_->remove();
  } catch (const std::exception& error) {
    log_warn("metrics stay in the journal, from which the next one to open the store takes them",
             {{"store", database_.path()}, {"error", error.what()}});
  }
}

bool MetricJournal::try_hold(std::timed_mutex* of_database) noexcept {
  if (!lock_within(fold_mutex_, kForkLockMs)) return false;
  if (!lock_within(*of_database, kForkLockMs)) {
    fold_mutex_.unlock();
    return false;
  }
  mutex_.lock();  // nobody who has it waits for another lock
  return true;
}

void MetricJournal::let_go() noexcept {
  if (generation_ != process_generation()) {
    // The child's: as long as one of its files is open, the parent's locks live on with them.
    writer_->abandon();
    own_folder_->abandon();
    other_folders_.clear();
  }
  fold_mutex_.unlock();
  mutex_.unlock();
}

// From here on begin_process() refuses.
void MetricJournal::was_torn() noexcept {
  new (&mutex_) std::mutex;
  new (&fold_mutex_) std::timed_mutex;
}

}  // namespace mlrt
