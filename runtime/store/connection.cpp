#include "store/connection.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fork.hpp"
#include "core/text.hpp"
#include "store/log_vfs.hpp"

#if SQLITE_VERSION_NUMBER < 3040000
#error "mlrt needs SQLite 3.40 or newer"
#endif

namespace mlrt {
namespace {

constexpr int kOldestSqlite = 3040000;
// The code's statements are far fewer; text that varies without bound must not fill the memory.
constexpr std::size_t kMaxKeptStatements = 256;
// The largest value that a store may hold; a damaged file must not make us ask for gigabytes.
constexpr int kMaxValueBytes = 256 << 20;

// A path as an SQLite URI, for the options that only a URI can carry.
std::string connection_uri(const std::string& path, std::string_view options) {
  std::string uri = "file:";
  for (char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += '%' + to_hex(&c, 1);
    } else {
      uri += c;
    }
  }
  return uri + "?" + std::string(options);
}

// SQLite counts the locks of a process by device and inode. The child of a fork has those of its
// parent in its memory but not from the system: taken for its own, they would let others remove the
// log that it writes to. On another device, so to say, nothing of the parent's is found.
int (*connection_system_fstat)(int, struct stat*) = nullptr;

int connection_fstat(int descriptor, struct stat* info) {
  const int result = connection_system_fstat(descriptor, info);
  if (result == 0) info->st_dev ^= static_cast<dev_t>(process_generation() - 1) << 32;
  return result;
}

bool connection_leave_locks_of_parent() {
  sqlite3_vfs* const system = sqlite3_vfs_find("unix");
  if (system == nullptr || system->iVersion < 3) return false;
  connection_system_fstat =
      reinterpret_cast<int (*)(int, struct stat*)>(system->xGetSystemCall(system, "fstat"));
  return connection_system_fstat != nullptr &&
         system->xSetSystemCall(system, "fstat",
                                reinterpret_cast<sqlite3_syscall_ptr>(&connection_fstat)) ==
             SQLITE_OK;
}

std::string seconds_text(int milliseconds) { return format_double(milliseconds / 1000.0) + " s"; }

}  // namespace

int sqlite_version_number() { return sqlite3_libversion_number(); }

// ---- Statement ----

Statement::Statement(StoreConnection* connection, sqlite3_stmt* handle, Kept* kept)
    : connection_(connection), handle_(handle), kept_(kept) {}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      handle_(std::exchange(other.handle_, nullptr)),
      kept_(other.kept_) {}

Statement::~Statement() {
  if (!handle_) return;
  if (kept_ == nullptr) {
    sqlite3_finalize(handle_);
    return;
  }
  reset();
  kept_->in_use = false;
}

Statement& Statement::bind(int position, std::int64_t value) {
  int code = sqlite3_bind_int64(handle_, position, value);
  if (code != SQLITE_OK) connection_->fail(code, sqlite3_sql(handle_));
  return *this;
}

Statement& Statement::bind(int position, double value) {
  int code = sqlite3_bind_double(handle_, position, value);
  if (code != SQLITE_OK) connection_->fail(code, sqlite3_sql(handle_));
  return *this;
}

Statement& Statement::bind(int position, std::string_view text) {
  // A null pointer would bind NULL, and an empty view may hold one.
  int code = sqlite3_bind_text64(handle_, position, text.data() ? text.data() : "", text.size(),
                                 SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) connection_->fail(code, sqlite3_sql(handle_));
  return *this;
}

Statement& Statement::bind_null(int position) {
  int code = sqlite3_bind_null(handle_, position);
  if (code != SQLITE_OK) connection_->fail(code, sqlite3_sql(handle_));
  return *this;
}

Statement& Statement::bind(int position, StoreBlob blob) {
  int code = sqlite3_bind_blob64(handle_, position, blob.bytes.data() ? blob.bytes.data() : "",
                                 blob.bytes.size(), SQLITE_TRANSIENT);
  if (code != SQLITE_OK) connection_->fail(code, sqlite3_sql(handle_));
  return *this;
}

bool Statement::step() {
  int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  connection_->fail(sqlite3_extended_errcode(connection_->handle_), sqlite3_sql(handle_));
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }

double Statement::real(int column) const {
  return is_null(column) ? std::numeric_limits<double>::quiet_NaN()
                         : sqlite3_column_double(handle_, column);
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  if (!bytes) {
    if (!is_null(column)) throw std::bad_alloc();
    return std::string();
  }
  return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

std::string_view Statement::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  const int size = sqlite3_column_bytes(handle_, column);
  if (!data && size > 0) throw std::bad_alloc();
  return std::string_view(data ? data : "", static_cast<std::size_t>(size));
}

// ---- StoreConnection ----

