#include "api/run.hpp"

#include <algorithm>
#include <exception>
#include <mutex>

#include "api/session_state.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "tracking/system_metrics.hpp"

namespace mlrt {
namespace {

constexpr char kSystemMetricsPrefix[] = "system/";

}  // namespace

struct Run::Sampling {
  std::mutex mutex;
  std::unique_ptr<SystemMetricsSampler> sampler;

  // Waits for the sample under way.
  void stop() {
    std::unique_ptr<SystemMetricsSampler> stopping;
    std::lock_guard<std::mutex> lock(mutex);
    stopping = std::move(sampler);
  }
};

Run::Run(std::shared_ptr<SessionState> session, const RunRecord& record)
    : session_(std::move(session)),
      metrics_(session_->tracking.open_metrics(record.run_id, true)),
      id_(record.run_id),
      name_(record.name),
      experiment_id_(record.experiment_id),
      uncaught_at_start_(std::uncaught_exceptions()),
      sampling_(std::make_unique<Sampling>()) {}

Run::Run(Run&& other) noexcept
    : session_(std::move(other.session_)),
      metrics_(std::move(other.metrics_)),
      id_(std::move(other.id_)),
      name_(std::move(other.name_)),
      experiment_id_(std::move(other.experiment_id_)),
      ended_(other.ended_.exchange(true)),
      uncaught_at_start_(other.uncaught_at_start_),
      sampling_(std::move(other.sampling_)) {}

Run& Run::operator=(Run&& other) noexcept {
  if (this == &other) return *this;
  end_quietly();
  session_ = std::move(other.session_);
  metrics_ = std::move(other.metrics_);
  id_ = std::move(other.id_);
  name_ = std::move(other.name_);
  experiment_id_ = std::move(other.experiment_id_);
  ended_ = other.ended_.exchange(true);
  uncaught_at_start_ = other.uncaught_at_start_;
  sampling_ = std::move(other.sampling_);
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

void Run::log_metric(std::string_view key, double value, std::int64_t step) {
  require_open();
  session_->tracking.log_metric(*metrics_, key, value, step);
}

void Run::log_metrics(const std::vector<std::pair<std::string, double>>& metrics,
                      std::int64_t step) {
  require_open();
  std::vector<Metric> rows;
  rows.reserve(metrics.size());
  for (const auto& [key, value] : metrics) rows.push_back({key, value, 0, step, "", "", ""});
  session_->tracking.log_metrics(*metrics_, rows);
}

void Run::set_tag(const std::string& key, const std::string& value) {
  require_open();
  session_->tracking.set_tags(id_, {{key, value}});
}

void Run::log_input(const DatasetInput& dataset) {
  require_open();
  session_->tracking.log_inputs(id_, {dataset});
}

void Run::set_tags(const std::vector<Tag>& tags) {
  require_open();
  session_->tracking.set_tags(id_, tags);
}

void Run::delete_tag(const std::string& key) {
  require_open();
  session_->tracking.delete_tag(id_, key);
}

void Run::set_description(const std::string& text) { set_tag("mlflow.note.content", text); }

void Run::log_batch(const std::vector<Metric>& metrics, const std::vector<Param>& params,
                    const std::vector<Tag>& tags) {
  require_open();
  session_->tracking.log_batch(id_, metrics, params, tags);
}

void Run::start_system_metrics(std::int64_t interval_ms) {
  require_open();
  std::int64_t first_step = 0;
  for (const Metric& metric : record().metrics) {
    if (starts_with(metric.key, kSystemMetricsPrefix))
      first_step = std::max(first_step, metric.step + 1);
  }
  std::lock_guard<std::mutex> lock(sampling_->mutex);
  require_open();  // asked again: end() marks the run before it stops the sampler
  if (sampling_->sampler) {
    throw Error(ErrorCode::kConflict, "system metrics are logged to the run " + id_ + " already");
  }
  // Nothing of this handle, which may move.
  sampling_->sampler = std::make_unique<SystemMetricsSampler>(
      interval_ms, [session = session_, id = id_, first_step](const std::vector<Metric>& reading) {
        std::vector<Metric> metrics = reading;
        for (Metric& metric : metrics) metric.step += first_step;
        session->tracking.log_metrics(id, metrics);
      });
}

std::string Run::log_model(const Model& model, const std::string& path) {
  require_open();
  RunModelLog log;
  log.path = path;
  return log_model_of_run(session_->tracking, session_->artifacts, session_->logged_models, id_,
                          model, log)
      .uri;
}

RunRecord Run::record() const {
  if (!session_) throw Error(ErrorCode::kConflict, "this run was moved to another handle");
  return session_->tracking.run(id_);
}

void Run::end(RunStatus status) {
  if (!session_ || ended_.exchange(true)) return;
  sampling_->stop();
  try {
    session_->tracking.end_run(id_, status);
  } catch (const std::exception&) {
    ended_ = false;
    throw;
  }
}

}  // namespace mlrt
