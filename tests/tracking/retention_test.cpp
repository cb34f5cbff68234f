#include "tracking/retention.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.hpp"
#include "core/fs.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/doctor.hpp"
#include "tracking/exchange.hpp"
#include "tracking/metric_blocks.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::Database;
using mlrt::ErrorCode;
using mlrt::Metric;
using mlrt::MetricRecord;
using mlrt::RunRecord;
using mlrt::RunStatus;
using mlrt::StoreLimits;
using mlrt::StoreLimitsState;
using mlrt::TrackingStore;
using mlrt::Transaction;
using mlrt::test::caught;
using mlrt::test::TempDir;

namespace {

constexpr std::int64_t kRetentionDayMs = 24 * 3600 * 1000;
const double kRetentionNan = std::numeric_limits<double>::quiet_NaN();

struct RetentionFixture {
  TempDir dir;
  std::shared_ptr<Database> database = Database::open(dir.path("s.db"));
  TrackingStore store{database, dir.path("artifacts")};

  // A run that ended so many days ago; 0: it still runs.
  std::string run(int days_ago) {
    TrackingStore::NewRun wanted;
    wanted.start_time_ms = mlrt::now_ms() - (days_ago + 1) * kRetentionDayMs;
    const std::string id = store.create_run(wanted).run_id;
    if (days_ago > 0) end(id, days_ago);
    return id;
  }
  void end(const std::string& id, int days_ago) {
    store.end_run(id, RunStatus::kFinished, mlrt::now_ms() - days_ago * kRetentionDayMs);
  }

  std::int64_t row(const std::string& id) {
    Transaction transaction(*database, Transaction::Mode::kRead);
    auto found = transaction.query("SELECT run FROM runs WHERE run_id = ?", id);
    REQUIRE(found.step());
    return found.integer(0);
  }
  std::size_t add(const std::string& id, const std::vector<Metric>& metrics,
                  std::int64_t first_seq = 1, const std::string& writer = "w") {
    const std::int64_t number = row(id);
    std::vector<MetricRecord> records;
    for (const Metric& metric : metrics) records.push_back({&metric, first_seq++});
    Transaction transaction(*database, Transaction::Mode::kWrite);
    const std::size_t added = mlrt::add_metrics(transaction, number, writer, records);
    transaction.commit();
    return added;
  }
  // A metric of a wave, a step each.
  static std::vector<Metric> wave(const std::string& key, int count) {
    std::vector<Metric> metrics;
    for (int i = 0; i < count; ++i)
      metrics.push_back({key, std::sin(i * 0.37) + i * 1e-3, 1000000 + i * 10, i});
    return metrics;
  }

  void limit(std::uint64_t quota, std::int64_t retention_days, std::size_t keep) {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    mlrt::write_store_limits(transaction, {quota, retention_days * kRetentionDayMs, keep});
    transaction.commit();
  }
  int apply() {
    int steps = 0;
    while (mlrt::apply_store_limits(*database)) {
      ++steps;
      REQUIRE(steps < 100000);
    }
    return steps;
  }
  StoreLimitsState state() {
    Transaction transaction(*database, Transaction::Mode::kRead);
    return mlrt::read_store_limits_state(transaction);
  }
  void sql(const std::string& text) {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run(text);
    transaction.commit();
  }

  // As if the walk over all runs had begun then.
  void pretend_begun(std::int64_t time_ms) {
    sql("UPDATE settings SET value = " + std::to_string(time_ms) +
        " || substr(value, instr(value, ' ')) WHERE name = 'limits_progress'");
  }

  std::size_t points(const std::string& id, const std::string& key) {
    return store.metric_history(id, key).size();
  }
  std::string mark(const std::string& id) {
    for (const mlrt::Tag& tag : store.run(id).tags) {
      if (tag.key == "mlrt.history") return tag.value;
    }
    return "";
  }
  void check_sound() {
    for (const std::string& problem :
         mlrt::inspect_store(database, dir.path("artifacts")).problems) {
      FAIL_CHECK(problem);
    }
  }
};

bool retention_has(const std::vector<Metric>& history, const Metric& wanted) {
  return std::any_of(history.begin(), history.end(), [&](const Metric& metric) {
    return metric.step == wanted.step && metric.timestamp_ms == wanted.timestamp_ms &&
           (metric.value == wanted.value || (std::isnan(metric.value) && std::isnan(wanted.value)));
  });
}

}  // namespace

