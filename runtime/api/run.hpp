#ifndef MLRT_API_RUN_HPP_
#define MLRT_API_RUN_HPP_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
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
  void log_metric(const std::string& key, double value, std::int64_t step = 0);
  void log_metrics(const std::vector<std::pair<std::string, double>>& metrics,
                   std::int64_t step = 0);
  void set_tag(const std::string& key, const std::string& value);
  void log_input(const DatasetInput& dataset);
  void set_tags(const std::vector<Tag>& tags);
  void delete_tag(const std::string& key);
  void set_description(const std::string& text);  // the tag mlflow.note.content
  void log_batch(const std::vector<Metric>& metrics, const std::vector<Param>& params,
                 const std::vector<Tag>& tags);
  void log_artifact(const std::string& local_file, const std::string& path = "");
  void log_artifacts(const std::string& local_folder, const std::string& path = "");
  void log_text(const std::string& text, const std::string& path);
  // `json` is JSON text, checked, and stored with an indent of 2; `path` ends in ".json".
  void log_json(const std::string& json, const std::string& path);
  // The table as MLflow's log_table stores it: JSON {"columns": [...], "data": [[...]]}; a table
  // that is there gets the rows appended.
  void log_table(const Table& table, const std::string& path);
  // `png` is an image file's bytes (PNG, JPEG, GIF or SVG, told by its first bytes). With a key and
  // step instead of a path it is stored as MLflow's log_image does:
  // images/<key>%step%<step>%timestamp%<ms>%<uuid>.png.
  void log_image(const std::string& bytes, const std::string& path);
  void log_image(const std::string& bytes, const std::string& key, std::int64_t step);
  // Samples the machine from now until the run ends (tracking/system_metrics.hpp).
  void start_system_metrics(std::int64_t interval_ms = 10000);
  // The model as a logged model of its own (READY, an output of the run) and as an MLflow model
  // folder below the run's artifacts; returns its URI, "runs:/<id>/<path>". Throws kAlreadyExists
  // if the run has that artifact.
  std::string log_model(const Model& model, const std::string& path = "model");

  RunRecord record() const;
  // Ending twice is fine, the first one stands. After an error the run is still open.
  void end(RunStatus status = RunStatus::kFinished);

 private:
  friend class Session;
  Run(std::shared_ptr<SessionState> session, const RunRecord& record);
  void require_open() const;
  void end_quietly() noexcept;

  std::shared_ptr<SessionState> session_;
  std::string id_, name_, experiment_id_;
  std::atomic<bool> ended_{false};
  int uncaught_at_start_ = 0;
};

}  // namespace mlrt

#endif  // MLRT_API_RUN_HPP_
