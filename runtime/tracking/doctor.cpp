#include "tracking/doctor.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "store/database.hpp"
#include "store/journal.hpp"
#include "tracking/metric_blocks.hpp"
#include "tracking/metric_slots.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kMaxDoctorProblems = 100;

void doctor_add(StoreFacts& facts, std::string problem) {
  if (facts.problems.size() < kMaxDoctorProblems) facts.problems.push_back(std::move(problem));
}

// Runs one look at the store; that it cannot be read is a finding.
template <typename Look>
void doctor_look(StoreFacts& facts, const Look& look) {
  try {
    look();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kDataCorrupt && error.code() != ErrorCode::kInternal &&
        error.code() != ErrorCode::kIo)
      throw;
    doctor_add(facts, error.detail().empty() ? error.message()
                                             : error.message() + " (" + error.detail() + ")");
  }
}

std::int64_t doctor_number(Transaction& transaction, const char* sql) {
  Statement row = transaction.query(sql);
  return row.step() ? row.integer(0) : 0;
}

std::string doctor_text(Transaction& transaction, const char* sql) {
  Statement row = transaction.query(sql);
  return row.step() ? row.text(0) : std::string();
}

void doctor_count(Transaction& transaction, const char* sql, std::uint64_t& all,
                  std::uint64_t* deleted) {
  Statement row = transaction.query(sql);
  if (!row.step()) return;
  all = static_cast<std::uint64_t>(row.integer(0));
  if (deleted) *deleted = static_cast<std::uint64_t>(row.integer(1));
}

// Reads every block, and compares it with what its columns say of it.
void doctor_read_blocks(Transaction& transaction, StoreFacts& facts) {
  Statement block = transaction.query(
      "SELECT first_seq, last_seq, last_step, last_timestamp, count, data, runs.run_id, "
      "coalesce(metric_keys.name, '?') FROM metric_blocks LEFT JOIN runs USING (run) LEFT JOIN "
      "metric_keys USING (metric_key)");
  std::vector<MetricPoint> points;
  while (block.step()) {
    ++facts.metric_blocks;
    points.clear();
    std::string problem;
    try {
      decode_metric_block(block.bytes(5), block.integer(0), block.integer(4), points);
      const MetricPoint& last = points.back();
      if (last.seq != block.integer(1) || last.step != block.integer(2) ||
          last.timestamp_ms != block.integer(3))
        problem = "does not end where the store says";
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kDataCorrupt) throw;
      problem = "cannot be read";
    }
    facts.metric_points += points.size();
    if (!problem.empty()) {
      doctor_add(facts, "a block of the metric '" + block.text(7) + "' of the run " +
                            block.text(6) + " " + problem);
    }
  }
}

std::uint64_t doctor_file_size(const std::string& path) {
  return fs::is_file(path) ? fs::file_size(path) : 0;
}

// The records of a writer's journal from the slot `from` on.
std::uint64_t doctor_count_slots(const JournalFiles& files, std::int64_t from) {
  constexpr std::int64_t kSlotsAtOnce = 32768;
  const std::uint64_t seed = journal_seed(files.writer_id);
  std::uint64_t count = 0;
  JournalSlots found;
  for (const JournalSegment& segment : files.segments) {
    const std::int64_t end = segment.first + segment.slots;
    for (std::int64_t at = std::max(from, segment.first); at < end; at += kSlotsAtOnce) {
      found.slots.clear();
      found.numbers.clear();
      if (!read_journal(segment, seed, at, std::min(end, at + kSlotsAtOnce), found)) break;
      for (const JournalSlot& slot : found.slots)
        count += (slot.tag & kMetricSlotKindMask) == kMetricSlotPoint;
    }
  }
  return count;
}