TEST_CASE_FIXTURE(RetentionFixture, "a new store has no limits and nothing gives way") {
  const std::string id = run(1000);
  add(id, wave("a", 5000));
  CHECK_FALSE(mlrt::apply_store_limits(*database));
  CHECK(points(id, "a") == 5000);
  const StoreLimitsState found = state();
  CHECK(found.limits.quota_bytes == 0);
  CHECK(found.limits.retention_ms == 0);
  CHECK(found.limits.keep_points == 1000);
  CHECK(found.applied_ms == 0);
  CHECK(found.thinned_runs == 0);
  CHECK(found.used_bytes > 100000);
}

TEST_CASE_FIXTURE(RetentionFixture, "limits are kept in the store and wrong ones are refused") {
  limit(5 << 20, 30, 50);
  {
    const auto other = Database::open(dir.path("s.db"));
    Transaction transaction(*other, Transaction::Mode::kRead);
    const StoreLimits limits = mlrt::read_store_limits(transaction);
    CHECK(limits.quota_bytes == 5 << 20);
    CHECK(limits.retention_ms == 30 * kRetentionDayMs);
    CHECK(limits.keep_points == 50);
  }
  const auto small = caught([&] { limit(1000, 0, 50); });
  CHECK(small.code == ErrorCode::kInvalidParameter);
  CHECK(small.has("a quota is at least 1048576 bytes, or 0 for none, got 1000"));
  CHECK(caught([&] { limit(0, -1, 50); }).has("must not be negative, got -86400000 ms"));
  CHECK(caught([&] { limit(0, 1, 10001); }).has("at most 10000 points of a metric can be kept"));
  CHECK(state().limits.quota_bytes == 5 << 20);

  sql("UPDATE settings SET value = 'x' WHERE name = 'keep_points'");
  sql("UPDATE settings SET value = '-5' WHERE name = 'quota_bytes'");
  sql("UPDATE settings SET value = '1 2 3' WHERE name = 'limits_progress'");
  CHECK(state().limits.keep_points == 1000);
  CHECK(state().limits.quota_bytes == 0);
}

TEST_CASE_FIXTURE(RetentionFixture,
                  "an old history is thinned to its extremes and what is newer stays whole") {
  const std::string old = run(40), recent = run(20), running = run(0);
  std::vector<Metric> metrics = wave("a", 5000);
  metrics[1234].value = 77;
  metrics[2345].value = -77;
  for (const std::string& id : {old, recent, running}) {
    add(id, metrics);
    store.log_params(id, {{"p", "1"}});
    store.set_tags(id, {{"t", "2"}});
  }
  const RunRecord before = store.run(old);
  limit(0, 30, 100);
  CHECK(apply() >= 0);

  CHECK(points(recent, "a") == 5000);
  CHECK(points(running, "a") == 5000);
  const std::vector<Metric> history = store.metric_history(old, "a");
  CHECK(history.size() <= 102);
  CHECK(history.size() >= 80);
  for (const int kept : {0, 1234, 2345, 4999})
    CHECK(retention_has(history, metrics[static_cast<std::size_t>(kept)]));
  for (const Metric& point : history)
    CHECK(retention_has({metrics[static_cast<std::size_t>(point.step)]}, point));
  CHECK(mark(old) == "thinned");
  CHECK(mark(recent).empty());
  CHECK(mark(running).empty());
  const RunRecord after = store.run(old);
  CHECK(after.params.size() == before.params.size());
  CHECK(after.tags.size() == before.tags.size() + 1);
  REQUIRE(after.metrics.size() == 1);
  CHECK(after.metrics[0].value == before.metrics[0].value);
  CHECK(after.metrics[0].step == 4999);
  const StoreLimitsState found = state();
  CHECK(found.thinned_runs == 1);
  CHECK(found.dropped_runs == 0);
  CHECK(found.applied_ms > 0);
  check_sound();

  const std::size_t kept = history.size();
  CHECK_FALSE(mlrt::apply_store_limits(*database));
  limit(0, 30, 100);
  apply();
  CHECK(points(old, "a") == kept);
}

