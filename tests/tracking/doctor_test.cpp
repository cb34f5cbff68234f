#include "tracking/doctor.hpp"

#include <doctest/doctest.h>

#include "core/fs.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::Database;
using mlrt::StoreFacts;
using mlrt::TrackingStore;
using mlrt::Transaction;
using mlrt::test::TempDir;

namespace {

struct DoctorFixture {
  TempDir dir;
  std::shared_ptr<Database> database = Database::open(dir.path("s.db"));
  TrackingStore store{database, dir.path("artifacts")};

  void sql(const std::string& text) {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run(text);
    transaction.commit();
  }
  StoreFacts facts() { return mlrt::inspect_store(database, dir.path("artifacts")); }
};

}  // namespace

TEST_CASE_FIXTURE(DoctorFixture, "the doctor counts what a sound store holds") {
  const std::string run = store.create_run({}).run_id;
  store.delete_run(store.create_run({}).run_id);
  store.delete_experiment(store.create_experiment("gone"));
  store.log_metrics(run, {{"a", 1, 1, 1}, {"a", 2, 2, 2}, {"b", 1, 1, 1}});
  mlrt::fs::make_folders(dir.path("artifacts/0/x"));
  mlrt::fs::write_file(dir.path("artifacts/0/x/file"), "12345");
  const StoreFacts found = facts();
  CHECK(found.problems.empty());
  CHECK(found.experiments == 2);
  CHECK(found.deleted_experiments == 1);
  CHECK(found.runs == 2);
  CHECK(found.deleted_runs == 1);
  CHECK(found.metric_points == 3);
  CHECK(found.metric_blocks == 2);
  CHECK(found.artifact_bytes == 5);
  CHECK(found.artifact_files == 1);
  CHECK(found.schema_version >= 1);
  CHECK(found.sqlite_version.substr(0, 2) == "3.");
  CHECK(found.page_count * found.page_size_bytes > 0);
  CHECK(found.database_bytes > 0);
  CHECK_FALSE(found.read_only);
}

TEST_CASE_FIXTURE(DoctorFixture, "the doctor names damaged metrics and still counts the rest") {
  const std::string run = store.create_run({}).run_id;
  store.log_metrics(run, {{"a", 1, 1, 1}, {"b", 1, 1, 1}, {"c", 1, 1, 1}});
  sql("UPDATE metric_blocks SET data = x'00' WHERE metric_key = 1");
  sql("UPDATE metric_blocks SET last_step = 77 WHERE metric_key = 2");
  const StoreFacts found = facts();
  REQUIRE(found.problems.size() == 2);
  CHECK(found.problems[0] == "a block of the metric 'a' of the run " + run + " cannot be read");
  CHECK(found.problems[1] ==
        "a block of the metric 'b' of the run " + run + " does not end where the store says");
  CHECK(found.runs == 1);
  CHECK(found.metric_blocks == 3);
}
