// Stores that older versions wrote, kept in tests/store/fixtures with what made them.

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "api/mlrt.hpp"
#include "core/fs.hpp"
#include "support/temp_dir.hpp"

using mlrt::Metric;
using mlrt::RunRecord;
using mlrt::RunStatus;
using mlrt::Session;
using mlrt::test::TempDir;

namespace {

constexpr std::int64_t kFixtureDay = 1700000000000;

// A copy of the store that the mlrt of schema 1 wrote, with its artifacts.
struct SchemaFixture {
  SchemaFixture() {
    const std::filesystem::path from = MLRT_SOURCE_DIR "/tests/store/fixtures";
    std::filesystem::copy(from / "schema-1.db", dir.path("schema-1.db"));
    std::filesystem::copy(from / "schema-1-artifacts", dir.path("schema-1-artifacts"),
                          std::filesystem::copy_options::recursive);
  }
  TempDir dir;
};

RunRecord fixture_run(const Session& session, const std::string& name) {
  mlrt::SearchQuery query;
  query.filter = "attributes.run_name = '" + name + "'";
  query.view = mlrt::ViewType::kAll;
  const auto found = session.tracking().search_runs({}, query);
  REQUIRE(found.items.size() == 1);
  return session.tracking().run(found.items[0].run_id);
}

template <typename Pair>
std::string fixture_value(const std::vector<Pair>& pairs, const std::string& key) {
  for (const Pair& pair : pairs) {
    if (pair.key == key) return pair.value;
  }
  return "(none)";
}

// make_schema_1.lua's points.
double fixture_loss(std::int64_t step) { return static_cast<double>(step * 7919 % 1000) / 8; }

}  // namespace

TEST_CASE("a store of schema 1 opens with its experiments, runs, parameters and tags") {
  SchemaFixture fixture;
  Session session(fixture.dir.path("schema-1.db"));
  const auto experiments = session.tracking().list_experiments();
  REQUIRE(experiments.size() == 2);
  CHECK(experiments[1].name == "trees");
  CHECK(fixture_value(experiments[1].tags, "team") == "blue");
  CHECK(fixture_value(experiments[1].tags, "note") == "été ✓");
  CHECK(session.tracking().experiment_by_name("emptied")->lifecycle_stage == "deleted");

  const RunRecord open = fixture_run(session, "open");
  CHECK(open.experiment_id == experiments[1].id);
  CHECK(open.status == RunStatus::kKilled);
  CHECK(open.end_time_ms == kFixtureDay + 60000);
  CHECK(open.user == "fixture");
  CHECK(open.params.size() == 4);
  CHECK(fixture_value(open.params, "depth") == "3");
  CHECK(fixture_value(open.params, "long") == std::string(3000, 'x'));
  CHECK(fixture_value(open.params, "unicode") == "naïve ✓");
  CHECK(fixture_value(open.tags, "mlflow.note.content") == "left *running* by its first writer");

  const RunRecord done = fixture_run(session, "done");
  CHECK(done.status == RunStatus::kFinished);
  CHECK(fixture_value(done.tags, "mlflow.parentRunId") == open.run_id);
  CHECK(fixture_value(done.tags, "long") == std::string(5000, 'y'));
  CHECK(fixture_run(session, "failed").status == RunStatus::kFailed);
  CHECK(fixture_run(session, "gone").lifecycle_stage == "deleted");
}

