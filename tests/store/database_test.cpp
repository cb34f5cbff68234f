#include "store/database.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/fork.hpp"
#include "core/fs.hpp"
#include "store/schema.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"

using mlrt::Database;
using mlrt::DatabaseOptions;
using mlrt::Error;
using mlrt::ErrorCode;
using mlrt::Statement;
using mlrt::StoreConnection;
using mlrt::StoreJournal;
using mlrt::StoreOpenMode;
using mlrt::Transaction;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::child_succeeded;
using mlrt::test::require_in_child;
using mlrt::test::start_child;
using mlrt::test::TempDir;

namespace {

std::int64_t count_writers(Database& database) {
  Transaction transaction(database, Transaction::Mode::kRead);
  Statement row = transaction.query("SELECT count(*) FROM writers");
  row.step();
  return row.integer(0);
}

void add_writer(Database& database, const std::string& id) {
  Transaction transaction(database, Transaction::Mode::kWrite);
  transaction.run("INSERT INTO writers (writer_id) VALUES (?)", id);
  transaction.commit();
}

std::string journal_of(const std::string& path) {
  StoreConnection connection(path, path, StoreOpenMode::kReadWrite, 1000);
  return connection.query_text("PRAGMA journal_mode");
}

DatabaseOptions with_journal(StoreJournal journal, int busy_timeout_ms = 10000) {
  DatabaseOptions options;
  options.journal = journal;
  options.busy_timeout_ms = busy_timeout_ms;
  return options;
}

}  // namespace

TEST_CASE("a new store has our application id and schema number and the default experiment") {
  TempDir dir;
  const std::string path = dir.path("new store.db");
  auto database = Database::open(path);
  CHECK(database->path() == path);
  CHECK_FALSE(database->read_only());
  Transaction transaction(*database, Transaction::Mode::kRead);
  Statement app = transaction.query("PRAGMA application_id");
  REQUIRE(app.step());
  CHECK(app.integer(0) == mlrt::kStoreApplicationId);
  Statement version = transaction.query("PRAGMA user_version");
  REQUIRE(version.step());
  CHECK(version.integer(0) == mlrt::newest_schema());
  Statement row = transaction.query("SELECT name FROM experiments WHERE experiment = 0");
  REQUIRE(row.step());
  CHECK(row.text(0) == "Default");
}

TEST_CASE("a relative path, a path with a percent sign and an empty file open as stores") {
  TempDir dir;
  for (const char* name : {"50%25.db", "a?b=c#d.db", ":memory:", "file:x.db"}) {
    const std::string path = dir.path(name);
    { add_writer(*Database::open(path), "w"); }
    CHECK(mlrt::fs::is_file(path));
    CHECK(count_writers(*Database::open(path)) == 1);
  }
  mlrt::fs::write_file(dir.path("empty.db"), "");
  CHECK(count_writers(*Database::open(dir.path("empty.db"))) == 0);
}

TEST_CASE("all kinds of values come back as they were bound") {
  TempDir dir;
  auto database = Database::open(dir.path("s.db"));
  Transaction transaction(*database, Transaction::Mode::kWrite);
  const double infinity = std::numeric_limits<double>::infinity();
  Statement row = transaction.query("SELECT ?, ?, ?, ?, ?, ?, ?, ?", std::int64_t{-5}, 2.5, "text",
                                    std::string("nul\0byte", 8), std::string_view(), std::nan(""),
                                    -infinity, nullptr);
  REQUIRE(row.step());
  CHECK(row.integer(0) == -5);
  CHECK(row.real(1) == 2.5);
  CHECK(row.text(2) == "text");
  CHECK(row.text(3) == std::string("nul\0byte", 8));
  CHECK_FALSE(row.is_null(4));
  CHECK(row.text(4).empty());
  CHECK(std::isnan(row.real(5)));
  CHECK(row.real(6) == -infinity);
  CHECK(row.is_null(7));
  CHECK_FALSE(row.step());
}

