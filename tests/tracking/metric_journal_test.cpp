#include "tracking/metric_journal.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "journal_testing.hpp"
#include "tracking/logged_models.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::Database;
using mlrt::DatabaseOptions;
using mlrt::Durability;
using mlrt::ErrorCode;
using mlrt::Metric;
using mlrt::MetricJournal;
using mlrt::RunMetrics;
using mlrt::TrackingStore;
using mlrt::Transaction;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::child_succeeded;
using mlrt::test::ChildProcess;
using mlrt::test::FsHook;
using mlrt::test::kSanitizer;
using mlrt::test::path_has;
using mlrt::test::Pipe;
using mlrt::test::require_in_child;
using mlrt::test::start_child;
using mlrt::test::StderrCapture;
using mlrt::test::stored_integer;
using mlrt::test::stored_points;
using mlrt::test::TempDir;

namespace {

constexpr std::uint64_t kSmallBacklog = 1 << 20;

// A store that is open, as one process or one part of it has it.
struct OpenedStore {
  std::shared_ptr<Database> database;
  std::optional<TrackingStore> tracking;

  explicit OpenedStore(const std::string& path, const DatabaseOptions& options = {})
      : database(Database::open(path, options)) {
    tracking.emplace(database, path + "-artifacts");
  }
  TrackingStore* operator->() { return &*tracking; }
  void close() {
    tracking.reset();
    database.reset();
  }
  std::string new_run() { return tracking->create_run({}).run_id; }
  // Steps from, from + 1, ... below until, one call each; the value is the step.
  void log(const std::string& run, const char* key, std::int64_t from, std::int64_t until) {
    const std::shared_ptr<RunMetrics> metrics = tracking->open_metrics(run);
    for (std::int64_t i = from; i < until; ++i)
      tracking->log_metric(*metrics, key, static_cast<double>(i), i, 1000 + i);
  }
  // How many there are; 0 and a failed check if one is there twice or has another's value.
  std::int64_t count(const std::string& run, const char* key) {
    const std::vector<Metric> history = tracking->metric_history(run, key);
    bool right = true;
    for (std::size_t i = 0; i < history.size(); ++i) {
      right = right && history[i].value == static_cast<double>(history[i].step) &&
              (i == 0 || history[i].step > history[i - 1].step);
    }
    CHECK(right);
    return right ? static_cast<std::int64_t>(history.size()) : 0;
  }
  std::string integrity() {
    Transaction transaction(*database, Transaction::Mode::kReadStored);
    auto row = transaction.query("PRAGMA integrity_check");
    return row.step() ? row.text(0) : "";
  }
};

struct JournalFixture {
  TempDir dir;
  std::string path = dir.path("s.db");

  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const std::string& name : mlrt::fs::list(dir.path()))
      if (name.rfind("s.db", 0) == 0) names.push_back(name);
    return names;
  }
  // A run in a store that is closed again.
  std::string new_run() { return OpenedStore(path).new_run(); }
};

const std::vector<std::string> kOneFile = {"s.db"};

DatabaseOptions journal_options(Durability durability, std::uint64_t backlog_bytes = 256u << 20,
                                int busy_timeout_ms = 10000) {
  DatabaseOptions options;
  options.durability = durability;
  options.backlog_bytes = backlog_bytes;
  options.busy_timeout_ms = busy_timeout_ms;
  return options;
}

void journal_wait_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

template <typename Condition>
bool journal_wait_until(Condition condition, int timeout_ms = 10000) {
  const std::int64_t start = mlrt::monotonic_ms();
  while (!condition()) {
    if (mlrt::monotonic_ms() - start > timeout_ms) return false;
    journal_wait_ms(1);
  }
  return true;
}

std::size_t count_open_files() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

std::vector<Metric> batch_of(std::int64_t from, std::int64_t until, const char* key = "m") {
  std::vector<Metric> batch;
  for (std::int64_t i = from; i < until; ++i)
    batch.push_back({key, static_cast<double>(i), 1000 + i, i});
  return batch;
}

}  // namespace

// ---- who sees what

TEST_CASE_FIXTURE(JournalFixture, "the process that logs sees what it logged at once") {
  OpenedStore store(path);
  const std::string run = store.new_run();
  const auto metrics = store->open_metrics(run);
  for (int i = 0; i < 50; ++i) {
    store->log_metric(*metrics, "m", i, i, 1000 + i);
    CHECK(store.count(run, "m") == i + 1);
  }
  store->log_metrics(run, batch_of(50, 1000));
  CHECK(store.count(run, "m") == 1000);
  CHECK(store->run(run).metrics.at(0).value == 999);
  mlrt::SearchQuery query;
  query.filter = "metrics.m = 999";
  CHECK(store->search_runs({}, query).items.size() == 1);
  store->log_metric(*metrics, "m", 5, 2000);
  CHECK(store->search_runs({}, query).items.empty());
  // Another opening in the same process, too.
  CHECK(OpenedStore(path)->metric_history(run, "m").size() == 1001);
}

