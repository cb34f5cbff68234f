#include "api/run.hpp"

#include <exception>

#include "api/session_state.hpp"
#include "bundle/bundle.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/interrupt.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "tracking/rules.hpp"

namespace mlrt {

std::string log_model_folder(const TrackingStore& tracking, const std::string& run_id,
                             const Model& model, const std::string& path) {
  check_artifact_path(path);
  const std::string folder = fs::join(tracking.artifact_folder(run_id, true), path);
  if (fs::exists(folder)) {
    throw Error(ErrorCode::kAlreadyExists, "the run " + run_id + " has an artifact " +
                                               quoted(path, 300) +
                                               " already; log the model under another path");
  }
  fs::make_folders(fs::parent(folder));
  write_model_folder(folder, model.save());
  return "runs:/" + run_id + "/" + path;
}

Run::Run(std::shared_ptr<SessionState> session, const RunRecord& record)
    : session_(std::move(session)),
      id_(record.run_id),
      name_(record.name),
      experiment_id_(record.experiment_id),
      uncaught_at_start_(std::uncaught_exceptions()) {}

Run::Run(Run&& other) noexcept
    : session_(std::move(other.session_)),
      id_(std::move(other.id_)),
      name_(std::move(other.name_)),
      experiment_id_(std::move(other.experiment_id_)),
      ended_(other.ended_.exchange(true)),
      uncaught_at_start_(other.uncaught_at_start_) {}

Run& Run::operator=(Run&& other) noexcept {
  if (this == &other) return *this;
  end_quietly();
  session_ = std::move(other.session_);
  id_ = std::move(other.id_);
  name_ = std::move(other.name_);
  experiment_id_ = std::move(other.experiment_id_);
  ended_ = other.ended_.exchange(true);
  uncaught_at_start_ = other.uncaught_at_start_;
  return *this;
}

Run::~Run() { end_quietly(); }

void Run::end_quietly() noexcept {
  if (!session_ || ended_) return;
  RunStatus status = RunStatus::kFinished;
  if (std::uncaught_exceptions() > uncaught_at_start_) status = RunStatus::kFailed;
  if (interrupt_requested()) status = RunStatus::kKilled;
  try {
    end(status);
  } catch (const std::exception& error) {
    log_error("a run could not be ended and stays RUNNING",
              {{"run_id", id_}, {"error", error.what()}});
  }
}

void Run::require_open() const {
  if (!session_) throw Error(ErrorCode::kConflict, "this run was moved to another handle");
  if (ended_)
    throw Error(ErrorCode::kConflict,
                "the run " + id_ + " has ended: nothing more can be logged to it");
}

void Run::log_param(const std::string& key, const std::string& value) {
  log_params({{key, value}});
}

void Run::log_params(const std::vector<Param>& params) {
  require_open();
  session_->tracking.log_params(id_, params);
}

void Run::log_metric(const std::string& key, double value, std::int64_t step) {
  log_metrics({{key, value}}, step);
}

void Run::log_metrics(const std::vector<std::pair<std::string, double>>& metrics,
                      std::int64_t step) {
  require_open();
  std::vector<Metric> rows;
  rows.reserve(metrics.size());
  for (const auto& [key, value] : metrics) rows.push_back({key, value, 0, step});
  session_->tracking.log_metrics(id_, rows);
}

void Run::set_tag(const std::string& key, const std::string& value) {
  require_open();
  session_->tracking.set_tags(id_, {{key, value}});
}

void Run::log_input(const DatasetInput& dataset) {
  require_open();
  session_->tracking.log_inputs(id_, {dataset});
}

void Run::log_artifact(const std::string& local_file, const std::string& path) {
  require_open();
  session_->tracking.log_artifact(id_, local_file, path);
}

void Run::log_text(const std::string& text, const std::string& path) {
  require_open();
  session_->tracking.log_text(id_, text, path);
}

std::string Run::log_model(const Model& model, const std::string& path) {
  require_open();
  return log_model_folder(session_->tracking, id_, model, path);
}

RunRecord Run::record() const {
  if (!session_) throw Error(ErrorCode::kConflict, "this run was moved to another handle");
  return session_->tracking.run(id_);
}

void Run::end(RunStatus status) {
  if (!session_ || ended_.exchange(true)) return;
  try {
    session_->tracking.end_run(id_, status);
  } catch (const std::exception&) {
    ended_ = false;
    throw;
  }
}

}  // namespace mlrt
