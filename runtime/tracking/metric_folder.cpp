#include "tracking/metric_folder.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/log.hpp"
#include "store/database.hpp"
#include "tracking/metric_blocks.hpp"

namespace mlrt {
namespace {

// Long enough to be efficient, short enough (some 30 ms) not to hold others up.
constexpr std::size_t kSlotsPerFold = 32768;
// What it costs to begin with another metric, in points.
constexpr std::size_t kPointsPerGroup = 16;
// How many slots are read at once.
constexpr std::int64_t kSlotsPerRead = 8192;
// Whoever holds the lock of folding for longer was stopped; the store's own lock still keeps order.
constexpr int kFoldingLockMs = 100;
// A copy of memory that is being written can miss a slot and have the next one. What is still
// missing after this is damaged.
constexpr std::int64_t kGapMs = 20;

}  // namespace

// What one transaction brings in.
struct MetricFolder::Batch {
  struct Group {
    std::string run_id;
    Metric example;
    std::vector<MetricPoint> points;
  };
  struct Waiting {
    std::uint32_t channel;
    MetricPoint point;
  };
  std::unordered_map<std::string, std::size_t> places;  // by identity
  std::vector<Group> groups;
  std::vector<Waiting> waiting;  // points of a batch whose end is not there yet
  std::int64_t from = 0;         // slots below are folded
  std::int64_t complete = 0;     // the last slot that may count as folded
  std::size_t points = 0, lost = 0;
  bool may_lose = true;
};

MetricFolder::MetricFolder(std::string store_path, std::string writer_id)
    : store_path_(std::move(store_path)),
      writer_id_(std::move(writer_id)),
      seed_(journal_seed(writer_id_)) {}

void MetricFolder::lock_folding() {
  if (!lock_) lock_ = JournalLock::open(store_path_, writer_id_);
  if (!lock_) return;
  const std::int64_t start_ms = monotonic_ms();
  while (!lock_->try_lock_folding() && monotonic_ms() - start_ms < kFoldingLockMs)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

bool MetricFolder::writer_is_gone() {
  if (gone_ && lock_) return true;
  if (!lock_) lock_ = JournalLock::open(store_path_, writer_id_);
  // Without a lock file there is no writer: it comes first and goes last.
  gone_ = !lock_ || !lock_->writer_is_alive();
  return gone_;
}

bool MetricFolder::has_news(const std::vector<JournalSegment>& segments) const {
  const std::int64_t next = folded_ + 1;
  JournalSlots found;
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (segment->first > next) return true;
    if (segment->first + segment->slots > next)
      return read_journal(*segment, seed_, next, next + 1, found) && !found.slots.empty();
  }
  return false;
}

void MetricFolder::remove_files() {
  // A writer that lives made its lock file anew.
  if (!lock_ && JournalLock::open(store_path_, writer_id_)) return;
  remove_journal(store_path_, writer_id_, std::exchange(lock_, std::nullopt));
}

bool MetricFolder::is_lasting_gap(std::int64_t at) {
  // What is before the gap that was seen last has been passed once.
  if (gone_ || at < gap_) return true;
  const std::int64_t now = monotonic_ms();
  if (gap_ != at) {
    gap_ = at;
    gap_since_ms_ = now;
  }
  return now - gap_since_ms_ >= kGapMs;
}

// Returns false for a point whose channel is unknown.
bool MetricFolder::take_slot(const JournalSlot& slot, std::int64_t number, Batch& batch) {
  const std::uint32_t kind = slot.tag & kMetricSlotKindMask;
  if (kind == kMetricSlotDefinition || kind == kMetricSlotText) {
    definitions_.take(slot);
    if (!definitions_.is_open() && batch.waiting.empty() && number >= batch.from)
      batch.complete = number;
    return true;
  }
  if (number < batch.from) return true;
  if (kind == kMetricSlotAbort) {
    batch.waiting.clear();
    batch.complete = number;
    return true;
  }
  if (kind != kMetricSlotPoint) return false;
  MetricPoint point{number, static_cast<std::int64_t>(slot.words[0]),
                    static_cast<std::int64_t>(slot.words[1]), 0};
  std::memcpy(&point.value, &slot.words[2], sizeof(point.value));
  const std::uint32_t channel_number = slot.tag & kMetricSlotNumberMask;
  ChannelDefinitions::Channel* channel = definitions_.find(channel_number);
  if (channel != nullptr && channel->mark != fold_number_) {
    const auto [place, is_new] = batch.places.emplace(channel->identity, batch.groups.size());
    if (is_new) batch.groups.push_back({channel->run_id, channel->example, {}});
    channel->mark = fold_number_;
    channel->place = place->second;
  }
  if ((slot.tag & kMetricSlotMore) != 0) {
    if (channel != nullptr)
      batch.waiting.push_back({static_cast<std::uint32_t>(channel->place), point});
    return channel != nullptr;
  }
  for (const Batch::Waiting& before : batch.waiting)
    batch.groups[before.channel].points.push_back(before.point);
  batch.points += batch.waiting.size();
  batch.waiting.clear();
  batch.complete = number;
  if (channel == nullptr) return false;
  batch.groups[channel->place].points.push_back(point);
  ++batch.points;
  return true;
}

// Reads until the batch is full and whole. False if there is nothing that could be folded.
bool MetricFolder::read(const std::vector<JournalSegment>& segments,
                        std::optional<std::int64_t> until, Batch& batch) {
  ++fold_number_;
  std::int64_t expected = batch.from;
  // False if it must not go on: the writer first brings back the files that are missing.
  const auto lose = [this, until, &batch, &expected](std::int64_t next) {
    const std::int64_t from = std::max(expected, batch.from);
    if (next > from) {
      met_.misses_slots = until.has_value() && !batch.may_lose;
      if (met_.misses_slots) return false;
      batch.lost += static_cast<std::size_t>(next - from);
    }
    expected = next;
    return true;
  };
  JournalSlots found;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const JournalSegment& segment = segments[i];
    const bool is_last = i + 1 == segments.size();
    // A segment may be left before it is full.
    std::int64_t end = segment.first + segment.slots;
    if (!is_last) end = std::min(end, segments[i + 1].first);
    if (until) end = std::min(end, *until);
    if (end <= expected) continue;
    // A whole file may be missing.
    if (segment.first > expected && !lose(segment.first)) return batch.complete >= batch.from;
    // All slots are written where others follow, or the writer itself says so.
    const bool is_written = !is_last || until.has_value();
    if (defined_segment_ != segment.first || scanned_ != expected) {
      definitions_.clear();
      defined_segment_ = segment.first;
      expected = segment.first;
    }
    for (std::int64_t at = expected; at < end;) {
      const std::int64_t stop = std::min(end, at + kSlotsPerRead);
      found.slots.clear();
      found.numbers.clear();
      if (!read_journal(segment, seed_, at, stop, found) && !is_written)
        return batch.complete >= batch.from;
      damaged_ = std::max(damaged_, found.damaged);
      for (std::size_t k = 0; k < found.slots.size(); ++k) {
        const std::int64_t number = found.numbers[k];
        if (number != expected) {
          if (!is_written && number > batch.from && !is_lasting_gap(expected))
            return batch.complete >= batch.from;
          if (!lose(number)) return batch.complete >= batch.from;
        }
        if (!take_slot(found.slots[k], number, batch)) ++batch.lost;
        expected = scanned_ = number + 1;
      }
      if (is_written) {
        if (!lose(stop)) return batch.complete >= batch.from;
        scanned_ = expected;
      } else if (expected < stop && !gone_) {
        return batch.complete >= batch.from;
      }
      if (batch.points + kPointsPerGroup * batch.groups.size() >= kSlotsPerFold &&
          batch.waiting.empty()) {
        return true;
      }
      at = stop;
    }
  }
  if (until && expected < *until && !lose(*until)) return batch.complete >= batch.from;
  if (until && batch.complete < *until - 1) {
    // Acknowledged, so its last slot is damaged: what is left of it counts.
    for (const Batch::Waiting& before : batch.waiting)
      batch.groups[before.channel].points.push_back(before.point);
    batch.waiting.clear();
    batch.complete = *until - 1;
  }
  return batch.complete >= batch.from;
}

