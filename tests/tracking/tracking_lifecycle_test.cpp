#include <doctest/doctest.h>

#include "core/fs.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/logged_models.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::Database;
using mlrt::DatasetInput;
using mlrt::ErrorCode;
using mlrt::RunRecord;
using mlrt::RunStatus;
using mlrt::SearchQuery;
using mlrt::TrackingStore;
using mlrt::Transaction;
using mlrt::ViewType;
using mlrt::test::caught;
using mlrt::test::TempDir;

namespace {

struct LifecycleFixture {
  TempDir dir;
  std::shared_ptr<Database> database = Database::open(dir.path("s.db"));
  TrackingStore store{database, dir.path("artifacts")};

  std::string new_run(const std::string& experiment = "0") {
    return store.create_run({experiment, "", "", 0, {}}).run_id;
  }
  std::string stage(const std::string& run) { return store.run(run).lifecycle_stage; }
  void sql(const std::string& text) {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run(text);
    transaction.commit();
  }
  std::int64_t number(const std::string& text) {
    Transaction transaction(*database, Transaction::Mode::kRead);
    mlrt::Statement row = transaction.query(text);
    return row.step() ? row.integer(0) : -1;
  }
  std::string artifact(const std::string& run) {
    const std::string folder = store.artifact_folder(run);
    mlrt::fs::make_folders(folder);
    mlrt::fs::write_file(mlrt::fs::join(folder, "a.txt"), "12345");
    return folder;
  }
};

}  // namespace

TEST_CASE_FIXTURE(LifecycleFixture, "an experiment has a location and tags of its own") {
  const std::string id =
      store.create_experiment("e", "file://" + dir.path("my%20place"), {{"team", "a"}, {"b", "1"}});
  const mlrt::Experiment found = store.experiment(id);
  CHECK(found.artifact_location == dir.path("my place"));
  REQUIRE(found.tags.size() == 2);
  CHECK(found.tags[1].key == "team");
  const std::string run = new_run(id);
  CHECK(store.run(run).artifact_folder == dir.path("my place") + "/" + run + "/artifacts");
  store.set_experiment_tag(id, "team", "z");
  CHECK(store.experiment(id).tags[1].value == "z");
  store.delete_experiment_tag(id, "team");
  CHECK(store.experiment(id).tags.size() == 1);
  const auto absent = caught([&] { store.delete_experiment_tag(id, "team"); });
  CHECK(absent.code == ErrorCode::kNotFound);
  CHECK(absent.message == "No tag with name: team in experiment with id " + id);
  CHECK(caught([&] { store.set_experiment_tag(id, "k", std::string(5001, 'x')); }).message ==
        "'value' exceeds the maximum length of 5000 characters");
  CHECK(caught([&] {
          store.create_experiment("x", "runs:/a/b");
        }).has("cannot be a runs:/ URI. Given: 'runs:/a/b'"));
  CHECK(caught([&] { store.create_experiment("x", "s3://b/c"); }).has("a folder of this machine"));
  CHECK(caught([&] { store.create_experiment("x", "/a#b"); }).has("without '#'"));
  CHECK(caught([&] {
          store.create_experiment("x", "/" + std::string(2048, 'a'));
        }).has("cannot be greater than 2048 characters"));
  CHECK_FALSE(store.experiment_by_name("x").has_value());
}

