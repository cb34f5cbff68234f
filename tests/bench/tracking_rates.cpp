// The C++ side of `scripts/dev bench tracking`, and plain SQLite as the yardstick:
//   bench_tracking STORE
// reads commands from its standard input, a line each, and answers each with a line of numbers:
//   log COUNT      logs so many metrics                                  seconds
//   settle         all that was logged is in the database                0
//   fold COUNT     brings so many metrics from the journal into it       seconds
//   runs COUNT     creates, fills and ends so many runs                  seconds
//   fill COUNT     makes so many runs to be searched                     seconds
//   history COUNT  a history of so many points of one metric             0
//   sample         reads the history, sampled to 2000 points             seconds, points
//   search         the first 100 of the runs that match                  seconds, runs
//   close          closes the store                                      seconds, bytes of its file
//   rows COUNT     yardstick: INSERT OR IGNORE, a row each               seconds, bytes of the file
//   bare COUNT     yardstick: the rows of so many runs, in as many transactions as ours   seconds

#include <sqlite3.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "api/session.hpp"
#include "core/fs.hpp"

namespace {

constexpr int kRowsPerTransaction = 32768;  // as many as ours folds in one

using BenchClock = std::chrono::steady_clock;

double bench_seconds(BenchClock::time_point start) {
  return std::chrono::duration<double>(BenchClock::now() - start).count();
}

// Plain SQLite, set up as a store is.
class PlainDatabase {
 public:
  explicit PlainDatabase(const std::string& path) {
    if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) throw std::runtime_error("open");
    run("PRAGMA journal_mode = wal; PRAGMA synchronous = normal; PRAGMA busy_timeout = 10000");
  }
  ~PlainDatabase() {
    for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
    sqlite3_close(handle_);
  }
  PlainDatabase(const PlainDatabase&) = delete;
  PlainDatabase& operator=(const PlainDatabase&) = delete;

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
  void step(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(handle_));
    sqlite3_reset(statement);
  }
  std::int64_t last_row() const { return sqlite3_last_insert_rowid(handle_); }

 private:
  sqlite3* handle_ = nullptr;
  std::vector<sqlite3_stmt*> statements_;
};

double log_burst(mlrt::Run& run, int count) {
  const auto start = BenchClock::now();
  for (int i = 0; i < count; ++i) run.log_metric("loss", 0.25 * i, i);
  return bench_seconds(start);
}

double make_runs(mlrt::Session& session, int count) {
  const auto start = BenchClock::now();
  for (int i = 0; i < count; ++i) {
    mlrt::Run run = session.start_run("bench");
    std::vector<mlrt::Param> params;
    std::vector<std::pair<std::string, double>> metrics;
    for (int k = 0; k < 10; ++k) {
      params.push_back({"param" + std::to_string(k), std::to_string(i + k)});
      metrics.emplace_back("metric" + std::to_string(k), 0.5 * i + k);
    }
    run.log_params(params);
    run.log_metrics(metrics);
    run.end();
  }
  return bench_seconds(start);
}

double make_runs_to_search(mlrt::Session& session, int count) {
  static const char* const kModels[] = {"tree", "linear", "forest", "net"};
  const auto start = BenchClock::now();
  std::uint32_t random = 1;
  const auto next = [&random] {
    random = random * 1664525u + 1013904223u;
    return (random >> 8) / 16777216.0;
  };
  for (int i = 0; i < count; ++i) {
    mlrt::Run run = session.start_run("run-" + std::to_string(i));
    run.log_params({{"model", kModels[static_cast<int>(next() * 4)]},
                    {"depth", std::to_string(static_cast<int>(next() * 12))},
                    {"rate", std::to_string(next())}});
    run.log_metrics({{"rmse", 4 * next()}, {"mae", 3 * next()}, {"r2", next()}});
    run.end();
  }
  return bench_seconds(start);
}

std::size_t search(const mlrt::Session& session) {
  mlrt::SearchQuery query;
  query.filter = "metrics.rmse < 1 and params.model = 'tree'";
  query.order_by = {"metrics.mae ASC"};
  query.max_results = 100;
  return session.tracking().search_runs({"0"}, query).items.size();
}

double write_rows(const std::string& path, int count) {
  PlainDatabase database(path);
  database.run(
      "CREATE TABLE m (run, key, writer, seq, step, ts, value, PRIMARY KEY (run, key, writer, "
      "seq)) WITHOUT ROWID");
  sqlite3_stmt* insert = database.prepare("INSERT OR IGNORE INTO m VALUES (1, 1, 7, ?, ?, ?, ?)");
  const auto start = BenchClock::now();
  for (int i = 0; i < count; ++i) {
    if (i % kRowsPerTransaction == 0) database.run("BEGIN IMMEDIATE");
    sqlite3_bind_int64(insert, 1, i);
    sqlite3_bind_int64(insert, 2, i);
    sqlite3_bind_int64(insert, 3, 1700000000000 + i / 3);
    sqlite3_bind_double(insert, 4, 0.25 * i);
    database.step(insert);
    if ((i + 1) % kRowsPerTransaction == 0 || i + 1 == count) database.run("COMMIT");
  }
  return bench_seconds(start);
}