// A store that was made after the journal began, and has none of its runs, is not the one that it
// was written for.
bool MetricFolder::is_of_another_store(Transaction& transaction,
                                       const std::vector<JournalSegment>& segments) {
  Statement row = transaction.query("SELECT creation_time FROM experiments WHERE experiment = 0");
  const std::int64_t begun_ms = fs::modified_ms(journal_lock_path(store_path_, writer_id_));
  return begun_ms != 0 && row.step() && begun_ms < row.integer(0) &&
         has_no_known_run(transaction, segments);
}

// Of all that the journal names, not only of one batch.
bool MetricFolder::has_no_known_run(Transaction& transaction,
                                    const std::vector<JournalSegment>& segments) {
  std::set<std::string> known;
  ChannelDefinitions definitions;
  JournalSlots found;
  for (const JournalSegment& segment : segments) {
    definitions.clear();
    const std::int64_t end = segment.first + segment.slots;
    for (std::int64_t at = segment.first; at < end; at += kSlotsPerRead) {
      found.slots.clear();
      found.numbers.clear();
      read_journal(segment, seed_, at, std::min(end, at + kSlotsPerRead), found);
      for (const JournalSlot& slot : found.slots) {
        const std::uint32_t kind = slot.tag & kMetricSlotKindMask;
        if (kind != kMetricSlotDefinition && kind != kMetricSlotText) continue;
        if (!definitions.take(slot)) continue;
        const std::string& run = definitions.find(slot.tag & kMetricSlotNumberMask)->run_id;
        if (!known.insert(run).second) continue;
        if (transaction.query("SELECT 1 FROM runs WHERE run_id = ?", run).step()) return false;
      }
    }
  }
  return true;
}