TEST_CASE("a transaction that is not committed leaves nothing") {
  TempDir dir;
  auto database = Database::open(dir.path("s.db"));
  {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run("INSERT INTO writers (writer_id) VALUES ('gone')");
  }
  CHECK(count_writers(*database) == 0);
  try {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run("INSERT INTO writers (writer_id) VALUES ('gone too')");
    throw Error(ErrorCode::kIo, "something else");
  } catch (const Error&) {
  }
  CHECK(count_writers(*database) == 0);
  add_writer(*database, "stays");
  CHECK(count_writers(*database) == 1);
}

TEST_CASE("a transaction inside another one of the same thread is refused") {
  TempDir dir;
  auto database = Database::open(dir.path("s.db"));
  {
    Transaction outer(*database, Transaction::Mode::kRead);
    CHECK(caught([&] { Transaction inner(*database, Transaction::Mode::kRead); }).code ==
          ErrorCode::kInternal);
    CHECK(caught([&] {
            Transaction inner(*database, Transaction::Mode::kRead);
          }).has("a transaction began inside another one"));
  }
  CHECK(count_writers(*database) == 0);
}

TEST_CASE("the same statement may be in use twice at once") {
  TempDir dir;
  auto database = Database::open(dir.path("s.db"));
  add_writer(*database, "a");
  add_writer(*database, "b");
  Transaction transaction(*database, Transaction::Mode::kRead);
  int pairs = 0;
  Statement outer = transaction.query("SELECT writer_id FROM writers");
  while (outer.step()) {
    Statement inner = transaction.query("SELECT writer_id FROM writers");
    while (inner.step()) ++pairs;
  }
  CHECK(pairs == 4);
}

TEST_CASE(
    "a statement that the tables do not fit is a damaged store, one that breaks a constraint an "
    "internal error, with the SQL as detail") {
  TempDir dir;
  auto database = Database::open(dir.path("s.db"));
  const std::pair<const char*, ErrorCode> cases[] = {
      {"SELECT nothing FROM nowhere", ErrorCode::kDataCorrupt},
      {"SELECT \"no string\"", ErrorCode::kDataCorrupt},
      {"INSERT INTO writers (writer_id) VALUES (NULL)", ErrorCode::kInternal},
      {"INSERT INTO params VALUES (77, 'k', 'v')", ErrorCode::kInternal}};
  for (const auto& [sql, code] : cases) {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    try {
      transaction.run(sql);
      transaction.commit();
      FAIL("accepted: ", sql);
    } catch (const Error& error) {
      CHECK(error.code() == code);
      CHECK(error.detail().find("SQLite: ") == 0);
    }
  }
  CHECK(count_writers(*database) == 0);
}

TEST_CASE("a path that cannot be a store is refused by name") {
  TempDir dir;
  CHECK(caught([] { Database::open(""); }).message == "the path of the store is empty");
  const Caught folder = caught([&] { Database::open(dir.path()); });
  CHECK(folder.code == ErrorCode::kIo);
  CHECK(folder.has("is a folder, not a file"));
  const Caught nowhere = caught([&] { Database::open(dir.path("no/such/mlrt.db")); });
  CHECK(nowhere.code == ErrorCode::kIo);
  CHECK(nowhere.has("cannot create the store"));
  CHECK(nowhere.has("there is no folder"));
  CHECK(caught([] { Database::open(std::string("a\0b", 3)); }).has("NUL"));
  CHECK(caught([] { Database::open("/dev/null"); }).has("is not a regular file"));
  DatabaseOptions options;
  options.must_exist = true;
  const Caught missing = caught([&] { Database::open(dir.path("absent.db"), options); });
  CHECK(missing.code == ErrorCode::kNotFound);
  CHECK(missing.has("there is no store"));
  CHECK_FALSE(mlrt::fs::exists(dir.path("absent.db")));
}

