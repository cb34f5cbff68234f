// What a store holds, seen by SQLite itself.

#include <sqlite3.h>

#include "crash_workload.hpp"

namespace mlrt {
namespace test {
namespace {

class StoreProbe {
 public:
  explicit StoreProbe(const std::string& store) {
    const int code = sqlite3_open_v2(store.c_str(), &handle_, SQLITE_OPEN_READONLY, nullptr);
    if (code != SQLITE_OK) fail("open");
    sqlite3_busy_timeout(handle_, 10000);
  }
  ~StoreProbe() {
    sqlite3_finalize(statement_);
    sqlite3_close_v2(handle_);
  }
  StoreProbe(const StoreProbe&) = delete;
  StoreProbe& operator=(const StoreProbe&) = delete;

  void prepare(const char* sql) {
    if (sqlite3_prepare_v2(handle_, sql, -1, &statement_, nullptr) != SQLITE_OK) fail(sql);
  }
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) fail("a step");
    return code == SQLITE_ROW;
  }
  std::string text(int column) const {
    const unsigned char* bytes = sqlite3_column_text(statement_, column);
    return bytes == nullptr ? "" : reinterpret_cast<const char*>(bytes);
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw CrashFailure(std::string("SQLite: ") + sqlite3_errmsg(handle_) + " in: " + what);
  }

  sqlite3* handle_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace

StoredCounts read_stored_counts(const std::string& store) {
  StoreProbe probe(store);
  probe.prepare(
      "SELECT run_id, metric_keys.name, sum(count) FROM metric_blocks JOIN runs USING (run) "
      "JOIN metric_keys USING (metric_key) GROUP BY run, metric_key");
  StoredCounts counts;
  while (probe.step()) counts[{probe.text(0), probe.text(1)}] = probe.integer(2);
  return counts;
}

std::string check_store_integrity(const std::string& store) {
  std::string found;
  {
    StoreProbe probe(store);
    probe.prepare("PRAGMA integrity_check(5)");
    while (probe.step()) found += (found.empty() ? "" : "; ") + probe.text(0);
  }
  StoreProbe probe(store);
  probe.prepare("PRAGMA foreign_key_check");
  if (probe.step()) found += "; a row of " + probe.text(0) + " refers to nothing";
  return found;
}

bool store_can_be_written(const std::string& store) {
  sqlite3* handle = nullptr;
  int code = sqlite3_open_v2(store.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_busy_timeout(handle, 100);
    code = sqlite3_exec(handle, "BEGIN IMMEDIATE; ROLLBACK", nullptr, nullptr, nullptr);
  }
  sqlite3_close_v2(handle);
  return code == SQLITE_OK;
}

}  // namespace test
}  // namespace mlrt