TEST_CASE_FIXTURE(JournalFixture, "another process finds metrics in the store within 200 ms") {
  const std::string run = new_run();
  Pipe told, go;
  ChildProcess writer([&] {
    OpenedStore store(path);
    for (int round = 1; round <= 10; ++round) {
      go.hear();
      store.log(run, "m", 100 * (round - 1), 100 * round);
      told.say();
    }
    go.hear();
  });
  auto reader = Database::open(path);
  std::vector<std::int64_t> took_ms;
  for (int round = 1; round <= 10; ++round) {
    go.say();
    told.hear();
    const std::int64_t start = mlrt::monotonic_ms();
    REQUIRE(journal_wait_until([&] { return stored_points(*reader) >= 100 * round; }));
    took_ms.push_back(mlrt::monotonic_ms() - start);
  }
  go.say();
  CHECK(writer.succeeded());
  std::sort(took_ms.begin(), took_ms.end());
  // A machine that does much else may delay a few of them.
  CHECK(took_ms[2] <= 200);
}

TEST_CASE_FIXTURE(JournalFixture, "another process sees what a stopped or killed writer logged") {
  const std::string run = new_run();
  Pipe go, told;
  ChildProcess writer([&] {
    OpenedStore store(path);
    for (int round = 0;; ++round) {
      store.log(run, "m", 1000 * round, 1000 * (round + 1));
      ::raise(SIGSTOP);
    }
  });
  OpenedStore reader(path);
  const std::int64_t start = mlrt::monotonic_ms();
  for (int round = 1; round <= 3; ++round) {
    REQUIRE(writer.wait_for_stop());
    CHECK(reader.count(run, "m") == 1000 * round);
    CHECK(reader.count(run, "m") == 1000 * round);
    CHECK(OpenedStore(path).count(run, "m") == 1000 * round);
    if (round < 3) writer.go_on();
  }
  CHECK(mlrt::monotonic_ms() - start < 8000);
  CHECK(mlrt::fs::exists(mlrt::journal_folder(path)));
  writer.kill();
  CHECK(reader.count(run, "m") == 3000);
  // It was dead: nothing of it is needed any more.
  CHECK_FALSE(mlrt::fs::exists(mlrt::journal_folder(path)));
  CHECK(reader.integrity() == "ok");
}

TEST_CASE_FIXTURE(JournalFixture, "folding the same journal again changes nothing") {
  const std::string run = new_run();
  Pipe told;
  ChildProcess writer([&] {
    OpenedStore store(path);
    store.log(run, "m", 0, 5000);
    store->log_metrics(run, batch_of(0, 10, "n"));
    told.say();
    ::pause();
  });
  told.hear();
  writer.kill();
  const std::string copy = dir.path("copy");
  std::filesystem::copy(mlrt::journal_folder(path), copy, std::filesystem::copy_options::recursive);
  for (int again = 0; again < 3; ++again) {
    OpenedStore store(path);
    CHECK(store.count(run, "m") == 5000);
    CHECK(store.count(run, "n") == 10);
    CHECK(stored_points(*store.database) == 5010);
    CHECK_FALSE(mlrt::fs::exists(mlrt::journal_folder(path)));
    std::filesystem::copy(copy, mlrt::journal_folder(path),
                          std::filesystem::copy_options::recursive);
  }
}

TEST_CASE_FIXTURE(JournalFixture, "a reader ends though another writes without end") {
  OpenedStore writer(path), reader(path);
  const std::string run = writer.new_run();
  std::atomic<bool> stop{false};
  std::thread thread([&] {
    const auto metrics = writer->open_metrics(run);
    for (int i = 0; !stop; ++i) writer->log_metric(*metrics, "m", i, i, 1000 + i);
  });
  const std::int64_t start = mlrt::monotonic_ms();
  std::int64_t seen = -1;
  for (int i = 0; i < 3; ++i) {
    const auto latest = reader->run(run).metrics;
    const std::int64_t step = latest.empty() ? 0 : latest[0].step;
    CHECK(step >= seen);
    seen = step;
  }
  CHECK(mlrt::monotonic_ms() - start < 8000);
  stop = true;
  thread.join();
}

TEST_CASE_FIXTURE(JournalFixture, "a reader lets go of the files of writers that are gone") {
  const std::string run = new_run();
  Pipe go, told;
  ChildProcess writers([&] {
    for (int i = 0;; ++i) {
      OpenedStore store(path);
      store.log(run, "m", 10 * i, 10 * i + 10);
      told.say();
      go.hear();
    }
  });
  OpenedStore reader(path);
  std::size_t files = 0;
  for (int i = 0; i < 12; ++i) {
    told.hear();
    CHECK(reader.count(run, "m") == 10 * i + 10);
    if (i == 1) files = count_open_files();
    go.say();
  }
  told.hear();
  CHECK(count_open_files() <= files + 1);
  writers.kill();
}

// ---- the bound and the space of the journal

TEST_CASE_FIXTURE(JournalFixture,
                  "a clean close leaves one file, and so does one without metrics") {
  { OpenedStore store(path); }
  CHECK(files() == kOneFile);
  {
    OpenedStore store(path);
    store.log(store.new_run(), "m", 0, 100000);
    CHECK(files().size() > 1);
  }
  CHECK(files() == kOneFile);
  CHECK(stored_points(*Database::open(path)) == 100000);
}

TEST_CASE_FIXTURE(JournalFixture, "the journal stays below its bound, and nothing is lost") {
  std::uint64_t most = 0;
  {
    OpenedStore store(path, journal_options(Durability::kProcess, kSmallBacklog));
    const std::string run = store.new_run();
    for (int i = 0; i < 150; ++i) {
      store.log(run, "m", 1000 * i, 1000 * (i + 1));
      // In between files come and go.
      most = std::max(most, mlrt::test::folder_bytes(mlrt::journal_folder(path)));
    }
    store->log_metrics(run, batch_of(0, 60000, "n"));  // more than the bound at once
    CHECK(store.count(run, "m") == 150000);
    CHECK(store.count(run, "n") == 60000);
  }
  CHECK(most > kSmallBacklog / 4);
  CHECK(most <= kSmallBacklog);
  CHECK(files() == kOneFile);
}

