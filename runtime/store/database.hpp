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

#include "core/fork.hpp"
#include "store/connection.hpp"
#include "store/durability.hpp"

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
  Durability durability = Durability::kProcess;
  // What the journals of this opening may hold that is not yet in the store.
  std::uint64_t backlog_bytes = 256u << 20;
};

class Database;
class Transaction;

// What keeps records of its own beside the store and brings them into it.
class StoreCompanion {
 public:
  virtual ~StoreCompanion() = default;
  // Before a transaction that reads all there is; may write to the database.
  virtual void before_read() = 0;
  // After each commit, inside the database's mutex.
  virtual void committed() noexcept = 0;
  // The last that the database asks for: everything goes into the store.
  virtual void close() noexcept = 0;
  // See ForkParticipant. Takes the database's mutex too: in the order in
  // which others take them; let_go() leaves that one.
  virtual bool try_hold(std::timed_mutex* of_database) noexcept = 0;
  virtual void let_go() noexcept = 0;
  virtual void was_torn() noexcept = 0;
};

// One SQLite connection to a store, guarded by a mutex: any thread may use it, through a
// Transaction. The child of a fork gets a connection, and an id as a writer, of its own.
class Database final : private ForkParticipant {
 public:
  ~Database() override;
  // Opens the store at `path`, creating it (but no folder) unless it must exist, and brings its
  // schema to today's. A file, or a folder, that the system lets us only read opens for reading.
  // Throws kNotFound (must exist and does not), kIo, kPermissionDenied, kUnavailable (locked for
  // too long), kDataCorrupt (not a database, not ours, written by a newer mlrt, damaged).
  static std::shared_ptr<Database> open(const std::string& path,
                                        const DatabaseOptions& options = {});

  const std::string& path() const { return path_; }  // absolute
  bool read_only() const { return read_only_; }
  // On a network file system neither shared memory nor locks of single bytes hold.
  bool on_network() const { return on_network_; }
  const DatabaseOptions& options() const { return options_; }

  // The companion, which is made by the first call; `make` gets this database.
  using MakeCompanion = std::unique_ptr<StoreCompanion> (*)(Database& database);
  StoreCompanion& companion(MakeCompanion make);

  // What was committed before the call, by this opening or (`by_others`) by anyone, lasts through a
  // power cut.
  void make_durable(bool by_others = false);
  bool is_durable() const { return !unsynced_.load(); }

  // In the child of a fork that came in the middle of another thread's work: throws kInternal, as
  // nothing can be done with this opening there.
  void require_whole() const;

  // Threads that wait for their turn: whoever uses the database again and again lets them go first.
  int waiting() const { return waiting_.load(); }

 private:
  friend class Transaction;
  Database(std::string path, bool created, const DatabaseOptions& options,
           std::unique_ptr<StoreConnection> connection);
  bool try_hold() noexcept override;
  void let_go() noexcept override;
  void was_torn() noexcept override;
  void open_after_fork();

  std::string path_, shown_path_;
  DatabaseOptions options_;
  bool read_only_, on_network_;
  std::atomic<int> waiting_{0};
  std::atomic<bool> unsynced_{false};  // commits that a power cut may still undo
  std::atomic<bool> folder_synced_{false};
  std::timed_mutex mutex_;
  std::atomic<std::thread::id> owner_{};  // the thread that holds the mutex
  bool forked_inside_ = false;            // by the thread that holds the mutex
  bool is_torn_ = false;
  StoreOpenMode open_mode_ = StoreOpenMode::kReadWrite;
  std::string writer_id_;
  std::int64_t sequence_ = 0;
  bool write_ahead_ = false;
  std::unique_ptr<StoreConnection> connection_;
  std::once_flag companion_once_;
  std::atomic<StoreCompanion*> companion_{nullptr};
  std::unique_ptr<StoreCompanion> owned_companion_;
};

// A transaction under way, which holds the database's mutex; undone unless it is committed. A
// thread may have one at a time (a second one is kInternal). One that reads sees one state of the
// store throughout.
class Transaction {
 public:
  enum class Mode {
    kRead,        // all that was logged, what stands in journals included
    kReadStored,  // what is in the database itself: for what is never in a journal
    kWrite,
  };

  // kWrite waits for other processes' writes first. Throws kUnavailable, or kPermissionDenied when
  // the store can only be read. `timeout_ms`: how long to wait for other processes, and for other
  // threads too, other than the database's own time for the one and no end for the other.
  Transaction(Database& database, Mode mode, int timeout_ms = -1);
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

  // True if it changed, added or removed a row.
  template <typename... Values>
  bool run_changes(std::string_view sql, const Values&... values) {
    run(sql, values...);
    return connection().changed();
  }

  // Runs an INSERT ... RETURNING to its end and gives the integer that it returned.
  template <typename... Values>
  std::int64_t insert(std::string_view sql, const Values&... values) {
    Statement statement = query(sql, values...);
    const std::int64_t id = statement.step() ? statement.integer(0) : 0;
    statement.run();
    return id;
  }

  // Who writes: a random id of this opening in this process, which with next_sequence() makes a row
  // unique in all stores.
  const std::string& writer_id() const { return database_.writer_id_; }
  // Never the same twice in one opening, nor given back by a rollback.
  std::int64_t next_sequence() { return database_.sequence_++; }

  // Makes the changes last. After an error none of them is there. `in_small_steps`: for a thread
  // that has something to do again and again; where nobody else commits, the write-ahead log is
  // moved into the file after some megabytes of it, not after many.
  void commit(bool in_small_steps = false);

 private:
  StoreConnection& connection() { return *database_.connection_; }

  Database& database_;
  Mode mode_;
  std::unique_lock<std::timed_mutex> lock_;
};

}  // namespace mlrt

#endif  // MLRT_STORE_DATABASE_HPP_
