#include "tracking/metric_folder.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "journal_testing.hpp"
#include "tracking/metric_slots.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::Database;
using mlrt::ErrorCode;
using mlrt::JournalOptions;
using mlrt::JournalSegment;
using mlrt::JournalSlot;
using mlrt::JournalWriter;
using mlrt::Metric;
using mlrt::MetricFolder;
using mlrt::TrackingStore;
using mlrt::Transaction;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::FsHook;
using mlrt::test::StderrCapture;
using mlrt::test::stored_integer;
using mlrt::test::stored_points;
using mlrt::test::TempDir;

namespace {

const std::string kFolderTestId = "0123456789abcdef0123456789abcdef";

// A store, and a journal that the test writes slot by slot.
struct FolderFixture {
  TempDir dir;
  std::string path = dir.path("s.db");
  std::shared_ptr<Database> database = Database::open(path);
  TrackingStore store{database, dir.path("artifacts")};
  std::string run = store.create_run({}).run_id;
  std::unique_ptr<JournalWriter> writer = new_writer(100);
  MetricFolder folder{path, kFolderTestId};

  std::unique_ptr<JournalWriter> new_writer(std::size_t slots) {
    JournalOptions options;
    options.first_segment_bytes = options.max_segment_bytes = (slots + 1) * mlrt::kJournalSlotBytes;
    return std::make_unique<JournalWriter>(path, kFolderTestId, options);
  }
  void append(const JournalSlot& slot) {
    if (writer->room() == 0) writer->begin_segment();
    writer->append(slot);
  }
  void define(std::uint32_t channel, const std::string& run_id, const std::string& key) {
    Metric example;
    example.key = key;
    for (const JournalSlot& slot : mlrt::define_channel(channel, run_id, example)) append(slot);
  }
  // The value is the step.
  void point(std::uint32_t channel, std::int64_t step, bool more = false) {
    JournalSlot slot;
    slot.tag = mlrt::kMetricSlotPoint | channel | (more ? mlrt::kMetricSlotMore : 0);
    const auto value = static_cast<double>(step);
    slot.words[0] = static_cast<std::uint64_t>(step);
    slot.words[1] = static_cast<std::uint64_t>(1000 + step);
    std::memcpy(&slot.words[2], &value, sizeof(value));
    append(slot);
  }
  bool fold_as_writer(int timeout_ms = -1) {
    return folder.fold(*database, writer->next(), timeout_ms);
  }
  bool fold_as_other() { return folder.fold(*database, std::nullopt, -1); }
  std::vector<std::int64_t> steps(const std::string& key = "a") {
    std::vector<std::int64_t> steps;
    for (const Metric& metric : store.metric_history(run, key)) {
      CHECK(metric.value == static_cast<double>(metric.step));
      steps.push_back(metric.step);
    }
    return steps;
  }
  std::int64_t watermark() {
    return stored_integer(*database, "SELECT coalesce(max(folded_seq), 0) FROM writers");
  }
  void sql(const std::string& text) {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run(text);
    transaction.commit();
  }
  // Flips a bit of a slot.
  void damage(std::int64_t number) {
    for (const JournalSegment& segment : mlrt::find_segments(path, kFolderTestId)) {
      if (number < segment.first || number >= segment.first + segment.slots) continue;
      mlrt::fs::File file(segment.path, mlrt::fs::File::Mode::kReadWrite);
      const auto at = static_cast<std::uint64_t>(number - segment.first + 1) * 32 + 9;
      char byte = 0;
      REQUIRE(file.read_at(at, &byte, 1) == 1);
      byte = static_cast<char>(byte ^ 1);
      file.write_at(at, &byte, 1);
    }
  }
};

using FolderSteps = std::vector<std::int64_t>;

FolderSteps folder_steps(std::int64_t from, std::int64_t until) {
  FolderSteps steps;
  for (std::int64_t i = from; i < until; ++i) steps.push_back(i);
  return steps;
}

void folder_wait_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// As if it had been made after the journals that lie beside it.
void make_newer(Database& database) {
  Transaction transaction(database, Transaction::Mode::kWrite);
  transaction.run("UPDATE experiments SET creation_time = creation_time + 10000");
  transaction.commit();
}

}  // namespace

