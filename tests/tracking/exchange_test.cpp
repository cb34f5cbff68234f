#include "tracking/exchange.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/fs.hpp"
#include "store/connection.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/artifacts.hpp"
#include "tracking/logged_models.hpp"
#include "tracking/tfevents_builder.hpp"

using mlrt::Database;
using mlrt::ErrorCode;
using mlrt::export_mlflow;
using mlrt::import_tracking;
using mlrt::ImportOptions;
using mlrt::ImportReport;
using mlrt::Metric;
using mlrt::RunRecord;
using mlrt::StoreConnection;
using mlrt::StoreOpenMode;
using mlrt::TrackingStore;
using mlrt::Transaction;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::TempDir;
namespace tf = mlrt::test::tfevents;
namespace fs = mlrt::fs;

namespace {

const char kExchangeRunId[] = "0123456789abcdef0123456789abcdef";

struct ExchangeStore {
  explicit ExchangeStore(const std::string& path)
      : database(Database::open(path)), store(database, path + "-artifacts") {}
  ImportReport import(const std::string& path, const ImportOptions& options = {}) {
    return import_tracking(store, database, path, options);
  }
  std::shared_ptr<Database> database;
  TrackingStore store;
};

void exchange_write(const std::string& path, const std::string& text) {
  fs::make_folders(fs::parent(path));
  fs::write_file(path, text);
}

// Runs SQL on a database that is not a store.
void exchange_sql(const std::string& path, const std::string& sql) {
  StoreConnection(path, path, StoreOpenMode::kReadWrite, 1000).execute(sql);
}

std::string exchange_problems(const ImportReport& report) {
  std::string all;
  for (const std::string& problem : report.problems) all += problem + "\n";
  return all;
}

// One experiment with one run, as MLflow's file store writes them.
void exchange_write_mlruns(const std::string& root) {
  exchange_write(root + "/0/meta.yaml",
                 "artifact_location: /x/0\nexperiment_id: '0'\nlifecycle_stage: active\n"
                 "name: Default\n");
  exchange_write(root + "/123456789012345678/meta.yaml",
                 "artifact_location: /x/1\ncreation_time: 1000\nexperiment_id: "
                 "'123456789012345678'\nlast_update_time: 2000\nlifecycle_stage: active\nname: "
                 "taxi\n");
  const std::string run = root + "/123456789012345678/" + kExchangeRunId;
  exchange_write(run + "/meta.yaml",
                 "artifact_uri: /x/1/a\nend_time: 5000\nexperiment_id: '123456789012345678'\n"
                 "lifecycle_stage: active\nrun_id: " +
                     std::string(kExchangeRunId) +
                     "\nrun_name: first\nstart_time: 4000\nstatus: 3\nuser_id: ann\n");
  exchange_write(run + "/params/model/depth", "3");
  exchange_write(run + "/tags/mlflow.runName", "first");
  exchange_write(run + "/metrics/loss", "10 1.5 0\n20 nan 1\n30 -inf 2\n40 7\n");
  exchange_write(run + "/artifacts/notes/a.txt", "hello");
}

// The oldest database that counts: MLflow 1.0's, without what came later.
void exchange_write_old_database(const std::string& path) {
  exchange_sql(path, R"sql(
CREATE TABLE experiments (experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL,
  artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32));
CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(250), user_id
  VARCHAR(256), status VARCHAR(20), start_time BIGINT, end_time BIGINT,
  lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER);
CREATE TABLE metrics ("key" VARCHAR(250), value FLOAT, timestamp BIGINT, run_uuid VARCHAR(32));
CREATE TABLE params ("key" VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32));
CREATE TABLE tags ("key" VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32));
INSERT INTO experiments VALUES (0, 'Default', './mlruns/0', 'active'), (7, 'old', '/x', 'active');
INSERT INTO runs VALUES ('0123456789abcdef0123456789abcdef', '', 'ann', 'FINISHED', 100, 200,
  'active', 's3://bucket/7/r/artifacts', 7);