// A lock that cannot be asked is taken for one that is held.
bool doctor_writer_is_alive(const Database& database, const JournalFiles& files) {
  if (!files.has_lock) return false;
  try {
    std::optional<JournalLock> lock = JournalLock::open(database.path(), files.writer_id);
    return lock && lock->writer_is_alive();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kPermissionDenied) throw;
    return true;
  }
}

void doctor_read_journals(Transaction& transaction, const Database& database, StoreFacts& facts) {
  for (const JournalFiles& files : find_journals(database.path())) {
    ++facts.journals;
    if (doctor_writer_is_alive(database, files)) ++facts.live_journals;
    for (const JournalSegment& segment : files.segments)
      facts.journal_bytes += static_cast<std::uint64_t>(segment.slots + 1) * kJournalSlotBytes;
    std::int64_t from = 1;
    {
      Statement row = transaction.query("SELECT folded_seq + 1 FROM writers WHERE writer_id = ?",
                                        files.writer_id);
      if (row.step()) from = row.integer(0);
    }
    facts.waiting_records += doctor_count_slots(files, from);
  }
}

}  // namespace

StoreFacts inspect_store(const std::shared_ptr<Database>& database,
                         const std::string& artifact_root) {
  StoreFacts facts;
  const int version = sqlite_version_number();
  facts.sqlite_version = std::to_string(version / 1000000) + "." +
                         std::to_string(version / 1000 % 1000) + "." +
                         std::to_string(version % 1000);
  facts.read_only = database->read_only();
  facts.durability = database->options().durability == Durability::kPower ? "power" : "process";
  facts.on_network = database->on_network();
  facts.database_bytes =
      doctor_file_size(database->path()) + doctor_file_size(database->path() + "-wal");
  const fs::TreeSize artifacts = fs::tree_size(artifact_root);
  facts.artifact_bytes = artifacts.bytes;
  facts.artifact_files = artifacts.files;

  doctor_look(facts, [&] {
    Transaction transaction(*database, Transaction::Mode::kReadStored);
    doctor_look(facts, [&] {
      facts.schema_version = doctor_number(transaction, "PRAGMA user_version");
      facts.journal_mode = doctor_text(transaction, "PRAGMA journal_mode");
      facts.page_size_bytes = doctor_number(transaction, "PRAGMA page_size");
      facts.page_count = doctor_number(transaction, "PRAGMA page_count");
      facts.free_page_count = doctor_number(transaction, "PRAGMA freelist_count");
    });
    doctor_look(facts, [&] {
      Statement line = transaction.query("PRAGMA integrity_check");
      while (line.step()) {
        if (line.text(0) != "ok") doctor_add(facts, line.text(0));
      }
    });
    doctor_look(facts, [&] {
      Statement line = transaction.query("PRAGMA foreign_key_check");
      while (line.step()) {
        doctor_add(facts, "a row of " + line.text(0) + " belongs to a row of " + line.text(2) +
                              " that is not there");
      }
    });
    doctor_look(facts, [&] {
      doctor_count(transaction,
                   "SELECT count(*), total(lifecycle_stage = 'deleted') FROM experiments",
                   facts.experiments, &facts.deleted_experiments);
      doctor_count(transaction, "SELECT count(*), total(lifecycle_stage = 'deleted') FROM runs",
                   facts.runs, &facts.deleted_runs);
      doctor_count(transaction,
                   "SELECT count(*), total(lifecycle_stage = 'deleted') FROM logged_models",
                   facts.logged_models, &facts.deleted_logged_models);
      doctor_count(transaction, "SELECT count(*) FROM registered_models", facts.registered_models,
                   nullptr);
      doctor_count(transaction, "SELECT count(*) FROM model_versions", facts.model_versions,
                   nullptr);
    });
    doctor_look(facts, [&] { doctor_read_journals(transaction, *database, facts); });
    doctor_look(facts, [&] { facts.limits = read_store_limits_state(transaction); });
    doctor_look(facts, [&] { doctor_read_blocks(transaction, facts); });
  });
  return facts;
}

}  // namespace mlrt
