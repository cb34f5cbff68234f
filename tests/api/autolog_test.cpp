#include "api/autolog.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>

#include "api/api_testing.hpp"
#include "core/interrupt.hpp"
#include "store/connection.hpp"
#include "store/store_testing.hpp"
#include "train/hooks.hpp"
#include "train/logistic.hpp"

using mlrt::Error;
using mlrt::Run;
using mlrt::RunRecord;
using mlrt::RunStatus;
using mlrt::Session;
using mlrt::TrainHooks;
using mlrt::Training;
using mlrt::TrainingInfo;
using mlrt::test::caught;
using mlrt::test::first_prediction;
using mlrt::test::SessionFixture;
using mlrt::test::small_model;
using mlrt::test::small_table;
using mlrt::test::tag_value;

namespace {

TrainingInfo some_training(const std::string& rate = "0.1") {
  TrainingInfo info;
  info.learner = "toy";
  info.params = {{"rate", rate}, {"rounds", "2"}};
  info.dataset_name = "taxi";
  info.dataset_digest = "0123456789abcdef";
  info.row_count = 4;
  info.columns = {{"x", "double", true}, {"label", "long", true}};
  return info;
}

struct AutologFixture : SessionFixture {
  TrainHooks hooks;
  std::optional<Run> active;

  void turn_on(const mlrt::AutologOptions& options = {}) {
    hooks.add(mlrt::make_autolog(
        session, [this] { return active ? &*active : nullptr; }, options));
  }
  RunRecord only_run() {
    const auto runs = session.tracking().list_runs({}, 10);
    REQUIRE(runs.size() == 1);
    return runs[0];
  }
};

}  // namespace

TEST_CASE_FIXTURE(AutologFixture,
                  "a training without an active run gets one of its own with all of it") {
  mlrt::AutologOptions options;
  options.source_name = "train.lua";
  turn_on(options);
  {
    Training training(&hooks, some_training());
    CHECK(only_run().status == RunStatus::kRunning);
    training.round(0, {{"loss", 0.9}});
    training.round(1, {{"loss", 0.5}, {"auc", 0.7}});
    training.finish(small_model(), {{"final", 0.4}});
  }
  const RunRecord run = only_run();
  CHECK(run.status == RunStatus::kFinished);
  CHECK(tag_value(run, "mlrt.learner") == "toy");
  CHECK(tag_value(run, "mlrt.autologging") == "true");
  CHECK(tag_value(run, "mlflow.source.name") == "train.lua");
  REQUIRE(run.params.size() == 2);
  CHECK(run.params[0].key == "rate");
  CHECK(run.params[0].value == "0.1");
  CHECK(session.tracking().metric_history(run.run_id, "loss").size() == 2);
  REQUIRE(run.metrics.size() == 3);
  CHECK(run.metrics[1].key == "final");
  CHECK(run.metrics[1].step == 1);
  CHECK(run.metrics[2].value == 0.5);
  REQUIRE(run.inputs.size() == 1);
  CHECK(run.inputs[0].name == "taxi");
  CHECK(run.inputs[0].digest == "0123456789abcdef");
  CHECK(run.inputs[0].context == "train");
  CHECK(run.inputs[0].profile == R"({"num_rows":4})");
  CHECK(run.inputs[0].source == R"({"tags":{}})");
  CHECK(run.inputs[0].schema.find(R"({"mlflow_colspec":[{"name":"x")") == 0);
  CHECK(first_prediction(*session.load_model("runs:/" + run.run_id + "/model")) ==
        first_prediction(*small_model()));
  REQUIRE(run.outputs.size() == 1);
  const mlrt::LoggedModel model = session.logged_models().get(run.outputs[0].model_id);
  CHECK(model.name == "model");
  CHECK(model.status == mlrt::LoggedModelStatus::kReady);
  CHECK(model.source_run_id == run.run_id);
  CHECK(model.params.size() == 2);
  // What is known at the end is about the model, on the data that it was fitted to.
  REQUIRE(model.metrics.size() == 1);
  CHECK(model.metrics[0].key == "final");
  CHECK(model.metrics[0].value == 0.4);
  CHECK(model.metrics[0].dataset_name == "taxi");
  CHECK(model.metrics[0].dataset_digest == "0123456789abcdef");
}

TEST_CASE_FIXTURE(AutologFixture, "a training goes to the active run and leaves it open") {
  turn_on();
  active.emplace(session.start_run("mine"));
  {
    Training training(&hooks, some_training());
    training.round(0, {{"loss", 0.9}});
    training.finish(small_model());
  }
  RunRecord run = only_run();
  CHECK(run.name == "mine");
  CHECK(run.status == RunStatus::kRunning);
  CHECK(run.metrics.size() == 1);
  // A second training in the same run: another value of a parameter is a warning, the rest is
  // logged.
  {
    Training training(&hooks, some_training("0.2"));
    training.round(1, {{"loss", 0.1}});
    training.finish(small_model(7));
  }
  run = only_run();
  CHECK(run.params[0].value == "0.1");
  CHECK(run.metrics[0].value == 0.1);
  CHECK(first_prediction(*session.load_model("runs:/" + run.run_id + "/model-2")) ==
        first_prediction(*small_model(7)));
  { Training failing(&hooks, some_training()); }
  CHECK(only_run().status == RunStatus::kRunning);
  active->end();
  { Training training(&hooks, some_training()); }
  CHECK(session.tracking().list_runs({}, 10).size() == 2);
}