// Readers of the store in these tests fold too, so what one fold does is looked at by SQL first.

TEST_CASE_FIXTURE(FolderFixture, "a fold brings in what is new, and again nothing") {
  CHECK_FALSE(fold_as_writer());
  define(0, run, "a");
  define(1, run, "b");
  for (int i = 1; i <= 3; ++i) {
    point(0, i);
    point(1, 10 * i);
  }
  CHECK(fold_as_writer());
  CHECK(stored_points(*database) == 6);
  CHECK(watermark() == writer->next() - 1);
  CHECK(folder.folded() == writer->next() - 1);
  CHECK_FALSE(fold_as_writer());
  MetricFolder another(path, kFolderTestId);
  CHECK_FALSE(another.fold(*database, writer->next(), -1));
  CHECK_FALSE(another.fold(*database, std::nullopt, -1));
  CHECK(stored_points(*database) == 6);
  point(1, 40);
  CHECK(another.fold(*database, std::nullopt, -1));
  point(0, 4);
  CHECK(fold_as_writer());
  CHECK(stored_points(*database) == 8);
  CHECK(steps("a") == folder_steps(1, 5));
  CHECK(steps("b") == FolderSteps{10, 20, 30, 40});
}

TEST_CASE_FIXTURE(FolderFixture, "two who fold in turn over many segments bring in each once") {
  writer = new_writer(12);
  MetricFolder other(path, kFolderTestId);
  for (int i = 1; i <= 200; ++i) {
    if (writer->room() == 0) {
      writer->begin_segment();
      define(0, run, "a");
    }
    point(0, i, i % 5 != 0);
    if (i % 3 == 0) other.fold(*database, std::nullopt, -1);
    if (i % 5 == 0 && i % 2 == 0) fold_as_writer();
  }
  CHECK(stored_points(*database) == 200);
  CHECK(watermark() == writer->next() - 1);
  CHECK(steps() == folder_steps(1, 201));
}

TEST_CASE_FIXTURE(FolderFixture, "a fold of very much takes several transactions") {
  writer = new_writer(100000);
  define(0, run, "a");
  for (int i = 1; i <= 80000; ++i) point(0, i);
  int folds = 0;
  std::int64_t before = 0;
  while (fold_as_writer()) {
    const std::int64_t points = stored_points(*database);
    CHECK(points - before <= 70000);
    before = points;
    ++folds;
  }
  CHECK(folds >= 2);
  CHECK(before == 80000);
  CHECK(steps() == folder_steps(1, 80001));
}

TEST_CASE_FIXTURE(FolderFixture, "metrics and watermark are of one transaction") {
  define(0, run, "a");
  point(0, 1);
  sql("CREATE TRIGGER refuse BEFORE UPDATE ON writers BEGIN SELECT RAISE(ABORT, 'no'); END");
  CHECK_FALSE(caught([&] { fold_as_writer(); }).message.empty());
  CHECK(stored_points(*database) == 0);
  CHECK(watermark() == 0);
  sql("DROP TRIGGER refuse");
  point(0, 2);
  CHECK(fold_as_writer());
  CHECK(stored_points(*database) == 2);
  CHECK(steps() == folder_steps(1, 3));
}

TEST_CASE_FIXTURE(FolderFixture, "a batch waits for its end, over segments and definitions") {
  writer = new_writer(8);
  define(0, run, "a");
  point(0, 1);
  point(0, 2, true);
  CHECK(fold_as_other());
  CHECK(stored_points(*database) == 1);
  CHECK_FALSE(fold_as_other());
  writer->begin_segment();
  define(0, run, "a");
  point(0, 3, true);
  CHECK_FALSE(fold_as_other());
  writer->begin_segment();
  define(5, run, "b");
  CHECK_FALSE(fold_as_other());
  CHECK(stored_points(*database) == 1);
  point(5, 4);
  CHECK(fold_as_other());
  CHECK(stored_points(*database) == 4);
  CHECK(steps() == folder_steps(1, 4));
  CHECK(steps("b") == FolderSteps{4});
}

