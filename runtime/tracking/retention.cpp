#include "tracking/retention.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fork.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "store/database.hpp"
#include "tracking/metric_blocks.hpp"

namespace mlrt {
namespace {

constexpr char kRetentionTag[] = "mlrt.history";
constexpr std::int64_t kRetentionStepMs = 20;  // begins no further block of work after that
constexpr std::int64_t kRetentionChunkBlocks = 128;
constexpr std::int64_t kRetentionSweepMs = 24 * 3600 * 1000;
constexpr std::int64_t kRetentionRetryMs = 10 * 60 * 1000;  // while the store is above its quota
constexpr std::int64_t kRetentionLongAgo = std::numeric_limits<std::int64_t>::min();

// Where a walk over the finished runs, by the time of their end, stands.
struct RetentionCursor {
  enum Stage : std::int64_t {
    kRunDone,    // all of `run`
    kPlaceDone,  // of `run` all up to (key, writer, link)
    kPlace,      // (key, writer, link) is next, from its beginning
    kInPlace,    // (key, writer, link) is next, after the record `seq`
  };
  std::int64_t end = kRetentionLongAgo, run = 0, stage = kRunDone;
  std::int64_t key = 0, writer = 0, link = 0, seq = 0;
};

struct RetentionProgress {
  RetentionCursor thin, drop;
  std::int64_t swept_ms = 0;       // when the walks began
  std::int64_t applied_ms = 0;     // when something was last removed
  std::int64_t thinned_bytes = 0;  // of the histories that the first walk has left behind
};

std::array<std::int64_t*, 17> retention_numbers(RetentionProgress& p) {
  return {&p.swept_ms,   &p.applied_ms,  &p.thinned_bytes, &p.thin.end,  &p.thin.run, &p.thin.stage,
          &p.thin.key,   &p.thin.writer, &p.thin.link,     &p.thin.seq,  &p.drop.end, &p.drop.run,
          &p.drop.stage, &p.drop.key,    &p.drop.writer,   &p.drop.link, &p.drop.seq};
}

std::string retention_setting(Transaction& transaction, const char* name) {
  Statement row = transaction.query("SELECT value FROM settings WHERE name = ?", name);
  return row.step() ? row.text(0) : std::string();
}

void retention_set(Transaction& transaction, const char* name, const std::string& value) {
  transaction.run(
      "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = "
      "excluded.value",
      name, value);
}

// A value that is none (someone else's, or damage) is the default's.
void retention_read(Transaction& transaction, const char* name, std::int64_t most,
                    std::int64_t& value) {
  long long number = 0;
  if (parse_int64(retention_setting(transaction, name), number) && number >= 0 && number <= most)
    value = number;
}

RetentionProgress retention_read_progress(Transaction& transaction) {
  RetentionProgress progress;
  const std::vector<std::string> words =
      split(retention_setting(transaction, "limits_progress"), ' ');
  const auto numbers = retention_numbers(progress);
  if (words.size() != numbers.size()) return progress;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    long long number = 0;
    if (!parse_int64(words[i], number)) return {};
    *numbers[i] = number;
  }
  const bool good = progress.swept_ms >= 0 && progress.applied_ms >= 0 &&
                    progress.thinned_bytes >= 0 && progress.thin.run >= 0 && progress.drop.run >= 0;
  return good ? progress : RetentionProgress();
}

void retention_write_progress(Transaction& transaction, RetentionProgress progress) {
  std::string text;
  for (const std::int64_t* number : retention_numbers(progress))
    text += (text.empty() ? "" : " ") + std::to_string(*number);
  retention_set(transaction, "limits_progress", text);
}

std::int64_t retention_pragma(Transaction& transaction, const char* sql) {
  Statement row = transaction.query(sql);
  return row.step() ? row.integer(0) : 0;
}

std::uint64_t retention_used_bytes(Transaction& transaction) {
  const std::int64_t pages = retention_pragma(transaction, "PRAGMA page_count") -
                             retention_pragma(transaction, "PRAGMA freelist_count");
  return static_cast<std::uint64_t>(pages * retention_pragma(transaction, "PRAGMA page_size"));
}

// Moves the cursor to the run that it is to work on; false if there is none.
bool retention_next_run(Transaction& transaction, RetentionCursor& cursor) {
  // An open run is looked up again too: it may be running again, or gone.
  const std::int64_t after =
      cursor.stage == RetentionCursor::kRunDone ? cursor.run : cursor.run - 1;
  Statement row = transaction.query(
      "SELECT coalesce(end_time, start_time), run FROM runs WHERE status IN ('FINISHED', 'FAILED', "
      "'KILLED') AND coalesce(end_time, start_time) >= ?1 AND (coalesce(end_time, start_time) > ?1 "
      "OR run > ?2) ORDER BY coalesce(end_time, start_time), run LIMIT 1",
      cursor.end, after);
  if (!row.step()) return false;
  const std::int64_t end = row.integer(0), run = row.integer(1);
  if (cursor.stage != RetentionCursor::kRunDone && run == cursor.run) return true;
  cursor = {};
  cursor.end = end;
  cursor.run = run;
  cursor.stage = RetentionCursor::kPlaceDone;
  cursor.key = cursor.writer = cursor.link = kRetentionLongAgo;
  return true;
}

// Begins the walks anew when they began so long ago; true if it did.
bool retention_restart(RetentionProgress& progress, std::int64_t after_ms) {
  const std::int64_t now = now_ms();
  // A clock that was set back must not put it off.
  if (progress.swept_ms <= now && now - progress.swept_ms < after_ms) return false;
  RetentionProgress fresh;
  fresh.swept_ms = now;
  fresh.applied_ms = progress.applied_ms;
  progress = fresh;
  return true;
}

enum class RetentionWork { kNone, kThin, kDrop };

// What is to be done next; that walk's cursor is at the run then.
RetentionWork retention_decide(Transaction& transaction, const StoreLimits& limits,
                               RetentionProgress& progress) {
  const bool over =
      limits.quota_bytes != 0 && retention_used_bytes(transaction) > limits.quota_bytes;
  if (!over && limits.retention_ms == 0) return RetentionWork::kNone;
  RetentionCursor thin = progress.thin;
  const bool can_thin = retention_next_run(transaction, thin);
  const bool is_old =
      can_thin && limits.retention_ms != 0 && thin.end < now_ms() - limits.retention_ms;
  if (!over && !is_old) return RetentionWork::kNone;
  RetentionCursor drop = progress.drop;
  const bool can_drop = !is_old && retention_next_run(transaction, drop);
  const bool before_thin = can_drop && (!can_thin || std::make_pair(drop.end, drop.run) <
                                                         std::make_pair(thin.end, thin.run));
  const bool half = static_cast<std::uint64_t>(progress.thinned_bytes) > limits.quota_bytes / 2;
  if (can_thin && !(before_thin && half)) {
    progress.thin = thin;
    return RetentionWork::kThin;
  }
  if (!can_drop) {
    // What came in late, to runs that the walks had left behind, may still give way.
    return retention_restart(progress, kRetentionRetryMs)
               ? retention_decide(transaction, limits, progress)
               : RetentionWork::kNone;
  }
  progress.drop = drop;
  return RetentionWork::kDrop;
}

// About the room of a block of so many bytes: beyond the first thousand it takes whole pages.
std::int64_t retention_space(std::int64_t size) {
  return size < 1000 ? size + 100 : (size / 4096 + 1) * 4096 + 600;
}

bool retention_value_less(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
  return a < b;
}

// Some blocks of one place, one behind the other.
struct RetentionChunk {
  std::vector<std::int64_t> first_seqs;
  std::vector<MetricPoint> points;
  std::int64_t bytes = 0;
  bool from_begin = false, to_end = false;  // of the place
};

RetentionChunk retention_read_chunk(Transaction& transaction, const RetentionCursor& at) {
  RetentionChunk chunk;
  chunk.from_begin = at.stage != RetentionCursor::kInPlace;
  Statement block = transaction.query(
      "SELECT first_seq, count, data FROM metric_blocks WHERE run = ? AND metric_key = ? AND "
      "writer = ? AND link = ? AND first_seq > ? ORDER BY first_seq LIMIT ?",
      at.run, at.key, at.writer, at.link, chunk.from_begin ? kRetentionLongAgo : at.seq,
      kRetentionChunkBlocks);
  while (block.step()) {
    chunk.first_seqs.push_back(block.integer(0));
    chunk.bytes += retention_space(static_cast<std::int64_t>(block.bytes(2).size()));
    decode_metric_block(block.bytes(2), block.integer(0), block.integer(1), chunk.points);
  }
  chunk.to_end = static_cast<std::int64_t>(chunk.first_seqs.size()) < kRetentionChunkBlocks;
  return chunk;
}

// The places in `points` of those that stay, of which retention_is_much says no more. What the
// latest value is, and which number and which time come last, is known from them for ever: later
// records are told from known ones by that.
std::vector<std::size_t> retention_kept(Transaction& transaction, const RetentionCursor& at,
                                        const std::vector<MetricPoint>& points, std::size_t keep) {
  std::vector<std::size_t> kept = {points.size() - 1};
  std::size_t newest = 0;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (points[i].timestamp_ms >= points[newest].timestamp_ms &&
        (points[i].timestamp_ms > points[newest].timestamp_ms ||
         points[i].step >= points[newest].step))
      newest = i;
  }
  kept.push_back(newest);
  {
    Statement latest = transaction.query(
        "SELECT step, timestamp, value FROM latest_metrics WHERE run = ? AND metric_key = ?",
        at.run, at.key);
    if (latest.step()) {
      const double value = latest.real(2);
      const auto found =
          std::find_if(points.rbegin(), points.rend(), [&](const MetricPoint& point) {
            return point.step == latest.integer(0) && point.timestamp_ms == latest.integer(1) &&
                   !retention_value_less(point.value, value) &&
                   !retention_value_less(value, point.value);
          });
      if (found != points.rend())
        kept.push_back(static_cast<std::size_t>(points.rend() - found) - 1);
    }
  }
  if (keep != 0) {
    kept.push_back(0);
    // As a sampled history is read, see read_metric_history.
    const std::size_t stretches = keep < 6 ? 1 : (keep - 2) / 2;
    for (std::size_t i = 0; i < stretches; ++i) {
      const std::size_t begin = points.size() * i / stretches;
      const std::size_t end = points.size() * (i + 1) / stretches;
      std::size_t least = end, greatest = end;
      for (std::size_t p = begin; p < end; ++p) {
        if (std::isnan(points[p].value)) continue;
        if (least == end || points[p].value < points[least].value) least = p;
        if (greatest == end || points[p].value > points[greatest].value) greatest = p;
      }
      if (least != end) kept.insert(kept.end(), {least, greatest});
    }
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

// Writes the points as blocks; returns the room that they take.
std::int64_t retention_write_blocks(Transaction& transaction, const RetentionCursor& at,
                                    const std::vector<MetricPoint>& points) {
  std::int64_t bytes = 0;
  for (std::size_t begin = 0; begin < points.size(); begin += kMetricBlockCapacity) {
    const std::size_t end = std::min(points.size(), begin + kMetricBlockCapacity);
    std::string data;
    double least = std::numeric_limits<double>::quiet_NaN(), greatest = least;
    MetricPoint before{points[begin].seq, 0, 0, 0};
    for (std::size_t i = begin; i < end; ++i) {
      encode_metric_point(data, before, points[i]);
      before = points[i];
      if (!(least <= before.value) && !std::isnan(before.value)) least = before.value;
      if (!(greatest >= before.value) && !std::isnan(before.value)) greatest = before.value;
    }
    transaction.run(
        "INSERT INTO metric_blocks (run, metric_key, writer, link, first_seq, last_seq, last_step, "
        "last_timestamp, last_value, count, min, max, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?)",
        at.run, at.key, at.writer, at.link, points[begin].seq, before.seq, before.step,
        before.timestamp_ms, before.value, end - begin, least, greatest, StoreBlob{data});
    bytes += retention_space(static_cast<std::int64_t>(data.size()));
  }
  return bytes;
}

void retention_mark_run(Transaction& transaction, std::int64_t run, bool dropped) {
  // A dropped history stays one, whatever is logged to the run later.
  transaction.run(
      "INSERT INTO tags (run, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = "
      "excluded.value WHERE value != 'dropped'",
      run, kRetentionTag, dropped ? "dropped" : "thinned");
}

// What the place has, up to a chunk, without reading its records.
struct RetentionSize {
  std::size_t blocks = 0, points = 0;
  std::int64_t bytes = 0;
};

RetentionSize retention_size(Transaction& transaction, const RetentionCursor& at) {
  RetentionSize size;
  Statement row = transaction.query(
      "SELECT count, length(data) FROM metric_blocks WHERE run = ? AND metric_key = ? AND writer = "
      "? AND link = ? LIMIT ?",
      at.run, at.key, at.writer, at.link, kRetentionChunkBlocks);
  while (row.step()) {
    ++size.blocks;
    size.points += static_cast<std::size_t>(row.integer(0));
    size.bytes += retention_space(row.integer(1));
  }
  return size;
}

// Whether so much is to be written anew: it has too many points, or is in too many pieces.
bool retention_is_much(std::size_t points, std::size_t blocks, std::size_t keep) {
  return points > (keep == 0 ? 1 : std::max<std::size_t>(keep, 4)) + 2 ||
         blocks > points / kMetricBlockCapacity + 2;
}

// A place that is larger than a chunk is thinned chunk by chunk, and again from its beginning,
// until it is one chunk.
void retention_do_chunk(Transaction& transaction, RetentionCursor& at, std::size_t keep,
                        bool dropping, RetentionProgress& progress) {
  const bool later = at.stage == RetentionCursor::kInPlace;
  if (!later) {
    const RetentionSize size = retention_size(transaction, at);
    if (!retention_is_much(size.points, size.blocks, keep)) {
      at.stage = RetentionCursor::kPlaceDone;
      if (!dropping) progress.thinned_bytes += size.bytes;
      return;
    }
  }
  RetentionChunk chunk;
  try {
    chunk = retention_read_chunk(transaction, at);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kDataCorrupt) throw;
    log_warn("a damaged metric history is left as it is",
             {{"run", std::to_string(at.run)}, {"metric_key", std::to_string(at.key)}});
    at.stage = RetentionCursor::kPlaceDone;
    return;
  }
  std::int64_t bytes = chunk.bytes;
  if (retention_is_much(chunk.points.size(), chunk.first_seqs.size(), keep)) {
    std::vector<MetricPoint> kept;
    for (const std::size_t place : retention_kept(transaction, at, chunk.points, keep))
      kept.push_back(chunk.points[place]);
    transaction.run(
        "DELETE FROM metric_blocks WHERE run = ? AND metric_key = ? AND writer = ? AND link = ? "
        "AND first_seq BETWEEN ? AND ?",
        at.run, at.key, at.writer, at.link, chunk.first_seqs.front(), chunk.first_seqs.back());
    bytes = retention_write_blocks(transaction, at, kept);
    if (kept.size() < chunk.points.size()) {
      retention_mark_run(transaction, at.run, keep == 0);
      progress.applied_ms = now_ms();
    }
  }
  if (dropping)
    progress.thinned_bytes =
        std::max<std::int64_t>(0, progress.thinned_bytes - chunk.bytes + bytes);
  if (!chunk.to_end) {
    at.stage = RetentionCursor::kInPlace;
    at.seq = chunk.points.back().seq;
    return;
  }
  at.stage = later ? RetentionCursor::kPlace : RetentionCursor::kPlaceDone;
  if (!later && !dropping) progress.thinned_bytes += bytes;
}

// Finds the next place of the cursor's run; false, with the run done, if there is none.
bool retention_next_place(Transaction& transaction, RetentionCursor& at) {
  if (at.stage != RetentionCursor::kPlaceDone) return true;
  Statement place = transaction.query(
      "SELECT metric_key, writer, link FROM metric_blocks WHERE run = ? AND (metric_key, writer, "
      "link) > (?, ?, ?) ORDER BY metric_key, writer, link LIMIT 1",
      at.run, at.key, at.writer, at.link);
  if (!place.step()) {
    at.stage = RetentionCursor::kRunDone;
    return false;
  }
  at.key = place.integer(0);
  at.writer = place.integer(1);
  at.link = place.integer(2);
  at.stage = RetentionCursor::kPlace;
  return true;
}

bool retention_has_limits(const StoreLimits& limits) {
  return limits.quota_bytes != 0 || limits.retention_ms != 0;
}

}  // namespace

