// Compares layouts for metrics in SQLite, each in its plainest form: what runtime/store/schema.cpp
// chose and what it did not. Writes one million points and reads them back as histories:
//   bench_layouts blocks|rows|indexed KEYS BATCH FILE
// prints thousands of points written a second, bytes a point, and milliseconds for the histories.

#include <sqlite3.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/fs.hpp"
#include "tracking/metric_blocks.hpp"

namespace {

constexpr int kPointCount = 1000000;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class LayoutDatabase {
 public:
  explicit LayoutDatabase(const std::string& path) {
    if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) throw std::runtime_error("open");
    run("PRAGMA journal_mode = wal; PRAGMA synchronous = normal; PRAGMA cache_size = -8000");
  }
  ~LayoutDatabase() {
    for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
    sqlite3_close(handle_);
  }
  LayoutDatabase(const LayoutDatabase&) = delete;
  LayoutDatabase& operator=(const LayoutDatabase&) = delete;

  void run(const char* sql) {
    if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
      throw std::runtime_error(sqlite3_errmsg(handle_));
  }
  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr) != SQLITE_OK)
      throw std::runtime_error(sqlite3_errmsg(handle_));
    statements_.push_back(statement);
    return statement;
  }

 private:
  sqlite3* handle_ = nullptr;
  std::vector<sqlite3_stmt*> statements_;
};

mlrt::MetricPoint layout_point(int i, int keys) {
  return {i, i / keys, 1700000000000 + i / 3, std::sin(i * 0.001) + 0.1 * (i * 7919 % 1000)};
}

void write_rows(LayoutDatabase& database, int keys, int batch) {
  sqlite3_stmt* insert = database.prepare("INSERT OR IGNORE INTO m VALUES (1, ?, 7, ?, ?, ?, ?)");
  for (int from = 0; from < kPointCount; from += batch) {
    database.run("BEGIN");
    for (int i = from; i < kPointCount && i < from + batch; ++i) {
      const mlrt::MetricPoint point = layout_point(i, keys);
      sqlite3_bind_int(insert, 1, i % keys);
      sqlite3_bind_int64(insert, 2, point.seq);
      sqlite3_bind_int64(insert, 3, point.step);
      sqlite3_bind_int64(insert, 4, point.timestamp_ms);
      sqlite3_bind_double(insert, 5, point.value);
      sqlite3_step(insert);
      sqlite3_reset(insert);
    }
    database.run("COMMIT");
  }
}

void write_blocks(LayoutDatabase& database, int keys, int batch) {
  struct Open {
    std::int64_t first = 0;
    std::size_t count = 0;
    mlrt::MetricPoint last;
    std::string data;
  };
  sqlite3_stmt* insert = database.prepare("INSERT OR REPLACE INTO m VALUES (1, ?, 7, ?, ?, ?)");
  sqlite3_stmt* select = database.prepare(
      "SELECT first, count, data FROM m WHERE run = 1 AND key = ? AND writer = 7 ORDER BY first "
      "DESC LIMIT 1");
  for (int from = 0; from < kPointCount; from += batch) {
    database.run("BEGIN");
    for (int key = 0; key < keys; ++key) {
      Open open;
      sqlite3_bind_int(select, 1, key);
      if (sqlite3_step(select) == SQLITE_ROW) {
        open.first = sqlite3_column_int64(select, 0);
        open.count = static_cast<std::size_t>(sqlite3_column_int64(select, 1));
        open.data.assign(static_cast<const char*>(sqlite3_column_blob(select, 2)),
                         static_cast<std::size_t>(sqlite3_column_bytes(select, 2)));
        std::vector<mlrt::MetricPoint> points;
        mlrt::decode_metric_block(open.data, open.first, static_cast<std::int64_t>(open.count),
                                  points);
        open.last = points.back();
      }
      sqlite3_reset(select);
      const auto flush = [&] {
        if (open.count == 0) return;
        sqlite3_bind_int(insert, 1, key);
        sqlite3_bind_int64(insert, 2, open.first);
        sqlite3_bind_int64(insert, 3, static_cast<std::int64_t>(open.count));
        sqlite3_bind_blob(insert, 4, open.data.data(), static_cast<int>(open.data.size()),
                          SQLITE_STATIC);
        sqlite3_step(insert);
        sqlite3_reset(insert);
      };
      const int first_of_key = from + (key - from % keys + keys) % keys;
      for (int i = first_of_key; i < kPointCount && i < from + batch; i += keys) {
        const mlrt::MetricPoint point = layout_point(i, keys);
        if (open.count == 0 || open.count == mlrt::kMetricBlockCapacity) {
          flush();
          open = {point.seq, 0, {point.seq, 0, 0, 0}, {}};
        }
        mlrt::encode_metric_point(open.data, open.last, point);
        open.last = point;
        ++open.count;
      }
      flush();
    }
    database.run("COMMIT");
  }
}