TEST_CASE_FIXTURE(FolderFixture, "a batch that broke off leaves nothing") {
  define(0, run, "a");
  point(0, 1, true);
  point(0, 2, true);
  fold_as_other();
  CHECK(stored_points(*database) == 0);
  append({mlrt::kMetricSlotAbort, {0, 0, 0}});
  point(0, 3);
  CHECK(fold_as_other());
  CHECK(stored_points(*database) == 1);
  point(0, 4, true);
  writer.reset();  // killed
  MetricFolder heir(path, kFolderTestId);
  REQUIRE(heir.writer_is_gone());
  while (heir.fold(*database, std::nullopt, -1)) {
  }
  heir.remove_files();
  CHECK_FALSE(mlrt::fs::exists(mlrt::journal_folder(path)));
  CHECK(steps() == FolderSteps{3});
}

TEST_CASE_FIXTURE(FolderFixture, "a damaged slot costs what it held, is told, and is passed") {
  define(0, run, "a");
  std::vector<std::int64_t> number;
  for (int i = 0; i < 6; ++i) {
    number.push_back(writer->next());
    point(0, i, i == 3);
  }
  damage(number[1]);
  damage(number[4]);
  const StderrCapture errors;
  CHECK(fold_as_writer());
  CHECK(errors.count("a journal is damaged: a part of its metrics is lost") == 1);
  CHECK(errors.count("records=2") == 1);
  CHECK(stored_points(*database) == 4);
  CHECK(steps() == FolderSteps{0, 2, 3, 5});
}

TEST_CASE_FIXTURE(FolderFixture, "a damaged last slot does not keep an acknowledged batch back") {
  define(0, run, "a");
  point(0, 1, true);
  const std::int64_t last = writer->next();
  point(0, 2);
  damage(last);
  const StderrCapture errors;
  CHECK(fold_as_writer());
  CHECK(watermark() == last);
  CHECK(steps() == FolderSteps{1});
}

TEST_CASE_FIXTURE(FolderFixture, "another process passes gaps of a writer that lives, in time") {
  define(0, run, "a");
  point(0, 1);
  std::vector<std::int64_t> gaps;
  for (int i = 2; i <= 9; ++i) {
    if (i == 4 || i == 6 || i == 8) gaps.push_back(writer->next());
    point(0, i, i < 9);  // a batch with three gaps in it
  }
  for (const std::int64_t gap : gaps) damage(gap);
  const StderrCapture errors;
  CHECK(fold_as_other());
  CHECK(stored_points(*database) == 1);
  CHECK_FALSE(fold_as_other());  // it may be a slot that is just being written
  for (int tries = 0; tries < 20 && stored_points(*database) < 6; ++tries) {
    folder_wait_ms(8);
    fold_as_other();
  }
  CHECK(stored_points(*database) == 6);
  CHECK(errors.count("a journal is damaged") == 1);
  // From the start of the segment: what was passed does not keep it waiting again.
  point(0, 10);
  MetricFolder another(path, kFolderTestId);
  CHECK(another.fold(*database, std::nullopt, -1));
  CHECK(steps() == FolderSteps{1, 2, 3, 5, 7, 9, 10});
}

TEST_CASE_FIXTURE(FolderFixture, "a channel without a sound definition costs its metrics only") {
  define(0, run, "a");
  const std::int64_t text = writer->next() + 1;
  define(1, run, "b");
  damage(text);
  point(0, 1);
  point(1, 2);
  point(0, 3, true);
  point(1, 4, true);
  point(0, 5);
  point(77, 6);
  const StderrCapture errors;
  CHECK(fold_as_writer());
  CHECK(errors.count("records=4") == 1);  // the text, and three points
  CHECK(steps() == FolderSteps{1, 3, 5});
  CHECK(steps("b").empty());
}