TEST_CASE_FIXTURE(RetentionFixture, "with no points to keep a history is dropped to its last") {
  const std::string id = run(40);
  std::vector<Metric> metrics = wave("a", 2000);
  add(id, metrics);
  add(id, {{"b", 1, 5, 5}});
  limit(0, 30, 0);
  apply();
  const std::vector<Metric> history = store.metric_history(id, "a");
  REQUIRE(history.size() == 1);
  CHECK(history[0].step == 1999);
  CHECK(points(id, "b") == 1);
  CHECK(mark(id) == "dropped");
  CHECK(state().dropped_runs == 1);
  CHECK(store.run(id).metrics.size() == 2);

  limit(0, 30, 100);  // what is dropped is not called thinned when more comes
  add(id, wave("c", 2000), 5000);
  limit(0, 30, 100);
  apply();
  CHECK(points(id, "c") <= 102);
  CHECK(mark(id) == "dropped");
  check_sound();
}

TEST_CASE_FIXTURE(RetentionFixture, "the latest value stays though it was not logged last") {
  const std::string id = run(40);
  std::vector<Metric> metrics = wave("a", 3000);
  metrics[1500].step = 1000000;
  add(id, metrics);
  limit(0, 30, 0);
  apply();
  const std::vector<Metric> history = store.metric_history(id, "a");
  CHECK(history.size() == 2);
  CHECK(retention_has(history, metrics[1500]));
  CHECK(retention_has(history, metrics[2999]));
  CHECK(store.run(id).metrics[0].step == 1000000);
}

TEST_CASE_FIXTURE(RetentionFixture, "a history of NaN and infinities is thinned") {
  const std::string id = run(40);
  std::vector<Metric> metrics = wave("a", 3000);
  for (int i = 0; i < 1000; ++i) metrics[static_cast<std::size_t>(i)].value = kRetentionNan;
  metrics[2000].value = std::numeric_limits<double>::infinity();
  metrics[2999].value = kRetentionNan;
  add(id, metrics);
  limit(0, 30, 20);
  apply();
  const std::vector<Metric> history = store.metric_history(id, "a");
  CHECK(history.size() <= 22);
  for (const int kept : {0, 2000, 2999})
    CHECK(retention_has(history, metrics[static_cast<std::size_t>(kept)]));
  check_sound();
}

TEST_CASE_FIXTURE(RetentionFixture, "what was thinned does not come back from its writer") {
  const std::string id = run(40);
  const std::vector<Metric> metrics = wave("a", 3000);
  add(id, metrics);
  limit(0, 30, 20);
  apply();
  const std::size_t kept = points(id, "a");
  CHECK(add(id, metrics) == 0);
  CHECK(points(id, "a") == kept);
  limit(0, 30, 0);
  apply();
  CHECK(points(id, "a") == 1);
  CHECK(add(id, metrics) == 0);
  CHECK(points(id, "a") == 1);
  CHECK(add(id, {{"a", 5, 2000000, 3000}}, 3001) == 1);
  CHECK(points(id, "a") == 2);
}

