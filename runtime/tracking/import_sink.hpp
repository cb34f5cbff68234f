#ifndef MLRT_TRACKING_IMPORT_SINK_HPP_
#define MLRT_TRACKING_IMPORT_SINK_HPP_

// Internal: where imports write. Keeps ids and times, adds only what is not there, and lists what
// it refuses.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/database.hpp"
#include "tracking/exchange.hpp"
#include "tracking/records.hpp"
#include "tracking/retention.hpp"

namespace mlrt {

struct ImportedExperiment {
  Experiment record;  // id: the source's own; artifact_location: not used
  std::string place;  // where the source has it, for problems
};

struct ImportedRun {
  RunRecord record;  // experiment_id: the source's; artifact_folder: not used
  std::int64_t deleted_time_ms = 0;
  std::string place;
};

struct ImportedLoggedModel {
  LoggedModel record;  // experiment_id: the source's; artifact_folder and metrics: not used
  std::string place;
};

struct ImportedVersion {
  std::int64_t version = 0;
  std::string source, run_id, run_link, description, user;
  std::string storage;   // where its files are; empty: at its source
  std::string stage;     // as MLflow has it; empty: "None"
  bool deleted = false;  // only the number counts, which is not given again
  std::int64_t creation_time_ms = 0, last_update_time_ms = 0;
  std::vector<std::string> aliases;
  std::vector<Tag> tags;
  std::string place;
};

struct ImportedModel {
  std::string name, description;
  std::int64_t creation_time_ms = 0, last_update_time_ms = 0;
  std::vector<ImportedVersion> versions;
  std::vector<Tag> tags;
  std::string place;
};

// One import into one store. Changes are made in transactions of bounded size; what finish() has
// not committed when this ends is undone, and importing again completes it. For one thread, which
// must have no transaction of its own under way.
class ImportSink {
 public:
  ImportSink(std::shared_ptr<Database> database, std::string artifact_root,
             const ImportOptions& options, ImportReport& report);

  void problem(const std::string& place, const std::string& what);
  void advance(std::uint64_t done);  // calls the progress function now and then
  void set_total(std::uint64_t total) { total_ = total; }

  // An experiment of the source is the store's that has its name, or its id and creation time, else
  // it is created, with its id where that is free. False, with a problem, for one that cannot be.
  bool add_experiment(const ImportedExperiment& experiment);
  bool has_experiment(const std::string& source_id) const;

  // A run keeps its id. One that is there already gets what it lacks; if it still ran and is over
  // in the source, its end too. Its params, tags and outputs are added, its metrics and inputs are
  // not: see below.
  bool add_run(const ImportedRun& run);
  bool has_run(const std::string& run_id) const { return runs_.count(run_id) != 0; }

  // For a run that add_run took.
  void add_params(const std::string& run_id, const std::string& place,
                  const std::vector<Param>& params);
  void add_tags(const std::string& run_id, const std::string& place, const std::vector<Tag>& tags);
  void add_inputs(const std::string& run_id, const std::string& place,
                  const std::vector<DatasetInput>& inputs);
  void add_outputs(const std::string& run_id, const std::string& place,
                   const std::vector<RunOutput>& outputs);
  // A logged model that the run used.
  void add_model_input(const std::string& run_id, const std::string& place,
                       const std::string& model_id);
  // Kept in memory until there are many or finish(). The order does not matter.
  void add_metric(const std::string& run_id, const std::string& place, Metric metric);

  bool add_logged_model(const ImportedLoggedModel& model);
  void add_registered_model(const ImportedModel& model);

  // Copies the files below `folder` that the run or logged model `owner` does not have yet.
  void add_artifacts(const std::string& owner, const std::string& folder);
  // The local folder that an artifact URI of MLflow leads to, if it is one that MLflow makes for
  // `owner` and is there: a database from elsewhere must not make us copy any other folder.
  std::optional<std::string> artifact_source(const std::string& owner, const std::string& uri);

  // Commits all.
  void finish();

 private:
  struct RunState {
    std::int64_t row = 0;
    std::int64_t experiment = 0;
  };
  Transaction& transaction();
  void wrote(std::size_t rows);  // commits when enough has come together
  void commit();
  void flush_metrics();
  std::int64_t dataset_row(std::int64_t experiment, const DatasetInput& input);
  void add_version(std::int64_t model, const std::string& name, const ImportedVersion& version);
  std::string portable_source(const std::string& source, const std::string& run_id) const;
  bool add_pair(const char* table, const char* column, std::int64_t row, const Tag& pair,
                std::string* other);

  std::shared_ptr<Database> database_;
  std::string artifact_root_;
  const ImportOptions& options_;
  ImportReport& report_;
  std::optional<Transaction> transaction_;
  std::size_t written_ = 0;                                    // rows in the transaction
  std::unordered_map<std::string, std::int64_t> experiments_;  // source id -> the store's
  std::unordered_map<std::string, RunState> runs_;
  std::set<std::string> logged_models_;
  std::unordered_map<std::string, std::vector<Metric>> metrics_;  // run id -> waiting ones
  std::size_t waiting_metrics_ = 0;
  ThinnedHistories thinned_;
  std::map<std::string, std::size_t> remote_;  // URI scheme -> folders that were not copied
  std::uint64_t total_ = 0, shown_ = 0;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_IMPORT_SINK_HPP_
