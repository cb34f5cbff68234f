#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/fs.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"

using mlrt::Database;
using mlrt::DatabaseOptions;
using mlrt::ErrorCode;
using mlrt::Statement;
using mlrt::StoreConnection;
using mlrt::StoreJournal;
using mlrt::StoreOpenMode;
using mlrt::Transaction;
using mlrt::test::become_ordinary_user;
using mlrt::test::Caught;
using mlrt::test::caught;
using mlrt::test::child_succeeded;
using mlrt::test::require_in_child;
using mlrt::test::start_child;
using mlrt::test::TempDir;

namespace {

DatabaseOptions read_only_journal(StoreJournal journal) {
  DatabaseOptions options;
  options.journal = journal;
  return options;
}

void write_one(Database& database, const std::string& id) {
  Transaction transaction(database, Transaction::Mode::kWrite);
  transaction.run("INSERT INTO writers (writer_id) VALUES (?)", id);
  transaction.commit();
}

std::int64_t read_count(Database& database) {
  Transaction transaction(database, Transaction::Mode::kRead);
  Statement row = transaction.query("SELECT count(*) FROM writers");
  row.step();
  return row.integer(0);
}

// A store of one row whose file and folder have these modes while a process without root's rights
// uses it.
void with_modes(StoreJournal journal, mode_t file_mode, mode_t folder_mode,
                const std::function<void(const std::string&)>& use) {
  TempDir dir;
  const std::string path = dir.path("s.db");
  { write_one(*Database::open(path, read_only_journal(journal)), "first"); }
  REQUIRE(chmod(path.c_str(), file_mode) == 0);
  REQUIRE(chmod(dir.path().c_str(), folder_mode) == 0);
  const pid_t child = start_child([&] {
    become_ordinary_user();
    use(path);
  });
  CHECK(child_succeeded(child));
  REQUIRE(chmod(dir.path().c_str(), 0755) == 0);
}

void reads_but_does_not_write(const std::string& path) {
  for (StoreJournal journal :
       {StoreJournal::kAutomatic, StoreJournal::kWriteAhead, StoreJournal::kRollback}) {
    auto database = Database::open(path, read_only_journal(journal));
    require_in_child(database->read_only(), "not seen as read-only");
    require_in_child(read_count(*database) == 1, "wrong content");
    const Caught error = caught([&] { write_one(*database, "refused"); });
    require_in_child(error.code == ErrorCode::kPermissionDenied, "wrong code: " + error.message);
    require_in_child(error.has("is read-only: the system allows no change to it"), error.message);
    require_in_child(read_count(*database) == 1, "changed");
  }
}

}  // namespace

TEST_CASE("a read-only store in a folder that can be written to reads and refuses writes") {
  with_modes(StoreJournal::kWriteAhead, 0444, 0777, reads_but_does_not_write);
  with_modes(StoreJournal::kRollback, 0444, 0777, reads_but_does_not_write);
}

TEST_CASE("a read-only store in a read-only folder reads and refuses writes") {
  with_modes(StoreJournal::kWriteAhead, 0444, 0555, reads_but_does_not_write);
  with_modes(StoreJournal::kRollback, 0444, 0555, reads_but_does_not_write);
}

TEST_CASE("a writable store in a read-only folder never half-works") {
  const auto use = [](const std::string& path) {
    std::shared_ptr<Database> database;
    const Caught opening = caught([&] { database = Database::open(path); });
    if (!database) {
      require_in_child(opening.code == ErrorCode::kPermissionDenied, opening.message);
      return;
    }
    require_in_child(read_count(*database) == 1, "wrong content");
    const Caught error = caught([&] { write_one(*database, "refused"); });
    require_in_child(error.code == ErrorCode::kPermissionDenied, "wrong code: " + error.message);
    require_in_child(read_count(*database) == 1, "changed");
  };
  with_modes(StoreJournal::kWriteAhead, 0666, 0555, use);
  with_modes(StoreJournal::kRollback, 0666, 0555, use);
}

TEST_CASE("a read-only store whose log cannot be read is refused with what to do") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  auto writer = Database::open(path, read_only_journal(StoreJournal::kWriteAhead));
  write_one(*writer, "in the log");
  REQUIRE(mlrt::fs::file_size(path + "-wal") > 0);
  // As after a copy of the store and its log, without the index of the log.
  TempDir copy;
  mlrt::fs::copy_file(path, copy.path("s.db"));
  mlrt::fs::copy_file(path + "-wal", copy.path("s.db-wal"));
  REQUIRE(chmod(copy.path("s.db").c_str(), 0444) == 0);
  REQUIRE(chmod(copy.path().c_str(), 0555) == 0);
  const pid_t child = start_child([&] {
    become_ordinary_user();
    const Caught error = caught([&] { Database::open(copy.path("s.db")); });
    require_in_child(error.code == ErrorCode::kPermissionDenied, error.message);
    require_in_child(error.has("copy both files to a folder that can be written"), error.message);
  });
  CHECK(child_succeeded(child));
  REQUIRE(chmod(copy.path().c_str(), 0755) == 0);
}

TEST_CASE("a store that a writer holds open is read by one who may not write") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  auto writer = Database::open(path, read_only_journal(StoreJournal::kWriteAhead));
  write_one(*writer, "in the log");
  for (const char* name : {"s.db", "s.db-wal", "s.db-shm"}) {
    REQUIRE(chmod(dir.path(name).c_str(), 0444) == 0);
  }
  REQUIRE(chmod(dir.path().c_str(), 0555) == 0);
  const pid_t child = start_child([&] {
    become_ordinary_user();
    auto database = Database::open(path);
    require_in_child(database->read_only(), "not seen as read-only");
    require_in_child(read_count(*database) == 1, "the log was not read");
  });
  CHECK(child_succeeded(child));
  REQUIRE(chmod(dir.path().c_str(), 0755) == 0);
}

TEST_CASE("a store that may not be read at all, or not be created, is refused") {
  with_modes(StoreJournal::kRollback, 0000, 0777, [](const std::string& path) {
    const Caught error = caught([&] { Database::open(path); });
    require_in_child(error.code == ErrorCode::kPermissionDenied, error.message);
    require_in_child(error.has("cannot open the store"), error.message);
    require_in_child(error.has("ermission denied"), error.message);
  });
  with_modes(StoreJournal::kRollback, 0644, 0555, [](const std::string& path) {
    const Caught error = caught([&] { Database::open(path + ".new"); });
    require_in_child(error.code == ErrorCode::kPermissionDenied, error.message);
    require_in_child(error.has("the system allows no new file in its folder"), error.message);
  });
}

TEST_CASE("a store is unavailable while the process has too many open files") {
  TempDir dir;
  const std::string path = dir.path("s.db");
  write_one(*Database::open(path), "w");
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const Caught error = caught(
      [&] { StoreConnection(path, path, StoreOpenMode::kReadWrite, 1000).execute("BEGIN"); });
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(error.code == ErrorCode::kUnavailable);
  CHECK_MESSAGE(error.has("cannot open the store"), error.message);
  CHECK(read_count(*Database::open(path)) == 1);
}