TEST_CASE("a file that is not a SQLite database is refused and left as it is") {
  TempDir dir;
  const std::string texts[] = {"x", "this is a text file, not a store\n", std::string(5000, 'z'),
                               std::string("SQLite format 3") + std::string(600, '\1')};
  for (const std::string& text : texts) {
    const std::string path = dir.path("notes.txt");
    mlrt::fs::write_file(path, text);
    const Caught error = caught([&] { Database::open(path); });
    CHECK(error.code == ErrorCode::kDataCorrupt);
    CHECK(error.has("is not an mlrt store: the file is not a SQLite database"));
    CHECK(mlrt::fs::read_file(path) == text);
    CHECK(mlrt::fs::list(dir.path()) == std::vector<std::string>{"notes.txt"});
  }
}

TEST_CASE("a SQLite database of another program is refused and left as it is") {
  TempDir dir;
  const std::string path = dir.path("other.db");
  {
    StoreConnection other(path, path, StoreOpenMode::kReadWrite, 1000);
    other.execute("CREATE TABLE accounts (id INTEGER); INSERT INTO accounts VALUES (1)");
  }
  const std::string before = mlrt::fs::read_file(path);
  const Caught tables = caught([&] { Database::open(path); });
  CHECK(tables.code == ErrorCode::kDataCorrupt);
  CHECK(tables.has("is a SQLite database but not an mlrt store"));
  CHECK(mlrt::fs::read_file(path) == before);

  const std::string marked = dir.path("marked.db");
  {
    StoreConnection other(marked, marked, StoreOpenMode::kReadWrite, 1000);
    other.execute("PRAGMA application_id = 4711");
  }
  CHECK(caught([&] { Database::open(marked); }).has("but not an mlrt store"));
}

TEST_CASE("a store of a newer mlrt is refused with both schema numbers") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  {
    auto database = Database::open(path);
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run("PRAGMA user_version = 999");
    transaction.commit();
  }
  const Caught error = caught([&] { Database::open(path); });
  CHECK(error.code == ErrorCode::kDataCorrupt);
  CHECK(error.has("was written by a newer mlrt (schema 999, this one knows " +
                  std::to_string(mlrt::newest_schema()) + ")"));
}

TEST_CASE("a damaged store is an error, never a crash") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  { add_writer(*Database::open(path), "w"); }
  const std::string good = mlrt::fs::read_file(path);
  for (std::size_t size = 1; size < good.size(); size += 1999) {
    mlrt::fs::write_file(path, std::string_view(good).substr(0, size));
    const Caught error = caught([&] { add_writer(*Database::open(path), "x"); });
    if (!error.message.empty()) CHECK(error.code == ErrorCode::kDataCorrupt);
  }
  int refused = 0;
  for (std::size_t at = 0; at < good.size(); at += (at < 100 ? 3 : 1009)) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0xff);
    mlrt::fs::write_file(path, bad);
    try {
      auto database = Database::open(path, with_journal(StoreJournal::kAutomatic, 50));
      count_writers(*database);
      add_writer(*database, "x");
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("a store that another process holds for writing is unavailable after the time to wait") {
  TempDir dir;
  for (StoreJournal journal : {StoreJournal::kWriteAhead, StoreJournal::kRollback}) {
    const std::string path =
        dir.path(journal == StoreJournal::kRollback ? "rollback.db" : "wal.db");
    auto holder = Database::open(path, with_journal(journal));
    auto waiting = Database::open(path, with_journal(journal, 200));
    Transaction held(*holder, Transaction::Mode::kWrite);
    held.run("INSERT INTO writers (writer_id) VALUES ('held')");
    const std::int64_t start = mlrt::monotonic_ms();
    Caught error;
    std::thread other([&] { error = caught([&] { add_writer(*waiting, "late"); }); });
    other.join();
    CHECK(mlrt::monotonic_ms() - start >= 190);
    CHECK(error.code == ErrorCode::kUnavailable);
    CHECK(
        error.has("is locked by another process (waited 0.2 s); try again when that one is done"));
    held.commit();
    std::thread later([&] { error = caught([&] { add_writer(*waiting, "now"); }); });
    later.join();
    CHECK(error.message.empty());
  }
}

TEST_CASE("opening a store that another process holds for itself is unavailable") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  { Database::open(path, with_journal(StoreJournal::kRollback)); }
  StoreConnection holder(path, path, StoreOpenMode::kReadWrite, 1000);
  holder.execute("BEGIN EXCLUSIVE");
  const Caught error =
      caught([&] { Database::open(path, with_journal(StoreJournal::kRollback, 150)); });
  CHECK(error.code == ErrorCode::kUnavailable);
  CHECK(error.has("is locked by another process (waited 0.15 s)"));
  holder.execute("COMMIT");
  CHECK_FALSE(Database::open(path)->read_only());
}

