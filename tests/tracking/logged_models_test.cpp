#include "tracking/logged_models.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::Database;
using mlrt::ErrorCode;
using mlrt::LoggedModel;
using mlrt::LoggedModels;
using mlrt::LoggedModelStatus;
using mlrt::Metric;
using mlrt::SearchQuery;
using mlrt::TrackingStore;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::TempDir;

namespace {

struct LoggedModelFixture {
  TempDir dir;
  std::shared_ptr<Database> database = Database::open(dir.path("s.db"));
  TrackingStore tracking{database, dir.path("files")};
  LoggedModels models{database, dir.path("files")};

  std::string new_model(const std::string& name, const std::string& experiment = "0") {
    LoggedModels::NewModel model;
    model.name = name;
    model.experiment_id = experiment;
    return models.create(model).model_id;
  }
  std::vector<std::string> names(const SearchQuery& query,
                                 const std::vector<std::string>& experiments = {"0"}) {
    std::vector<std::string> found;
    for (const LoggedModel& model : models.search(experiments, query).items) {
      found.push_back(model.name);
    }
    return found;
  }
};

const std::string kNoLoggedModel = "m-" + std::string(32, 'a');

}  // namespace

TEST_CASE_FIXTURE(LoggedModelFixture, "a logged model is created PENDING with all that it has") {
  const std::string run = tracking.create_run({}).run_id;
  LoggedModels::NewModel wanted;
  wanted.name = "tips";
  wanted.source_run_id = run;
  wanted.model_type = "classifier";
  wanted.params = {{"rate", "0.1"}, {"depth", "3"}};
  wanted.tags = {{"team", "edge"}, {"stage", "a"}};
  const LoggedModel model = models.create(wanted);
  REQUIRE(model.model_id.size() == 34);
  CHECK(model.model_id.substr(0, 2) == "m-");
  CHECK(model.name == "tips");
  CHECK(model.experiment_id == "0");
  CHECK(model.source_run_id == run);
  CHECK(model.model_type == "classifier");
  CHECK(model.status == LoggedModelStatus::kPending);
  CHECK(model.lifecycle_stage == "active");
  CHECK(model.artifact_folder == dir.path("files") + "/0/models/" + model.model_id + "/artifacts");
  CHECK(model.creation_time_ms > 0);
  CHECK(model.last_update_time_ms == model.creation_time_ms);
  REQUIRE(model.params.size() == 2);
  CHECK(model.params[0].key == "depth");
  REQUIRE(model.tags.size() == 2);
  CHECK(model.tags[1].value == "edge");
  const LoggedModel read = models.get(model.model_id);
  CHECK(read.name == "tips");
  CHECK(read.params.size() == 2);
  CHECK(read.tags.size() == 2);
  const LoggedModel unnamed = models.create({});
  CHECK_FALSE(unnamed.name.empty());
  CHECK(unnamed.source_run_id.empty());
  CHECK(unnamed.model_type.empty());
}

TEST_CASE_FIXTURE(LoggedModelFixture, "names and values against the rules are refused") {
  for (const char* bad : {"a/b", "a:b", "a.b", "a%b", "a\"b", "a'b", "..", "a\\b", "a#b"}) {
    CAPTURE(bad);
    const Caught error = caught([&] { new_model(bad); });
    CHECK(error.code == ErrorCode::kInvalidParameter);
    CHECK(error.has("Model name must be a non-empty string and cannot contain the following"));
  }
  CHECK(caught([&] { new_model("\xff"); }).has("is not valid UTF-8"));
  CHECK(caught([&] { new_model(std::string(501, 'x')); }).has("exceeds the maximum length of 500"));
  CHECK(caught([&] { new_model("a", "x"); }).has("Experiment ID must be a valid integer"));
  CHECK(caught([&] { new_model("a", "77"); }).message == "No Experiment with id=77 exists");
  LoggedModels::NewModel model;
  model.source_run_id = "../x";
  CHECK(caught([&] { models.create(model); }).has("'run_id'"));
  model.source_run_id.clear();
  model.params = {{"a", "1"}, {"a", "2"}};
  CHECK(caught([&] { models.create(model); }).has("Duplicate parameter keys"));
  model.params = {{"", "1"}};
  CHECK(caught([&] { models.create(model); }).has("params[0].key"));
  model.params.clear();
  model.tags = {{"../k", "1"}};
  CHECK(caught([&] { models.create(model); }).has("tags[0].key"));
  CHECK(models.search({}, {}).items.empty());

  const std::string experiment = tracking.create_experiment("gone");
  tracking.delete_experiment(experiment);
  CHECK(caught([&] { new_model("a", experiment); }).has("must be in the 'active' state"));
}

TEST_CASE_FIXTURE(LoggedModelFixture, "a logged model ends READY or FAILED") {
  const std::string id = new_model("tips");
  CHECK(models.finalize(id, LoggedModelStatus::kReady).status == LoggedModelStatus::kReady);
  CHECK(models.get(id).status == LoggedModelStatus::kReady);
  CHECK(models.finalize(id, LoggedModelStatus::kFailed).status == LoggedModelStatus::kFailed);
  CHECK(caught([&] { models.finalize(id, LoggedModelStatus::kPending); }).code ==
        ErrorCode::kInvalidParameter);
  CHECK(std::string(mlrt::logged_model_status_name(LoggedModelStatus::kFailed)) == "FAILED");
  CHECK(mlrt::parse_logged_model_status("PENDING") == LoggedModelStatus::kPending);
  CHECK(caught([] { mlrt::parse_logged_model_status("Ready"); }).message ==
        "Invalid logged model status: 'Ready'. Valid values are: PENDING, READY, FAILED");
}