TEST_CASE_FIXTURE(FolderFixture, "a segment that is missing is told, and the next ones count") {
  writer = new_writer(8);
  define(0, run, "a");
  point(0, 1);
  writer->begin_segment();
  define(0, run, "a");
  point(0, 2);
  writer->begin_segment();
  define(0, run, "a");
  point(0, 3);
  mlrt::fs::remove_file(mlrt::find_segments(path, kFolderTestId).at(1).path);
  const StderrCapture errors;
  CHECK(fold_as_writer());
  CHECK(errors.count("a journal is damaged") == 1);
  CHECK(steps() == FolderSteps{1, 3});
}

TEST_CASE_FIXTURE(FolderFixture, "files that are missing at the end are told, once") {
  writer = new_writer(8);
  define(0, run, "a");
  point(0, 1);
  writer->begin_segment();
  define(0, run, "a");
  point(0, 2);
  SUBCASE("the last one") {
    mlrt::fs::remove_file(mlrt::find_segments(path, kFolderTestId).at(1).path);
    CHECK(folder.fold(*database, writer->next(), -1, false));
    CHECK(stored_points(*database) == 1);
  }
  SUBCASE("all") {
    mlrt::fs::remove_tree(mlrt::journal_folder(path));
    CHECK_FALSE(folder.fold(*database, writer->next(), -1, false));
  }
  CHECK(folder.met().misses_slots);
  CHECK_FALSE(folder.met().has_lost);
  const StderrCapture errors;
  CHECK(fold_as_writer());
  CHECK(folder.met().has_lost);
  CHECK(errors.count("a journal is damaged: a part of its metrics is lost") == 1);
  CHECK_FALSE(fold_as_writer());
  CHECK_FALSE(folder.met().has_lost);
  CHECK(errors.count("journal") == 1 + errors.count("journal="));
  CHECK(watermark() == writer->next() - 1);
}

TEST_CASE_FIXTURE(FolderFixture,
                  "metrics of runs that a store has lost do not keep their journal") {
  writer = new_writer(5);
  define(0, "ffffffffffffffffffffffffffffffff", "a");
  point(0, 1);
  writer.reset();
  const StderrCapture errors;
  TrackingStore again(Database::open(path), dir.path("artifacts"));
  CHECK(again.metric_history(run, "a").empty());
  CHECK(errors.count("were dropped") == 1);
  CHECK_FALSE(mlrt::fs::exists(mlrt::journal_folder(path)));
}

TEST_CASE_FIXTURE(FolderFixture, "a journal of another store is left alone until it is back") {
  const std::string other_path = dir.path("other.db");
  TrackingStore other(Database::open(other_path), dir.path("artifacts"));
  const std::string others[] = {other.create_run({}).run_id, other.create_run({}).run_id};
  writer = new_writer(5);
  for (std::uint32_t i = 0; i < 2; ++i) {
    define(i, others[i], "a");
    point(i, 1);
  }
  writer.reset();
  make_newer(*database);
  const StderrCapture errors;
  for (int i = 0; i < 3; ++i) {
    CHECK(steps().empty());
    CHECK(Database::open(path) != nullptr);
    TrackingStore again(Database::open(path), dir.path("artifacts"));
    CHECK(again.metric_history(run, "a").empty());
  }
  CHECK(errors.count("a journal of another store was left alone") == 1);
  CHECK(errors.count("were dropped") == 0);
  CHECK(watermark() == 0);
  CHECK(stored_integer(*database, "SELECT count(*) FROM writers WHERE kind = 'live'") == 0);
  REQUIRE(mlrt::find_segments(path, kFolderTestId).size() == 2);
  REQUIRE(::rename(mlrt::journal_folder(path).c_str(), mlrt::journal_folder(other_path).c_str()) ==
          0);
  for (const std::string& run_id : others) CHECK(other.metric_history(run_id, "a").size() == 1);
  CHECK_FALSE(mlrt::fs::exists(mlrt::journal_folder(other_path)));
}