TEST_CASE("a full disk is an I/O error, and the store stays sound") {
  TempDir dir;
  for (StoreJournal journal : {StoreJournal::kWriteAhead, StoreJournal::kRollback}) {
    const std::string path =
        dir.path(journal == StoreJournal::kRollback ? "rollback.db" : "wal.db");
    auto database = Database::open(path, with_journal(journal));
    add_writer(*database, "before");
    {
      Transaction transaction(*database, Transaction::Mode::kRead);
      Statement limit = transaction.query("PRAGMA max_page_count = 1");  // no more than there are
      limit.step();
    }
    const Caught error = caught([&] { add_writer(*database, std::string(100000, 'x')); });
    CHECK(error.code == ErrorCode::kIo);
    CHECK(error.has("the disk is full: nothing was written to the store"));
    CHECK(count_writers(*database) == 1);
    CHECK(count_writers(*Database::open(path)) == 1);
  }
}

TEST_CASE("the journal is a write-ahead log only where SQLite does it soundly") {
  TempDir dir;
  const bool sound = mlrt::sqlite_version_number() >= 3051003;
  const std::string path = dir.path("s.db");
  { Database::open(path); }
  CHECK(journal_of(path) == (sound ? "wal" : "delete"));
  { Database::open(path, with_journal(StoreJournal::kRollback)); }
  CHECK(journal_of(path) == "delete");
  { Database::open(path, with_journal(StoreJournal::kWriteAhead)); }
  CHECK(journal_of(path) == "wal");
  { Database::open(path); }
  CHECK(journal_of(path) == (sound ? "wal" : "delete"));
  // Closed properly, a store is one file.
  CHECK(mlrt::fs::list(dir.path()) == std::vector<std::string>{"s.db"});
}

TEST_CASE("a store that others hold open with the other journal is used as it is") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  auto first = Database::open(path, with_journal(StoreJournal::kWriteAhead));
  add_writer(*first, "first");
  auto second = Database::open(path, with_journal(StoreJournal::kRollback));
  add_writer(*second, "second");
  add_writer(*first, "third");
  CHECK(count_writers(*second) == 3);
  CHECK(journal_of(path) == "wal");
}

TEST_CASE("eight processes that open a new store at once all succeed") {
  for (StoreJournal journal : {StoreJournal::kWriteAhead, StoreJournal::kRollback}) {
    TempDir dir;
    const std::string path = dir.path("s.db");
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      children.push_back(start_child([&, i] {
        auto database = Database::open(path, with_journal(journal));
        add_writer(*database, "process " + std::to_string(i));
      }));
    }
    for (pid_t child : children) CHECK(child_succeeded(child));
    auto database = Database::open(path, with_journal(journal));
    CHECK(count_writers(*database) == 8);
  }
}

