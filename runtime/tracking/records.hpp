#ifndef MLRT_TRACKING_RECORDS_HPP_
#define MLRT_TRACKING_RECORDS_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

// What the store holds, as plain values. Times are milliseconds since 1970 UTC.

enum class RunStatus { kRunning, kScheduled, kFinished, kFailed, kKilled };

const char* run_status_name(RunStatus status);      // "RUNNING", ... as MLflow writes them
RunStatus parse_run_status(std::string_view name);  // throws kInvalidParameter for another word

struct Param {
  std::string key;
  std::string value;
};

struct Tag {
  std::string key;
  std::string value;
};

struct Experiment {
  std::string id;  // a decimal number; "0" is "Default"
  std::string name;
  std::string artifact_location;  // absolute folder
  std::string lifecycle_stage;    // "active" or "deleted"
  std::int64_t creation_time_ms = 0;
  std::int64_t last_update_time_ms = 0;
  std::vector<Tag> tags;  // by key
};

struct Metric {
  std::string key;
  double value = 0;  // NaN and infinities are kept
  std::int64_t timestamp_ms = 0;
  std::int64_t step = 0;
  // What it was measured on, where that is known: a logged model, a data set.
  std::string model_id = {};
  std::string dataset_name = {};
  std::string dataset_digest = {};
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
  // Beside the context, which MLflow has as the tag mlflow.data.context.
  std::vector<Tag> tags = {};
};

// A logged model that a run made, and at which step.
struct RunOutput {
  std::string model_id;
  std::int64_t step = 0;
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
  std::vector<RunOutput> outputs;              // by step, then id
  std::vector<std::string> model_inputs = {};  // ids of logged models that it used, sorted
};

// A data set that runs of an experiment used, in one context.
struct DatasetSummary {
  std::string experiment_id;
  std::string name;
  std::string digest;
  std::string context;  // may be empty
};

enum class LoggedModelStatus { kPending, kReady, kFailed };

const char* logged_model_status_name(LoggedModelStatus status);  // "PENDING", "READY", "FAILED"
LoggedModelStatus parse_logged_model_status(std::string_view name);

// A model that was logged (MLflow 3), with an id of its own.
struct LoggedModel {
  std::string model_id;  // "m-" and 32 hex digits
  std::string experiment_id;
  std::string name;
  std::string model_type;       // "Agent", "classifier", ...; may be empty
  std::string source_run_id;    // may be empty
  std::string artifact_folder;  // absolute: <root>/<experiment id>/models/<model id>/artifacts
  LoggedModelStatus status = LoggedModelStatus::kPending;
  std::string lifecycle_stage;  // "active" or "deleted"
  std::int64_t creation_time_ms = 0;
  std::int64_t last_update_time_ms = 0;
  std::vector<Param> params;  // by key
  std::vector<Tag> tags;      // by key
  std::vector<Metric>
      metrics;  // those that were logged with its id: the latest of each key, run and data set
  std::vector<std::string> metric_runs = {};  // the run of each of these
};

enum class ViewType { kActive, kDeleted, kAll };

// What to look for. The language is MLflow's (search_parser.hpp).
struct SearchQuery {
  std::string filter;                 // empty: everything
  std::vector<std::string> order_by;  // "metrics.rmse ASC", ...; empty: newest first
  ViewType view = ViewType::kActive;
  std::size_t max_results = 0;  // 0: MLflow's default for the kind
  std::string page_token;       // from the page before; empty: the first
  // Of runs: what artifact_uri begins with in place of the artifact root and a '/'; empty: these.
  std::string artifact_uri;
};

template <typename Item>
struct SearchPage {
  std::vector<Item> items;
  std::string next_page_token;  // empty: this is the last one
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_RECORDS_HPP_