bool MetricFolder::fold(Database& database, std::optional<std::int64_t> until, int timeout_ms,
                        bool may_lose) {
  lock_folding();
  std::size_t orphans = 0;
  Batch batch;
  batch.may_lose = may_lose;
  met_ = {};
  bool any = false, cut_off = false;
  try {
    Transaction transaction(database, Transaction::Mode::kWrite, timeout_ms);
    const std::int64_t writer = live_writer_row(transaction, writer_id_);
    {
      Statement row = transaction.query("SELECT folded_seq FROM writers WHERE writer = ?", writer);
      if (row.step()) folded_ = row.integer(0);
    }
    batch.from = folded_ + 1;
    batch.complete = folded_;
    const std::vector<JournalSegment> segments = find_segments(store_path_, writer_id_);
    any = read(segments, until, batch);
    // Of the others it shows: the next one begins where they should end.
    if (!any && gone_ && !segments.empty())
      cut_off = damaged_ > folded_ || is_cut_off(segments.back(), seed_);
    if (any) {
      std::unordered_map<std::string, std::int64_t> runs;
      std::size_t known = 0;
      for (const Batch::Group& group : batch.groups) {
        const auto [run, is_new] = runs.try_emplace(group.run_id, 0);
        if (!is_new) continue;
        Statement row = transaction.query(
            "SELECT run, lifecycle_stage = 'active' FROM runs WHERE run_id = ?", group.run_id);
        if (row.step()) run->second = row.integer(0);
        if (run->second != 0) ++known;
        if (run->second == 0 || row.integer(1) == 0) met_.ended_runs.push_back(group.run_id);
      }
      is_foreign_ = gone_ && folded_ == 0 && known == 0 && !runs.empty() &&
                    is_of_another_store(transaction, segments);
      MetricKeys keys(transaction);
      for (const Batch::Group& group : batch.groups) {
        const std::int64_t run = runs[group.run_id];
        if (run == 0) {
          orphans += group.points.size();
        } else {
          add_metric_points(transaction, keys, run, writer, group.example, group.points);
        }
      }
    }
    if (any && !is_foreign_) {
      transaction.run("UPDATE writers SET folded_seq = ? WHERE writer = ?", batch.complete, writer);
      // The writer's own thread has the journal to sync meanwhile.
      transaction.commit(until.has_value());
      folded_ = batch.complete;
    }
  } catch (const std::exception&) {
    scanned_ = 0;  // what was read will be read again
    if (lock_) lock_->unlock_folding();
    throw;
  }
  // A batch that has begun is read again from its start.
  if (scanned_ != folded_ + 1) scanned_ = 0;
  if (lock_) lock_->unlock_folding();
  if (is_foreign_) {
    lock_.reset();  // it may be taken to where it belongs
    static std::atomic<bool> told{false};
    if (!told.exchange(true)) {
      log_warn(
          "a journal of another store was left alone: this one is newer and has none of its runs",
          {{"store", store_path_}, {"journal", writer_id_}});
    }
    return false;
  }
  met_.has_lost = any && batch.lost > 0;
  if (cut_off) {
    log_warn("the end of a journal is cut off or damaged: metrics that stood there are lost",
             {{"store", store_path_}, {"journal", writer_id_}});
  }
  if (met_.has_lost) {
    log_warn(
        "a journal is damaged: a part of its metrics is lost",
        {{"store", store_path_}, {"journal", writer_id_}, {"records", std::to_string(batch.lost)}});
  }
  if (orphans > 0) {
    log_warn("metrics of a run that the store does not have were dropped",
             {{"store", store_path_}, {"records", std::to_string(orphans)}});
  }
  return any;
}

}  // namespace mlrt