TEST_CASE_FIXTURE(RetentionFixture, "what was thinned does not come back by importing it again") {
  const std::string run_folder = dir.path("mlruns/0/0123456789abcdef0123456789abcdef");
  for (const char* name : {"metrics", "params", "tags", "artifacts"})
    mlrt::fs::make_folders(run_folder + "/" + name);
  mlrt::fs::write_file(dir.path("mlruns/0/meta.yaml"),
                       "artifact_location: mlflow-artifacts:/0\ncreation_time: 1\n"
                       "experiment_id: '0'\nlast_update_time: 1\nlifecycle_stage: active\n"
                       "name: Default\n");
  mlrt::fs::write_file(run_folder + "/meta.yaml",
                       "artifact_uri: mlflow-artifacts:/0/x\nend_time: 2000\nentry_point_name: ''\n"
                       "experiment_id: '0'\nlifecycle_stage: active\n"
                       "run_id: 0123456789abcdef0123456789abcdef\nrun_name: r\nsource_name: ''\n"
                       "source_type: 4\nsource_version: ''\nstart_time: 1000\nstatus: 3\n"
                       "tags: []\nuser_id: u\n");
  std::string lines;
  for (int i = 0; i < 2000; ++i)
    lines +=
        std::to_string(1000 + i) + " " + std::to_string(i % 17) + " " + std::to_string(i) + "\n";
  mlrt::fs::write_file(run_folder + "/metrics/loss", lines);
  const auto import = [&] {
    return mlrt::import_tracking(store, database, dir.path("mlruns"), {}).metrics;
  };
  const std::string id = "0123456789abcdef0123456789abcdef";
  CHECK(import() == 2000);
  CHECK(import() == 0);
  limit(0, 30, 50);
  apply();
  const std::size_t kept = points(id, "loss");
  CHECK(kept <= 52);
  CHECK(import() == 0);
  CHECK(points(id, "loss") == kept);
  mlrt::fs::write_file(run_folder + "/metrics/loss", lines + "9000 1 2000\n9001 2 2001\n");
  CHECK(import() == 2);
  CHECK(points(id, "loss") == kept + 2);
  CHECK(store.run(id).metrics[0].step == 2001);
}

TEST_CASE_FIXTURE(RetentionFixture, "a history larger than a step is thinned as a whole") {
  const std::string id = run(40), small = run(39);
  std::vector<Metric> metrics = wave("a", 200000);
  metrics[70000].value = 1e9;
  metrics[150000].value = -1e9;
  add(id, metrics);
  add(small, wave("a", 3000));
  limit(0, 30, 100);
  std::int64_t longest_ms = 0;
  int steps = 0;
  for (bool more = true; more; ++steps) {
    const std::int64_t start_ms = mlrt::monotonic_ms();
    more = mlrt::apply_store_limits(*database);
    longest_ms = std::max(longest_ms, mlrt::monotonic_ms() - start_ms);
    REQUIRE(steps < 1000);
  }
  MESSAGE("200,000 points thinned in " << steps << " steps, the longest " << longest_ms << " ms");
  const std::vector<Metric> history = store.metric_history(id, "a");
  CHECK(history.size() <= 102);
  CHECK(history.size() >= 60);
  for (const int kept : {0, 70000, 150000, 199999})
    CHECK(retention_has(history, metrics[static_cast<std::size_t>(kept)]));
  // From all over it: the same number of points in each quarter, more or less.
  for (int quarter = 0; quarter < 4; ++quarter) {
    const auto in = std::count_if(history.begin(), history.end(), [&](const Metric& point) {
      return point.step / 50000 == quarter;
    });
    CHECK(in >= 5);
  }
  CHECK(points(small, "a") <= 102);
  limit(0, 30, 0);
  apply();
  CHECK(points(id, "a") == 1);
  check_sound();
}