TEST_CASE(
    "a store that another process creates while it is opened is never taken for a foreign one") {
  for (int round = 0; round < 40; ++round) {
    TempDir dir;
    const std::string path = dir.path("s.db");
    std::vector<pid_t> children;
    for (int i = 0; i < 3; ++i) {
      children.push_back(start_child([&, i] {
        // Spread out, so that all moments of the creation are met.
        std::this_thread::sleep_for(std::chrono::microseconds(i * round * 150));
        add_writer(*Database::open(path), "process " + std::to_string(i));
      }));
    }
    for (pid_t child : children) CHECK(child_succeeded(child));
  }
}

TEST_CASE("four processes that write 200 transactions each never meet a locked store") {
  for (StoreJournal journal : {StoreJournal::kWriteAhead, StoreJournal::kRollback}) {
    TempDir dir;
    const std::string path = dir.path("s.db");
    // A rollback journal is synced several times a transaction: fewer do.
    const int count = journal == StoreJournal::kRollback ? 50 : 200;
    { Database::open(path, with_journal(journal)); }
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
      children.push_back(start_child([&, i] {
        auto database = Database::open(path, with_journal(journal));
        for (int n = 0; n < count; ++n) {
          add_writer(*database, std::to_string(i) + "/" + std::to_string(n));
        }
      }));
    }
    for (pid_t child : children) CHECK(child_succeeded(child));
    CHECK(count_writers(*Database::open(path, with_journal(journal))) == 4 * count);
  }
}

TEST_CASE("what was committed survives a process that is killed") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  const pid_t child = start_child([&] {
    auto database = Database::open(path);
    add_writer(*database, "committed");
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run("INSERT INTO writers (writer_id) VALUES ('under way')");
    _exit(0);  // no destructor runs: as if killed
  });
  CHECK(child_succeeded(child));
  CHECK(count_writers(*Database::open(path)) == 1);
}

TEST_CASE("the child of a fork gets a connection and a writer's id of its own") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  auto database = Database::open(path);
  add_writer(*database, "parent");
  const auto writer_id = [&] {
    return Transaction(*database, Transaction::Mode::kRead).writer_id();
  };
  const std::string own = writer_id();
  const pid_t child = start_child([&] {
    require_in_child(writer_id() != own && writer_id() == writer_id(), "the child's writer id");
    add_writer(*database, "child");
    require_in_child(count_writers(*database) == 2, "what the child sees");
    const pid_t grandchild = start_child([&] { add_writer(*database, "grandchild"); });
    require_in_child(child_succeeded(grandchild), "a child of the child");
    database.reset();
    add_writer(*Database::open(path), "child, opened anew");
  });
  CHECK(child_succeeded(child));
  add_writer(*database, "parent again");
  CHECK(writer_id() == own);
  CHECK(count_writers(*database) == 5);
}

TEST_CASE("what the child of a fork commits stays when its parent closes the store") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  auto database = Database::open(path);
  add_writer(*database, "parent");
  int closed[2];
  int used[2];
  REQUIRE(pipe(closed) == 0);
  REQUIRE(pipe(used) == 0);
  char byte = 'x';
  const pid_t child = start_child([&] {
    add_writer(*database, "before");
    require_in_child(write(used[1], &byte, 1) == 1 && read(closed[0], &byte, 1) == 1, "pipes");
    add_writer(*database, "after");
    // Whoever opens it now must see that the child has it open.
    const pid_t other = start_child([&] { add_writer(*Database::open(path), "other"); });
    require_in_child(child_succeeded(other), "another process");
    require_in_child(count_writers(*database) == 4, "what the child sees");
    database.reset();
  });
  CHECK(read(used[0], &byte, 1) == 1);
  database.reset();
  CHECK(write(closed[1], &byte, 1) == 1);
  CHECK(child_succeeded(child));
  for (const int end : {closed[0], closed[1], used[0], used[1]}) close(end);
  CHECK(count_writers(*Database::open(path)) == 4);
  CHECK(mlrt::fs::list(dir.path()) == std::vector<std::string>{"s.db"});
}