TEST_CASE_FIXTURE(JournalFixture, "a segment goes only after a synced commit of its watermark") {
  // What was in the store at the last sync of its log.
  std::atomic<std::int64_t> synced{0};
  std::atomic<int> removed{0}, early{0}, syncs{0};
  thread_local bool inside = false;
  const std::string folder = mlrt::journal_folder(path);
  {
    const FsHook hook([&](mlrt::fs::Op op, const std::string& file) {
      if (inside) return 0;
      inside = true;
      if (op == mlrt::fs::Op::kSync && path_has(file, "-wal")) {
        mlrt::StoreConnection connection(path, path, mlrt::StoreOpenMode::kReadWrite, 1000);
        synced = connection.query_integer("SELECT coalesce(max(folded_seq), 0) FROM writers");
        ++syncs;
      }
      if (op == mlrt::fs::Op::kRemove && path_has(file, ".segment")) {
        // It ends where the next one begins.
        std::int64_t end = 0;
        const std::int64_t first = std::stoll(file.substr(file.size() - 24, 16), nullptr, 16);
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
          const std::string name = entry.path().string();
          if (!path_has(name, ".segment")) continue;
          const std::int64_t other = std::stoll(name.substr(name.size() - 24, 16), nullptr, 16);
          if (other > first && (end == 0 || other < end)) end = other;
        }
        ++removed;
        if (end != 0 && end - 1 > synced) ++early;
      }
      inside = false;
      return 0;
    });
    OpenedStore store(path, journal_options(Durability::kProcess, kSmallBacklog));
    store.log(store.new_run(), "m", 0, 120000);
  }
  CHECK(removed >= 20);
  CHECK(syncs >= 2);
  CHECK(early == 0);
}

TEST_CASE_FIXTURE(JournalFixture, "a locked store: metrics wait, then are refused, then go on") {
  const std::string run = new_run();
  Pipe go, told;
  ChildProcess locker([&] {
    auto database = Database::open(path);
    go.hear();
    {
      Transaction locked(*database, Transaction::Mode::kWrite);
      told.say();
      go.hear();
    }
    told.say();
    go.hear();
  });
  std::atomic<int> segment_syncs{0};
  const FsHook hook([&](mlrt::fs::Op op, const std::string& file) {
    if (op == mlrt::fs::Op::kSync && path_has(file, ".segment")) ++segment_syncs;
    return 0;
  });
  std::int64_t logged = 0;
  {
    OpenedStore store(path, journal_options(Durability::kProcess, kSmallBacklog, 1000));
    const StderrCapture errors;
    const auto metrics = store->open_metrics(run);
    go.say();
    told.hear();
    const std::int64_t start = mlrt::monotonic_ms();
    const auto log_on = [&](std::int64_t until) {
      for (; logged < until; ++logged) {
        store->log_metric(*metrics, "m", static_cast<double>(logged), logged, 1000 + logged);
      }
    };
    const Caught refused = caught([&] { log_on(1000000); });
    CHECK(refused.code == ErrorCode::kUnavailable);
    CHECK(
        refused.has("the metric was not logged: the journal has reached its bound, and the "
                    "store takes nothing in"));
    CHECK(mlrt::monotonic_ms() - start >= 1000);
    CHECK(logged > 20000);
    CHECK(mlrt::test::folder_bytes(mlrt::journal_folder(path)) <= kSmallBacklog);
    // What is logged meanwhile survives a loss of power all the same.
    CHECK(segment_syncs >= 1);
    go.say();
    told.hear();
    log_on(logged + 1000);  // waits until there is room again
    CHECK(errors.count("metrics wait in the journal") <= 1);
    CHECK(store.count(run, "m") == logged);
  }
  go.say();
  CHECK(locker.succeeded());
  CHECK(files() == kOneFile);
  CHECK(OpenedStore(path).count(run, "m") == logged);
}

TEST_CASE_FIXTURE(JournalFixture, "a long transaction of another thread keeps no metric unsynced") {
  std::atomic<int> segment_syncs{0};
  const FsHook hook([&](mlrt::fs::Op op, const std::string& file) {
    if (op == mlrt::fs::Op::kSync && path_has(file, ".segment")) ++segment_syncs;
    return 0;
  });
  OpenedStore store(path);
  const std::string run = store.new_run();
  const auto metrics = store->open_metrics(run);
  {
    Transaction longer(*store.database, Transaction::Mode::kReadStored);
    store->log_metric(*metrics, "m", 0, 0, 1000);
    CHECK(journal_wait_until([&] { return segment_syncs >= 1; }, 3000));
  }
  CHECK(store.count(run, "m") == 1);
}

TEST_CASE_FIXTURE(JournalFixture, "a close that finds the store locked leaves the journal") {
  const std::string run = new_run();
  Pipe go, told;
  ChildProcess locker([&] {
    auto database = Database::open(path);
    Transaction locked(*database, Transaction::Mode::kWrite);
    told.say();
    go.hear();
  });
  told.hear();
  {
    const StderrCapture errors;
    {
      OpenedStore store(path, journal_options(Durability::kProcess, kSmallBacklog, 50));
      store.log(run, "m", 0, 10);
    }
    CHECK(errors.count("metrics stay in the journal, from which the next one") == 1);
  }
  go.say();
  CHECK(locker.succeeded());
  CHECK(OpenedStore(path).count(run, "m") == 10);
  CHECK(files() == kOneFile);
}