std::size_t read_all(LayoutDatabase& database, bool blocks, int keys, double& sum) {
  sqlite3_stmt* select =
      database.prepare(blocks ? "SELECT first, count, data FROM m WHERE run = 1 AND key = ?"
                              : "SELECT seq, step, ts, value FROM m WHERE run = 1 AND key = ?");
  std::size_t count = 0;
  std::vector<mlrt::MetricPoint> points;
  for (int key = 0; key < keys; ++key) {
    points.clear();
    sqlite3_bind_int(select, 1, key);
    while (sqlite3_step(select) == SQLITE_ROW) {
      if (blocks) {
        const std::string_view data(static_cast<const char*>(sqlite3_column_blob(select, 2)),
                                    static_cast<std::size_t>(sqlite3_column_bytes(select, 2)));
        mlrt::decode_metric_block(data, sqlite3_column_int64(select, 0),
                                  sqlite3_column_int64(select, 1), points);
      } else {
        points.push_back({sqlite3_column_int64(select, 0), sqlite3_column_int64(select, 1),
                          sqlite3_column_int64(select, 2), sqlite3_column_double(select, 3)});
      }
    }
    sqlite3_reset(select);
    for (const mlrt::MetricPoint& point : points) sum += point.value;
    count += points.size();
  }
  return count;
}

int run_layout(const std::string& layout, int keys, int batch, const std::string& path) {
  const bool blocks = layout == "blocks";
  LayoutDatabase database(path);
  if (blocks) {
    database.run(
        "CREATE TABLE m (run, key, writer, first, count, data, PRIMARY KEY (run, key, writer, "
        "first)) WITHOUT ROWID");
  } else if (layout == "rows") {
    database.run(
        "CREATE TABLE m (run, key, writer, seq, step, ts, value, PRIMARY KEY (run, key, writer, "
        "seq)) WITHOUT ROWID");
  } else {
    database.run(
        "CREATE TABLE m (run, key, writer, seq, step, ts, value); CREATE UNIQUE INDEX i ON m (run, "
        "key, writer, seq)");
  }
  auto start = std::chrono::steady_clock::now();
  if (blocks) {
    write_blocks(database, keys, batch);
  } else {
    write_rows(database, keys, batch);
  }
  const double write_seconds = seconds_since(start);
  database.run("PRAGMA wal_checkpoint(truncate)");
  const auto size = static_cast<double>(mlrt::fs::file_size(path));
  double sum = 0;
  start = std::chrono::steady_clock::now();
  const std::size_t count = read_all(database, blocks, keys, sum);
  const double read_seconds = seconds_since(start);
  if (count != kPointCount || std::isnan(sum)) {
    std::fprintf(stderr, "read %zu points\n", count);
    return 1;
  }
  std::printf("%.1f %.2f %.2f\n", kPointCount / write_seconds / 1000, size / kPointCount,
              read_seconds * 1000);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 || std::atoi(argv[2]) < 1 || std::atoi(argv[3]) < 1) {
    std::fprintf(stderr, "usage: bench_layouts blocks|rows|indexed KEYS BATCH FILE\n");
    return 2;
  }
  try {
    return run_layout(argv[1], std::atoi(argv[2]), std::atoi(argv[3]), argv[4]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_layouts: %s\n", error.what());
    return 1;
  }
}