TEST_CASE("a transaction that is open while the process forks is a clean error in the child") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  auto database = Database::open(path);
  pid_t child = 0;
  {
    Transaction transaction(*database, Transaction::Mode::kWrite);
    transaction.run("INSERT INTO writers (writer_id) VALUES ('parent')");
    child = start_child([&] {
      const Caught used = caught([&] { transaction.run("DELETE FROM writers"); });
      require_in_child(used.code == ErrorCode::kInternal && used.has("while the process forked"),
                       "the parent's transaction was used: " + used.message);
      const Caught ended = caught([&] { transaction.commit(); });
      require_in_child(ended.has("while the process forked"), "committed: " + ended.message);
      const Caught begun = caught([&] { add_writer(*database, "child"); });
      require_in_child(begun.has("while the process forked"), "begun: " + begun.message);
    });
    CHECK(child_succeeded(child));
    transaction.commit();
  }
  add_writer(*database, "parent again");
  CHECK(count_writers(*database) == 2);
}

TEST_CASE("a fork that another thread keeps waiting for too long leaves the child a clean error") {
#ifdef __SANITIZE_THREAD__
  return;  // it complains in the child about the threads of the parent
#endif
  TempDir dir;
  const std::string path = dir.path("s.db");
  auto database = Database::open(path);
  std::atomic<bool> holds{false}, stop{false};
  std::thread holder([&] {
    Transaction transaction(*database, Transaction::Mode::kRead);
    holds = true;
    while (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  while (!holds) std::this_thread::yield();
  mlrt::set_fork_patience_ms_for_tests(20);
  const pid_t child = start_child([&] {
    const Caught error = caught([&] { add_writer(*database, "child"); });
    require_in_child(error.code == ErrorCode::kInternal && error.has("must open it anew"),
                     "begun: " + error.message);
    database.reset();
    add_writer(*Database::open(path), "child");
  });
  mlrt::set_fork_patience_ms_for_tests(30000);
  stop = true;
  holder.join();
  CHECK(child_succeeded(child));
  add_writer(*database, "parent");
  CHECK(count_writers(*database) == 2);
}

TEST_CASE("a transaction with a time of its own does not wait longer for another thread") {
  TempDir dir;
  auto database = Database::open(dir.path("s.db"));
  std::optional<Transaction> open(std::in_place, *database, Transaction::Mode::kRead);
  std::thread other([&] {
    const std::int64_t start_ms = mlrt::monotonic_ms();
    const Caught error =
        caught([&] { Transaction refused(*database, Transaction::Mode::kWrite, 30); });
    CHECK(error.code == ErrorCode::kUnavailable);
    CHECK(error.has("is in use by another thread"));
    CHECK(mlrt::monotonic_ms() - start_ms >= 29);
    CHECK(database->waiting() == 0);
  });
  other.join();
  open.reset();
  Transaction free(*database, Transaction::Mode::kWrite, 30);
}

TEST_CASE("a write to a store whose file was deleted or replaced is refused, not lost") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  for (const bool replaced : {false, true}) {
    CAPTURE(replaced);
    auto database = Database::open(path);
    add_writer(*database, "before");
    for (const char* end : {"", "-wal", "-shm"}) mlrt::fs::remove_file(path + end);
    std::shared_ptr<Database> other;
    if (replaced) other = Database::open(path);
    const Caught error = caught([&] { add_writer(*database, "after"); });
    CHECK(error.code == ErrorCode::kIo);
    CHECK(error.has("was moved, deleted or replaced while it was open"));
    if (replaced) CHECK(count_writers(*other) == 0);
  }
}

TEST_CASE("threads share one database") {
  TempDir dir;
  auto database = Database::open(dir.path("s.db"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 50; ++n) {
        add_writer(*database, std::to_string(i) + "/" + std::to_string(n));
        count_writers(*database);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(count_writers(*database) == 200);
}