// ---- batches

TEST_CASE_FIXTURE(JournalFixture, "a batch is there whole or not at all on a disk that is full") {
  for (const Durability durability : {Durability::kProcess, Durability::kPower}) {
    const std::string run = new_run();
    std::atomic<int> allowed{1000};
    const FsHook hook([&](mlrt::fs::Op op, const std::string&) {
      return op == mlrt::fs::Op::kAllocate && --allowed < 0 ? ENOSPC : 0;
    });
    {
      OpenedStore store(path, journal_options(durability, kSmallBacklog));
      for (int round = 0; round < 4; ++round) {
        const int from = 10000 * round;
        allowed = round % 2;
        // The first segment has 2047 slots, later ones 4095.
        const Caught full = caught([&] { store->log_metrics(run, batch_of(from, from + 9000)); });
        CHECK(full.code == ErrorCode::kIo);
        CHECK(full.has("no space left on the disk"));
        CHECK(store.count(run, "m") == 9001 * round);
        CHECK(OpenedStore(path).count(run, "m") == 9001 * round);
        allowed = 1000;
        store.log(run, "m", from + 9000, from + 9001);
        CHECK(OpenedStore(path).count(run, "m") == 9001 * round + 1);
        store->log_metrics(run, batch_of(from, from + 9000));
        CHECK(OpenedStore(path).count(run, "m") == 9001 * (round + 1));
      }
    }
    CHECK(OpenedStore(path).count(run, "m") == 4 * 9001);
    CHECK(files() == kOneFile);
  }
}

TEST_CASE_FIXTURE(JournalFixture,
                  "a broken batch larger than the bound does not block what follows") {
  std::atomic<int> allowed{1000};
  const FsHook hook([&](mlrt::fs::Op op, const std::string&) {
    return op == mlrt::fs::Op::kAllocate && --allowed < 0 ? ENOSPC : 0;
  });
  OpenedStore store(path, journal_options(Durability::kProcess, kSmallBacklog, 2000));
  const std::string run = store.new_run();
  allowed = 9;
  CHECK(caught([&] { store->log_metrics(run, batch_of(0, 60000)); }).has("no space left"));
  allowed = 1000;
  store.log(run, "n", 0, 10);
  CHECK(store.count(run, "m") == 0);
  CHECK(store.count(run, "n") == 10);
}

TEST_CASE_FIXTURE(JournalFixture, "a metric against the rules is refused and leaves nothing") {
  OpenedStore store(path);
  const std::string run = store.new_run();
  const auto metrics = store->open_metrics(run);
  CHECK(caught([&] { store->log_metric(*metrics, "", 1, 0); }).code ==
        ErrorCode::kInvalidParameter);
  CHECK(caught([&] { store->log_metric(*metrics, "bad!", 1, 0); }).code ==
        ErrorCode::kInvalidParameter);
  store->log_metric(*metrics, "m", 1, 1);
  CHECK(caught([&] {
          store->log_metric(*metrics, "m", 1, 0, -5);
        }).has("Timestamp must be a nonnegative long"));
  CHECK(caught([&] { store->open_metrics(std::string(32, 'a')); }).code == ErrorCode::kNotFound);
  Metric linked{"m", 1, 1, 1};
  linked.model_id = "m-" + std::string(32, 'a');
  std::vector<Metric> batch = batch_of(0, 3);
  batch.push_back(linked);
  CHECK(caught([&] { store->log_metrics(run, batch); }).code == ErrorCode::kNotFound);
  CHECK(store->metric_history(run, "m").size() == 1);
}

// ---- runs that go

TEST_CASE_FIXTURE(JournalFixture, "a deleted run takes no metrics from the process that knows") {
  OpenedStore store(path);
  const std::string run = store.new_run(), other = store.new_run();
  const auto metrics = store->open_metrics(run), others = store->open_metrics(other);
  store->log_metric(*metrics, "m", 0, 0, 1000);
  store->delete_run(run);
  const std::string words =
      "The run " + run + " must be in the 'active' state. Current state is deleted.";
  for (int i = 0; i < 2; ++i) {
    CHECK(caught([&] { store->log_metric(*metrics, "m", 1, 1); }).message == words);
    CHECK(caught([&] { store->log_metrics(run, batch_of(1, 3)); }).message == words);
  }
  store->log_metric(*others, "m", 0, 0, 1000);
  store->restore_run(run);
  store->log_metric(*metrics, "m", 1, 1, 1001);
  CHECK(store.count(run, "m") == 2);
  CHECK(store.count(other, "m") == 1);

  const std::string experiment = store->create_experiment("e");
  TrackingStore::NewRun inside;
  inside.experiment_id = experiment;
  const auto held = store->open_metrics(store->create_run(inside).run_id, true);
  store->log_metric(*held, "m", 0, 0);
  store->delete_experiment(experiment);
  CHECK(caught([&] { store->log_metric(*held, "m", 1, 1); }).has("Current state is deleted"));
  store->log_metric(*others, "m", 1, 1, 1001);
  store->restore_experiment(experiment);
  store->log_metric(*held, "m", 1, 1);
}

