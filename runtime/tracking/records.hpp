#ifndef MLRT_TRACKING_RECORDS_HPP_
#define MLRT_TRACKING_RECORDS_HPP_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

// What the store holds, as plain values. Times are milliseconds since 1970 UTC.

enum class RunStatus { kRunning, kScheduled, kFinished, kFailed, kKilled };

const char* run_status_name(RunStatus status);      // "RUNNING", ... as MLflow writes them
RunStatus parse_run_status(std::string_view name);  // throws kInvalidParameter for another word

struct Experiment {
  std::string id;  // a decimal number; "0" is "Default"
  std::string name;
  std::string artifact_location;  // absolute folder
  std::string lifecycle_stage;    // "active" or "deleted"
  std::int64_t creation_time_ms = 0;
  std::int64_t last_update_time_ms = 0;
};

struct Param {
  std::string key;
  std::string value;
};

struct Tag {
  std::string key;
  std::string value;
};

struct Metric {
  std::string key;
  double value = 0;  // NaN and infinities are kept
  std::int64_t timestamp_ms = 0;
  std::int64_t step = 0;
};

// A data set that a run used.
struct DatasetInput {
  std::string name;
  std::string digest;
  std::string source_type;  // "local", "code", ...
  std::string source;
  std::string schema;   // JSON, may be empty
  std::string profile;  // JSON, may be empty
  std::string context;  // "train", "eval", ...; may be empty
};

struct RunRecord {
  std::string run_id;
  std::string name;
  std::string experiment_id;
  std::string user;
  RunStatus status = RunStatus::kRunning;
  std::int64_t start_time_ms = 0;
  std::int64_t end_time_ms = 0;  // 0 while it runs
  std::string lifecycle_stage;   // "active" or "deleted"
  std::string artifact_folder;   // absolute
  std::vector<Param> params;     // by key
  std::vector<Tag> tags;         // by key
  std::vector<Metric> metrics;   // the latest of each key, by key
  std::vector<DatasetInput> inputs;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_RECORDS_HPP_