TEST_CASE_FIXTURE(LoggedModelFixture, "parameters are immutable, tags are not") {
  const std::string id = new_model("tips");
  models.log_params(id, {{"a", "1"}, {"b", "2"}});
  models.log_params(id, {{"a", "1"}});
  const Caught changed = caught([&] { models.log_params(id, {{"c", "3"}, {"a", "9"}}); });
  CHECK(changed.code == ErrorCode::kInvalidParameter);
  CHECK(changed.has("already logged with value='1' for model ID='" + id + "'"));
  CHECK(models.get(id).params.size() == 2);
  models.set_tags(id, {{"t", "1"}, {"u", "1"}, {"t", "2"}});
  REQUIRE(models.get(id).tags.size() == 2);
  CHECK(models.get(id).tags[0].value == "2");
  models.delete_tag(id, "t");
  CHECK(models.get(id).tags.size() == 1);
  const Caught absent = caught([&] { models.delete_tag(id, "t"); });
  CHECK(absent.code == ErrorCode::kNotFound);
  CHECK(absent.message == "No tag with key 't' found for model with ID '" + id + "'.");
}

TEST_CASE_FIXTURE(LoggedModelFixture, "a deleted model is none until it is restored") {
  const std::string id = new_model("tips");
  models.remove(id);
  const std::string gone = "Logged model with ID '" + id + "' not found.";
  CHECK(caught([&] { models.get(id); }).message == gone);
  CHECK(caught([&] { models.remove(id); }).message == gone);
  CHECK(caught([&] { models.finalize(id, LoggedModelStatus::kReady); }).message == gone);
  CHECK(caught([&] { models.log_params(id, {{"a", "1"}}); }).message == gone);
  CHECK(caught([&] { models.set_tags(id, {{"a", "1"}}); }).message == gone);
  CHECK(caught([&] { models.delete_tag(id, "a"); }).message == gone);
  CHECK(models.search({}, {}).items.empty());
  models.restore(id);
  CHECK(models.get(id).lifecycle_stage == "active");
  CHECK(models.search({}, {}).items.size() == 1);
  models.restore(id);
  for (const std::string& unknown : {kNoLoggedModel, std::string("x"), std::string()}) {
    const Caught error = caught([&] { models.get(unknown); });
    CHECK(error.code == ErrorCode::kNotFound);
    CHECK(error.message == "Logged model with ID '" + unknown + "' not found.");
    CHECK(caught([&] { models.restore(unknown); }).code == ErrorCode::kNotFound);
  }
}

TEST_CASE_FIXTURE(LoggedModelFixture, "models are searched with their metrics") {
  const std::string other = tracking.create_experiment("other");
  const std::string a = new_model("a");
  const std::string b = new_model("b");
  new_model("c", other);
  models.set_tags(b, {{"team", "edge"}});
  models.finalize(b, LoggedModelStatus::kReady);
  const std::string run = tracking.create_run({}).run_id;
  tracking.log_inputs(run, {{"taxi", "d1", "local", "x.csv", "", "", "eval", {}}});
  tracking.log_metrics(run, {{"auc", 0.7, 1, 0, a, "taxi", "d1"}, {"auc", 0.9, 2, 1, b, "", ""}});
  tracking.log_metrics(run, {{"auc", 0.8, 3, 2, a, "taxi", "d1"}});

  const LoggedModel read = models.get(a);
  REQUIRE(read.metrics.size() == 1);
  CHECK(read.metrics[0].key == "auc");
  CHECK(read.metrics[0].value == 0.8);
  CHECK(read.metrics[0].step == 2);
  CHECK(read.metrics[0].model_id == a);
  CHECK(read.metrics[0].dataset_name == "taxi");
  CHECK(read.metrics[0].dataset_digest == "d1");

  SearchQuery query;
  CHECK(names(query).size() == 2);
  CHECK(names(query, {}).size() == 3);
  CHECK(names(query, {other}) == std::vector<std::string>{"c"});
  query.filter = "metrics.auc > 0.85";
  CHECK(names(query) == std::vector<std::string>{"b"});
  query.filter = "tags.team = 'edge' AND status = 'READY'";
  CHECK(names(query) == std::vector<std::string>{"b"});
  query.filter.clear();
  query.order_by = {"metrics.auc ASC"};
  CHECK(names(query) == std::vector<std::string>{"a", "b"});
  query.max_results = 1;
  const auto first = models.search({"0"}, query);
  REQUIRE(first.items.size() == 1);
  CHECK(first.items[0].name == "a");
  query.page_token = first.next_page_token;
  const auto second = models.search({"0"}, query);
  REQUIRE(second.items.size() == 1);
  CHECK(second.items[0].name == "b");
  CHECK(second.next_page_token.empty());
  query = {};
  query.filter = "nonsense ==";
  CHECK(caught([&] { models.search({"0"}, query); }).code == ErrorCode::kInvalidParameter);
  CHECK(caught([&] { models.search({"x"}, {}); }).has("must be a valid integer"));
}

TEST_CASE_FIXTURE(LoggedModelFixture, "logged models survive reopening the store") {
  const std::string id = new_model("tips");
  models.log_params(id, {{"a", "1"}});
  database.reset();
  const auto again = Database::open(dir.path("s.db"));
  CHECK(LoggedModels(again, dir.path("files")).get(id).params.size() == 1);
}