StoreLimits read_store_limits(Transaction& transaction) {
  std::int64_t quota = 0, retention = 0, keep = StoreLimits().keep_points;
  retention_read(transaction, "quota_bytes", std::numeric_limits<std::int64_t>::max(), quota);
  retention_read(transaction, "retention_ms", std::numeric_limits<std::int64_t>::max(), retention);
  retention_read(transaction, "keep_points", kMostKeptPoints, keep);
  return {static_cast<std::uint64_t>(quota), retention, static_cast<std::size_t>(keep)};
}

StoreLimitsState read_store_limits_state(Transaction& transaction) {
  StoreLimitsState state;
  state.limits = read_store_limits(transaction);
  state.used_bytes = retention_used_bytes(transaction);
  state.applied_ms = retention_read_progress(transaction).applied_ms;
  Statement row = transaction.query(
      "SELECT total(value = 'thinned'), total(value = 'dropped') FROM tags WHERE key = ? AND value "
      "IN ('thinned', 'dropped')",
      kRetentionTag);
  if (row.step()) {
    state.thinned_runs = static_cast<std::uint64_t>(row.integer(0));
    state.dropped_runs = static_cast<std::uint64_t>(row.integer(1));
  }
  return state;
}

void write_store_limits(Transaction& transaction, const StoreLimits& limits) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::kInvalidParameter, "the store's limits: " + what);
  };
  if (limits.quota_bytes != 0 &&
      (limits.quota_bytes < kLeastQuotaBytes || limits.quota_bytes > (1ull << 62))) {
    refuse("a quota is at least " + std::to_string(kLeastQuotaBytes) +
           " bytes, or 0 for none, got " + std::to_string(limits.quota_bytes));
  }
  if (limits.retention_ms < 0) {
    refuse("the time that histories are kept must not be negative, got " +
           std::to_string(limits.retention_ms) + " ms");
  }
  if (limits.keep_points > kMostKeptPoints) {
    refuse("at most " + std::to_string(kMostKeptPoints) + " points of a metric can be kept, got " +
           std::to_string(limits.keep_points));
  }
  retention_set(transaction, "quota_bytes", std::to_string(limits.quota_bytes));
  retention_set(transaction, "retention_ms", std::to_string(limits.retention_ms));
  retention_set(transaction, "keep_points", std::to_string(limits.keep_points));
  RetentionProgress progress = retention_read_progress(transaction);
  progress.swept_ms = 0;  // all runs are looked at with the new limits
  retention_restart(progress, kRetentionSweepMs);
  retention_write_progress(transaction, progress);
}

