#include "tracking/tracking_store.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>

#include "core/clock.hpp"
#include "core/fs.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"

using mlrt::Database;
using mlrt::DatasetInput;
using mlrt::ErrorCode;
using mlrt::Metric;
using mlrt::Param;
using mlrt::RunRecord;
using mlrt::RunStatus;
using mlrt::Tag;
using mlrt::TrackingStore;
using mlrt::Transaction;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::child_succeeded;
using mlrt::test::start_child;
using mlrt::test::TempDir;

namespace {

struct StoreFixture {
  TempDir dir;
  std::shared_ptr<Database> database = Database::open(dir.path("s.db"));
  TrackingStore store{database, dir.path("artifacts")};

  std::string new_run() { return store.create_run({}).run_id; }
  void sql(const std::string& text) {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run(text);
    transaction.commit();
  }
};

std::string tag_of(const RunRecord& run, const std::string& key) {
  for (const Tag& tag : run.tags) {
    if (tag.key == key) return tag.value;
  }
  return "(none)";
}

const double kTestInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE_FIXTURE(StoreFixture, "experiments are created, found by id and name, and listed") {
  CHECK(store.experiment("0").name == "Default");
  const std::string id = store.create_experiment("taxi");
  CHECK(id == "1");
  const mlrt::Experiment experiment = store.experiment(id);
  CHECK(experiment.name == "taxi");
  CHECK(experiment.lifecycle_stage == "active");
  CHECK(experiment.artifact_location == mlrt::fs::join(dir.path("artifacts"), "1"));
  CHECK(std::llabs(experiment.creation_time_ms - mlrt::now_ms()) < 60000);
  CHECK(store.experiment_by_name("taxi")->id == id);
  CHECK_FALSE(store.experiment_by_name("nobody").has_value());
  CHECK(store.list_experiments().size() == 2);

  const Caught taken = caught([&] { store.create_experiment("taxi"); });
  CHECK(taken.code == ErrorCode::kAlreadyExists);
  CHECK(taken.message == "Experiment(name=taxi) already exists.");
  const Caught absent = caught([&] { store.experiment("7"); });
  CHECK(absent.code == ErrorCode::kNotFound);
  CHECK(absent.message == "No Experiment with id=7 exists");
  CHECK(caught([&] { store.experiment("x"); }).has("Invalid experiment ID 'x'"));
  CHECK(caught([&] { store.create_experiment(""); }).message == "Invalid experiment name: ''");
}

TEST_CASE_FIXTURE(StoreFixture, "a run is created with its name, user and tags") {
  const RunRecord run = store.create_run({"0", "first", "ann", 1234, {{"purpose", "test"}}});
  CHECK(run.run_id.size() == 32);
  CHECK(run.name == "first");
  CHECK(run.user == "ann");
  CHECK(run.status == RunStatus::kRunning);
  CHECK(run.start_time_ms == 1234);
  CHECK(run.end_time_ms == 0);
  CHECK(run.lifecycle_stage == "active");
  CHECK(run.artifact_folder == dir.path("artifacts") + "/0/" + run.run_id + "/artifacts");
  CHECK(tag_of(run, "mlflow.runName") == "first");
  CHECK(tag_of(run, "purpose") == "test");

  const RunRecord unnamed = store.create_run({});
  CHECK_FALSE(unnamed.name.empty());
  CHECK(tag_of(unnamed, "mlflow.runName") == unnamed.name);
  CHECK(std::llabs(unnamed.start_time_ms - mlrt::now_ms()) < 60000);

  const RunRecord tagged =
      store.create_run({"0", "", "", 0, {{"mlflow.runName", "by tag"}, {"mlflow.user", "bob"}}});
  CHECK(tagged.name == "by tag");
  CHECK(tagged.user == "bob");
  CHECK(
      caught([&] {
        store.create_run({"0", "a", "", 0, {{"mlflow.runName", "b"}}});
      }).message ==
      "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
      "(run_name='a', mlflow.runName='b').");
  CHECK(caught([&] {
          store.create_run({"9", "", "", 0, {}});
        }).message == "No Experiment with id=9 exists");
  CHECK(caught([&] { store.create_run({"0", "", "", 0, {{"bad!", ""}}}); }).has("tags[0].key"));
  CHECK(store.list_runs({}, 100).size() == 3);
}

TEST_CASE_FIXTURE(StoreFixture, "an unknown run is not found, whatever is done with it") {
  const std::string id = "0123456789abcdef0123456789abcdef";
  const std::string message = "Run with id=" + id + " not found";
  CHECK(caught([&] { store.run(id); }).message == message);
  CHECK(caught([&] { store.run(id); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { store.end_run(id, RunStatus::kFinished); }).message == message);
  CHECK(caught([&] { store.log_params(id, {{"a", "1"}}); }).message == message);
  CHECK(caught([&] { store.log_metrics(id, {{"a", 1, 0, 0}}); }).message == message);
  CHECK(caught([&] { store.set_tags(id, {{"a", "1"}}); }).message == message);
  CHECK(caught([&] { store.log_inputs(id, {{"n", "d", "", "", "", "", ""}}); }).message == message);
  CHECK(caught([&] { store.metric_history(id, "a"); }).message == message);
  CHECK(caught([&] { store.log_text(id, "x", "a.txt"); }).message == message);
  CHECK(caught([&] { store.list_artifacts(id); }).message == message);
  CHECK(caught([&] { store.artifact_file(id, "a"); }).message == message);
  CHECK(caught([&] { store.run("../x"); }).has("for parameter 'run_id' supplied."));
}

TEST_CASE_FIXTURE(StoreFixture,
                  "a parameter is immutable, and a list is logged whole or not at all") {
  const std::string run = new_run();
  store.log_params(run, {{"depth", "3"}, {"rate", "0.1"}});
  store.log_params(run, {{"depth", "3"}});
  const Caught changed = caught([&] { store.log_params(run, {{"new", "1"}, {"depth", "5"}}); });
  CHECK(changed.code == ErrorCode::kInvalidParameter);
  CHECK(changed.message ==
        "Changing param values is not allowed. Param with key='depth' was already logged with "
        "value='3' "
        "for run ID='" +
            run + "'. Attempted logging new value '5'.");
  CHECK(caught([&] {
          store.log_params(run, {{"x", "1"}, {"x", "1"}});
        }).has("Duplicate parameter keys have been submitted: ['x']"));
  CHECK(caught([&] { store.log_params(run, {{"x", "1"}, {"bad!", "1"}}); }).has("params[1].key"));
  CHECK(caught([&] { store.log_params(run, {{"bad!", "1"}}); }).has("parameter 'key' supplied"));
  const RunRecord record = store.run(run);
  REQUIRE(record.params.size() == 2);
  CHECK(record.params[0].key == "depth");
  CHECK(record.params[0].value == "3");
  CHECK(record.params[1].value == "0.1");
  const std::string longer(7000, 'x');
  store.log_params(run, {{"long", longer}});
  store.log_params(run, {{"long", longer}});  // cut to the same value
}

TEST_CASE_FIXTURE(StoreFixture, "the latest metric is the greatest step, timestamp and value") {
  const std::string run = new_run();
  store.log_metrics(run, {{"a", 1, 100, 5}, {"a", 9, 200, 4}});
  CHECK(store.run(run).metrics.at(0).value == 1);
  store.log_metrics(run, {{"a", 2, 50, 5}});
  CHECK(store.run(run).metrics.at(0).value == 1);
  store.log_metrics(run, {{"a", 3, 100, 5}});
  CHECK(store.run(run).metrics.at(0).value == 3);
  store.log_metrics(run, {{"a", 2, 100, 5}, {"a", std::nan(""), 100, 5}});
  CHECK(store.run(run).metrics.at(0).value == 3);
  store.log_metrics(run, {{"a", std::nan(""), 100, 6}});
  CHECK(std::isnan(store.run(run).metrics.at(0).value));
  store.log_metrics(run, {{"a", -kTestInfinity, 100, 6}});
  CHECK(store.run(run).metrics.at(0).value == -kTestInfinity);
  store.log_metrics(run, {{"a", kTestInfinity, 100, 6}});
  CHECK(store.run(run).metrics.at(0).value == kTestInfinity);
}

TEST_CASE_FIXTURE(StoreFixture, "a metric's history is by time, step and value, duplicates once") {
  const std::string run = new_run();
  store.log_metrics(run, {{"a", 2, 100, 1}, {"a", 1, 100, 1}, {"a", 5, 50, 9}, {"a", 1, 100, 1}});
  store.log_metrics(run, {{"a", 1, 100, 1}, {"a", std::nan(""), 100, 1}, {"b", 7, 1, 1}});
  const std::vector<Metric> history = store.metric_history(run, "a");
  REQUIRE(history.size() == 4);
  CHECK(history[0].value == 5);
  CHECK(history[0].step == 9);
  CHECK(std::isnan(history[1].value));
  CHECK(history[2].value == 1);
  CHECK(history[3].value == 2);
  CHECK(history[3].key == "a");
  CHECK(store.metric_history(run, "unknown").empty());
  store.log_metrics(run, {{"now", 1, 0, 0}});
  CHECK(std::llabs(store.metric_history(run, "now").at(0).timestamp_ms - mlrt::now_ms()) < 60000);
  CHECK(caught([&] {
          store.log_metrics(run, {{"x", 1, 1, 1}, {"y", 1, -5, 1}});
        }).has("metrics[1].timestamp"));
  CHECK(store.metric_history(run, "x").empty());
}

TEST_CASE_FIXTURE(StoreFixture, "tags replace each other, and mlflow.runName renames the run") {
  const std::string run = new_run();
  store.set_tags(run, {{"a", "1"}, {"a", "2"}, {"mlflow.runName", "renamed"}});
  RunRecord record = store.run(run);
  CHECK(tag_of(record, "a") == "2");
  CHECK(record.name == "renamed");
  store.set_tags(run, {{"a", "3"}});
  CHECK(tag_of(store.run(run), "a") == "3");
  CHECK(caught([&] {
          store.set_tags(run, {{"a", "4"}, {"mlflow.runName", std::string(300, 'x')}});
        }).has("'run_name' exceeds the maximum length"));
  record = store.run(run);
  CHECK(tag_of(record, "a") == "3");
  CHECK(record.name == "renamed");
}

TEST_CASE_FIXTURE(StoreFixture, "a batch is logged whole or not at all, within its limits") {
  const std::string run = new_run();
  store.log_batch(run, {{"m", 1, 1, 1}}, {{"p", "1"}}, {{"t", "1"}});
  CHECK(caught([&] {
          store.log_batch(run, {{"m2", 1, 1, 1}}, {{"p", "2"}}, {{"t2", "1"}});
        }).has("Changing param values"));
  RunRecord record = store.run(run);
  CHECK(record.metrics.size() == 1);
  CHECK(tag_of(record, "t2") == "(none)");
  CHECK(caught([&] {
          store.log_batch(run, std::vector<Metric>(1001, {"m", 1, 1, 1}), {}, {});
        }).has("at most 1000 metrics"));
  std::vector<Param> many;
  for (int i = 0; i < 150; ++i) many.push_back({"p" + std::to_string(i), "v"});
  store.log_params(run, many);  // in process there is no limit
  CHECK(store.run(run).params.size() == 151);
}

TEST_CASE_FIXTURE(StoreFixture, "data sets are kept once, inputs once a context") {
  const std::string run = new_run();
  const DatasetInput train{"taxi", "abcd", "local", "taxi.csv", "[]", "{}", "train"};
  DatasetInput eval = train;
  eval.context = "eval";
  store.log_inputs(run, {train, eval});
  store.log_inputs(run, {train});
  const RunRecord record = store.run(run);
  REQUIRE(record.inputs.size() == 2);
  CHECK(record.inputs[0].context == "eval");
  CHECK(record.inputs[1].context == "train");
  CHECK(record.inputs[1].name == "taxi");
  CHECK(record.inputs[1].digest == "abcd");
  CHECK(record.inputs[1].source == "taxi.csv");
  CHECK(record.inputs[1].schema == "[]");
  CHECK(caught([&] {
          store.log_inputs(run, {train, {}});
        }).message == "Dataset name cannot be empty");
}

TEST_CASE_FIXTURE(StoreFixture, "a run ends with a status and a time") {
  const std::string run = new_run();
  store.end_run(run, RunStatus::kFailed, 4321);
  CHECK(store.run(run).status == RunStatus::kFailed);
  CHECK(store.run(run).end_time_ms == 4321);
  store.end_run(run, RunStatus::kFinished);
  CHECK(store.run(run).status == RunStatus::kFinished);
  CHECK(std::llabs(store.run(run).end_time_ms - mlrt::now_ms()) < 60000);
  const Caught error = caught([&] { store.end_run(run, RunStatus::kRunning); });
  CHECK(error.message == "a run ends as FINISHED, FAILED or KILLED, not as RUNNING");
}

TEST_CASE_FIXTURE(
    StoreFixture,
    "runs are listed newest first, by experiment, up to a limit, without deleted ones") {
  const std::string other = store.create_experiment("other");
  const std::string a = store.create_run({"0", "a", "", 100, {}}).run_id;
  const std::string b = store.create_run({"0", "b", "", 300, {}}).run_id;
  const std::string c = store.create_run({other, "c", "", 200, {}}).run_id;
  store.log_params(c, {{"k", "v"}});
  const auto names = [](const std::vector<RunRecord>& runs) {
    std::string all;
    for (const RunRecord& run : runs) all += run.name;
    return all;
  };
  CHECK(names(store.list_runs({}, 10)) == "bca");
  CHECK(names(store.list_runs({}, 2)) == "bc");
  CHECK(names(store.list_runs({}, 0)) == "");
  CHECK(names(store.list_runs({"0"}, 10)) == "ba");
  CHECK(names(store.list_runs({other, "0", other}, 10)) == "bca");
  CHECK(names(store.list_runs({other, "0"}, 1)) == "b");
  CHECK(names(store.list_runs({"77"}, 10)) == "");
  CHECK(store.list_runs({other}, std::numeric_limits<std::size_t>::max()).at(0).params.size() == 1);
  CHECK(caught([&] { store.list_runs({"x"}, 1); }).has("Invalid experiment ID"));
  sql("UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_id = '" + b + "'");
  CHECK(names(store.list_runs({}, 10)) == "ca");
}

TEST_CASE_FIXTURE(StoreFixture, "a deleted run or experiment takes no more") {
  const std::string run = new_run();
  sql("UPDATE runs SET lifecycle_stage = 'deleted'");
  const std::string message =
      "The run " + run + " must be in the 'active' state. Current state is deleted.";
  const Caught error = caught([&] { store.log_params(run, {{"a", "1"}}); });
  CHECK(error.code == ErrorCode::kInvalidParameter);
  CHECK(error.message == message);
  CHECK(caught([&] { store.log_metrics(run, {{"a", 1, 0, 0}}); }).message == message);
  CHECK(caught([&] { store.set_tags(run, {{"a", "1"}}); }).message == message);
  CHECK(caught([&] { store.end_run(run, RunStatus::kKilled); }).message == message);
  CHECK(caught([&] { store.log_text(run, "x", "a.txt"); }).message == message);
  CHECK(store.run(run).lifecycle_stage == "deleted");
  sql("UPDATE experiments SET lifecycle_stage = 'deleted'");
  CHECK(caught([&] { store.create_run({}); }).message ==
        "The experiment 0 must be in the 'active' state. Current state is deleted.");
}

TEST_CASE_FIXTURE(StoreFixture, "what a killed process left half-written is no artifact") {
  const std::string run = new_run();
  store.log_text(run, "hello", "hello.txt");
  const std::string folder = store.run(run).artifact_folder;
  const std::string left = ".model.bcd19f92380cd17a.tmp";
  mlrt::fs::make_folders(mlrt::fs::join(folder, left));
  mlrt::fs::write_file(mlrt::fs::join(folder, left + "/MLmodel"), "x");
  mlrt::fs::write_file(mlrt::fs::join(folder, ".hello.txt.9fade13ccaf749c2.tmp"), "hel");
  mlrt::fs::write_file(mlrt::fs::join(folder, ".9fade13ccaf749c2.tmp"), "hel");
  store.log_text(run, "mine", ".hidden.tmp");
  CHECK(store.list_artifacts(run) == std::vector<std::string>{".hidden.tmp", "hello.txt"});
}

TEST_CASE_FIXTURE(StoreFixture, "artifacts are files below the run's folder") {
  const std::string run = new_run();
  CHECK(store.list_artifacts(run).empty());
  mlrt::fs::write_file(dir.path("plot \xc3\xa9.svg"), "<svg/>");
  store.log_artifact(run, dir.path("plot \xc3\xa9.svg"));
  store.log_artifact(run, dir.path("plot \xc3\xa9.svg"), "plots/svg");
  store.log_text(run, "hello", "notes/hello.txt");
  store.log_text(run, "hello again", "notes/hello.txt");
  CHECK(store.list_artifacts(run) == std::vector<std::string>{"notes/hello.txt",
                                                              "plot \xc3\xa9.svg",
                                                              "plots/svg/plot \xc3\xa9.svg"});
  CHECK(mlrt::fs::read_file(store.artifact_file(run, "notes/hello.txt")) == "hello again");
  CHECK(mlrt::fs::is_folder(store.artifact_file(run, "plots")));
  const Caught absent = caught([&] { store.artifact_file(run, "notes/helo.txt"); });
  CHECK(absent.code == ErrorCode::kNotFound);
  CHECK(absent.message ==
        "the run " + run + " has no artifact 'notes/helo.txt'; did you mean 'notes/hello.txt'?");
  for (const char* bad : {"../x", "/x", "a/../../x", "%2e%2e/x", "a#b"}) {
    CHECK(caught([&] { store.log_text(run, "x", bad); }).message.find("Invalid path") == 0);
    CHECK(caught([&] {
            store.log_artifact(run, dir.path("s.db"), bad);
          }).message.find("Invalid path") == 0);
    CHECK(caught([&] { store.artifact_file(run, bad); }).message.find("Invalid path") == 0);
  }
  CHECK(caught([&] { store.log_text(run, "x", ""); }).message.find("Invalid path") == 0);
  CHECK(caught([&] { store.log_artifact(run, dir.path("absent")); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] {
          store.log_artifact(run, dir.path());
        }).has("is a folder: an artifact is a file"));
}

TEST_CASE_FIXTURE(StoreFixture,
                  "an artifact that fails at any system call leaves nothing or is whole") {
  const std::string run = new_run();
  mlrt::fs::write_file(dir.path("data.bin"), std::string(100000, 'd'));
  store.log_text(run, "kept", "kept.txt");
  bool succeeded = false;
  int failures = 0;
  for (int fail_at = 1; !succeeded && fail_at < 200; ++fail_at) {
    int calls = 0;
    mlrt::fs::set_fault_hook(
        [&](mlrt::fs::Op, const std::string&) { return ++calls == fail_at ? EIO : 0; });
    const std::string folder = "n" + std::to_string(fail_at);
    const Caught error = caught([&] { store.log_artifact(run, dir.path("data.bin"), folder); });
    mlrt::fs::set_fault_hook({});
    succeeded = error.message.empty();
    failures += succeeded ? 0 : 1;
    std::vector<std::string> expected = {"kept.txt"};
    if (succeeded) expected.push_back(folder + "/data.bin");
    CHECK(store.list_artifacts(run) == expected);
  }
  CHECK(succeeded);
  CHECK(failures > 5);
}

TEST_CASE("four processes that log 200 times each never meet a locked store") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  std::string run;
  {
    TrackingStore store(Database::open(path), dir.path("a"));
    run = store.create_run({}).run_id;
  }
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(start_child([&, i] {
      TrackingStore store(Database::open(path), dir.path("a"));
      for (int n = 0; n < 200; ++n) {
        store.log_metrics(
            run, {{"m", i * 1000.0 + n, 1 + n, n}, {"p" + std::to_string(i), 1.0 * n, 1, n}});
      }
    }));
  }
  for (pid_t child : children) CHECK(child_succeeded(child));
  TrackingStore store(Database::open(path), dir.path("a"));
  CHECK(store.metric_history(run, "m").size() == 800);
  CHECK(store.run(run).metrics.at(0).value == 3199);
  CHECK(store.run(run).metrics.size() == 5);
}
