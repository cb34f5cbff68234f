#include "tracking/doctor.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include "core/fs.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/journal_testing.hpp"
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
  StoreFacts facts() {
    bring_in();
    return mlrt::inspect_store(database, dir.path("artifacts"));
  }
  // What waits in journals comes into the store.
  void bring_in() { const Transaction transaction(*database, Transaction::Mode::kRead); }
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
  bring_in();
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

TEST_CASE_FIXTURE(DoctorFixture, "the doctor counts the journals and what waits in them") {
  const StoreFacts before = facts();
  CHECK(before.journals == 0);
  CHECK(before.journal_bytes == 0);
  const std::string run = store.create_run({}).run_id;
  store.log_metrics(run, {{"a", 1, 1, 1}, {"a", 2, 2, 2}, {"b", 1, 1, 1}});
  const StoreFacts found = mlrt::inspect_store(database, dir.path("artifacts"));
  CHECK(found.journals == 1);
  CHECK(found.live_journals == 1);
  CHECK(found.journal_bytes >= 4096);
  CHECK(found.waiting_records + found.metric_points == 3);  // a thread brings them in
  CHECK(found.problems.empty());
  const StoreFacts after = facts();
  CHECK(after.waiting_records == 0);
  CHECK(after.metric_points == 3);
}

TEST_CASE_FIXTURE(DoctorFixture, "the doctor tells a journal that was left behind") {
  if (mlrt::test::kSanitizer || mlrt::test::is_emulated()) return;
  const std::string run = store.create_run({}).run_id;
  const pid_t child = mlrt::test::start_child([&] {
    TrackingStore other(Database::open(dir.path("s.db")), dir.path("artifacts"));
    other.log_metrics(run, {{"a", 1, 1, 1}, {"a", 2, 2, 2}});
    _exit(0);  // as if it was killed
  });
  REQUIRE(mlrt::test::child_succeeded(child));
  const StoreFacts found = mlrt::inspect_store(database, dir.path("artifacts"));
  CHECK(found.journals == 1);
  CHECK(found.live_journals == 0);
  CHECK(found.waiting_records + found.metric_points == 2);
  const StoreFacts after = facts();
  CHECK(after.journals == 0);
  CHECK(after.metric_points == 2);
}

TEST_CASE_FIXTURE(DoctorFixture, "the doctor tells durability and limits") {
  {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    mlrt::write_store_limits(transaction, {1 << 20, 5, 7});
    transaction.commit();
  }
  const StoreFacts found = facts();
  CHECK(found.durability == "process");
  CHECK_FALSE(found.on_network);
  CHECK(found.limits.limits.quota_bytes == 1 << 20);
  CHECK(found.limits.limits.retention_ms == 5);
  CHECK(found.limits.limits.keep_points == 7);
  CHECK(found.limits.used_bytes ==
        static_cast<std::uint64_t>((found.page_count - found.free_page_count) *
                                   found.page_size_bytes));
  mlrt::DatabaseOptions options;
  options.durability = mlrt::Durability::kPower;
  CHECK(mlrt::inspect_store(Database::open(dir.path("s.db"), options), dir.path("artifacts"))
            .durability == "power");
}
