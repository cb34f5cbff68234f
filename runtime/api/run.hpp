#ifndef MLRT_API_RUN_HPP_
#define MLRT_API_RUN_HPP_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/model.hpp"
#include "tracking/records.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {

struct SessionState;

// One run, open for logging. A handle that moves; any thread may log through it, but not while it
// is moved. The destructor ends a run that is still open: FINISHED, FAILED when it is left by an
// exception, KILLED after an interrupt. Errors and atomicity as in TrackingStore; kConflict for a
// run that has ended.
class Run {
 public:
  Run(Run&&) noexcept;
  Run& operator=(Run&&) noexcept;
  ~Run();

  const std::string& id() const { return id_; }
  const std::string& name() const { return name_; }
  const std::string& experiment_id() const { return experiment_id_; }
  bool ended() const { return ended_; }

  void log_param(const std::string& key, const std::string& value);
  void log_params(const std::vector<Param>& params);
  void log_metric(std::string_view key, double value, std::int64_t step = 0);
  void log_metrics(const std::vector<std::pair<std::string, double>>& metrics,
                   std::int64_t step = 0);
  void set_tag(const std::string& key, const std::string& value);
  void log_input(const DatasetInput& dataset);
  void set_tags(const std::vector<Tag>& tags);
  void delete_tag(const std::string& key);
  void set_description(const std::string& text);  // the tag mlflow.note.content
  void log_batch(const std::vector<Metric>& metrics, const std::vector<Param>& params,
                 const std::vector<Tag>& tags);
  // See tracking/artifacts.hpp.
  void log_artifact(const std::string& local_file, const std::string& path = "");
  void log_artifacts(const std::string& local_folder, const std::string& path = "");
  void log_text(const std::string& text, const std::string& path);
  // `json` is JSON text, checked, and stored with an indent of 2; `path` ends in ".json".
  void log_json(const std::string& json, const std::string& path);
  // The table as MLflow's log_table stores it: JSON {"columns": [...], "data": [[...]]}; a table
  // that is there gets the rows appended, and the columns that it did not have. `path` ends in
  // ".json". Of several threads of one session that append to one table no row is lost.
  void log_table(const Table& table, const std::string& path);
  // `bytes` are those of an image file: PNG, JPEG, GIF, WebP or SVG, told by its first bytes, with
  // `path` ending accordingly.
  void log_image(const std::string& bytes, const std::string& path);
  // An image of a series, which MLflow's pages show by step; PNG only. Stored as MLflow's log_image
  // does (3.10 and newer): images/<key>+step+<step>+timestamp+<ms>+<uuid>.png, with '~' for each
  // '/' of the key. A key has letters, digits and _ - . / and spaces.
  void log_image(const std::string& bytes, const std::string& key, std::int64_t step);
  // Samples the machine from now until the run ends, at least every 10 ms
  // (tracking/system_metrics.hpp). In a run that is resumed the steps go on. kConflict when it is
  // sampled already.
  void start_system_metrics(std::int64_t interval_ms = 10000);
  // The model as a logged model: READY, an output of the run, named by the last part of `path`. Its
  // files lie in the logged model's folder, as MLflow 3 has it, once; "runs:/<id>/<path>", which is
  // returned, finds them there, and the run lists them below `path`. Throws kAlreadyExists if the
  // run has that artifact. After an error the logged model is FAILED, or there is none.
  std::string log_model(const Model& model, const std::string& path = "model");

  RunRecord record() const;
  // Ending twice is fine, the first one stands. After an error the run is still open, but the
  // machine is sampled no more.
  void end(RunStatus status = RunStatus::kFinished);

 private:
  friend class Session;
  Run(std::shared_ptr<SessionState> session, const RunRecord& record);
  void require_open() const;
  void end_quietly() noexcept;

  struct Sampling;

  std::shared_ptr<SessionState> session_;
  std::shared_ptr<RunMetrics> metrics_;
  std::string id_, name_, experiment_id_;
  std::atomic<bool> ended_{false};
  int uncaught_at_start_ = 0;
  std::unique_ptr<Sampling> sampling_;
};

}  // namespace mlrt

#endif  // MLRT_API_RUN_HPP_