TEST_CASE_FIXTURE(JournalFixture, "metrics that reach a run deleted elsewhere are kept with it") {
  const std::string run = new_run();
  Pipe go, told;
  ChildProcess writer([&] {
    OpenedStore store(path);
    const auto metrics = store->open_metrics(run);
    told.say();
    go.hear();
    store->log_metrics(run, batch_of(0, 3));
    told.say();
    go.hear();
  });
  OpenedStore store(path);
  told.hear();
  store->delete_run(run);
  go.say();
  told.hear();
  CHECK(store.count(run, "m") == 3);
  go.say();
  CHECK(writer.succeeded());
  store->restore_run(run);
  CHECK(store.count(run, "m") == 3);
}

TEST_CASE_FIXTURE(JournalFixture, "a run deleted elsewhere takes no more metrics before long") {
  OpenedStore store(path), other(path);
  const std::string run = store.new_run(), purged = store.new_run();
  const auto metrics = store->open_metrics(run), gone = store->open_metrics(purged);
  const StderrCapture errors;
  std::int64_t logged = 0;
  Caught refused;
  const auto is_refused = [&](RunMetrics& to) {
    refused = caught([&] { store->log_metric(to, "m", static_cast<double>(logged), logged); });
    if (refused.message.empty()) ++logged;
    return !refused.message.empty();
  };
  other->delete_run(run);
  CHECK(journal_wait_until([&] { return is_refused(*metrics); }));
  CHECK(refused.code == ErrorCode::kInvalidParameter);
  CHECK(refused.has("Current state is deleted"));
  CHECK(caught([&] { store->open_metrics(run); }).has("Current state is deleted"));
  other->restore_run(run);
  CHECK_FALSE(is_refused(*metrics));
  CHECK(store.count(run, "m") == logged);

  other->delete_run(purged);
  CHECK(other->collect_garbage().runs == 1);
  CHECK(journal_wait_until([&] { return is_refused(*gone); }));
  CHECK(refused.code == ErrorCode::kNotFound);
}

TEST_CASE_FIXTURE(JournalFixture, "metrics of a run that is really gone are dropped, no others") {
  std::string run, other;
  {
    OpenedStore store(path);
    run = store.new_run();
    other = store.new_run();
  }
  const StderrCapture errors;
  Pipe go, told;
  ChildProcess writer([&] {
    OpenedStore store(path);
    store.log(run, "m", 0, 5);
    told.say();
    go.hear();
    const auto gone = store->open_metrics(run, true);
    const auto kept = store->open_metrics(other);
    store->log_metrics(run, batch_of(5, 10));
    store->log_metrics(other, batch_of(5, 10));
  });
  OpenedStore store(path);
  told.hear();
  store->delete_run(run);
  CHECK(store->collect_garbage().runs == 1);
  CHECK(stored_points(*store.database) == 0);
  go.say();
  CHECK(writer.succeeded());
  CHECK(store.count(other, "m") == 5);
  CHECK(stored_points(*store.database) == 5);
  CHECK(errors.count("metrics of a run that the store does not have were dropped") >= 1);
}

// ---- files that somebody removes

TEST_CASE_FIXTURE(JournalFixture, "a journal that is removed while it is written comes back") {
  OpenedStore store(path), reader(path);
  const std::string run = store.new_run();
  const std::string folder = mlrt::journal_folder(path);
  const StderrCapture errors;
  store.log(run, "m", 0, 1);
  mlrt::fs::remove_tree(folder);
  store.log(run, "m", 1, 10000);
  CHECK(store.count(run, "m") == 10000);
  // Also when it waits for nothing else.
  mlrt::fs::remove_tree(folder);
  store.log(run, "m", 10000, 10001);
  CHECK(journal_wait_until([&] { return stored_points(*reader.database) == 10001; }));
  CHECK(mlrt::fs::exists(folder));
  // And when another process takes the writer for dead.
  for (int i = 1; i <= 20; ++i) {
    for (const auto& files : mlrt::find_journals(path))
      mlrt::fs::remove_file(mlrt::journal_lock_path(path, files.writer_id));
    store.log(run, "m", 10000 + i, 10001 + i);
    CHECK(reader.count(run, "m") >= 10000 + i);
    CHECK(store.count(run, "m") == 10001 + i);
  }
  CHECK(errors.text().empty());
  store.close();
  reader.close();
  CHECK(files() == kOneFile);
}

TEST_CASE_FIXTURE(JournalFixture, "files that are put in place of a journal's cost no more") {
  OpenedStore store(path);
  const std::string run = store.new_run();
  store.log(run, "m", 0, 10);
  CHECK(store.count(run, "m") == 10);
  for (const auto& segment : mlrt::find_segments(path, mlrt::find_journals(path)[0].writer_id)) {
    const std::string copy = mlrt::fs::read_file(segment.path);
    mlrt::fs::write_file(segment.path, copy);
  }
  const StderrCapture errors;
  store.log(run, "m", 10, 15);
  CHECK(store.count(run, "m") == 10);
  CHECK(errors.count("a part of its metrics is lost") == 1);
  CHECK(errors.count("records=5") == 1);
  store.log(run, "m", 15, 20);
  CHECK(store.count(run, "m") == 15);
  CHECK(errors.count("is lost") == 1);
}

// ---- keys and links

