#include "store/database.hpp"

#include <chrono>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/ids.hpp"
#include "core/text.hpp"
#include "store/schema.hpp"

namespace mlrt {
namespace {

// Before 3.51.3 a checkpoint that meets a write of another connection can damage a database with a
// write-ahead log.
constexpr int kSoundWriteAheadSqlite = 3051003;
// Changing the journal needs the file for ourselves for a moment. It only makes things faster, so
// not getting it soon is no error.
constexpr int kJournalChangeMs = 500;

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

void choose_journal(StoreConnection& connection, StoreJournal journal) {
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
  connection.execute(is_write_ahead ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
  // An old SQLite that met a write-ahead log which a newer program holds open: the checkpoints,
  // which are what it does wrong, are left to that program.
  if (is_write_ahead && !sound && journal == StoreJournal::kAutomatic)
    connection.disable_checkpoints();
}

void prepare_store(StoreConnection& connection, StoreJournal journal) {
  connection.execute("PRAGMA cell_size_check = ON");
  if (connection.read_only()) {
    migrate_schema(connection);
    return;
  }
  // Nothing is changed in a file that turns out not to be ours: the journal belongs to the file.
  const std::int64_t application = connection.query_integer("PRAGMA application_id");
  if (application == 0 && connection.query_integer("SELECT count(*) FROM sqlite_schema") == 0) {
    choose_journal(connection, journal);
    migrate_schema(connection);
  } else {
    migrate_schema(connection);
    choose_journal(connection, journal);
  }
}

// A file in a folder that we may not write to: a write-ahead log needs side files there. Without a
// log everything is in the file itself, and it can be read as it is.
bool can_open_immutable(const std::string& path, const Error& error) {
  if (error.code() != ErrorCode::kPermissionDenied && error.code() != ErrorCode::kIo) return false;
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

Database::Database(std::string path, std::unique_ptr<StoreConnection> connection)
    : path_(std::move(path)),
      writer_id_(random_hex(16)),
      read_only_(connection->read_only()),
      connection_(std::move(connection)) {}

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
  std::unique_ptr<StoreConnection> connection;
  try {
    connection = std::make_unique<StoreConnection>(absolute, path, StoreOpenMode::kReadWrite,
                                                   options.busy_timeout_ms);
    prepare_store(*connection, options.journal);
  } catch (const Error& error) {
    const bool reading_only = existed && (!connection || connection->read_only());
    if (!reading_only || !can_open_immutable(absolute, error)) throw;
    connection.reset();
    connection = std::make_unique<StoreConnection>(absolute, path, StoreOpenMode::kImmutable,
                                                   options.busy_timeout_ms);
    prepare_store(*connection, options.journal);
  }
  return std::shared_ptr<Database>(new Database(absolute, std::move(connection)));
}

Transaction::Transaction(Database& database, Mode mode)
    : database_(database), lock_(database.mutex_, std::defer_lock) {
  if (database.owner_.load() == std::this_thread::get_id()) {
    throw Error(ErrorCode::kInternal, "a transaction began inside another one of the same thread");
  }
  if (mode == Mode::kWrite && database.read_only_) {
    throw Error(ErrorCode::kPermissionDenied,
                "the store " + quoted(connection().shown_path(), 300) +
                    " is read-only: the system allows no change to it");
  }
  connection().require_own_process();  // before the lock: in a child nobody would ever release it
  lock_.lock();
  database.owner_.store(std::this_thread::get_id());
  try {
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

void Transaction::commit() {
  try {
    run("COMMIT");
  } catch (const std::exception&) {
    connection().roll_back();
    throw;
  }
}

}  // namespace mlrt
