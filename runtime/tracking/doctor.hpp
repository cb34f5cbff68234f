#ifndef MLRT_TRACKING_DOCTOR_HPP_
#define MLRT_TRACKING_DOCTOR_HPP_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tracking/retention.hpp"

namespace mlrt {

class Database;

// What there is to know about a store and its artifact folder.
struct StoreFacts {
  std::int64_t schema_version = 0;
  std::string sqlite_version;  // of the library that runs, "3.51.3"
  std::string journal_mode;    // "wal" or "delete"
  bool read_only = false;
  std::int64_t page_size_bytes = 0, page_count = 0, free_page_count = 0;
  std::string durability;   // of this opening: "process" or "power"
  bool on_network = false;  // on a network file system
  // The journals beside the store: of how many writers, and of how many that still have it open;
  // what their files take, and the records in them that the store does not have yet.
  std::uint64_t journals = 0, live_journals = 0, journal_bytes = 0, waiting_records = 0;
  StoreLimitsState limits;
  // With the deleted ones, which are counted again behind.
  std::uint64_t experiments = 0, deleted_experiments = 0;
  std::uint64_t runs = 0, deleted_runs = 0;
  std::uint64_t logged_models = 0, deleted_logged_models = 0;
  std::uint64_t registered_models = 0, model_versions = 0;
  std::uint64_t metric_points = 0, metric_blocks = 0;
  std::uint64_t database_bytes = 0;  // with its write-ahead log
  std::uint64_t artifact_bytes = 0, artifact_files = 0;
  // One line a defect; empty: the store is sound.
  std::vector<std::string> problems;
};

// Looks at the whole store (which takes time in proportion to its size) and changes nothing: what
// waits in journals is counted, but not brought in. A
// damaged store is told in `problems`, the facts behind that could not be read stay 0. Throws
// kUnavailable when other processes hold the store too long.
StoreFacts inspect_store(const std::shared_ptr<Database>& database,
                         const std::string& artifact_root);

}  // namespace mlrt

#endif  // MLRT_TRACKING_DOCTOR_HPP_
