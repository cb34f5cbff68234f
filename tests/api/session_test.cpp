#include "api/session.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "api/api_testing.hpp"
#include "bundle/bundle.hpp"
#include "core/interrupt.hpp"
#include "store/connection.hpp"
#include "store/store_testing.hpp"

using mlrt::ErrorCode;
using mlrt::Run;
using mlrt::RunOptions;
using mlrt::RunRecord;
using mlrt::RunStatus;
using mlrt::Session;
using mlrt::SessionOptions;
using mlrt::test::become_ordinary_user;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::child_succeeded;
using mlrt::test::first_prediction;
using mlrt::test::require_in_child;
using mlrt::test::SessionFixture;
using mlrt::test::small_model;
using mlrt::test::start_child;
using mlrt::test::tag_value;
using mlrt::test::TempDir;

TEST_CASE("a session creates its store and names its artifacts after it") {
  TempDir dir;
  Session session(dir.path("work.db"));
  CHECK(session.store() == dir.path("work.db"));
  CHECK(session.tracking().artifact_root() == dir.path("work-artifacts"));
  SessionOptions options;
  options.store = dir.path("plain");
  options.artifact_root = dir.path("elsewhere");
  CHECK(Session(options).tracking().artifact_root() == dir.path("elsewhere"));
  options.store = dir.path("absent.db");
  options.must_exist = true;
  const Caught error = caught([&] { Session{options}; });
  CHECK(error.code == ErrorCode::kNotFound);
  CHECK(error.has("there is no store"));
}

TEST_CASE("a store keeps the artifact root that it was opened with, for all who open it later") {
  TempDir dir, moved;
  SessionOptions options;
  options.store = dir.path("e.db");
  options.artifact_root = dir.path("arts/");
  std::string run_id;
  {
    Session session(options);
    CHECK(session.tracking().artifact_root() == dir.path("arts"));
    run_id = session.start_run("r").id();
    session.artifacts().log_bytes(run_id, "hello", "a.txt");
  }
  const auto kept = [](const std::string& store) {
    return Session(store).tracking().artifact_root();
  };
  CHECK(kept(dir.path("e.db")) == dir.path("arts"));
  CHECK(Session(dir.path("e.db")).artifacts().list(run_id).size() == 1);
  options.artifact_root = dir.path("not-kept");
  options.keep_artifact_root = false;
  CHECK(Session(options).tracking().artifact_root() == dir.path("not-kept"));
  CHECK_FALSE(mlrt::fs::exists(dir.path("not-kept")));
  CHECK(kept(dir.path("e.db")) == dir.path("arts"));
  // Below the store's folder it is kept relative to that.
  mlrt::fs::rename(dir.path("e.db"), moved.path("e.db"));
  mlrt::fs::rename(dir.path("arts"), moved.path("arts"));
  CHECK(kept(moved.path("e.db")) == moved.path("arts"));
  options.store = moved.path("e.db");
  options.artifact_root = dir.path("elsewhere");
  options.keep_artifact_root = true;
  CHECK(Session(options).tracking().artifact_root() == dir.path("elsewhere"));
  CHECK(kept(moved.path("e.db")) == dir.path("elsewhere"));
  options.artifact_root = moved.path();
  CHECK(Session(options).tracking().artifact_root() == moved.path());
  CHECK(kept(moved.path("e.db")) == moved.path());
  mlrt::fs::write_file(moved.path("file"), "x");
  options.artifact_root = moved.path("file/below");
  CHECK(caught([&] { Session{options}; }).has("artifacts cannot be kept in"));
  CHECK(kept(moved.path("e.db")) == moved.path());
}

TEST_CASE("the store is MLRT_STORE where none is named") {
  TempDir dir;
  setenv("MLRT_STORE", dir.path("by variable.db").c_str(), 1);
  CHECK(Session().store() == dir.path("by variable.db"));
  CHECK(Session(dir.path("named.db")).store() == dir.path("named.db"));
  unsetenv("MLRT_STORE");
}