TEST_CASE_FIXTURE(RetentionFixture, "a quota thins and drops the oldest and leaves the newest") {
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) {
    ids.push_back(run(100 - i));
    add(ids.back(), wave("a", 12000));
    add(ids.back(), wave("b", 300), 20000);
  }
  const std::uint64_t full = state().used_bytes;
  REQUIRE(full > (5 << 20));
  limit(full * 3 / 4, 0, 1000);
  apply();
  CHECK(state().used_bytes <= full * 3 / 4);
  const StoreLimitsState thinned = state();
  CHECK(thinned.dropped_runs == 0);
  CHECK(thinned.thinned_runs >= 8);
  CHECK(thinned.thinned_runs <= 16);
  for (std::size_t i = 0; i < ids.size(); ++i)
    CHECK((mark(ids[i]) == "thinned") == (i < thinned.thinned_runs));
  CHECK(points(ids.front(), "b") == 300);

  const std::uint64_t quota = mlrt::kLeastQuotaBytes;
  limit(quota, 0, 1000);
  apply();
  const StoreLimitsState tight = state();
  CHECK(tight.used_bytes <= quota);
  CHECK(tight.dropped_runs > 0);
  CHECK(tight.thinned_runs > 0);
  CHECK(points(ids.front(), "a") == 1);
  CHECK(points(ids.front(), "b") == 1);
  // In the order of age: dropped, thinned, whole.
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string expected = i < tight.dropped_runs                        ? "dropped"
                                 : i < tight.dropped_runs + tight.thinned_runs ? "thinned"
                                                                               : "";
    CHECK(mark(ids[i]) == expected);
  }
  CHECK(points(ids.back(), "a") == 12000);
  for (const std::string& id : ids) CHECK(store.run(id).metrics.size() == 2);
  check_sound();
}

TEST_CASE_FIXTURE(RetentionFixture, "the store stays below its quota while more is logged") {
  limit(2 << 20, 0, 200);
  std::string last;
  std::uint64_t most = 0;
  for (int i = 0; i < 60; ++i) {
    last = run(100 - i);
    add(last, wave("a", 12000));
    apply();
    most = std::max(most, state().used_bytes);
  }
  CHECK(most <= 2 << 20);
  CHECK(points(last, "a") == 12000);
  const auto facts = mlrt::inspect_store(database, dir.path("artifacts"));
  MESSAGE("the file has " << facts.page_count * facts.page_size_bytes << " bytes");
  CHECK(facts.page_count * facts.page_size_bytes < (3 << 20));
}

TEST_CASE_FIXTURE(RetentionFixture, "a quota that cannot be met ends in rest") {
  const std::string running = run(0);
  add(running, wave("a", 100000));
  const std::string id = run(3);
  add(id, wave("a", 5000));
  limit(mlrt::kLeastQuotaBytes, 0, 1000);
  apply();
  CHECK(state().used_bytes > mlrt::kLeastQuotaBytes);
  CHECK(points(running, "a") == 100000);
  CHECK(points(id, "a") == 1);
  CHECK_FALSE(mlrt::apply_store_limits(*database));
  const std::string later = run(2);
  add(later, wave("a", 5000));
  apply();
  CHECK(points(later, "a") == 1);

  // What comes in late, to a run that was dealt with, waits for ten minutes.
  add(id, wave("late", 3000), 10000);
  CHECK_FALSE(mlrt::apply_store_limits(*database));
  CHECK(points(id, "late") == 3000);
  pretend_begun(mlrt::now_ms() - 11 * 60 * 1000);
  apply();
  CHECK(points(id, "late") == 1);
  CHECK(points(running, "a") == 100000);
}

TEST_CASE_FIXTURE(RetentionFixture, "a run that was opened again is thinned again a day later") {
  const std::string id = run(40);
  add(id, wave("a", 3000));
  limit(0, 30, 100);
  apply();
  CHECK(points(id, "a") <= 102);
  TrackingStore::RunUpdate update;
  update.status = RunStatus::kRunning;
  store.update_run(id, update);
  std::vector<Metric> more = wave("a", 6000);
  more.erase(more.begin(), more.begin() + 3000);
  add(id, more, 3001);
  limit(0, 30, 100);
  apply();
  CHECK(points(id, "a") > 3000);  // it is running
  end(id, 35);
  // A day and more ago, or in the future.
  for (const std::int64_t begun :
       {mlrt::now_ms() - kRetentionDayMs - 1000, mlrt::now_ms() + 5000}) {
    CAPTURE(begun);
    CHECK_FALSE(mlrt::apply_store_limits(*database));
    pretend_begun(begun);
    apply();
    CHECK(points(id, "a") <= 102);
  }
}