INSERT INTO metrics VALUES ('loss', 0.5, 110, '0123456789abcdef0123456789abcdef'),
  ('loss', 0.25, 120, '0123456789abcdef0123456789abcdef');
INSERT INTO params VALUES ('lr', '0.1', '0123456789abcdef0123456789abcdef');
INSERT INTO tags VALUES ('mlflow.runName', 'shiny', '0123456789abcdef0123456789abcdef');
)sql");
}

}  // namespace

TEST_CASE("an mlruns folder is imported with its ids, times, values and files") {
  TempDir dir;
  exchange_write_mlruns(dir.path("mlruns"));
  ExchangeStore s(dir.path("s.db"));
  const ImportReport report = s.import(dir.path("mlruns"));
  CHECK(exchange_problems(report) == "");
  CHECK(report.experiments == 1);
  CHECK(report.runs == 1);
  CHECK(report.params == 1);
  CHECK(report.tags == 1);
  CHECK(report.metrics == 4);
  CHECK(report.artifacts == 1);
  const RunRecord run = s.store.run(kExchangeRunId);
  CHECK(run.name == "first");
  CHECK(run.user == "ann");
  CHECK(run.experiment_id == "123456789012345678");
  CHECK(run.status == mlrt::RunStatus::kFinished);
  CHECK(run.start_time_ms == 4000);
  CHECK(run.end_time_ms == 5000);
  REQUIRE(run.params.size() == 1);
  CHECK(run.params[0].key == "model/depth");
  CHECK(run.params[0].value == "3");
  const std::vector<Metric> history = s.store.metric_history(kExchangeRunId, "loss");
  REQUIRE(history.size() == 4);
  CHECK(history[0].value == 1.5);
  CHECK(std::isnan(history[1].value));
  CHECK(history[2].value == -std::numeric_limits<double>::infinity());
  CHECK(history[3].step == 0);
  CHECK(history[3].timestamp_ms == 40);
  CHECK(s.store.experiment("123456789012345678").creation_time_ms == 1000);
  const mlrt::ArtifactStore artifacts(s.database, s.store.artifact_root());
  CHECK(fs::read_file(artifacts.locate(kExchangeRunId, "notes/a.txt")) == "hello");
  CHECK(artifacts.damaged(kExchangeRunId).empty());
}

TEST_CASE("importing a source again adds only what is new") {
  TempDir dir;
  const std::string mlruns = dir.path("mlruns");
  exchange_write_mlruns(mlruns);
  ExchangeStore s(dir.path("s.db"));
  s.import(mlruns);
  ImportReport again = s.import(mlruns);
  CHECK(again.experiments + again.runs + again.params + again.tags + again.metrics +
            again.artifacts ==
        0);
  const std::string run = mlruns + "/123456789012345678/" + kExchangeRunId;
  exchange_write(run + "/metrics/loss", "10 1.5 0\n20 nan 1\n30 -inf 2\n40 7\n50 0.5 3\n");
  exchange_write(run + "/params/new", "1");
  again = s.import(mlruns);
  CHECK(again.metrics == 1);
  CHECK(again.params == 1);
  CHECK(again.runs == 0);
  CHECK(s.store.metric_history(kExchangeRunId, "loss").size() == 5);
}

TEST_CASE("a parameter that another value has here is a problem and stays") {
  TempDir dir;
  const std::string mlruns = dir.path("mlruns");
  exchange_write_mlruns(mlruns);
  ExchangeStore s(dir.path("s.db"));
  s.import(mlruns);
  exchange_write(mlruns + "/123456789012345678/" + kExchangeRunId + "/params/model/depth", "9");
  const ImportReport again = s.import(mlruns);
  REQUIRE(again.problems.size() == 1);
  CHECK(again.problems[0].find("is '3' in the store and '9' in the source; it stays as it is") !=
        std::string::npos);
  CHECK(s.store.run(kExchangeRunId).params[0].value == "3");
}

