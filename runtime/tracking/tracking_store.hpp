#ifndef MLRT_TRACKING_TRACKING_STORE_HPP_
#define MLRT_TRACKING_TRACKING_STORE_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

class Database;
class MetricJournal;
class RunMetrics;

// Experiments and runs in a store. Any thread may use it. A call returns when its change is
// committed; after an error nothing of the call has happened. Errors carry MLflow's words and
// codes: kNotFound for an unknown experiment or run, kInvalidParameter for a value against the
// rules, kAlreadyExists, kUnavailable when other processes hold the store too long, kIo.
class TrackingStore {
 public:
  // `artifact_root` is an absolute folder; it need not exist yet. A run's artifacts lie in
  // <root>/<experiment id>/<run id>/artifacts.
  TrackingStore(std::shared_ptr<Database> database, std::string artifact_root);

  // ---- experiments

  // Returns the new id. Throws kAlreadyExists if the name is taken, by a deleted experiment too.
  // `artifact_location` is a folder ("": the usual one below the root).
  std::string create_experiment(const std::string& name, const std::string& artifact_location = "",
                                const std::vector<Tag>& tags = {});
  Experiment experiment(const std::string& id) const;
  std::optional<Experiment> experiment_by_name(const std::string& name) const;
  std::vector<Experiment> list_experiments() const;  // active ones, by id
  SearchPage<Experiment> search_experiments(const SearchQuery& query) const;
  void rename_experiment(const std::string& id, const std::string& name);
  // Deleting marks the experiment and its active runs; restoring brings back all. The name stays
  // reserved until collect_garbage.
  void delete_experiment(const std::string& id);
  void restore_experiment(const std::string& id);
  void set_experiment_tag(const std::string& id, const std::string& key, const std::string& value);
  void delete_experiment_tag(const std::string& id, const std::string& key);
  // What runs of the experiments used, by experiment, name, digest, context; at most `max_results`.
  std::vector<DatasetSummary> search_datasets(const std::vector<std::string>& experiment_ids,
                                              std::size_t max_results = 1000) const;

  // ---- runs

  struct NewRun {
    std::string experiment_id = "0";
    std::string name;  // empty: the tag mlflow.runName, else one is made up; the tag is set to it
    std::string user;  // empty: the tag mlflow.user
    std::int64_t start_time_ms = 0;  // 0: now
    std::vector<Tag> tags;
  };
  RunRecord create_run(const NewRun& run);
  RunRecord run(const std::string& run_id) const;
  // Active runs, newest first; all experiments when `experiment_ids` is empty.
  std::vector<RunRecord> list_runs(const std::vector<std::string>& experiment_ids,
                                   std::size_t max_results) const;
  // Runs of the experiments (all active ones when `experiment_ids` is empty) that match.
  SearchPage<RunRecord> search_runs(const std::vector<std::string>& experiment_ids,
                                    const SearchQuery& query) const;
  // Sets what is given; an end time is set with a final status (0: now) and taken away by RUNNING
  // and SCHEDULED, which is how a run is resumed.
  struct RunUpdate {
    std::optional<RunStatus> status;
    std::int64_t end_time_ms = 0;
    std::optional<std::string> name;
  };
  RunRecord update_run(const std::string& run_id, const RunUpdate& update);
  void delete_run(const std::string& run_id);
  void restore_run(const std::string& run_id);
  void delete_tag(const std::string& run_id, const std::string& key);
  void log_outputs(const std::string& run_id, const std::vector<RunOutput>& outputs);
  // Logged models that the run used; one that it has stays.
  void log_model_inputs(const std::string& run_id, const std::vector<std::string>& model_ids);
  // `status` is kFinished, kFailed or kKilled; an end time of 0 means now. Ending again replaces
  // both.
  void end_run(const std::string& run_id, RunStatus status, std::int64_t end_time_ms = 0);

  // Each list is logged whole or not at all. A parameter is immutable: the same value again is
  // fine, another one is refused. A metric's timestamp of 0 means now. Of a tag that a list sets
  // twice the last value stays; the tag mlflow.runName renames the run. A data set that the run has
  // with the same context stays as it is. Values beyond 6000 (parameters) and 8000 characters
  // (tags) are cut, with a warning.
  void log_params(const std::string& run_id, const std::vector<Param>& params);
  //
  // Metrics alone, without parameters and tags, go through the journal: any other process sees them
  // within 200 ms, or at once where it may write to the store. What reaches a run that another
  // process deleted meanwhile is kept with it.
  void log_metrics(const std::string& run_id, const std::vector<Metric>& metrics);
  // The fast way for whoever logs to one run again and again: without asking the store for it.
  // `is_active`: the caller knows that the run is.
  std::shared_ptr<RunMetrics> open_metrics(const std::string& run_id, bool is_active = false);
  void log_metric(RunMetrics& run, std::string_view key, double value, std::int64_t step,
                  std::int64_t timestamp_ms = 0);
  void log_metrics(RunMetrics& run, const std::vector<Metric>& metrics);
  void set_tags(const std::string& run_id, const std::vector<Tag>& tags);
  void log_inputs(const std::string& run_id, const std::vector<DatasetInput>& inputs);
  // All of a batch or nothing of it, within MLflow's limits of a request: 1000 metrics, 100
  // parameters, 100 tags, 1000 in all.
  void log_batch(const std::string& run_id, const std::vector<Metric>& metrics,
                 const std::vector<Param>& params, const std::vector<Tag>& tags);

  // Brings in what waits in journals, as far as the store lets us write; every call here that reads
  // metrics does so by itself.
  void bring_in_metrics() const;

  // By timestamp, step, value (NaN first); exact duplicates once, as MLflow shows them. A key that
  // the run does not have gives none. From number `offset` on at most `limit` of them.
  std::vector<Metric> metric_history(const std::string& run_id, const std::string& key,
                                     std::size_t offset = 0, std::size_t limit = SIZE_MAX) const;
  // At most about `max_points` of it for drawing: for each of as many stretches of equal length the
  // points of the least and the greatest value, the first and the last of all always among them.
  std::vector<Metric> sampled_history(const std::string& run_id, const std::string& key,
                                      std::size_t max_points) const;

  // ---- artifacts: see tracking/artifacts.hpp

  const std::string& artifact_root() const { return artifact_root_; }
  // The run's artifact folder, which need not exist yet. kInvalidParameter if the run must be
  // active and is deleted.
  std::string artifact_folder(const std::string& run_id, bool must_be_active = false) const;

  // Really deletes runs, experiments and logged models that were deleted at least `older_than_ms`
  // ago, with their artifacts, metrics and names. What registered versions have their files in
  // stays.
  struct Garbage {
    std::size_t experiments = 0, runs = 0, logged_models = 0;
    std::size_t kept = 0;  // deleted runs and logged models that registered versions need
    std::uint64_t artifact_bytes = 0;
  };
  Garbage collect_garbage(std::int64_t older_than_ms = 0, bool dry_run = false);

 private:
  std::shared_ptr<Database> database_;
  std::string artifact_root_;
  MetricJournal* journal_;  // the database's
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_TRACKING_STORE_HPP_