StoreConnection::StoreConnection(const std::string& absolute_path, std::string shown_path,
                                 StoreOpenMode mode, int busy_timeout_ms)
    : shown_path_(std::move(shown_path)), process_(process_generation()) {
  if (sqlite3_libversion_number() < kOldestSqlite) {
    throw Error(ErrorCode::kInternal, std::string("SQLite ") + sqlite3_libversion() +
                                          " is too old: mlrt needs 3.40 or newer");
  }
  if (sqlite3_threadsafe() == 0) {
    throw Error(ErrorCode::kInternal,
                "this SQLite was built without threads (SQLITE_THREADSAFE=0): mlrt needs them");
  }
  if (process_ > 1) {
    // Stays in force in the children of this child.
    static const bool left = connection_leave_locks_of_parent();
    if (!left) {
      throw Error(ErrorCode::kInternal,
                  "this SQLite cannot open a store in the child of a fork safely");
    }
  }
  // NOMUTEX: the Database's mutex guards the connection already.
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  std::string name = absolute_path;
  if (mode == StoreOpenMode::kImmutable) {
    flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    name = connection_uri(absolute_path, "immutable=1");
  } else if (mode == StoreOpenMode::kForeign) {
    flags |= SQLITE_OPEN_READONLY;
  } else {
    flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  }
  int code = sqlite3_open_v2(name.c_str(), &handle_, flags, log_vfs());
  if (code != SQLITE_OK) {
    try {
      // SQLite tries to read what it could not create, so the reason of the first failure is lost.
      if (mode == StoreOpenMode::kReadWrite && (code & 0xff) == SQLITE_CANTOPEN &&
          sqlite3_system_errno(handle_) == ENOENT) {
        throw Error(ErrorCode::kPermissionDenied,
                    "cannot create the store " + quoted(shown_path_, 300) +
                        ": the system allows no new file in its folder");
      }
      fail(code, "open");
    } catch (const Error&) {
      sqlite3_close_v2(handle_);  // SQLite gives a handle even then
      handle_ = nullptr;
      throw;
    }
  }
  // Waiting comes first: each statement below may already meet another process's lock.
  busy_.timeout_ms = busy_timeout_ms;
  sqlite3_busy_handler(handle_, &StoreConnection::on_busy, &busy_);
  sqlite3_limit(handle_, SQLITE_LIMIT_LENGTH, kMaxValueBytes);
  // A store may come from elsewhere: what its schema says is not trusted, and no statement may
  // change the file behind SQLite's back.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  if (mode == StoreOpenMode::kForeign) {
    // A view or a trigger could make reading a table run for ever.
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_exec(handle_, "PRAGMA cell_size_check = ON", nullptr, nullptr, nullptr);
  }
}

StoreConnection::~StoreConnection() {
  // In the child of a fork the connection is the parent's: closing it here could undo the parent's
  // locks and remove its log.
  if (!is_own_process()) return;
  for (auto& entry : kept_) sqlite3_finalize(entry.second.handle);
  sqlite3_close_v2(handle_);
}

// SQLite's own handler sleeps for up to 100 ms at a time, so under load the one who sleeps loses
// against those who are awake. Short sleeps are fair enough and cost little.
int StoreConnection::on_busy(void* context, int count) {
  auto* busy = static_cast<Busy*>(context);
  if (count == 0) busy->start_ms = monotonic_ms();
  if (monotonic_ms() - busy->start_ms >= busy->timeout_ms) return 0;
  sqlite3_sleep(count < 8 ? 1 : (count < 64 ? 4 : 10));
  return 1;
}

bool StoreConnection::is_own_process() const { return process_ == process_generation(); }

void StoreConnection::require_own_process() const {
  if (is_own_process()) return;
  throw Error(ErrorCode::kInternal,
              "the store " + quoted(shown_path_, 300) +
                  " was in use while the process forked: the child cannot go on with that");
}

sqlite3_stmt* StoreConnection::compile(std::string_view sql, bool keep, std::string_view* rest) {
  require_own_process();
  sqlite3_stmt* handle = nullptr;
  const char* tail = nullptr;
  int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                keep ? SQLITE_PREPARE_PERSISTENT : 0, &handle, &tail);
  if (code != SQLITE_OK) fail(code, sql);
  if (rest) *rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
  return handle;
}