bool apply_store_limits(Database& database) {
  if (database.read_only()) return false;
  {
    Transaction transaction(database, Transaction::Mode::kReadStored);
    const StoreLimits limits = read_store_limits(transaction);
    if (!retention_has_limits(limits)) return false;
    RetentionProgress progress = retention_read_progress(transaction);
    retention_restart(progress, kRetentionSweepMs);
    if (retention_decide(transaction, limits, progress) == RetentionWork::kNone) return false;
  }
  Transaction transaction(database, Transaction::Mode::kWrite);
  const StoreLimits limits = read_store_limits(transaction);
  RetentionProgress progress = retention_read_progress(transaction);
  bool changed = retention_restart(progress, kRetentionSweepMs);
  const std::int64_t start_ms = monotonic_ms();
  const auto has_time = [&database, start_ms] {
    return database.waiting() == 0 && monotonic_ms() - start_ms < kRetentionStepMs;
  };
  RetentionWork work = RetentionWork::kNone;
  do {
    work = retention_decide(transaction, limits, progress);
    if (work == RetentionWork::kNone) break;
    const bool dropping = work == RetentionWork::kDrop;
    RetentionCursor& at = dropping ? progress.drop : progress.thin;
    while (retention_next_place(transaction, at)) {
      retention_do_chunk(transaction, at, dropping ? 0 : limits.keep_points, dropping, progress);
      if (!has_time()) break;
    }
    changed = true;
  } while (has_time());
  if (changed) {
    retention_write_progress(transaction, progress);
    transaction.commit();
  }
  return work != RetentionWork::kNone;
}