TEST_CASE_FIXTURE(SessionFixture, "a run logs everything and ends FINISHED") {
  std::string id;
  mlrt::fs::write_file(dir.path("plot.svg"), "<svg/>");
  {
    Run run = session.start_run("first");
    id = run.id();
    CHECK(run.name() == "first");
    CHECK(run.experiment_id() == "0");
    CHECK_FALSE(run.ended());
    run.log_param("depth", "3");
    run.log_params({{"a", "1"}, {"b", "2"}});
    run.log_metric("loss", 0.5, 1);
    run.log_metric("loss", 0.25, 2);
    run.log_metrics({{"auc", 0.9}, {"acc", 0.8}});
    run.set_tag("purpose", "test");
    run.log_input({"taxi", "abc", "local", "taxi.csv", "", "", "train", {}});
    run.log_artifact(dir.path("plot.svg"), "plots");
    run.log_text("hello", "notes.txt");
    CHECK(run.log_model(*small_model()) == "runs:/" + id + "/model");
    CHECK(run.record().status == RunStatus::kRunning);
  }
  const RunRecord record = session.tracking().run(id);
  CHECK(record.status == RunStatus::kFinished);
  CHECK(record.end_time_ms > 0);
  CHECK(record.params.size() == 3);
  REQUIRE(record.metrics.size() == 3);
  CHECK(record.metrics[2].value == 0.25);
  CHECK(record.metrics[2].step == 2);
  CHECK(record.inputs.size() == 1);
  CHECK(tag_value(record, "purpose") == "test");
  std::vector<std::string> files;
  for (const auto& info : session.artifacts().list(id, "", true)) files.push_back(info.path);
  CHECK(std::count(files.begin(), files.end(), "model/MLmodel") == 1);
  CHECK(std::count(files.begin(), files.end(), "plots/plot.svg") == 1);
  CHECK(first_prediction(*session.load_model("runs:/" + id + "/model")) ==
        first_prediction(*small_model()));
}

TEST_CASE_FIXTURE(SessionFixture, "a run says who started it and from what") {
  setenv("LOGNAME", "ann", 1);
  RunOptions options;
  options.source_name = "train.lua";
  options.tags = {{"team", "edge"}};
  Run run = session.start_run(options);
  const RunRecord record = run.record();
  CHECK(record.user == "ann");
  CHECK(tag_value(record, "mlflow.user") == "ann");
  CHECK(tag_value(record, "mlflow.source.name") == "train.lua");
  CHECK(tag_value(record, "mlflow.source.type") == "LOCAL");
  CHECK(tag_value(record, "mlflow.runName") == run.name());
  CHECK(tag_value(record, "team") == "edge");
  CHECK(tag_value(record, "mlflow.parentRunId") == "(none)");
  RunOptions child;
  child.parent_run_id = run.id();
  Run nested = session.start_run(child);
  CHECK(tag_value(nested.record(), "mlflow.parentRunId") == run.id());
  CHECK(tag_value(nested.record(), "mlflow.source.name").find("test_api") != std::string::npos);
  child.parent_run_id = "nobody";
  CHECK(caught([&] { session.start_run(child); }).message == "Run with id=nobody not found");
}

TEST_CASE_FIXTURE(SessionFixture, "runs go to the experiment of the session or of the call") {
  session.set_experiment("taxi");
  Run one = session.start_run();
  RunOptions options;
  options.experiment = "other";
  Run two = session.start_run(options);
  Run three = session.start_run(options);
  CHECK(session.tracking().experiment(one.experiment_id()).name == "taxi");
  CHECK(session.tracking().experiment(two.experiment_id()).name == "other");
  CHECK(three.experiment_id() == two.experiment_id());
  CHECK(caught([&] { session.set_experiment(""); }).message == "Invalid experiment name: ''");
  Session(dir.path("mlrt.db")).set_experiment("taxi");
  CHECK(session.tracking().list_experiments().size() == 3);
}

TEST_CASE_FIXTURE(SessionFixture,
                  "a run left by an exception is FAILED, one after an interrupt KILLED") {
  std::string id;
  try {
    Run run = session.start_run();
    id = run.id();
    throw std::runtime_error("something");
  } catch (const std::runtime_error&) {
    // A run that begins and ends while another exception is handled is not hurt by it.
    Run inner = session.start_run();
    const std::string inner_id = inner.id();
    { Run moved = std::move(inner); }
    CHECK(session.tracking().run(inner_id).status == RunStatus::kFinished);
  }
  CHECK(session.tracking().run(id).status == RunStatus::kFailed);
  try {
    Run run = session.start_run();
    id = run.id();
    mlrt::request_interrupt();
    mlrt::check_interrupt();
  } catch (const mlrt::Error& error) {
    CHECK(error.code() == ErrorCode::kInterrupted);
  }
  mlrt::clear_interrupt();
  CHECK(session.tracking().run(id).status == RunStatus::kKilled);
}