TEST_CASE("what is wrong in an mlruns folder is listed with its place, the rest is imported") {
  TempDir dir;
  const std::string mlruns = dir.path("mlruns");
  exchange_write_mlruns(mlruns);
  const std::string experiment = mlruns + "/123456789012345678/";
  exchange_write(experiment + kExchangeRunId + "/metrics/acc", "1 0.5 0\nnonsense\n2 x 1\n3 0.7 1");
  exchange_write(experiment + "aaaa/meta.yaml", "run_id: [broken");
  fs::make_folders(experiment + "bbbb");
  exchange_write(experiment + "cccc/meta.yaml",
                 "run_id: cccc\nexperiment_id: '5'\nstatus: 3\nlifecycle_stage: active\n");
  ExchangeStore s(dir.path("s.db"));
  const ImportReport report = s.import(mlruns);
  const std::string problems = exchange_problems(report);
  CHECK(report.runs == 1);
  CHECK(s.store.metric_history(kExchangeRunId, "acc").size() == 2);
  CHECK(problems.find("/metrics/acc:2: not a metric ('nonsense'): expected 'time value step'") !=
        std::string::npos);
  CHECK(problems.find("/metrics/acc:3: not a metric") != std::string::npos);
  CHECK(problems.find("123456789012345678/aaaa: ") != std::string::npos);
  CHECK(problems.find("123456789012345678/bbbb: there is no meta.yaml: it is left out") !=
        std::string::npos);
  CHECK(problems.find("of the experiment '5', which was not imported") != std::string::npos);
  CHECK(report.problems.size() == 5);
}

TEST_CASE("a database of MLflow 1 is imported, with names from tags and steps of zero") {
  TempDir dir;
  exchange_write_old_database(dir.path("old.db"));
  const std::string before = fs::read_file(dir.path("old.db"));
  ExchangeStore s(dir.path("s.db"));
  const ImportReport report = s.import(dir.path("old.db"));
  CHECK(report.experiments == 1);
  CHECK(report.metrics == 2);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0] ==
        "s3://: the artifacts of 1 runs or models lie there and were not copied");
  const RunRecord run = s.store.run(kExchangeRunId);
  CHECK(run.name == "shiny");
  CHECK(run.experiment_id == "7");
  CHECK(run.metrics[0].value == 0.25);
  CHECK(run.metrics[0].step == 0);
  CHECK(fs::read_file(dir.path("old.db")) == before);
  CHECK(s.import(dir.path("old.db")).metrics == 0);
}

TEST_CASE("an experiment whose id is taken by another one gets a new id") {
  TempDir dir;
  exchange_write_old_database(dir.path("old.db"));
  ExchangeStore s(dir.path("s.db"));
  for (int i = 1; i <= 7; ++i) s.store.create_experiment("mine " + std::to_string(i));
  s.import(dir.path("old.db"));
  CHECK(s.store.experiment("7").name == "mine 7");
  CHECK(s.store.run(kExchangeRunId).experiment_id == "8");
  CHECK(s.store.experiment("8").name == "old");
  s.import(dir.path("old.db"));
  CHECK(s.store.list_experiments().size() == 9);
}

TEST_CASE("rows of an MLflow database that break the rules are listed, the others imported") {
  TempDir dir;
  const std::string path = dir.path("bad.db");
  exchange_write_old_database(path);
  exchange_sql(path, R"sql(
INSERT INTO experiments VALUES (8, '', '', 'active');
INSERT INTO runs VALUES ('../evil', '', '', 'FINISHED', 1, 2, 'active', 'file:///etc', 7);
INSERT INTO runs VALUES ('beef', 'b', '', 'DANCING', 1, 2, 'active', 'file:///etc', 7);
INSERT INTO params VALUES ('bad#key', 'x', 'beef'), ('k', 'x', 'nobody'), ('fine', 'y', 'beef');
INSERT INTO metrics VALUES ('m', 1, 2, 'nobody');
INSERT INTO metrics VALUES ('m', 'text', 2, 'beef');
)sql");
  ExchangeStore s(dir.path("s.db"));
  const ImportReport report = s.import(path);
  const std::string problems = exchange_problems(report);
  CHECK(problems.find("experiments, row 8: ") != std::string::npos);
  CHECK(problems.find("runs, row 2: ") != std::string::npos);
  CHECK(problems.find("the run's status 'DANCING' is none of MLflow's") != std::string::npos);
  CHECK(problems.find("params, row 2: ") != std::string::npos);
  CHECK(problems.find("params: 1 rows of the run 'nobody', which was not imported") !=
        std::string::npos);
  CHECK(report.runs == 2);
  CHECK(report.artifacts == 0);
  CHECK(s.store.run("beef").params.size() == 1);
  CHECK(problems.find("metrics, row 4: the value of the metric 'm' of the run beef is no number") !=
        std::string::npos);
  CHECK(s.store.run("beef").metrics.empty());
}

