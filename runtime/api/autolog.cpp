#include "api/autolog.hpp"

#include <exception>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "api/session_state.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/json.hpp"
#include "core/log.hpp"

namespace mlrt {
namespace {

class AutologObserver final : public TrainObserver {
 public:
  AutologObserver(Session session, std::function<Run*()> active_run, const AutologOptions& options)
      : session_(std::move(session)), active_run_(std::move(active_run)), options_(options) {}

  void on_begin(const TrainingInfo& info) override {
    TrainingUnderWay training;
    attempt("the beginning of a training", [&] {
      Run* active = active_run_ ? active_run_() : nullptr;
      if (active && !active->ended()) {
        training.run_id = active->id();
      } else {
        RunOptions run;
        run.source_name = options_.source_name;
        training.own_run.emplace(session_.start_run(run));
        training.run_id = training.own_run->id();
      }
    });
    for (const auto& [key, value] : info.params) training.params.push_back({key, value});
    trainings_.push_back(std::move(training));
    // By the id: the script may end or drop its run while the training goes on.
    const std::string& run_id = trainings_.back().run_id;
    if (run_id.empty()) return;
    attempt("the tags of a training", [&] {
      tracking().set_tags(run_id, {{"mlrt.learner", info.learner}, {"mlrt.autologging", "true"}});
    });
    attempt("the parameters of a training",
            [&] { tracking().log_params(run_id, trainings_.back().params); });
    if (options_.log_dataset && !info.dataset_digest.empty()) {
      attempt("the data set of a training", [&] {
        const DatasetInput dataset = describe_dataset(info);
        tracking().log_inputs(run_id, {dataset});
        trainings_.back().dataset_name = dataset.name;
        trainings_.back().dataset_digest = dataset.digest;
      });
    }
  }

  void on_round(std::int64_t step, const NamedValues& metrics) override {
    if (trainings_.empty()) return;
    trainings_.back().last_step = step;
    log_metrics(trainings_.back(), step, metrics, "");
  }

  void on_finish(const std::shared_ptr<const Model>& model, const NamedValues& metrics) override {
    if (trainings_.empty()) return;
    TrainingUnderWay training = take_last();
    if (training.run_id.empty()) return;
    std::string model_id;
    if (model && options_.log_model) {
      attempt("the model of a training", [&] {
        RunModelLog log;
        log.path = free_model_path(training.run_id);
        log.params = training.params;
        model_id = log_model_of_run(tracking(), session_.artifacts(), session_.logged_models(),
                                    training.run_id, *model, log)
                       .model_id;
      });
    }
    // What is known at the end is about the model.
    log_metrics(training, training.last_step, metrics, model_id);
    if (training.own_run) {
      attempt("the end of a training", [&] { training.own_run->end(RunStatus::kFinished); });
    }
  }

  void on_failure(const std::string& reason) noexcept override {
    try {
      if (trainings_.empty()) return;
      TrainingUnderWay training = take_last();
      if (!training.own_run) return;  // its owner says how it ends
      attempt("the failure of a training",
              [&] { training.own_run->set_tag("mlrt.failure", reason); });
      attempt("the failure of a training", [&] {
        training.own_run->end(interrupt_requested() ? RunStatus::kKilled : RunStatus::kFailed);
      });
    } catch (const std::exception& error) {
      log_error("autolog could not log the failure of a training", {{"error", error.what()}});
    }
  }

 private:
  struct TrainingUnderWay {
    std::string run_id;  // empty: no run could be had
    std::optional<Run> own_run;
    std::int64_t last_step = 0;
    std::vector<Param> params;
    std::string dataset_name, dataset_digest;  // if the data set was logged
  };

  TrackingStore& tracking() const { return session_.tracking(); }

  // Hours of training are worth more than their log.
  template <typename Action>
  void attempt(const char* what, const Action& action) {
    try {
      action();
    } catch (const Error& error) {
      log_warn(std::string("autolog could not log ") + what,
               {{"error", error.message()}, {"detail", error.detail()}});
    }
  }

  // `model_id`: the logged model that they are about; empty: none.
  void log_metrics(const TrainingUnderWay& training, std::int64_t step, const NamedValues& metrics,
                   const std::string& model_id) {
    if (training.run_id.empty() || metrics.empty()) return;
    attempt("the metrics of a training", [&] {
      std::vector<Metric> rows;
      for (const auto& [key, value] : metrics) {
        Metric row;
        row.key = key;
        row.value = value;
        row.step = step;
        row.model_id = model_id;
        if (!model_id.empty()) {
          row.dataset_name = training.dataset_name;
          row.dataset_digest = training.dataset_digest;
        }
        rows.push_back(std::move(row));
      }
      tracking().log_metrics(training.run_id, rows);
    });
  }

  TrainingUnderWay take_last() {
    TrainingUnderWay last = std::move(trainings_.back());
    trainings_.pop_back();
    return last;
  }

  std::string free_model_path(const std::string& run_id) const {
    std::set<std::string> taken;
    for (const ArtifactInfo& artifact : session_.artifacts().list(run_id)) {
      taken.insert(artifact.path);
    }
    std::string path = "model";
    for (int number = 2; taken.count(path) != 0; ++number) path = "model-" + std::to_string(number);
    return path;
  }

  // In MLflow's form, so that its client and pages can show it.
  static DatasetInput describe_dataset(const TrainingInfo& info) {
    DatasetInput dataset;
    dataset.name = info.dataset_name.empty() ? "train" : info.dataset_name;
    dataset.digest = info.dataset_digest;
    dataset.source_type = "code";
    dataset.source = dump_json(Json{{"tags", Json::object()}});
    dataset.schema =
        dump_json(Json{{"mlflow_colspec", parse_json(format_schema(info.columns), "a schema")}});
    dataset.profile = dump_json(Json{{"num_rows", info.row_count}});
    dataset.context = "train";
    return dataset;
  }

  Session session_;
  std::function<Run*()> active_run_;
  AutologOptions options_;
  std::vector<TrainingUnderWay> trainings_;  // the innermost last
};

}  // namespace

std::shared_ptr<TrainObserver> make_autolog(Session session, std::function<Run*()> active_run,
                                            const AutologOptions& options) {
  return std::make_shared<AutologObserver>(std::move(session), std::move(active_run), options);
}

}  // namespace mlrt