TEST_CASE_FIXTURE(SessionFixture, "a run that has ended takes no more, and its first end stands") {
  Run run = session.start_run();
  run.end(RunStatus::kFailed);
  run.end();
  CHECK(run.ended());
  CHECK(run.record().status == RunStatus::kFailed);
  const Caught error = caught([&] { run.log_param("a", "1"); });
  CHECK(error.code == ErrorCode::kConflict);
  CHECK(error.message == "the run " + run.id() + " has ended: nothing more can be logged to it");
  CHECK(caught([&] { run.log_metric("a", 1); }).code == ErrorCode::kConflict);
  CHECK(caught([&] { run.set_tag("a", "1"); }).code == ErrorCode::kConflict);
  CHECK(caught([&] { run.log_text("a", "b"); }).code == ErrorCode::kConflict);
  CHECK(caught([&] { run.log_model(*small_model()); }).code == ErrorCode::kConflict);
}

TEST_CASE_FIXTURE(SessionFixture, "a run moves, and what it replaces ends") {
  Run run = session.start_run();
  const std::string first = run.id();
  Run other = session.start_run();
  const std::string second = other.id();
  run = std::move(other);
  CHECK(run.id() == second);
  CHECK(session.tracking().run(first).status == RunStatus::kFinished);
  CHECK(session.tracking().run(second).status == RunStatus::kRunning);
  run.log_param("a", "1");
  CHECK(caught([&] { other.log_param("a", "1"); }).has("was moved to another handle"));
}

TEST_CASE_FIXTURE(SessionFixture, "a run outlives its session") {
  auto own = std::make_unique<Session>(dir.path("mlrt.db"));
  Run run = own->start_run();
  own.reset();
  run.log_param("a", "1");
  run.end();
  CHECK(session.tracking().run(run.id()).params.size() == 1);
}

TEST_CASE_FIXTURE(SessionFixture,
                  "a run that cannot be ended is not an exception out of a destructor") {
  SessionOptions options;
  options.store = dir.path("mlrt.db");
  options.busy_timeout_ms = 50;
  Session short_session(options);
  std::string id;
  {
    Run run = short_session.start_run();
    id = run.id();
    auto holder = std::make_unique<mlrt::StoreConnection>(options.store, "s",
                                                          mlrt::StoreOpenMode::kReadWrite, 10);
    holder->execute("BEGIN IMMEDIATE");
    CHECK(caught([&] { run.end(); }).code == ErrorCode::kUnavailable);
    CHECK_FALSE(run.ended());
    Run dropped = std::move(run);
    { Run gone = std::move(dropped); }  // only a line on the log
    holder->execute("COMMIT");
  }
  CHECK(session.tracking().run(id).status == RunStatus::kRunning);
}

TEST_CASE_FIXTURE(SessionFixture, "a model is logged once under a path") {
  Run run = session.start_run();
  run.log_model(*small_model(), "models/linear");
  const Caught error = caught([&] { run.log_model(*small_model(), "models/linear"); });
  CHECK(error.code == ErrorCode::kAlreadyExists);
  CHECK(error.has("has an artifact 'models/linear' already"));
  CHECK(caught([&] { run.log_model(*small_model(), "../x"); }).message.find("Invalid path") == 0);
}

TEST_CASE("a read-only store is read, and nothing can be logged to it") {
  TempDir dir;
  std::string id;
  {
    Session session(dir.path("mlrt.db"));
    id = session.start_run("kept").id();
  }
  REQUIRE(chmod(dir.path("mlrt.db").c_str(), 0444) == 0);
  REQUIRE(chmod(dir.path().c_str(), 0555) == 0);
  const pid_t child = start_child([&] {
    become_ordinary_user();
    Session session(dir.path("mlrt.db"));
    require_in_child(session.tracking().run(id).name == "kept", "not read");
    const Caught error = caught([&] { session.start_run(); });
    require_in_child(error.code == ErrorCode::kPermissionDenied && error.has("is read-only"),
                     error.message);
  });
  CHECK(child_succeeded(child));
  REQUIRE(chmod(dir.path().c_str(), 0755) == 0);
}

TEST_CASE_FIXTURE(SessionFixture, "threads share a session and a run") {
  Run run = session.start_run();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        run.log_metric("m" + std::to_string(i), n, n);
        if (n % 10 == 0) {
          session.set_experiment("e" + std::to_string(i));
          Run own = session.start_run();
          own.log_text("x", "x.txt");
        }
        session.tracking().list_runs({}, 10);
        session.registry().search_models();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(run.record().metrics.size() == 4);
  CHECK(session.tracking().list_runs({}, 100).size() == 13);
}