TEST_CASE("a store of schema 1 opens with all its metrics") {
  SchemaFixture fixture;
  Session session(fixture.dir.path("schema-1.db"));
  const RunRecord open = fixture_run(session, "open");
  const auto loss = session.tracking().metric_history(open.run_id, "loss");
  REQUIRE(loss.size() == 1300);
  bool same = true;
  for (std::int64_t step = 1; step <= 1300; ++step) {
    const Metric& point = loss[static_cast<std::size_t>(step - 1)];
    same = same && point.step == step && point.timestamp_ms == kFixtureDay + 10 * step &&
           point.value == fixture_loss(step);
  }
  CHECK(same);
  const auto odd = session.tracking().metric_history(open.run_id, "odd");
  REQUIRE(odd.size() == 6);
  CHECK(odd[1].value == std::numeric_limits<double>::infinity());
  CHECK(odd[2].value == -std::numeric_limits<double>::infinity());
  CHECK(odd[3].step == -3);
  CHECK(std::signbit(odd[3].value));
  CHECK(odd[4].value == std::numeric_limits<double>::denorm_min());
  CHECK(odd[4].step == std::numeric_limits<std::int64_t>::max());
  CHECK(std::isnan(odd[5].value));
  const auto back = session.tracking().metric_history(open.run_id, "back");
  REQUIRE(back.size() == 3);
  CHECK(back[0].step == 1);
  CHECK(back[2].step == 3);
  CHECK(session.tracking().metric_history(open.run_id, "late").size() == 1);
  REQUIRE(open.metrics.size() == 4);
  CHECK(open.metrics[0].key == "back");
  CHECK(open.metrics[0].value == 3);
  CHECK(open.metrics[2].step == 1300);

  const auto auc = session.tracking().metric_history(fixture_run(session, "done").run_id, "auc");
  REQUIRE(auc.size() == 2);
  CHECK(auc[0].dataset_name == "points");
  CHECK(session.logged_models().get(auc[0].model_id).name == "bare");
  CHECK(auc[1].model_id.empty());
}

TEST_CASE("a store of schema 1 opens with its data sets, artifacts and models") {
  SchemaFixture fixture;
  Session session(fixture.dir.path("schema-1.db"));
  const RunRecord open = fixture_run(session, "open");
  REQUIRE(open.inputs.size() == 2);
  const std::size_t train = open.inputs[0].name == "points" ? 0 : 1;
  CHECK(open.inputs[train].context == "train");
  CHECK(fixture_value(open.inputs[train].tags, "day") == "1");
  CHECK(open.inputs[1 - train].digest == "abc");
  CHECK(mlrt::fs::read_file(session.artifacts().locate(open.run_id, "notes/hello.txt")) == "hello");
  CHECK(session.artifacts().damaged(open.run_id).empty());

  const RunRecord done = fixture_run(session, "done");
  REQUIRE(done.outputs.size() == 2);
  CHECK(done.outputs[1].step == 4);
  const mlrt::LoggedModel bare = session.logged_models().get(done.outputs[1].model_id);
  CHECK(bare.status == mlrt::LoggedModelStatus::kPending);
  CHECK(bare.model_type == "classifier");
  REQUIRE(bare.metrics.size() == 1);
  CHECK(bare.metrics[0].value == 0.75);
  CHECK(session.artifacts().damaged(done.outputs[0].model_id).empty());

  REQUIRE(session.registry().search_models().items.size() == 1);
  const auto versions = session.registry().search_versions().items;
  REQUIRE(versions.size() == 2);
  CHECK(versions[0].stage == "None");
  CHECK(session.registry().version_by_alias("taxi tips", "champion").version == 1);
  CHECK(session.registry().version_by_alias("taxi tips", "challenger").version == 2);
  CHECK(session.load_model("models:/taxi tips@champion")->signature().inputs.size() == 1);
}

TEST_CASE("a store of schema 1 can be logged to and is as today's when it is opened again") {
  SchemaFixture fixture;
  std::string id;
  {
    Session session(fixture.dir.path("schema-1.db"));
    id = fixture_run(session, "open").run_id;
    mlrt::Run run = session.resume_run(id);
    for (std::int64_t step = 1301; step <= 1400; ++step)
      run.log_metric("loss", fixture_loss(step), step);
    run.log_param("new", "1");
    run.end();
  }
  Session session(fixture.dir.path("schema-1.db"));
  const auto loss = session.tracking().metric_history(id, "loss");
  REQUIRE(loss.size() == 1400);
  CHECK(loss.front().step == 1);
  CHECK(loss.back().value == fixture_loss(1400));
  const RunRecord run = session.tracking().run(id);
  CHECK(run.status == RunStatus::kFinished);
  CHECK(run.params.size() == 5);
}
