#ifndef MLRT_STORE_DATABASE_HPP_
#define MLRT_STORE_DATABASE_HPP_

// Internal: a store that is open. Public headers only forward-declare Database.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "store/connection.hpp"

namespace mlrt {

enum class StoreJournal {
  kAutomatic,  // a write-ahead log where this SQLite does it soundly (3.51.3 and newer), else a
               // rollback journal
  kWriteAhead,
  kRollback,
};

struct DatabaseOptions {
  int busy_timeout_ms = 10000;                      // how long a call waits for other processes
  bool must_exist = false;                          // do not create the file
  StoreJournal journal = StoreJournal::kAutomatic;  // other values are for tests
};

class Transaction;

// One SQLite connection to a store, guarded by a mutex: any thread may use it, through a
// Transaction. Not usable in the child of a fork, which gets kInternal.
class Database {
 public:
  // Opens the store at `path`, creating it (but no folder) unless it must exist, and brings its
  // schema to today's. A file, or a folder, that the system lets us only read opens for reading.
  // Throws kNotFound (must exist and does not), kIo, kPermissionDenied, kUnavailable (locked for
  // too long), kDataCorrupt (not a database, not ours, written by a newer mlrt, damaged).
  static std::shared_ptr<Database> open(const std::string& path,
                                        const DatabaseOptions& options = {});

  const std::string& path() const { return path_; }  // absolute
  bool read_only() const { return read_only_; }

  // Who writes: a random id of this opening, which with next_sequence() makes a row unique in all
  // stores.
  const std::string& writer_id() const { return writer_id_; }

 private:
  friend class Transaction;
  Database(std::string path, std::unique_ptr<StoreConnection> connection);

  std::string path_;
  std::string writer_id_;
  bool read_only_;
  std::mutex mutex_;
  std::atomic<std::thread::id> owner_{};  // the thread that holds the mutex
  std::int64_t sequence_ = 0;
  std::unique_ptr<StoreConnection> connection_;
};

// A transaction under way, which holds the database's mutex; undone unless it is committed. A
// thread may have one at a time (a second one is kInternal). kRead sees one state of the store
// throughout.
class Transaction {
 public:
  enum class Mode { kRead, kWrite };

  // kWrite waits for other processes' writes first. Throws kUnavailable, or kPermissionDenied when
  // the store can only be read.
  Transaction(Database& database, Mode mode);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // A statement with its values bound. It must end before commit().
  template <typename... Values>
  Statement query(std::string_view sql, const Values&... values) {
    Statement statement = connection().prepare(sql);
    statement.bind_all(values...);
    return statement;
  }
  // The same, run to its end.
  template <typename... Values>
  void run(std::string_view sql, const Values&... values) {
    query(sql, values...).run();
  }

  // Runs an INSERT ... RETURNING to its end and gives the integer that it returned.
  template <typename... Values>
  std::int64_t insert(std::string_view sql, const Values&... values) {
    Statement statement = query(sql, values...);
    const std::int64_t id = statement.step() ? statement.integer(0) : 0;
    statement.run();
    return id;
  }

  // Never the same twice in one opening, nor given back by a rollback.
  std::int64_t next_sequence() { return database_.sequence_++; }

  // Makes the changes last. After an error none of them is there.
  void commit();

 private:
  StoreConnection& connection() { return *database_.connection_; }

  Database& database_;
  std::unique_lock<std::mutex> lock_;
};

}  // namespace mlrt

#endif  // MLRT_STORE_DATABASE_HPP_