TEST_CASE("views of a hostile database are not run") {
  TempDir dir;
  const std::string path = dir.path("view.db");
  exchange_write_old_database(path);
  exchange_sql(
      path,
      "DROP TABLE metrics; CREATE VIEW metrics AS WITH RECURSIVE t(key) AS (SELECT 1 UNION "
      "ALL SELECT key + 1 FROM t) SELECT key, 1 AS value, 1 AS timestamp, "
      "'0123456789abcdef0123456789abcdef' AS run_uuid FROM t");
  ExchangeStore s(dir.path("s.db"));
  CHECK(s.import(path).metrics == 0);
  CHECK(s.store.run(kExchangeRunId).params.size() == 1);
}

TEST_CASE("a damaged MLflow database never crashes, and what is sound is imported") {
  TempDir dir;
  const std::string path = dir.path("big.db");
  exchange_write_old_database(path);
  exchange_sql(path,
               "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
               "INSERT INTO metrics SELECT 'm', i, i, '0123456789abcdef0123456789abcdef' FROM n");
  const std::string whole = fs::read_file(path);
  std::size_t some = 0;
  for (std::size_t at = 0; at < whole.size(); at += 1531) {
    std::string damaged = whole;
    for (std::size_t i = at; i < std::min(at + 64, whole.size()); ++i) damaged[i] ^= '\x5a';
    fs::write_file(dir.path("damaged.db"), damaged);
    ExchangeStore s(dir.path("s" + std::to_string(at) + ".db"));
    try {
      const ImportReport report = s.import(dir.path("damaged.db"));
      CHECK(report.metrics <= 3002);
      some += report.metrics > 0 && !report.problems.empty() ? 1 : 0;
    } catch (const mlrt::Error& error) {
      const bool stated = error.code() == ErrorCode::kDataCorrupt ||
                          error.code() == ErrorCode::kInvalidParameter ||
                          error.code() == ErrorCode::kIo;
      CHECK_MESSAGE(stated, error.message());
    }
    CHECK(fs::read_file(dir.path("damaged.db")) == damaged);
  }
  CHECK(some > 0);
}

TEST_CASE("event files are imported as runs named after their folders") {
  TempDir dir;
  std::string file = tf::record(tf::version_event(100));
  for (int i = 0; i < 3; ++i) {
    file += tf::record(tf::event(101.5 + i, i, {tf::simple_value("loss/a (b)", 0.5f * float(i))}));
  }
  const std::string name = "events.out.tfevents.100.host";
  exchange_write(dir.path("logs/train/") + name, file);
  exchange_write(dir.path("logs/val/") + name, file.substr(0, file.size() - 3));
  exchange_write(dir.path("logs/readme.txt"), "x");
  ExchangeStore s(dir.path("s.db"));
  ImportOptions options;
  options.experiment = "boards";
  std::uint64_t shown = 0;
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    shown = done;
    CHECK(done <= total);
  };
  const ImportReport report = s.import(dir.path("logs"), options);
  CHECK(report.runs == 2);
  CHECK(report.metrics == 5);
  CHECK(shown == 2000);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].find("val/" + name + ": byte ") != std::string::npos);
  const auto experiment = s.store.experiment_by_name("boards");
  REQUIRE(experiment);
  const auto runs = s.store.list_runs({experiment->id}, 10);
  REQUIRE(runs.size() == 2);
  for (const RunRecord& run : runs) {
    CHECK((run.name == "train" || run.name == "val"));
    CHECK(run.start_time_ms == 100000);
    REQUIRE(run.metrics.size() == 1);
    CHECK(run.metrics[0].key == "loss/a _b_");
    CHECK(s.store.metric_history(run.run_id, "loss/a _b_")[1].timestamp_ms == 102500);
  }
  // The file was being written: now it is whole. Given alone it is the same run.
  exchange_write(dir.path("logs/val/") + name, file);
  const ImportReport grown = s.import(dir.path("logs/val/") + name, options);
  CHECK(grown.runs == 0);
  CHECK(grown.metrics == 1);
}