std::uint64_t compact_store(Database& database) {
  const auto file_size = [&database] {
    Transaction transaction(database, Transaction::Mode::kReadStored);
    return retention_pragma(transaction, "PRAGMA page_count") *
           retention_pragma(transaction, "PRAGMA page_size");
  };
  { const Transaction may_write(database, Transaction::Mode::kWrite); }
  const std::int64_t before = file_size();
  {
    // Not inside a transaction, so by a connection of its own.
    const NoForkSection section;
    StoreConnection connection(database.path(), database.path(), StoreOpenMode::kReadWrite,
                               database.options().busy_timeout_ms);
    // As in Database: the checkpoints of older ones are what makes a write-ahead log unsound.
    const bool may_checkpoint = sqlite_version_number() >= 3051003;
    if (!may_checkpoint) connection.set_checkpoints(0);
    connection.execute("VACUUM");
    if (may_checkpoint) connection.query_integer("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  const std::int64_t after = file_size();
  return before > after ? static_cast<std::uint64_t>(before - after) : 0;
}

void ThinnedHistories::take_out(Transaction& transaction, std::int64_t run,
                                std::vector<Metric>& metrics) {
  if (metrics.empty()) return;
  auto found = latest_.find({run, metrics.front().key});
  if (found == latest_.end()) {
    {
      Statement tag =
          transaction.query("SELECT 1 FROM tags WHERE run = ? AND key = ?", run, kRetentionTag);
      if (!tag.step()) return;
    }
    found = latest_.try_emplace({run, metrics.front().key}).first;
    for (const Metric& metric : read_metric_history(transaction, run, metrics.front().key)) {
      found->second = std::max(
          found->second, std::make_optional(std::make_pair(metric.timestamp_ms, metric.step)));
    }
  }
  const auto& latest = found->second;
  if (!latest) return;
  const auto is_known = [&latest](const Metric& metric) {
    return std::make_pair(metric.timestamp_ms, metric.step) <= *latest;
  };
  metrics.erase(std::remove_if(metrics.begin(), metrics.end(), is_known), metrics.end());
}

}  // namespace mlrt
