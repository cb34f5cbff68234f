#include "store/log_vfs.hpp"

#include <doctest/doctest.h>

#include <string>

#include "core/fs.hpp"
#include "store/connection.hpp"
#include "support/temp_dir.hpp"

using mlrt::StoreConnection;
using mlrt::StoreOpenMode;
using mlrt::test::TempDir;

namespace {

constexpr char kLogRows[] =
    "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
    "INSERT INTO t (word) SELECT hex(randomblob(200)) FROM n";

void log_add_rows(StoreConnection& connection, std::int64_t count) {
  connection.prepare(kLogRows).bind(1, count).run();
}

std::unique_ptr<StoreConnection> log_open_store(const std::string& path) {
  auto connection = std::make_unique<StoreConnection>(path, path, StoreOpenMode::kReadWrite, 1000);
  connection->query_text("PRAGMA journal_mode = wal");
  connection->set_checkpoints(0);  // what is committed stays in the log
  return connection;
}

// What somebody finds who has the files as they are now.
std::int64_t log_rows_in_copy(const TempDir& dir, const std::string& path) {
  const std::string copy = dir.path("copy.db");
  mlrt::fs::copy_file(path, copy);
  mlrt::fs::copy_file(path + "-wal", copy + "-wal");
  StoreConnection connection(copy, copy, StoreOpenMode::kReadWrite, 1000);
  CHECK(connection.query_text("PRAGMA integrity_check") == "ok");
  return connection.query_integer("SELECT count(*) FROM t");
}

}  // namespace

TEST_CASE("what was committed is in the log's file when the commit returns, whatever its size") {
  REQUIRE(mlrt::log_vfs() != nullptr);
  TempDir dir;
  const std::string path = dir.path("a.db");
  const auto connection = log_open_store(path);
  connection->execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT)");
  std::int64_t rows = 0;
  for (const std::int64_t count : {1, 1, 50, 300, 3000, 1, 20000, 1}) {
    connection->execute("BEGIN IMMEDIATE");
    log_add_rows(*connection, count);
    connection->commit();
    rows += count;
    CHECK(log_rows_in_copy(dir, path) == rows);
  }
}

TEST_CASE("a transaction that outgrows the cache reads what it wrote, and can be taken back") {
  TempDir dir;
  const std::string path = dir.path("a.db");
  const auto connection = log_open_store(path);
  connection->execute("PRAGMA cache_size = 10");
  connection->execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT)");
  log_add_rows(*connection, 100);
  connection->execute("BEGIN");
  log_add_rows(*connection, 2000);
  connection->execute("UPDATE t SET word = id || word");
  CHECK(connection->query_integer("SELECT count(*) FROM t WHERE word LIKE id || '%'") == 2100);
  CHECK(log_rows_in_copy(dir, path) == 100);
  connection->execute("ROLLBACK");
  CHECK(connection->query_integer("SELECT count(*) FROM t") == 100);
  connection->execute("BEGIN");
  log_add_rows(*connection, 500);
  connection->execute("UPDATE t SET word = 'x' || word");  // pages of the log are written again
  connection->commit();
  CHECK(log_rows_in_copy(dir, path) == 600);
}

TEST_CASE("what was taken back after an overflow of the cache never comes into the log again") {
  for (const bool reads : {true, false}) {
    CAPTURE(reads);
    TempDir dir;
    const std::string path = dir.path("a.db");
    auto one = log_open_store(path);
    one->execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT)");
    log_add_rows(*one, 20000);
    one->query_text("PRAGMA wal_checkpoint(TRUNCATE)");  // the log begins anew, without page 1
    one->execute("PRAGMA cache_size = 10");
    auto two = log_open_store(path);
    one->execute("BEGIN IMMEDIATE");
    one->execute("UPDATE t SET word = 'y' WHERE id < 3000");
    one->execute("ROLLBACK");
    two->execute("BEGIN IMMEDIATE");
    two->execute("UPDATE t SET word = 'z' WHERE id < 3000");
    two->commit();
    if (reads) {
      CHECK(one->query_integer("SELECT count(*) FROM t WHERE word = 'z'") == 2999);
    } else {
      one.reset();
    }
    CHECK(two->query_integer("SELECT count(*) FROM t WHERE word = 'z'") == 2999);
    CHECK(two->query_text("PRAGMA integrity_check") == "ok");
    CHECK(log_rows_in_copy(dir, path) == 20000);
  }
}

TEST_CASE("two who write to one log in turn do not overwrite each other") {
  TempDir dir;
  const std::string path = dir.path("a.db");
  const auto one = log_open_store(path);
  one->execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT)");
  const auto two = log_open_store(path);
  for (std::int64_t i = 1; i <= 20; ++i) {
    StoreConnection& writer = i % 3 == 0 ? *one : *two;
    writer.execute("BEGIN IMMEDIATE");
    log_add_rows(writer, 7 * i);
    writer.commit();
    CHECK((i % 2 == 0 ? one : two)->query_integer("SELECT count(*) FROM t") == 7 * i * (i + 1) / 2);
  }
  CHECK(log_rows_in_copy(dir, path) == 7 * 210);
}