TEST_CASE_FIXTURE(JournalFixture, "a run may have very many keys, and long ones") {
  constexpr int kKeys = 8300;  // more than are kept defined
  const std::string tail(230, 'x');
  const auto key = [&](int i) { return std::to_string(i) + "/" + tail; };
  std::string run;
  {
    OpenedStore store(path, journal_options(Durability::kProcess, kSmallBacklog));
    run = store.new_run();
    const auto metrics = store->open_metrics(run);
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < kKeys; ++i)
        store->log_metric(*metrics, key(i), i + round, i + round, 1000 + i + round);
    }
  }
  OpenedStore store(path);
  CHECK(stored_points(*store.database) == 2 * kKeys);
  CHECK(stored_integer(*store.database, "SELECT count(*) FROM metric_keys") == kKeys);
  CHECK(stored_integer(*store.database, "SELECT sum(step) FROM latest_metrics") ==
        std::int64_t{kKeys} * (kKeys + 1) / 2);
  CHECK(store.count(run, key(kKeys - 1).c_str()) == 2);
}

TEST_CASE_FIXTURE(JournalFixture, "metrics with models and data sets keep what they belong to") {
  std::string run, model;
  {
    OpenedStore store(path);
    run = store.new_run();
    mlrt::LoggedModels models(store.database, dir.path("artifacts"));
    mlrt::LoggedModels::NewModel fresh;
    fresh.name = "forest";
    fresh.source_run_id = run;
    model = models.create(fresh).model_id;
    std::vector<Metric> batch;
    for (int i = 0; i < 3000; ++i) {
      Metric metric{"m", static_cast<double>(i), 1000 + i, i};
      if (i % 3 == 1) metric.model_id = model;
      if (i % 3 == 2) metric.dataset_name = "taxi", metric.dataset_digest = "d1";
      batch.push_back(metric);
    }
    store->log_metrics(run, batch);
    store->log_metrics(run, {batch[1]});
    const auto metrics = store->open_metrics(run);
    store->log_metric(*metrics, "m", 3000, 3000, 4000);
  }
  OpenedStore store(path);
  const std::vector<Metric> history = store->metric_history(run, "m");
  REQUIRE(history.size() == 3001);
  bool right = true;
  for (int i = 0; i < 3000; ++i) {
    const Metric& metric = history[static_cast<std::size_t>(i)];
    right = right && metric.value == i && metric.model_id == (i % 3 == 1 ? model : "") &&
            metric.dataset_name == (i % 3 == 2 ? "taxi" : "") &&
            metric.dataset_digest == (i % 3 == 2 ? "d1" : "");
  }
  CHECK(right);
  CHECK(history.back().model_id.empty());
  const auto found = mlrt::LoggedModels(store.database, dir.path("artifacts")).get(model).metrics;
  REQUIRE(found.size() == 1);
  CHECK(found[0].value == 2998);
}

TEST_CASE_FIXTURE(JournalFixture, "a clock that jumps back loses and mixes up nothing") {
  OpenedStore store(path);
  const std::string run = store.new_run();
  const auto metrics = store->open_metrics(run);
  for (int i = 0; i < 3000; ++i) store->log_metric(*metrics, "m", i, i, 1000000 - 300 * i);
  store->log_metric(*metrics, "m", -1, 2999, 0);  // now
  const std::vector<Metric> history = store->metric_history(run, "m");
  REQUIRE(history.size() == 3001);
  CHECK(history[0].step == 2999);
  CHECK(history[2999].step == 0);
  CHECK(history[3000].value == -1);
  CHECK(store->run(run).metrics.at(0).value == -1);
  CHECK(std::is_sorted(history.begin(), history.end(), [](const Metric& a, const Metric& b) {
    return a.timestamp_ms < b.timestamp_ms;
  }));
}

// ---- many at once

TEST_CASE_FIXTURE(JournalFixture, "many threads log to one run and to many, while others read") {
  std::vector<std::string> runs;
  {
    OpenedStore store(path, journal_options(Durability::kProcess, kSmallBacklog));
    for (int i = 0; i < 4; ++i) runs.push_back(store.new_run());
    std::vector<std::thread> threads;
    std::atomic<int> left{8};
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        const std::string key = "m" + std::to_string(i);
        for (int n = 0; n < 20; ++n) {
          store.log(runs[0], key.c_str(), 200 * n, 200 * n + 200);
          store->log_metrics(runs[static_cast<std::size_t>(i % 4)],
                             batch_of(50 * n, 50 * n + 50, ("b" + key).c_str()));
        }
        --left;
      });
    }
    while (left > 0) {
      store->run(runs[0]);
      store->set_tags(runs[1], {{"a", "b"}});
    }
    for (std::thread& thread : threads) thread.join();
  }
  OpenedStore store(path);
  for (int i = 0; i < 8; ++i) {
    const std::string key = "m" + std::to_string(i);
    CHECK(store.count(runs[0], key.c_str()) == 4000);
    CHECK(store.count(runs[static_cast<std::size_t>(i % 4)], ("b" + key).c_str()) == 1000);
  }
  CHECK(stored_points(*store.database) == 8 * 5000);
}

TEST_CASE_FIXTURE(JournalFixture, "many processes log to one store and none is ever locked out") {
  const std::string run = new_run();
  std::vector<pid_t> writers;
  for (int i = 0; i < 4; ++i) {
    writers.push_back(start_child([&, i] {
      OpenedStore store(path);
      const std::string key = "m" + std::to_string(i);
      for (int n = 0; n < 10; ++n) {
        store.log(run, key.c_str(), 200 * n, 200 * n + 200);
        store->set_tags(run, {{key, std::to_string(n)}});
        require_in_child(store->metric_history(run, key).size() == 200u * (n + 1), "own metrics");
      }
    }));
  }
  OpenedStore store(path);
  for (int i = 0; i < 10; ++i) store->run(run);
  for (const pid_t writer : writers) CHECK(child_succeeded(writer));
  for (int i = 0; i < 4; ++i) CHECK(store.count(run, ("m" + std::to_string(i)).c_str()) == 2000);
  CHECK(stored_points(*store.database) == 8000);
  CHECK(store->run(run).tags.size() >= 4);
}