TEST_CASE_FIXTURE(AutologFixture, "an active run that ends during the training does no harm") {
  turn_on();
  active.emplace(session.start_run());
  Training training(&hooks, some_training());
  active.reset();
  training.round(0, {{"loss", 0.9}});
  training.finish(small_model());
  CHECK(only_run().metrics.size() == 1);
  CHECK(only_run().status == RunStatus::kFinished);
}

TEST_CASE_FIXTURE(AutologFixture,
                  "a training that fails ends its own run as FAILED with the reason") {
  turn_on();
  try {
    Training training(&hooks, some_training());
    training.set_failure("the data was bad");
    throw std::runtime_error("x");
  } catch (const std::runtime_error&) {
  }
  CHECK(only_run().status == RunStatus::kFailed);
  CHECK(tag_value(only_run(), "mlrt.failure") == "the data was bad");
}

TEST_CASE_FIXTURE(AutologFixture, "a training that is interrupted ends its own run as KILLED") {
  turn_on();
  mlrt::request_interrupt();
  CHECK(caught([&] {
          Training training(&hooks, some_training());
          training.round(0, {{"loss", 1}});
        }).code == mlrt::ErrorCode::kInterrupted);
  mlrt::clear_interrupt();
  CHECK(only_run().status == RunStatus::kKilled);
}

TEST_CASE_FIXTURE(AutologFixture, "trainings nest") {
  turn_on();
  Training outer(&hooks, some_training());
  outer.round(0, {{"outer", 1}});
  {
    Training inner(&hooks, some_training());
    inner.round(0, {{"inner", 1}});
    inner.finish(nullptr);
  }
  outer.round(1, {{"outer", 2}});
  outer.finish(nullptr);
  const auto runs = session.tracking().list_runs({}, 10);
  REQUIRE(runs.size() == 2);
  for (const RunRecord& run : runs) {
    CHECK(run.metrics.size() == 1);
    CHECK(run.status == RunStatus::kFinished);
    CHECK(session.artifacts().list(run.run_id).empty());
  }
}

TEST_CASE_FIXTURE(AutologFixture, "what is not wanted or not known is not logged") {
  mlrt::AutologOptions options;
  options.log_model = false;
  options.log_dataset = false;
  turn_on(options);
  {
    Training training(&hooks, some_training());
    training.finish(small_model());
  }
  CHECK(only_run().inputs.empty());
  CHECK(session.artifacts().list(only_run().run_id).empty());
  hooks = TrainHooks();
  turn_on();
  TrainingInfo unknown = some_training();
  unknown.dataset_digest.clear();
  {
    Training training(&hooks, unknown);
    training.finish(nullptr);
  }
  for (const RunRecord& run : session.tracking().list_runs({}, 10)) CHECK(run.inputs.empty());
}

TEST_CASE_FIXTURE(AutologFixture, "a store that cannot be written to does not stop a training") {
  mlrt::SessionOptions short_wait;
  short_wait.store = dir.path("mlrt.db");
  short_wait.busy_timeout_ms = 20;
  hooks.add(mlrt::make_autolog(Session(short_wait), nullptr));
  mlrt::StoreConnection holder(short_wait.store, "s", mlrt::StoreOpenMode::kReadWrite, 10);
  holder.execute("BEGIN IMMEDIATE");
  {
    Training training(&hooks, some_training());
    training.round(0, {{"loss", 1}});
    training.finish(small_model(), {{"loss", 1}});
  }
  holder.execute("COMMIT");
  CHECK(session.tracking().list_runs({}, 10).empty());
}

TEST_CASE_FIXTURE(AutologFixture, "the logistic regression logs itself") {
  turn_on();
  mlrt::Table table = small_table();
  table.set(mlrt::Column::of_longs("label", {0, 1, 1, 0}));
  mlrt::FeatureSpec features;
  features.numeric = {"x"};
  mlrt::fit_logistic(table, "label", features, {}, &hooks, "small");
  const RunRecord run = only_run();
  CHECK(run.status == RunStatus::kFinished);
  CHECK(tag_value(run, "mlrt.learner") == "logistic_regression");
  CHECK_FALSE(run.params.empty());
  CHECK_FALSE(run.metrics.empty());
  REQUIRE(run.inputs.size() == 1);
  CHECK(run.inputs[0].name == "small");
  CHECK(run.inputs[0].digest == table.digest());
  CHECK(session.load_model("runs:/" + run.run_id + "/model"));
}
