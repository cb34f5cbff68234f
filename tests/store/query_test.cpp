#include "store/query.hpp"

#include <doctest/doctest.h>

#include <string>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/interrupt.hpp"
#include "store/database.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace {

ErrorCode query_error(const std::string& path, const std::string& sql, std::string* message,
                      const StoreQueryLimits& limits = {}) {
  try {
    query_store(path, sql, limits);
  } catch (const Error& error) {
    *message = error.message();
    return error.code();
  }
  *message = "no error";
  return ErrorCode::kInternal;
}

}  // namespace

TEST_CASE("a query gives columns and rows of every type") {
  test::TempDir folder;
  const std::string path = folder.path("mlrt.db");
  const auto database = Database::open(path);
  const StoreQueryResult result =
      query_store(path, "SELECT 1 AS a, -2.5 AS b, 'x' AS c, NULL AS d, x'00ff' AS e;  ");
  CHECK(result.columns == std::vector<std::string>{"a", "b", "c", "d", "e"});
  REQUIRE(result.rows.size() == 1);
  const auto& row = result.rows[0];
  CHECK(row[0].kind == StoreQueryCell::Kind::kInteger);
  CHECK(row[0].integer == 1);
  CHECK(row[1].real == -2.5);
  CHECK(row[2].text == "x");
  CHECK(row[3].kind == StoreQueryCell::Kind::kNull);
  CHECK(row[4].text == "00ff");
  CHECK_FALSE(result.cut);
  CHECK(query_store(path, "SELECT name FROM experiments").rows[0][0].text == "Default");
  CHECK(query_store(path, "WITH a(x) AS (VALUES (1), (2)) SELECT sum(x) FROM a").rows.size() == 1);
}

TEST_CASE("a query sees what another connection has committed, beside its open transaction") {
  test::TempDir folder;
  const std::string path = folder.path("mlrt.db");
  const auto database = Database::open(path);
  Transaction lock(*database, Transaction::Mode::kWrite);
  CHECK(query_store(path, "SELECT count(*) FROM experiments").rows[0][0].integer == 1);
}

TEST_CASE("a query cannot change the store or reach another file") {
  test::TempDir folder;
  const std::string path = folder.path("mlrt.db");
  Database::open(path);
  const std::string other = folder.path("other.db");
  for (const std::string& sql :
       {std::string("DELETE FROM experiments"), std::string("UPDATE experiments SET name = 'x'"),
        std::string("INSERT INTO metric_keys (name) VALUES ('k')"),
        std::string("DELETE FROM experiments RETURNING name"), std::string("DROP TABLE runs"),
        std::string("CREATE TEMP TABLE t (x)"), "ATTACH '" + other + "' AS o",
        std::string("PRAGMA user_version = 7"), std::string("PRAGMA journal_mode"),
        "VACUUM INTO '" + other + "'", std::string("BEGIN"),
        std::string("SELECT load_extension('x')")}) {
    CAPTURE(sql);
    std::string message;
    const ErrorCode code = query_error(path, sql, &message);
    CHECK_MESSAGE((code == ErrorCode::kPermissionDenied || code == ErrorCode::kInvalidParameter),
                  message);
  }
  CHECK_FALSE(fs::exists(other));
  CHECK(query_store(path, "SELECT count(*) FROM experiments").rows[0][0].integer == 1);
}

TEST_CASE("a wrong query is told in SQLite's words") {
  test::TempDir folder;
  const std::string path = folder.path("mlrt.db");
  Database::open(path);
  std::string message;
  CHECK(query_error(path, "SELECT nme FROM experiments", &message) == ErrorCode::kInvalidParameter);
  CHECK(message == "the SQL is wrong: no such column: nme");
  CHECK(query_error(path, "SELECT \"nme\" FROM experiments", &message) ==
        ErrorCode::kInvalidParameter);
  CHECK(query_error(path, "  -- nothing", &message) == ErrorCode::kInvalidParameter);
  CHECK(message == "there is no statement in the SQL");
  CHECK(query_error(path, "SELECT 1; SELECT 2", &message) == ErrorCode::kInvalidParameter);
  CHECK(message == "one statement at a time: there is more after it, at 'SELECT 2'");
  CHECK(query_error(folder.path("none.db"), "SELECT 1", &message) == ErrorCode::kNotFound);
  CHECK_FALSE(fs::exists(folder.path("none.db")));
}

TEST_CASE("a query is bounded in rows and bytes, and an interrupt ends it") {
  test::TempDir folder;
  const std::string path = folder.path("mlrt.db");
  Database::open(path);
  const std::string endless =
      "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n";
  StoreQueryLimits limits;
  limits.max_rows = 3;
  const StoreQueryResult few = query_store(path, endless, limits);
  CHECK(few.rows.size() == 3);
  CHECK(few.cut);
  limits.max_rows = 1000000000;
  limits.max_bytes = 1 << 20;
  std::string message;
  CHECK(query_error(path, endless, &message, limits) == ErrorCode::kTooLarge);
  CHECK(query_error(path, "SELECT zeroblob(100000000)", &message) == ErrorCode::kTooLarge);
  request_interrupt();
  const ErrorCode code = query_error(path, "SELECT count(*) FROM (" + endless + ")", &message);
  clear_interrupt();
  CHECK(code == ErrorCode::kInterrupted);
}

}  // namespace mlrt