// ---- durability

TEST_CASE_FIXTURE(JournalFixture, "where power may fail each call is synced before it returns") {
  std::atomic<int> segment_syncs{0};
  const FsHook hook([&](mlrt::fs::Op op, const std::string& file) {
    if (op == mlrt::fs::Op::kSync && path_has(file, ".segment")) ++segment_syncs;
    return 0;
  });
  OpenedStore store(path, journal_options(Durability::kPower));
  const std::string run = store.new_run();
  const auto metrics = store->open_metrics(run);
  for (int i = 0; i < 20; ++i) {
    const int before = segment_syncs;
    if (i % 4 == 3) {
      store->log_metrics(run, batch_of(10 * i, 10 * i + 5));
    } else {
      store->log_metric(*metrics, "n", i, i, 1000 + i);
    }
    CHECK(segment_syncs > before);
  }
  CHECK(store.count(run, "n") == 15);
  CHECK(store.count(run, "m") == 25);
}

TEST_CASE_FIXTURE(JournalFixture, "threads share the syncs that they wait for") {
  std::atomic<int> segment_syncs{0};
  std::string run;
  constexpr int kThreads = 8, kCalls = 25;
  const FsHook hook([&](mlrt::fs::Op op, const std::string& file) {
    if (op == mlrt::fs::Op::kSync && path_has(file, ".segment")) {
      ++segment_syncs;
      journal_wait_ms(3);  // as a disk does
    }
    return 0;
  });
  {
    OpenedStore store(path, journal_options(Durability::kPower));
    run = store.new_run();
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        const std::string key = "m" + std::to_string(i);
        store.log(run, key.c_str(), 0, kCalls);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(segment_syncs >= kCalls);
  CHECK(segment_syncs < kThreads * kCalls / 2);
  CHECK(stored_points(*Database::open(path)) == kThreads * kCalls);
}

TEST_CASE_FIXTURE(JournalFixture, "an acknowledged metric is synced within a second by default") {
  std::atomic<int> segment_syncs{0}, log_syncs{0};
  const FsHook hook([&](mlrt::fs::Op op, const std::string& file) {
    if (op == mlrt::fs::Op::kSync && path_has(file, ".segment")) ++segment_syncs;
    if (op == mlrt::fs::Op::kSync && path_has(file, "-wal")) ++log_syncs;
    return 0;
  });
  OpenedStore store(path);
  const std::string run = store.new_run();
  REQUIRE(journal_wait_until([&] { return store.database->is_durable() && log_syncs > 0; }, 3000));
  const int before = log_syncs + segment_syncs;
  const std::int64_t start = mlrt::monotonic_ms();
  store.log(run, "m", 0, 10);
  CHECK(journal_wait_until([&] { return log_syncs + segment_syncs > before; }, 3000));
  CHECK(mlrt::monotonic_ms() - start <= 1000);
  // Parameters too.
  REQUIRE(journal_wait_until([&] { return store.database->is_durable(); }, 3000));
  const int before_params = log_syncs;
  store->log_params(run, {{"p", "1"}});
  CHECK_FALSE(store.database->is_durable());
  CHECK(journal_wait_until([&] { return store.database->is_durable(); }, 3000));
  CHECK(log_syncs > before_params);
}

TEST_CASE_FIXTURE(JournalFixture,
                  "a network file system gives the same by other means, and a word") {
  struct OnNetwork {
    OnNetwork() { mlrt::fs::set_on_network_for_tests(true); }
    ~OnNetwork() { mlrt::fs::set_on_network_for_tests(std::nullopt); }
  } on_network;
  const StderrCapture errors;
  std::atomic<int> maps{0};
  const FsHook hook([&](mlrt::fs::Op op, const std::string&) {
    if (op == mlrt::fs::Op::kMap) ++maps;
    return 0;
  });
  std::string run;
  for (int round = 0; round < 2; ++round) {
    OpenedStore store(path);
    CHECK(store.database->on_network());
    if (round == 0) run = store.new_run();
    store.log(run, "m", 3000 * round, 3000 * round + 3000);
    CHECK(store.count(run, "m") == 3000 * round + 3000);
    CHECK_FALSE(mlrt::fs::exists(path + "-wal"));
    CHECK_FALSE(mlrt::fs::exists(path + "-shm"));
  }
  CHECK(files() == kOneFile);
  Pipe told;
  ChildProcess writer([&] {
    OpenedStore store(path);
    store.log(run, "m", 6000, 6500);
    store->log_metrics(run, batch_of(6500, 7000));
    told.say();
    ::pause();
  });
  told.hear();
  writer.kill();
  OpenedStore store(path);
  CHECK(store.count(run, "m") == 7000);
  CHECK(store.integrity() == "ok");
  CHECK(maps == 0);
  CHECK(errors.count("the store is on a network file system") == 1);
}

TEST_CASE_FIXTURE(JournalFixture,
                  "without a thread of its own the journal is folded all the same") {
  ::chmod(dir.path().c_str(), 0777);
  const StderrCapture errors;
  const pid_t child = start_child([&] {
    mlrt::test::become_ordinary_user();
    const rlimit none{0, 0};
    require_in_child(::setrlimit(RLIMIT_NPROC, &none) == 0, "setrlimit");
    std::string run;
    {
      OpenedStore store(path, journal_options(Durability::kProcess, kSmallBacklog));
      run = store.new_run();
      store.log(run, "m", 0, 100000);
      require_in_child(mlrt::test::folder_bytes(mlrt::journal_folder(path)) <= kSmallBacklog,
                       "the bound");
      store.log(run, "n", 0, 10);
      require_in_child(store->metric_history(run, "n").size() == 10, "own metrics");
      // What is folded at the end finds no thread either.
      store.log(run, "n", 10, 20);
    }
    require_in_child(files() == kOneFile, "files that were left");
    OpenedStore store(path);
    require_in_child(store->metric_history(run, "m").size() == 100000, "metrics");
    require_in_child(store->metric_history(run, "n").size() == 20, "last metrics");
  });
  const bool succeeded = child_succeeded(child);
  CAPTURE(errors.text());
  CHECK(succeeded);
  CHECK(errors.count("no thread can be made to bring metrics into the store") <= 2);
}

// ---- forks

TEST_CASE_FIXTURE(JournalFixture, "after each of 200 forks parent and child go on logging") {
  if (kSanitizer || mlrt::test::is_emulated()) return;
  constexpr int kForks = 200, kEach = 20;
  std::string run;
  {
    OpenedStore store(path);
    run = store.new_run();
    const auto metrics = store->open_metrics(run);
    const auto log = [&](const char* key, int from) {
      for (int i = from; i < from + kEach; ++i) store->log_metric(*metrics, key, i, i, 1000 + i);
    };
    std::vector<pid_t> children;
    for (int n = 0; n < kForks; ++n) {
      log("parent", kEach * n);  // its thread may be in the middle of anything
      if (n % 10 == 5) MetricJournal::of(*store.database).fold_own();
      children.push_back(start_child([&] {
        log("child", kEach * n);
        if (n % 3 == 0) store->set_tags(run, {{"child", std::to_string(n)}});
        if (n % 20 == 0) {
          require_in_child(store->metric_history(run, "parent").size() >=
                               static_cast<std::size_t>(kEach * (n + 1)),
                           "the parent's metrics");
          require_in_child(store->metric_history(run, "child").size() >= kEach, "its own metrics");
        }
        // A clean end, or what others must clean up.
        if (n % 2 == 0) store.close();
      }));
      log("between", kEach * n);
      if (children.size() >= 4 || n + 1 == kForks) {
        for (const pid_t child : children) REQUIRE(child_succeeded(child));
        children.clear();
      }
    }
  }
  OpenedStore store(path);
  for (const char* key : {"parent", "child", "between"})
    CHECK(store.count(run, key) == kForks * kEach);
  CHECK(stored_points(*store.database) == 3 * kForks * kEach);
  CHECK(store.integrity() == "ok");
  CHECK_FALSE(mlrt::fs::exists(mlrt::journal_folder(path)));
}

TEST_CASE_FIXTURE(JournalFixture, "forks while threads log to several stores tear nothing apart") {
  if (kSanitizer || mlrt::test::is_emulated()) return;
  constexpr int kForks = 15, kThreads = 3;
  const std::string paths[] = {dir.path("one.db"), dir.path("two.db")};
  std::int64_t logged[kThreads] = {};
  std::string runs[2];
  {
    OpenedStore one(paths[0]);
    OpenedStore two(paths[1], journal_options(Durability::kPower));
    OpenedStore* const stores[] = {&one, &two};
    for (int i = 0; i < 2; ++i) runs[i] = stores[i]->new_run();
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        OpenedStore& store = *stores[i % 2];
        const std::string key = "m" + std::to_string(i);
        while (!stop) {
          store.log(runs[i % 2], key.c_str(), logged[i], logged[i] + 10);
          logged[i] += 10;
          store->set_tags(runs[i % 2], {{key, "x"}});
          if (i == 1) store->run(runs[1]);
        }
      });
    }
    for (int n = 0; n < kForks; ++n) {
      const pid_t child = start_child([&] {
        for (int i = 0; i < 2; ++i) {
          stores[i]->log(runs[i], "child", 5 * n, 5 * n + 5);
          stores[i]->tracking->set_tags(runs[i], {{"child", std::to_string(n)}});
        }
      });
      CHECK(child_succeeded(child));
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
  }
  for (int i = 0; i < 2; ++i) {
    OpenedStore store(paths[i]);
    CHECK(store.count(runs[i], "child") == 5 * kForks);
    for (int k = i; k < kThreads; k += 2)
      CHECK(store.count(runs[i], ("m" + std::to_string(k)).c_str()) == logged[k]);
    CHECK(store.integrity() == "ok");
  }
}

TEST_CASE_FIXTURE(JournalFixture, "a child that outlives its parent keeps none of its locks") {
  const std::string run = new_run();
  Pipe told, go;
  ChildProcess parent([&] {
    OpenedStore store(path);
    store.log(run, "m", 0, 100);
    const pid_t child = start_child([&] {
      told.say();
      go.hear();  // without ever using the store
    });
    require_in_child(child > 0, "fork");
    told.say();
    ::pause();
  });
  told.hear();
  told.hear();
  parent.kill();
  OpenedStore reader(path);
  CHECK(reader.count(run, "m") == 100);
  CHECK_FALSE(mlrt::fs::exists(mlrt::journal_folder(path)));
  go.say();
}
