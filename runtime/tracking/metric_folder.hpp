#ifndef MLRT_TRACKING_METRIC_FOLDER_HPP_
#define MLRT_TRACKING_METRIC_FOLDER_HPP_

// Internal: brings the metrics of one writer's journal into the store.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/journal.hpp"
#include "tracking/metric_slots.hpp"

namespace mlrt {

class Database;
class Transaction;

// Folds one writer's journal, a transaction at a time. The store's row of the writer has the number
// of the last slot that was folded, so any process may fold, one after the other, and nothing comes
// in twice. One thread at a time.
class MetricFolder {
 public:
  MetricFolder(std::string store_path, std::string writer_id);

  const std::string& writer_id() const { return writer_id_; }
  // What the store is known to have.
  std::int64_t folded() const { return folded_; }

  // One transaction of bounded length. `until`: the first slot that is not finished yet, where the
  // caller is the writer; else what is there says it. False when there was nothing to fold. Metrics
  // of a run that was really deleted, and slots that are damaged, are dropped with a line on the
  // log. Unless it `may_lose`, a fold with `until` ends where slots are missing. Throws what
  // Transaction throws, kIo.
  bool fold(Database& database, std::optional<std::int64_t> until, int timeout_ms,
            bool may_lose = true);
  // What the last fold met that did not throw.
  struct Met {
    bool misses_slots = false;            // and ended there
    bool has_lost = false;                // slots
    std::vector<std::string> ended_runs;  // that are deleted, or not there
  };
  const Met& met() const { return met_; }
  // The writer is gone, the store never knew it, and has none of its runs: the files are left
  // alone.
  bool is_foreign() const { return is_foreign_; }

  // Whether the writer has written since the last fold.
  bool has_news(const std::vector<JournalSegment>& segments) const;
  // Asked by others than the writer: true if it is gone, and nobody else can take its lock.
  bool writer_is_gone();
  // Deletes the files of a writer that is gone: all of them is in the store, and on the disk. Not
  // those of one that only seemed to be, as its lock file had been removed. After an error the call
  // may be repeated.
  void remove_files();
  // In the child of a fork: lets go of the files, which are the parent's.
  void abandon() noexcept { lock_.reset(); }

 private:
  struct Batch;
  bool read(const std::vector<JournalSegment>& segments, std::optional<std::int64_t> until,
            Batch& batch);
  bool take_slot(const JournalSlot& slot, std::int64_t number, Batch& batch);
  bool is_lasting_gap(std::int64_t at);
  bool is_of_another_store(Transaction& transaction, const std::vector<JournalSegment>& segments);
  bool has_no_known_run(Transaction& transaction, const std::vector<JournalSegment>& segments);
  void lock_folding();

  std::string store_path_, writer_id_;
  std::uint64_t seed_;
  std::optional<JournalLock> lock_;
  bool gone_ = false, is_foreign_ = false;
  Met met_;
  std::int64_t folded_ = 0;
  // The definitions of the segment that `scanned_` is in, up to it.
  ChannelDefinitions definitions_;
  std::int64_t defined_segment_ = 0;
  std::int64_t scanned_ = 0;
  std::int64_t damaged_ = 0;  // the last slot that was seen to be
  std::uint64_t fold_number_ = 0;
  // A slot that is missing while later ones are there: when it was seen first.
  std::int64_t gap_ = 0, gap_since_ms_ = 0;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_METRIC_FOLDER_HPP_