TEST_CASE_FIXTURE(RetentionFixture, "a damaged history is left alone and the others are thinned") {
  const std::string damaged = run(40), sound = run(39);
  add(damaged, wave("a", 3000));
  add(damaged, wave("b", 3000), 4000);
  add(sound, wave("a", 3000));
  sql("UPDATE metric_blocks SET data = x'00' WHERE metric_key = 1 AND run = " +
      std::to_string(row(damaged)) + " AND first_seq = 513");
  limit(0, 30, 100);
  apply();
  CHECK(points(sound, "a") <= 102);
  CHECK(points(damaged, "b") <= 102);
  CHECK(caught([&] { store.metric_history(damaged, "a"); }).code == ErrorCode::kDataCorrupt);
}

TEST_CASE_FIXTURE(RetentionFixture, "nothing is written while there is nothing to do") {
  const std::string id = run(3);
  add(id, wave("a", 3000));
  limit(1ull << 30, 30, 100);
  auto other = Database::open(dir.path("s.db"));
  const auto version = [&] {
    Transaction transaction(*other, Transaction::Mode::kRead);
    auto found = transaction.query("PRAGMA data_version");
    REQUIRE(found.step());
    return found.integer(0);
  };
  const std::int64_t before = version();
  for (int i = 0; i < 10; ++i) CHECK_FALSE(mlrt::apply_store_limits(*database));
  CHECK(version() == before);
  CHECK(points(id, "a") == 3000);
}

TEST_CASE_FIXTURE(RetentionFixture,
                  "compacting makes the file smaller and keeps all that is in it") {
  const std::string id = run(40), other = run(3);
  add(id, wave("a", 100000));
  add(other, wave("a", 1000));
  limit(0, 30, 100);
  apply();
  const auto before = mlrt::inspect_store(database, dir.path("artifacts"));
  REQUIRE(before.free_page_count > 100);
  const std::uint64_t given_back = mlrt::compact_store(*database);
  CHECK(given_back > 100 * 4096);
  const auto after = mlrt::inspect_store(database, dir.path("artifacts"));
  CHECK(after.free_page_count == 0);
  CHECK(after.problems.empty());
  CHECK(mlrt::fs::file_size(dir.path("s.db")) + given_back ==
        static_cast<std::uint64_t>(before.page_count * before.page_size_bytes));
  CHECK(points(other, "a") == 1000);
  CHECK(store.create_run({}).run_id.size() == 32);
  {
    const Transaction writing(*database, Transaction::Mode::kWrite);
    mlrt::DatabaseOptions impatient;
    impatient.busy_timeout_ms = 20;
    const auto second = Database::open(dir.path("s.db"), impatient);
    CHECK(caught([&] { mlrt::compact_store(*second); }).code == ErrorCode::kUnavailable);
  }
  CHECK(points(other, "a") == 1000);
}

TEST_CASE_FIXTURE(RetentionFixture, "limits are applied while others log to the store") {
  limit(mlrt::kLeastQuotaBytes, 0, 50);
  std::atomic<bool> done{false};
  std::string problem;
  std::vector<std::string> ids;
  std::thread logging([&] {
    try {
      for (int i = 0; i < 25; ++i) {
        const std::string id = store.create_run({}).run_id;
        ids.push_back(id);
        store.log_metrics(id, wave("a", 4000));
        store.log_params(id, {{"p", "1"}});
        store.end_run(id, RunStatus::kFinished, 0);
      }
    } catch (const std::exception& error) {
      problem = error.what();
    }
    done = true;
  });
  const auto other = Database::open(dir.path("s.db"));
  while (!done) {
    mlrt::apply_store_limits(*other);
    mlrt::apply_store_limits(*database);
  }
  logging.join();
  CHECK(problem == "");
  state();  // what waits in the journal comes in
  apply();
  CHECK(state().used_bytes <= mlrt::kLeastQuotaBytes);
  CHECK(points(ids.back(), "a") == 4000);
  CHECK(mark(ids.front()) != "");
  for (const std::string& id : ids) {
    const RunRecord record = store.run(id);
    CHECK(record.params.size() == 1);
    REQUIRE(record.metrics.size() == 1);
    CHECK(record.metrics[0].step == 3999);
  }
  check_sound();
}