// The code's statements differ somewhere here, or by their length; reading all of them would take
// as long as running a short one.
std::size_t StoreConnection::TextHash::operator()(std::string_view sql) const {
  std::uint64_t hash = sql.size();
  for (std::size_t at : {sql.size() / 4, sql.size() / 2, sql.size() * 3 / 4, sql.size()}) {
    std::uint64_t word = 0;
    at = at < sizeof(word) ? 0 : at - sizeof(word);
    std::memcpy(&word, sql.data() + at, std::min(sizeof(word), sql.size()));
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  return static_cast<std::size_t>(hash);
}

Statement StoreConnection::prepare(std::string_view sql) {
  const auto found = kept_.find(sql);
  if (found != kept_.end() && !found->second.in_use) {
    require_own_process();
    found->second.in_use = true;
    return Statement(this, found->second.handle, &found->second);
  }
  Statement statement(this, compile(sql, true, nullptr), nullptr);
  if (found == kept_.end() && statement.handle_ != nullptr && kept_.size() < kMaxKeptStatements) {
    Statement::Kept& kept = kept_[sqlite3_sql(statement.handle_)];
    // The same text but for what follows its end, such as a comment, is kept once.
    if (kept.handle == nullptr) {
      kept = {statement.handle_, true};
      statement.kept_ = &kept;
    }
  }
  return statement;
}

void StoreConnection::execute(std::string_view sql) {
  while (!sql.empty()) {
    std::string_view rest;
    sqlite3_stmt* handle = compile(sql, false, &rest);
    if (handle) Statement(this, handle, nullptr).run();
    sql = rest;
  }
}

std::int64_t StoreConnection::query_integer(std::string_view sql) {
  Statement statement(this, compile(sql, false, nullptr), nullptr);
  return statement.step() ? statement.integer(0) : 0;
}

std::string StoreConnection::query_text(std::string_view sql) {
  Statement statement(this, compile(sql, false, nullptr), nullptr);
  return statement.step() ? statement.text(0) : std::string();
}

bool StoreConnection::read_only() const { return sqlite3_db_readonly(handle_, "main") == 1; }

void StoreConnection::require_same_file() {
  int moved = 0;
  const int code = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (code != SQLITE_OK || moved == 0) return;
  throw Error(ErrorCode::kIo, "the store " + quoted(shown_path_, 300) +
                                  " was moved, deleted or replaced while it was open: nothing was "
                                  "written; open it anew");
}

bool StoreConnection::changed() const { return sqlite3_changes(handle_) > 0; }

bool StoreConnection::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

void StoreConnection::commit() {
  const LogGathering gathering(handle_);
  prepare("COMMIT").run();
}

void StoreConnection::set_checkpoints(int pages) {
  checkpoint_pages_ = pages;
  sqlite3_wal_autocheckpoint(handle_, pages);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, pages == 0, nullptr);
}

void StoreConnection::roll_back() noexcept {
  if (!is_own_process() || !in_transaction()) return;
  sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

void StoreConnection::fail(int code, std::string_view sql) {
  const std::string store = "the store " + quoted(shown_path_, 300);
  std::string detail = std::string("SQLite: ") + (handle_ ? sqlite3_errmsg(handle_) : "no handle") +
                       " (" + std::to_string(code) + ") in: " + std::string(sql.substr(0, 500));
  const int system_error = handle_ ? sqlite3_system_errno(handle_) : 0;
  const std::string reason =
      system_error != 0 ? std::string(": ") + std::strerror(system_error) : "";

  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ErrorCode::kUnavailable,
                  store + " is locked by another process (waited " +
                      seconds_text(busy_.timeout_ms) + "); try again when that one is done",
                  detail);
    case SQLITE_NOTADB:
      throw Error(
          ErrorCode::kDataCorrupt,
          quoted(shown_path_, 300) + " is not an mlrt store: the file is not a SQLite database",
          detail);
    case SQLITE_CORRUPT:
    case SQLITE_FORMAT:
      throw Error(ErrorCode::kDataCorrupt, store + " is damaged; restore it from a copy", detail);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      throw Error(ErrorCode::kPermissionDenied,
                  store + " is read-only: the system allows no change to it", detail);
    case SQLITE_FULL:
      throw Error(ErrorCode::kIo, "the disk is full: nothing was written to " + store, detail);
    case SQLITE_CANTOPEN:
      throw Error(system_error == EACCES || system_error == EPERM || system_error == EROFS
                      ? ErrorCode::kPermissionDenied
                  : system_error == EMFILE || system_error == ENFILE ? ErrorCode::kUnavailable
                                                                     : ErrorCode::kIo,
                  "cannot open " + store +
                      (reason.empty() ? ": " + quoted(sqlite3_errmsg(handle_)) : reason),
                  detail);
    case SQLITE_NOMEM:
      throw Error(ErrorCode::kUnavailable, "there is not enough memory to use " + store, detail);
    case SQLITE_IOERR:
      if (code == SQLITE_IOERR_NOMEM) {
        throw Error(ErrorCode::kUnavailable, "there is not enough memory to use " + store, detail);
      }
      throw Error(ErrorCode::kIo, "the system failed to read or write " + store + reason, detail);
    case SQLITE_ERROR:  // the statements are ours: it is the tables that are not
      throw Error(ErrorCode::kDataCorrupt,
                  store +
                      " is damaged: its tables are not those of its schema number; restore it "
                      "from a copy",
                  detail);
    case SQLITE_TOOBIG:
      throw Error(ErrorCode::kInvalidParameter, "a value is too large for " + store, detail);
    default:
      throw Error(ErrorCode::kInternal, store + " refused a statement", detail);
  }
}

}  // namespace mlrt