TEST_CASE_FIXTURE(FolderFixture, "a journal with one run that the store has is its own") {
  const std::string strange = "ffffffffffffffffffffffffffffffff";
  define(0, strange, "a");
  SUBCASE("behind very much of another run") {
    writer = new_writer(20000);
    define(0, strange, "a");
    for (int i = 0; i < 50000; ++i) {
      if (writer->room() == 0) define(0, strange, "a");
      point(0, i);
    }
    writer->begin_segment();
  }
  SUBCASE("behind little") { point(0, 1); }
  define(1, run, "a");
  point(1, 7);
  writer.reset();
  make_newer(*database);
  const StderrCapture errors;
  CHECK(steps() == FolderSteps{7});
  CHECK(errors.count("were dropped") >= 1);
  CHECK_FALSE(mlrt::fs::exists(mlrt::journal_folder(path)));
}

TEST_CASE_FIXTURE(FolderFixture, "a writer whose lock file was removed keeps its files") {
  define(0, run, "a");
  point(0, 1);
  mlrt::fs::remove_file(mlrt::journal_lock_path(path, kFolderTestId));
  MetricFolder heir(path, kFolderTestId);
  CHECK(heir.writer_is_gone());
  CHECK(heir.fold(*database, std::nullopt, -1));
  CHECK(writer->restore_files());
  heir.remove_files();
  CHECK_FALSE(heir.writer_is_gone());
  CHECK(mlrt::find_segments(path, kFolderTestId).size() == 1);
}

TEST_CASE_FIXTURE(FolderFixture, "a fold tells which runs take nothing any more") {
  const std::string gone = "ffffffffffffffffffffffffffffffff", other = store.create_run({}).run_id;
  store.delete_run(other);
  define(0, run, "a");
  define(1, gone, "a");
  define(2, other, "a");
  for (std::uint32_t i = 0; i < 3; ++i) point(i, 1);
  const StderrCapture errors;
  CHECK(fold_as_writer());
  CHECK(folder.met().ended_runs == std::vector<std::string>{gone, other});
  point(0, 2);
  CHECK(fold_as_writer());
  CHECK(folder.met().ended_runs.empty());
  CHECK(stored_points(*database) == 3);
}

TEST_CASE_FIXTURE(FolderFixture, "metrics of a run that is really gone are dropped, and told") {
  define(0, run, "a");
  define(1, "ffffffffffffffffffffffffffffffff", "a");
  point(0, 1);
  point(1, 2);
  point(1, 3);
  point(0, 4);
  const StderrCapture errors;
  CHECK(fold_as_writer());
  CHECK(errors.count("metrics of a run that the store does not have were dropped") == 1);
  CHECK(errors.count("records=2") == 1);
  CHECK(steps() == FolderSteps{1, 4});
  CHECK(watermark() == writer->next() - 1);
}

TEST_CASE_FIXTURE(FolderFixture, "files of a dead writer that could not be removed are, later") {
  define(0, run, "a");
  point(0, 1);
  MetricFolder heir(path, kFolderTestId);
  CHECK_FALSE(heir.writer_is_gone());
  CHECK(heir.has_news(mlrt::find_segments(path, kFolderTestId)));
  writer.reset();
  REQUIRE(heir.writer_is_gone());
  CHECK(heir.fold(*database, std::nullopt, -1));
  CHECK_FALSE(heir.has_news(mlrt::find_segments(path, kFolderTestId)));
  {
    const FsHook hook(
        [](mlrt::fs::Op op, const std::string&) { return op == mlrt::fs::Op::kRemove ? EIO : 0; });
    CHECK(caught([&] { heir.remove_files(); }).code == ErrorCode::kIo);
  }
  CHECK(heir.writer_is_gone());
  CHECK_FALSE(heir.fold(*database, std::nullopt, -1));
  heir.remove_files();
  CHECK_FALSE(mlrt::fs::exists(mlrt::journal_folder(path)));
  CHECK(stored_points(*database) == 1);
}

TEST_CASE_FIXTURE(FolderFixture, "a fold that finds the store locked changes nothing") {
  define(0, run, "a");
  point(0, 1);
  auto other = Database::open(path);
  {
    Transaction locked(*other, Transaction::Mode::kWrite);
    CHECK(caught([&] { fold_as_writer(20); }).code == ErrorCode::kUnavailable);
  }
  CHECK(stored_points(*database) == 0);
  CHECK(fold_as_writer(20));
  CHECK(stored_points(*database) == 1);
}
