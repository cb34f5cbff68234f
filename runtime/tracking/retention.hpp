#ifndef MLRT_TRACKING_RETENTION_HPP_
#define MLRT_TRACKING_RETENTION_HPP_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

class Database;
class Transaction;

constexpr std::size_t kMostKeptPoints = 10000;
constexpr std::uint64_t kLeastQuotaBytes = 1 << 20;

// What a store may grow to. Kept in the store, so it holds for whoever opens it; off at first.
//
// What gives way is the metric history of finished runs, the oldest first. It is thinned: of each
// metric (that one process logged) about `keep_points` records stay, the least and the greatest
// value of stretches of equal length, the first and the last. Only once thinned histories take half
// the quota is the oldest dropped, down to the last record, so that the newest stay whole. Params,
// tags, the latest value of each metric, and runs that are not finished are never touched. A run
// says so in its tag mlrt.history, "thinned" or "dropped".
struct StoreLimits {
  // Of the pages of the database that are in use, from 1 MB; 0: none. The file itself does not
  // shrink, but what becomes free is used again. Artifacts and journals are not counted.
  std::uint64_t quota_bytes = 0;
  // Histories of runs that ended longer ago are thinned whatever the size; 0: none are.
  std::int64_t retention_ms = 0;
  std::size_t keep_points = 1000;  // 0: histories are dropped at once
};

// How far the limits are applied.
struct StoreLimitsState {
  StoreLimits limits;
  std::uint64_t used_bytes = 0;  // what quota_bytes limits
  std::uint64_t thinned_runs = 0, dropped_runs = 0;
  std::int64_t applied_ms = 0;  // when a history last gave way; 0: never
};

StoreLimits read_store_limits(Transaction& transaction);
StoreLimitsState read_store_limits_state(Transaction& transaction);
// Throws kInvalidParameter for a quota below the least one, a negative time, too many points.
void write_store_limits(Transaction& transaction, const StoreLimits& limits);

// Brings the store a bounded step (some 30 ms) nearer to its limits, in a transaction of its own;
// true if there may be more to do. Cheap when there is nothing. Call it outside of transactions.
// Every day, or every 10 minutes while the store is above its quota, all finished runs are looked
// at again: old ones may have been added to. Throws what a transaction throws, with nothing
// changed.
bool apply_store_limits(Database& database);

// Writes the database's file anew without its free pages: see Session::compact(). Call it outside
// of transactions. Throws kPermissionDenied for a store that can only be read, kUnavailable, kIo;
// the store is as it was then.
std::uint64_t compact_store(Database& database);

// Internal: what an import must not bring back. For the length of one import.
class ThinnedHistories {
 public:
  // Takes out of `metrics`, which share a key, what is not later than all that the store had of it
  // at the first call, if the run's history was thinned.
  void take_out(Transaction& transaction, std::int64_t run, std::vector<Metric>& metrics);

 private:
  // Of thinned runs: the latest time and step of a run and key, if the store had any.
  std::map<std::pair<std::int64_t, std::string>,
           std::optional<std::pair<std::int64_t, std::int64_t>>>
      latest_;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_RETENTION_HPP_