TEST_CASE("what was exported comes back by an import") {
  TempDir dir;
  ExchangeStore s(dir.path("s.db"));
  TrackingStore::NewRun created;
  created.experiment_id = s.store.create_experiment("e", "", {{"k", "v"}});
  created.name = "r";
  const std::string run_id = s.store.create_run(created).run_id;
  s.store.log_params(run_id, {{"p", "1"}});
  mlrt::LoggedModels models(s.database, s.store.artifact_root());
  mlrt::LoggedModels::NewModel model;
  model.experiment_id = created.experiment_id;
  model.name = "clf";
  model.source_run_id = run_id;
  model.params = {{"depth", "3"}};
  const std::string model_id = models.create(model).model_id;
  Metric linked{"acc", 0.5, 10, 1};
  linked.model_id = model_id;
  linked.dataset_name = "d";
  linked.dataset_digest = "1f";
  s.store.log_metrics(
      run_id,
      {linked, {"x", std::numeric_limits<double>::infinity(), 11, 1}, {"x", std::nan(""), 12, 2}});
  s.store.log_outputs(run_id, {{model_id, 4}});
  s.store.log_model_inputs(run_id, {model_id});
  s.store.log_inputs(run_id, {{"d", "1f", "local", "{}", "", "", "train", {{"a", "b"}}}});
  const std::string deleted = s.store.create_run(created).run_id;
  s.store.delete_run(deleted);
  {  // a version of a version that is gone: only its storage says where the files are
    mlrt::Transaction transaction(*s.database, mlrt::Transaction::Mode::kWrite);
    transaction.run(
        "INSERT INTO registered_models (model, name, creation_time, last_update_time) VALUES (1, "
        "'m', 5, 6)");
    transaction.run(
        "INSERT INTO model_versions (model, version, source, storage, creation_time, "
        "last_update_time) VALUES (1, 3, 'models:/m/1', '/models/1f.mlrt', 5, 6)");
    transaction.commit();
  }

  CHECK(export_mlflow(s.store, s.database, dir.path("out.db")) == "6953534de441");
  ExchangeStore back(dir.path("back.db"));
  const ImportReport report = back.import(dir.path("out.db"));
  CHECK(exchange_problems(report) == "");
  const RunRecord a = s.store.run(run_id), b = back.store.run(run_id);
  CHECK(a.name == b.name);
  CHECK(a.start_time_ms == b.start_time_ms);
  CHECK(b.params.size() == 1);
  REQUIRE(b.outputs.size() == 1);
  CHECK(b.outputs[0].step == 4);
  CHECK(b.model_inputs == std::vector<std::string>{model_id});
  REQUIRE(b.inputs.size() == 1);
  CHECK(b.inputs[0].context == "train");
  REQUIRE(b.inputs[0].tags.size() == 1);
  const std::vector<Metric> history = back.store.metric_history(run_id, "x");
  REQUIRE(history.size() == 2);
  CHECK(history[0].value == std::numeric_limits<double>::infinity());
  CHECK(std::isnan(history[1].value));
  const std::vector<Metric> acc = back.store.metric_history(run_id, "acc");
  REQUIRE(acc.size() == 1);
  CHECK(acc[0].model_id == model_id);
  CHECK(acc[0].dataset_digest == "1f");
  CHECK(back.store.run(deleted).lifecycle_stage == "deleted");
  CHECK(mlrt::LoggedModels(back.database, back.store.artifact_root()).get(model_id).params.size() ==
        1);
  {
    mlrt::Transaction transaction(*back.database, mlrt::Transaction::Mode::kRead);
    mlrt::Statement version =
        transaction.query("SELECT source, storage FROM model_versions WHERE version = 3");
    REQUIRE(version.step());
    CHECK(version.text(0) == "models:/m/1");
    CHECK(version.text(1) == "/models/1f.mlrt");
  }
  CHECK(back.import(dir.path("out.db")).metrics == 0);
}

