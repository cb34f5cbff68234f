#ifndef MLRT_TRACKING_TRACKING_ROWS_HPP_
#define MLRT_TRACKING_TRACKING_ROWS_HPP_

// Internal: experiments and runs as they stand in the store.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

class Transaction;

extern const char kRunNameTag[];
extern const char kUserTag[];

// A row of runs, and what of its experiment its folder depends on.
struct TrackingRunRow {
  std::int64_t run = 0;  // the row's number
  std::int64_t experiment = 0;
  std::optional<std::string> location, experiment_location;
  RunRecord record;  // without its folder and what hangs on it
};

// Deleted ones too. Throw kNotFound.
TrackingRunRow find_run_row(Transaction& transaction, const std::string& run_id);
TrackingRunRow find_run_row(Transaction& transaction, std::int64_t run);
// Throws kInvalidParameter for a deleted one.
TrackingRunRow find_active_run_row(Transaction& transaction, const std::string& run_id);

// The absolute folder of the row's artifacts.
std::string run_artifact_folder(const TrackingRunRow& row, const std::string& artifact_root);
std::string experiment_artifact_folder(std::int64_t experiment,
                                       const std::optional<std::string>& location,
                                       const std::string& artifact_root);

void read_run_tags(Transaction& transaction, std::int64_t run, RunRecord& record);

// The row's record with all that hangs on it.
RunRecord full_run_record(Transaction& transaction, TrackingRunRow row,
                          const std::string& artifact_root);

// Throws kNotFound, by the number; nothing when there is none of the name.
Experiment find_experiment_row(Transaction& transaction, std::int64_t experiment,
                               const std::string& artifact_root);
std::optional<Experiment> find_experiment_row(Transaction& transaction, const std::string& name,
                                              const std::string& artifact_root);
// The folder that was chosen for its artifacts, if any. Throws kNotFound, and kInvalidParameter for
// a deleted one.
std::optional<std::string> require_active_experiment(Transaction& transaction,
                                                     std::int64_t experiment);

// Sets tags of the run; mlflow.runName renames it.
void write_run_tags(Transaction& transaction, std::int64_t run, const std::vector<Tag>& tags);

// Tags in a form for the store: checked, values cut.
std::vector<Tag> checked_tags(const std::vector<Tag>& tags, bool numbered);

}  // namespace mlrt

#endif  // MLRT_TRACKING_TRACKING_ROWS_HPP_
