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
  void log_artifact(const std::string& local_file, const std::string& path = "");
  void log_text(const std::string& text, const std::string& path);
  // The model as an MLflow model folder below the run's artifacts; returns its URI,
  // "runs:/<id>/<path>". Throws kAlreadyExists if the run has that artifact.
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