TEST_CASE("an export never replaces a file and leaves nothing behind when it fails") {
  TempDir dir;
  ExchangeStore s(dir.path("s.db"));
  exchange_write(dir.path("there.db"), "mine");
  Caught error = caught([&] { export_mlflow(s.store, s.database, dir.path("there.db")); });
  CHECK(error.code == ErrorCode::kAlreadyExists);
  CHECK(fs::read_file(dir.path("there.db")) == "mine");
  error = caught([&] { export_mlflow(s.store, s.database, dir.path("no/such.db")); });
  CHECK(error.code == ErrorCode::kNotFound);
  fs::set_fault_hook([](fs::Op op, const std::string&) { return op == fs::Op::kRename ? 5 : 0; });
  error = caught([&] { export_mlflow(s.store, s.database, dir.path("out.db")); });
  fs::set_fault_hook({});
  CHECK(error.code == ErrorCode::kIo);
  for (const std::string& name : fs::list(dir.path())) {
    CHECK(name.find("out.db") == std::string::npos);
  }
}

TEST_CASE("what cannot be imported is refused by name") {
  TempDir dir;
  ExchangeStore s(dir.path("s.db"));
  const auto refused = [&](const std::string& path) { return caught([&] { s.import(path); }); };
  CHECK(refused(dir.path("nothing")).code == ErrorCode::kNotFound);
  exchange_write(dir.path("a.txt"), "hello, this is a text");
  CHECK(refused(dir.path("a.txt")).code == ErrorCode::kInvalidParameter);
  CHECK(refused(dir.path("a.txt")).message.find("what can be imported is") != std::string::npos);
  exchange_write(dir.path("empty"), "");
  CHECK(refused(dir.path("empty")).message.find("is empty") != std::string::npos);
  fs::make_folders(dir.path("folder"));
  CHECK(refused(dir.path("folder")).message.find("holds neither runs nor event files") !=
        std::string::npos);
  exchange_sql(dir.path("other.db"), "CREATE TABLE t (x)");
  CHECK(refused(dir.path("other.db")).message.find("not one of MLflow") != std::string::npos);
  { ExchangeStore second(dir.path("second.db")); }
  CHECK(refused(dir.path("second.db")).message.find("is a store of mlrt") != std::string::npos);
  CHECK(s.store.list_experiments().size() == 1);
}

TEST_CASE("an import that failed part-way is completed by importing again") {
  TempDir dir;
  exchange_write_old_database(dir.path("old.db"));
  exchange_sql(dir.path("old.db"),
               "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) "
               "INSERT INTO params SELECT 'p' || i, i, '0123456789abcdef0123456789abcdef' FROM n");
  ExchangeStore s(dir.path("s.db"));
  ImportOptions options;
  options.progress = [](std::uint64_t done, std::uint64_t) {
    if (done > 25000) throw mlrt::Error(ErrorCode::kInterrupted, "stopped");
  };
  CHECK(caught([&] { s.import(dir.path("old.db"), options); }).code == ErrorCode::kInterrupted);
  const std::size_t kept = s.store.run(kExchangeRunId).params.size();
  CHECK(kept >= 10000);
  CHECK(kept < 30000);
  const ImportReport rest = s.import(dir.path("old.db"));
  CHECK(rest.params == 30001 - kept);
  CHECK(s.store.run(kExchangeRunId).params.size() == 30001);
}
