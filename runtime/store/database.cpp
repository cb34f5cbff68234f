#include "store/database.hpp"

#include <chrono>
#include <new>
#include <optional>
#include <set>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/fs_file.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "core/timed_lock.hpp"
#include "store/schema.hpp"

namespace mlrt {
namespace {

// Before 3.51.3 a checkpoint that meets a write of another connection can damage a database with a
// write-ahead log.
constexpr int kSoundWriteAheadSqlite = 3051003;
// Changing the journal needs the file for ourselves for a moment. It only makes things faster, so
// not getting it soon is no error.
constexpr int kJournalChangeMs = 500;
// A commit writes each page that it touched as a whole, and most touch many for a few bytes each:
// an entry of an index here and there. Half of SQLite's default makes half the writes.
constexpr char kPageSize[] = "PRAGMA page_size = 2048";
// Pages of the write-ahead log (64 MB of them) after which they are moved into the file: each time
// is two syncs, for which the one who commits waits.
constexpr int kCheckpointPages = 32768;
constexpr int kSmallCheckpointPages = 2048;

bool change_journal(StoreConnection& connection, const char* wanted) {
  const std::int64_t start_ms = monotonic_ms();
  const int timeout_ms = connection.busy_timeout_ms();
  connection.set_busy_timeout_ms(0);
  bool changed = false;
  for (;;) {
    try {
      changed = connection.query_text(std::string("PRAGMA journal_mode = ") + wanted) == wanted;
      break;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnavailable) {
        connection.set_busy_timeout_ms(timeout_ms);
        throw;
      }
    }
    if (monotonic_ms() - start_ms >= kJournalChangeMs) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  connection.set_busy_timeout_ms(timeout_ms);
  return changed;
}

// Returns whether it is a write-ahead log.
bool choose_journal(StoreConnection& connection, StoreJournal journal, Durability durability) {
  const bool sound = sqlite_version_number() >= kSoundWriteAheadSqlite;
  const bool write_ahead =
      journal == StoreJournal::kWriteAhead || (journal == StoreJournal::kAutomatic && sound);
  const char* wanted = write_ahead ? "wal" : "delete";
  bool is_write_ahead = connection.query_text("PRAGMA journal_mode") == "wal";
  if (is_write_ahead != write_ahead && !connection.read_only() &&
      change_journal(connection, wanted)) {
    is_write_ahead = write_ahead;
  }
  // With a write-ahead log, NORMAL keeps the file sound and loses nothing when the program dies;
  // with a rollback journal it takes FULL for that.
  const bool relaxed = is_write_ahead && durability == Durability::kProcess;
  connection.execute(relaxed ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
  // An old SQLite that met a write-ahead log which a newer program holds open: the checkpoints,
  // which are what it does wrong, are left to that program.
  if (is_write_ahead && !sound && journal == StoreJournal::kAutomatic)
    connection.set_checkpoints(0);
  else
    connection.set_checkpoints(kCheckpointPages);
  return is_write_ahead;
}

bool prepare_store(StoreConnection& connection, StoreJournal journal, Durability durability) {
  connection.execute("PRAGMA cell_size_check = ON");
  if (connection.read_only()) {
    migrate_schema(connection);
    return false;
  }
  // Nothing is changed in a file that turns out not to be ours: the journal belongs to the file.
  const std::int64_t application = connection.query_integer("PRAGMA application_id");
  if (application == 0 && connection.query_integer("SELECT count(*) FROM sqlite_schema") == 0) {
    connection.execute(kPageSize);
    const bool write_ahead = choose_journal(connection, journal, durability);
    migrate_schema(connection);
    return write_ahead;
  }
  migrate_schema(connection);
  return choose_journal(connection, journal, durability);
}

// Once a path: every opening would repeat it.
void database_tell_network(const std::string& path) {
  static std::mutex mutex;
  static std::set<std::string> told;
  std::lock_guard<std::mutex> lock(mutex);
  if (!told.insert(path).second) return;
  log_warn("the store is on a network file system: it is written with a rollback journal, slower",
           {{"store", path}});
}

// A file in a folder that we may not write to: a write-ahead log needs side files there. Without a
// log everything is in the file itself, and it can be read as it is.
bool can_open_immutable(const std::string& path, const Error& error) {
  if (error.code() != ErrorCode::kPermissionDenied && error.code() != ErrorCode::kIo) return false;
  // Not for a disk that failed once: that would be a store which nobody can write to any more.
  if (error.code() == ErrorCode::kIo && fs::is_writable(fs::parent(path))) return false;
  if (!fs::is_file(path)) return false;
  const std::string log = path + "-wal";
  if (!fs::exists(log) || fs::file_size(log) == 0) return true;
  throw Error(ErrorCode::kPermissionDenied,
              "the store " + quoted(path, 300) +
                  " can only be read, and its latest changes stand in " + quoted(log, 300) +
                  ", which cannot be read there; copy both files to a folder that can be written",
              error.detail());
}

}  // namespace

Database::Database(std::string path, bool created, const DatabaseOptions& options,
                   std::unique_ptr<StoreConnection> connection)
    : path_(std::move(path)),
      shown_path_(connection->shown_path()),
      options_(options),
      read_only_(connection->read_only()),
      on_network_(fs::is_on_network(fs::parent(path_))),
      writer_id_(random_hex(16)),
      connection_(std::move(connection)) {
  if (created && options_.durability == Durability::kPower) fs::sync_folder(fs::parent(path_));
  join_forks();
}

Database::~Database() {
  if (StoreCompanion* companion = companion_.load()) companion->close();
  leave_forks();
  const NoForkSection section;
  if (is_torn_) {  // ending what is half changed could crash
    static_cast<void>(owned_companion_.release());
    static_cast<void>(connection_.release());
  }
  owned_companion_.reset();
  connection_.reset();
}

StoreCompanion& Database::companion(MakeCompanion make) {
  const NoForkSection section;
  std::call_once(companion_once_, [this, make] {
    owned_companion_ = make(*this);
    companion_.store(owned_companion_.get());
  });
  return *companion_.load();
}

void Database::make_durable(bool by_others) {
  if (!unsynced_.exchange(false) && !by_others) return;
  try {
    // The log's own name lasts once its folder is synced, which SQLite leaves to its first sync.
    fs::File(path_ + "-wal", fs::File::Mode::kReadWrite).sync();
    if (!folder_synced_.exchange(true)) fs::sync_folder(fs::parent(path_));
  } catch (const Error& error) {
    // No log: its content went into the file, synced, when another process closed the store.
    if (error.code() == ErrorCode::kNotFound) return;
    unsynced_.store(true);
    folder_synced_.store(false);
    throw;
  }
}

bool Database::try_hold() noexcept {
  // Inside a transaction: the child cannot use it, and gets an error.
  forked_inside_ = owner_.load() == std::this_thread::get_id();
  if (forked_inside_) return true;
  if (StoreCompanion* companion = companion_.load()) return companion->try_hold(&mutex_);
  return lock_within(mutex_, kForkLockMs);
}

void Database::let_go() noexcept {
  const bool is_child = !connection_->is_own_process();
  if (is_child) waiting_.store(0);  // those threads are not here
  if (forked_inside_) {
    if (!is_child) return;
    is_torn_ = true;
    if (StoreCompanion* companion = companion_.load()) companion->was_torn();
    return;
  }
  if (StoreCompanion* companion = companion_.load()) companion->let_go();
  mutex_.unlock();
}

void Database::was_torn() noexcept {
  is_torn_ = true;
  new (&mutex_) std::timed_mutex;
  owner_.store(std::thread::id());
  waiting_.store(0);
  if (StoreCompanion* companion = companion_.load()) companion->was_torn();
}

void Database::require_whole() const {
  if (!is_torn_) return;
  throw Error(ErrorCode::kInternal,
              "the store " + quoted(shown_path_, 300) +
                  " was in use while the process forked: the child must open it anew");
}

// Under the mutex.
void Database::open_after_fork() {
  if (connection_->is_own_process()) return;
  require_whole();
  const NoForkSection section;
  auto connection =
      std::make_unique<StoreConnection>(path_, shown_path_, open_mode_, options_.busy_timeout_ms);
  write_ahead_ = prepare_store(*connection, options_.journal, options_.durability);
  connection_ = std::move(connection);  // the parent's is only let go of
  writer_id_ = random_hex(16);
  sequence_ = 0;
}

std::shared_ptr<Database> Database::open(const std::string& path, const DatabaseOptions& options) {
  if (path.empty()) throw Error(ErrorCode::kInvalidParameter, "the path of the store is empty");
  if (path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInvalidParameter,
                "the path of the store " + quoted(path, 300) + " holds a NUL byte");
  }
  const std::string absolute = fs::absolute(path);
  if (fs::is_folder(absolute)) {
    throw Error(ErrorCode::kIo, "the store " + quoted(path, 300) + " is a folder, not a file");
  }
  const bool existed = fs::exists(absolute);
  if (existed) {
    if (!fs::is_file(absolute)) {
      throw Error(ErrorCode::kIo, "the store " + quoted(path, 300) + " is not a regular file");
    }
    // SQLite takes a file of one byte for an empty one, and would overwrite it.
    if (fs::file_size(absolute) == 1) {
      throw Error(ErrorCode::kDataCorrupt,
                  quoted(path, 300) + " is not an mlrt store: the file is not a SQLite database");
    }
  } else {
    if (options.must_exist)
      throw Error(ErrorCode::kNotFound, "there is no store " + quoted(path, 300));
    const std::string folder = fs::parent(absolute);
    if (!fs::is_folder(folder)) {
      throw Error(ErrorCode::kIo, "cannot create the store " + quoted(path, 300) +
                                      ": there is no folder " + quoted(folder, 300));
    }
  }
  DatabaseOptions wanted = options;
  std::optional<NoForkSection> section(std::in_place);
  if (wanted.journal == StoreJournal::kAutomatic && fs::is_on_network(fs::parent(absolute))) {
    wanted.journal = StoreJournal::kRollback;
    database_tell_network(absolute);
  }
  StoreOpenMode mode = StoreOpenMode::kReadWrite;
  bool write_ahead = false;
  std::unique_ptr<StoreConnection> connection;
  try {
    connection = std::make_unique<StoreConnection>(absolute, path, mode, options.busy_timeout_ms);
    write_ahead = prepare_store(*connection, wanted.journal, options.durability);
  } catch (const Error& error) {
    const bool reading_only = existed && (!connection || connection->read_only());
    if (!reading_only || !can_open_immutable(absolute, error)) throw;
    connection.reset();
    mode = StoreOpenMode::kImmutable;
    connection = std::make_unique<StoreConnection>(absolute, path, mode, options.busy_timeout_ms);
    prepare_store(*connection, wanted.journal, options.durability);
  }
  section.reset();  // it joins those whom a fork waits for
  std::shared_ptr<Database> database(
      new Database(absolute, !existed, wanted, std::move(connection)));
  database->write_ahead_ = write_ahead;
  database->open_mode_ = mode;
  return database;
}

Transaction::Transaction(Database& database, Mode mode, int timeout_ms)
    : database_(database), mode_(mode), lock_(database.mutex_, std::defer_lock) {
  if (database.owner_.load() == std::this_thread::get_id()) {
    connection().require_own_process();
    throw Error(ErrorCode::kInternal, "a transaction began inside another one of the same thread");
  }
  if (mode == Mode::kWrite && database.read_only_) {
    throw Error(ErrorCode::kPermissionDenied,
                "the store " + quoted(database.shown_path_, 300) +
                    " is read-only: the system allows no change to it");
  }
  if (mode == Mode::kRead) {
    if (StoreCompanion* companion = database.companion_.load()) companion->before_read();
  }
  database.waiting_.fetch_add(1);
  if (timeout_ms < 0) {
    lock_.lock();
  } else if (lock_within(database.mutex_, timeout_ms)) {
    lock_ = std::unique_lock<std::timed_mutex>(database.mutex_, std::adopt_lock);
  }
  database.waiting_.fetch_sub(1);
  if (!lock_.owns_lock()) {
    throw Error(ErrorCode::kUnavailable,
                "the store " + quoted(database.shown_path_, 300) + " is in use by another thread");
  }
  database.owner_.store(std::this_thread::get_id());
  try {
    database.open_after_fork();
    connection().set_busy_timeout_ms(timeout_ms < 0 ? database.options_.busy_timeout_ms
                                                    : timeout_ms);
    run(mode == Mode::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
    if (mode == Mode::kWrite) connection().require_same_file();
  } catch (const std::exception&) {
    connection().roll_back();
    database.owner_.store(std::thread::id());
    throw;
  }
}

Transaction::~Transaction() {
  connection().roll_back();
  database_.owner_.store(std::thread::id());
}

void Transaction::commit(bool in_small_steps) {
  const int pages = connection().checkpoints();
  const bool is_small = in_small_steps && pages != 0 && database_.waiting_.load() == 0;
  try {
    if (is_small) connection().set_checkpoints(kSmallCheckpointPages);
    connection().commit();
  } catch (const std::exception&) {
    connection().set_checkpoints(pages);
    connection().roll_back();
    throw;
  }
  if (is_small) connection().set_checkpoints(pages);
  if (mode_ != Mode::kWrite) return;
  if (database_.write_ahead_ && database_.options_.durability == Durability::kProcess)
    database_.unsynced_.store(true);
  if (StoreCompanion* companion = database_.companion_.load()) companion->committed();
}

}  // namespace mlrt