// A transaction each for the run, its parameters, its metrics and its end, and no index that is not
// needed to insert.
double write_bare_runs(const std::string& path, int count) {
  PlainDatabase database(path);
  database.run(
      "CREATE TABLE r (run INTEGER PRIMARY KEY, id TEXT UNIQUE, name, status, start, end);"
      "CREATE TABLE p (run, key, value, PRIMARY KEY (run, key)) WITHOUT ROWID;"
      "CREATE TABLE m (run, key, seq, step, ts, value, PRIMARY KEY (run, key, seq)) WITHOUT ROWID");
  sqlite3_stmt* run =
      database.prepare("INSERT INTO r VALUES (NULL, hex(randomblob(16)), 'b', 'RUNNING', 1, NULL)");
  sqlite3_stmt* param = database.prepare("INSERT INTO p VALUES (?, 'param' || ?, ?)");
  sqlite3_stmt* metric = database.prepare("INSERT INTO m VALUES (?, ?, ?, 0, 1700000000000, ?)");
  sqlite3_stmt* end = database.prepare("UPDATE r SET status = 'FINISHED', end = 2 WHERE run = ?");
  const auto start = BenchClock::now();
  for (int i = 0; i < count; ++i) {
    database.run("BEGIN IMMEDIATE");
    database.step(run);
    const std::int64_t row = database.last_row();
    database.run("COMMIT; BEGIN IMMEDIATE");
    for (int k = 0; k < 10; ++k) {
      sqlite3_bind_int64(param, 1, row);
      sqlite3_bind_int(param, 2, k);
      sqlite3_bind_int(param, 3, i + k);
      database.step(param);
    }
    database.run("COMMIT; BEGIN IMMEDIATE");
    for (int k = 0; k < 10; ++k) {
      sqlite3_bind_int64(metric, 1, row);
      sqlite3_bind_int(metric, 2, k);
      sqlite3_bind_int(metric, 3, i);
      sqlite3_bind_double(metric, 4, 0.5 * i + k);
      database.step(metric);
    }
    database.run("COMMIT; BEGIN IMMEDIATE");
    sqlite3_bind_int64(end, 1, row);
    database.step(end);
    database.run("COMMIT");
  }
  return bench_seconds(start);
}

class Bench {
 public:
  explicit Bench(std::string store) : store_(std::move(store)) {}

  // Prints the answer.
  void answer(const std::string& command, int count) {
    if (command == "rows" || command == "bare") {
      const std::string path = store_ + ".plain";
      const double seconds =
          command == "rows" ? write_rows(path, count) : write_bare_runs(path, count);
      std::printf("%.6f %llu\n", seconds,
                  static_cast<unsigned long long>(mlrt::fs::file_size(path)));
      mlrt::fs::remove_file(path);
    } else if (command == "close") {
      const auto start = BenchClock::now();
      run_.reset();
      session_.reset();
      std::printf("%.6f %llu\n", bench_seconds(start),
                  static_cast<unsigned long long>(mlrt::fs::file_size(store_)));
    } else if (command == "log") {
      open_run();
      std::printf("%.6f\n", log_burst(*run_, count));
    } else if (command == "settle") {
      open_run();
      run_->record();
      std::printf("0\n");
    } else if (command == "fold") {
      std::printf("%.6f\n", fold(count));
    } else if (command == "runs") {
      std::printf("%.6f\n", make_runs(session(), count));
    } else if (command == "fill") {
      std::printf("%.6f\n", make_runs_to_search(session(), count));
    } else if (command == "history") {
      open_run();
      log_burst(*run_, count);
      run_->record();
      std::printf("0\n");
    } else if (command == "sample") {
      open_run();
      const auto start = BenchClock::now();
      const std::size_t points =
          session().tracking().sampled_history(run_->id(), "loss", 2000).size();
      std::printf("%.6f %zu\n", bench_seconds(start), points);
    } else if (command == "search") {
      const auto start = BenchClock::now();
      const std::size_t found = search(session());
      std::printf("%.6f %zu\n", bench_seconds(start), found);
    } else {
      throw std::runtime_error("unknown command " + command);
    }
  }

 private:
  mlrt::Session& session() {
    if (!session_) session_.emplace(store_);
    return *session_;
  }
  void open_run() {
    if (!run_) run_.emplace(session().start_run("bench"));
  }

  // While another connection writes, the metrics gather in the journal.
  double fold(int count) {
    open_run();
    run_->record();
    {
      PlainDatabase other(store_);
      other.run("BEGIN IMMEDIATE");
      log_burst(*run_, count);
      other.run("ROLLBACK");
    }
    const auto start = BenchClock::now();
    run_->record();  // reads all that was logged
    return bench_seconds(start);
  }

  std::string store_;
  std::optional<mlrt::Session> session_;
  std::optional<mlrt::Run> run_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_tracking STORE\n");
    return 2;
  }
  try {
    Bench bench(argv[1]);
    char line[200];
    while (std::fgets(line, sizeof(line), stdin) != nullptr) {
      const std::string text(line, std::strcspn(line, "\n"));
      const std::size_t space = text.find(' ');
      const int count = space == std::string::npos ? 0 : std::atoi(text.c_str() + space);
      bench.answer(text.substr(0, space), count);
      std::fflush(stdout);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_tracking: %s\n", error.what());
    return 1;
  }
  return 0;
}