TEST_CASE_FIXTURE(LifecycleFixture, "an experiment is renamed to a free name while it is active") {
  const std::string a = store.create_experiment("a"), b = store.create_experiment("b");
  store.rename_experiment(a, "c");
  CHECK(store.experiment_by_name("c")->id == a);
  store.rename_experiment(a, "c");
  const auto taken = caught([&] { store.rename_experiment(a, "b"); });
  CHECK(taken.code == ErrorCode::kAlreadyExists);
  CHECK(taken.message == "Experiment(name=b) already exists.");
  store.delete_experiment(b);
  CHECK(caught([&] { store.rename_experiment(b, "d"); }).message ==
        "Cannot rename a non-active experiment.");
  CHECK(caught([&] { store.rename_experiment(a, "b"); }).code == ErrorCode::kAlreadyExists);
  CHECK(caught([&] { store.rename_experiment("99", "d"); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { store.rename_experiment(a, ""); }).has("Invalid experiment name"));
}

TEST_CASE_FIXTURE(LifecycleFixture,
                  "deleting an experiment takes its runs along, restoring brings all back") {
  const std::string id = store.create_experiment("e");
  const std::string one = new_run(id), two = new_run(id), other = new_run();
  store.delete_run(two);
  store.delete_experiment(id);
  CHECK(store.experiment(id).lifecycle_stage == "deleted");
  CHECK(stage(one) == "deleted");
  CHECK(stage(other) == "active");
  const std::string state =
      "The experiment " + id + " must be in the 'active' state. Current state is deleted.";
  CHECK(caught([&] { new_run(id); }).message == state);
  CHECK(caught([&] { store.set_experiment_tag(id, "a", "b"); }).message == state);
  CHECK(caught([&] { store.delete_experiment_tag(id, "a"); }).message == state);
  const auto again = caught([&] { store.delete_experiment(id); });
  CHECK(again.code == ErrorCode::kNotFound);
  CHECK(again.message == "No Experiment with id=" + id + " exists");
  CHECK(store.list_experiments().size() == 1);
  store.restore_experiment(id);
  CHECK(stage(one) == "active");
  CHECK(stage(two) == "active");
  CHECK(caught([&] { store.restore_experiment(id); }).code == ErrorCode::kNotFound);
}

TEST_CASE_FIXTURE(LifecycleFixture, "a run is deleted, takes nothing more, and is restored") {
  const std::string run = new_run();
  store.delete_run(run);
  store.delete_run(run);
  const std::string state =
      "The run " + run + " must be in the 'active' state. Current state is deleted.";
  CHECK(caught([&] { store.update_run(run, {}); }).message == state);
  CHECK(caught([&] { store.delete_tag(run, "a"); }).message == state);
  CHECK(caught([&] { store.log_outputs(run, {}); }).message == state);
  CHECK(caught([&] { store.log_inputs(run, {}); }).message == state);
  CHECK(caught([&] { store.artifact_folder(run, true); }).message == state);
  store.restore_run(run);
  CHECK(stage(run) == "active");
  CHECK(number("SELECT deleted_time IS NULL FROM runs") == 1);
  CHECK(caught([&] { store.delete_run("absent"); }).message == "Run with id=absent not found");
  CHECK(caught([&] { store.restore_run("absent"); }).code == ErrorCode::kNotFound);
}

TEST_CASE_FIXTURE(LifecycleFixture, "updating a run ends it, resumes it and renames it") {
  const std::string run = new_run();
  CHECK(store.update_run(run, {RunStatus::kFinished, 77, {}}).end_time_ms == 77);
  RunRecord record = store.update_run(run, {RunStatus::kRunning, 0, std::string("new name")});
  CHECK(record.status == RunStatus::kRunning);
  CHECK(record.end_time_ms == 0);
  CHECK(record.name == "new name");
  CHECK(record.tags.at(0).value == "new name");
  CHECK(store.update_run(run, {{}, 0, std::string()}).name == "new name");
  CHECK(store.update_run(run, {RunStatus::kKilled, 0, {}}).end_time_ms > 77);
  CHECK(caught([&] { store.update_run(run, {{}, -1, {}}); }).has("'end_time'"));
  CHECK(caught([&] {
          store.update_run(run, {RunStatus::kFailed, 0, std::string(251, 'x')});
        }).has("exceeds the maximum length"));
  CHECK(store.run(run).status == RunStatus::kKilled);
}

TEST_CASE_FIXTURE(LifecycleFixture, "tags are deleted; outputs and input tags are kept") {
  const std::string run = new_run();
  store.set_tags(run, {{"a", "1"}});
  store.delete_tag(run, "a");
  const auto absent = caught([&] { store.delete_tag(run, "a"); });
  CHECK(absent.code == ErrorCode::kNotFound);
  CHECK(absent.message == "No tag with name: a in run with id " + run);
  store.log_outputs(run, {{"m-b", 2}, {"m-a", 2}, {"m-c", 1}});
  store.log_outputs(run, {{"m-b", 0}});
  RunRecord record = store.run(run);
  REQUIRE(record.outputs.size() == 3);
  CHECK(record.outputs[0].model_id == "m-b");
  CHECK(record.outputs[2].model_id == "m-a");
  CHECK(caught([&] { store.log_outputs(run, {{"../x", 0}}); }).has("parameter 'model_id'"));
  DatasetInput input{"d", "1", "local", "f", "", "", ""};
  input.tags = {{"mlflow.data.context", "train"}, {"k", "v"}};
  store.log_inputs(run, {input});
  input.tags = {{"mlflow.data.context", "train"}, {"k", "other"}};
  store.log_inputs(run, {input});
  record = store.run(run);
  REQUIRE(record.inputs.size() == 1);
  CHECK(record.inputs[0].context == "train");
  REQUIRE(record.inputs[0].tags.size() == 1);
  CHECK(record.inputs[0].tags[0].value == "v");
  input.tags = {{"k", std::string(501, 'x')}};
  CHECK(caught([&] { store.log_inputs(run, {input}); }).has("maximum length of 500 characters"));
}

TEST_CASE_FIXTURE(LifecycleFixture, "logged models that a run used are kept once, in order") {
  const std::string run = new_run();
  store.log_model_inputs(run, {"m-b", "m-a"});
  store.log_model_inputs(run, {"m-b", "m-c"});
  CHECK(store.run(run).model_inputs == std::vector<std::string>{"m-a", "m-b", "m-c"});
  CHECK(caught([&] { store.log_model_inputs(run, {"m-d", "../x"}); }).has("'model_id'"));
  CHECK(store.run(run).model_inputs.size() == 3);
  store.delete_run(run);
  CHECK(caught([&] { store.log_model_inputs(run, {"m-d"}); }).has("'active' state"));
}

TEST_CASE_FIXTURE(LifecycleFixture, "the data sets of experiments are listed, each context once") {
  const std::string other = store.create_experiment("other");
  const std::string a = new_run(), b = new_run();
  store.log_inputs(
      a, {{"d", "2", "local", "f", "", "", "train"}, {"d", "1", "local", "f", "", "", ""}});
  store.log_inputs(
      b, {{"d", "2", "local", "f", "", "", "train"}, {"d", "2", "local", "f", "", "", "eval"}});
  const std::vector<mlrt::DatasetSummary> found = store.search_datasets({other, "0", "0"});
  REQUIRE(found.size() == 3);
  CHECK(found[0].digest == "1");
  CHECK(found[0].context == "");
  CHECK(found[1].context == "eval");
  CHECK(found[2].context == "train");
  CHECK(found[2].experiment_id == "0");
  CHECK(store.search_datasets({"0"}, 2).size() == 2);
  CHECK(store.search_datasets({other}).empty());
  CHECK(caught([&] { (void)store.search_datasets({"x"}); }).has("Invalid experiment ID"));
}

TEST_CASE_FIXTURE(LifecycleFixture, "metrics are linked to a logged model that is there") {
  const std::string run = new_run();
  mlrt::LoggedModels models(database, dir.path("artifacts"));
  const std::string id = models.create({"0", "m", run, "", {}, {}}).model_id;
  store.log_metrics(run, {{"acc", 0.5, 10, 1, id, "d", "1"}, {"acc", 0.75, 20, 0, id, "d", "1"}});
  const RunRecord record = store.run(run);
  CHECK(record.metrics.at(0).value == 0.5);  // by step
  CHECK(record.metrics.at(0).model_id == id);
  const auto metrics = models.get(id).metrics;
  REQUIRE(metrics.size() == 1);
  CHECK(metrics[0].value == 0.75);  // by time
  const auto absent = caught([&] { store.log_metrics(run, {{"acc", 1, 1, 1, "m-0", "", ""}}); });
  CHECK(absent.code == ErrorCode::kNotFound);
  CHECK(absent.has("m-0"));
  CHECK(store.metric_history(run, "acc").size() == 2);
}

TEST_CASE_FIXTURE(LifecycleFixture, "a search takes view, experiments and pages") {
  const std::string e = store.create_experiment("e"), gone = store.create_experiment("gone");
  const std::string a = new_run(), b = new_run(e), c = new_run(gone);
  store.log_params(b, {{"k", "v"}});
  SearchQuery query;
  CHECK(store.search_runs({}, query).items.size() == 3);
  store.delete_experiment(gone);
  store.restore_run(c);
  CHECK(store.search_runs({}, query).items.size() == 2);
  CHECK(store.search_runs({gone}, query).items.size() == 1);
  query.filter = "params.k = 'v'";
  CHECK(store.search_runs({}, query).items.at(0).run_id == b);
  CHECK(store.search_runs({"0"}, query).items.empty());
  query = SearchQuery();
  query.max_results = 1;
  query.order_by = {"start_time ASC"};
  const auto first = store.search_runs({}, query);
  REQUIRE_FALSE(first.next_page_token.empty());
  query.page_token = first.next_page_token;
  const auto second = store.search_runs({}, query);
  CHECK(second.next_page_token.empty());
  CHECK(first.items.at(0).run_id != second.items.at(0).run_id);
  query = SearchQuery();
  query.view = ViewType::kDeleted;
  CHECK(store.search_experiments(query).items.at(0).name == "gone");
  store.delete_run(a);
  CHECK(store.search_runs({}, query).items.at(0).run_id == a);
  query.filter = "nonsense";
  CHECK(caught([&] { store.search_experiments(query); }).code == ErrorCode::kInvalidParameter);
}

TEST_CASE_FIXTURE(LifecycleFixture, "garbage is really deleted, with its files and its name") {
  const std::string e = store.create_experiment("e");
  const std::string place = store.create_experiment("p", dir.path("place"));
  const std::string kept = new_run(), gone = new_run(), below = new_run(e), apart = new_run(place);
  for (const std::string& run : {kept, gone, below, apart}) {
    store.log_batch(run, {{"m", 1, 1, 1}}, {{"p", "1"}}, {{"t", "1"}});
    artifact(run);
  }
  mlrt::fs::write_file(dir.path("place/mine.txt"), "not garbage");
  mlrt::LoggedModels models(database, dir.path("artifacts"));
  const std::string model = models.create({"0", "m", kept, "", {}, {}}).model_id;
  models.remove(model);
  store.delete_run(gone);
  store.delete_experiment(e);
  store.delete_experiment(place);

  CHECK(store.collect_garbage(3600000).runs == 0);
  const auto planned = store.collect_garbage(0, true);
  CHECK(planned.runs == 3);
  CHECK(planned.experiments == 2);
  CHECK(planned.logged_models == 1);
  CHECK(planned.artifact_bytes == 15);
  CHECK(stage(gone) == "deleted");
  const auto done = store.collect_garbage();
  CHECK(done.runs == 3);
  CHECK(done.experiments == 2);
  CHECK(done.logged_models == 1);
  CHECK(done.artifact_bytes == 15);
  CHECK(caught([&] { store.run(gone); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { models.get(model); }).code == ErrorCode::kNotFound);
  CHECK(number("SELECT count(*) FROM metric_blocks") == 1);
  CHECK(number("SELECT count(*) FROM latest_metrics") == 1);
  CHECK(number("SELECT count(*) FROM params") == 1);
  CHECK_FALSE(mlrt::fs::exists(dir.path("artifacts/" + e)));
  CHECK_FALSE(mlrt::fs::exists(dir.path("artifacts/0/" + gone)));
  CHECK_FALSE(mlrt::fs::exists(dir.path("place/" + apart)));
  CHECK(mlrt::fs::exists(dir.path("place/mine.txt")));
  CHECK(mlrt::fs::read_file(mlrt::fs::join(store.artifact_folder(kept), "a.txt")) == "12345");
  CHECK(store.create_experiment("e") != e);
  CHECK(store.collect_garbage().runs == 0);
}

TEST_CASE_FIXTURE(LifecycleFixture, "garbage leaves the default and what was restored") {
  const std::string e = store.create_experiment("e");
  const std::string back = new_run(e), lost = new_run(e);
  store.delete_experiment(e);
  store.restore_run(back);
  const std::string zero = new_run();
  store.delete_experiment("0");
  const auto done = store.collect_garbage();
  CHECK(done.experiments == 0);
  CHECK(done.runs == 2);
  CHECK(stage(back) == "active");
  CHECK(caught([&] { store.run(lost); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { store.run(zero); }).code == ErrorCode::kNotFound);
  store.restore_experiment("0");
  CHECK(store.experiment("0").name == "Default");
}

TEST_CASE_FIXTURE(LifecycleFixture, "garbage that cannot be removed stays known") {
  const std::string run = new_run();
  artifact(run);
  store.delete_run(run);
  mlrt::fs::set_fault_hook(
      [](mlrt::fs::Op op, const std::string&) { return op == mlrt::fs::Op::kRemove ? 5 : 0; });
  CHECK(caught([&] { store.collect_garbage(); }).code == ErrorCode::kIo);
  mlrt::fs::set_fault_hook({});
  CHECK(stage(run) == "deleted");
  CHECK(store.collect_garbage().runs == 1);
}

TEST_CASE_FIXTURE(LifecycleFixture, "more garbage than one transaction takes is collected") {
  for (int i = 0; i < 120; ++i) store.delete_run(new_run());
  CHECK(store.collect_garbage(0, true).runs == 120);
  CHECK(store.collect_garbage().runs == 120);
  CHECK(number("SELECT count(*) FROM runs") == 0);
}
