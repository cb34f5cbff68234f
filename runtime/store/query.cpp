#include "store/query.hpp"

#include <sqlite3.h>

#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "store/database.hpp"

namespace mlrt {
namespace {

constexpr int kQueryBusyMs = 10000;
constexpr int kQueryProgressSteps = 10000;
constexpr int kQueryMaxValueBytes = 64 << 20;

struct QueryClose {
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
};
using QueryHandle = std::unique_ptr<sqlite3, QueryClose>;
using QueryStatement = std::unique_ptr<sqlite3_stmt, QueryClose>;

int query_authorize(void*, int action, const char*, const char* function, const char*,
                    const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return std::string_view(function) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
    default:
      return SQLITE_DENY;
  }
}

int query_progress(void*) { return interrupt_requested() ? 1 : 0; }

[[noreturn]] void throw_query_error(sqlite3* handle, const std::string& path, int code) {
  const std::string words = handle ? sqlite3_errmsg(handle) : "out of memory";
  const std::string store = "the store " + quoted(path, 300);
  switch (code & 0xff) {
    case SQLITE_INTERRUPT:
      check_interrupt();
      throw Error(ErrorCode::kInterrupted, "interrupted");
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      throw Error(ErrorCode::kPermissionDenied, "only SELECT is allowed here", words);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ErrorCode::kUnavailable, store + " is locked by another process", words);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      throw Error(ErrorCode::kDataCorrupt, store + " is damaged or no store", words);
    case SQLITE_TOOBIG:
      throw Error(ErrorCode::kTooLarge, "a value of the answer, or the SQL, is too large", words);
    case SQLITE_NOMEM:
      throw Error(ErrorCode::kUnavailable, "there is not enough memory for this query", words);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_PERM:
      throw Error(ErrorCode::kIo, "cannot read " + store + ": " + words);
    default:
      throw Error(ErrorCode::kInvalidParameter, "the SQL is wrong: " + words);
  }
}

// A store that this program cannot lock (its folder is read-only) is read as it stands: opening it
// as a Database has checked that this is sound.
QueryHandle open_query_handle(const std::string& path, bool immutable) {
  std::string name = path;
  int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (immutable) {
    name = "file:";
    for (const char c : path)
      name += c == '%' || c == '?' || c == '#' ? '%' + to_hex(&c, 1) : std::string(1, c);
    name += "?immutable=1";
    flags |= SQLITE_OPEN_URI;
  }
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &opened, flags, nullptr);
  QueryHandle handle(opened);
  if (code != SQLITE_OK) throw_query_error(handle.get(), path, code);
  sqlite3_busy_timeout(handle.get(), kQueryBusyMs);
  sqlite3_limit(handle.get(), SQLITE_LIMIT_LENGTH, kQueryMaxValueBytes);
  sqlite3_limit(handle.get(), SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_db_config(handle.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // A misspelt column in double quotes is a mistake, not a text.
  sqlite3_db_config(handle.get(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  return handle;
}

QueryHandle open_readable_query(const std::string& path) {
  QueryHandle handle = open_query_handle(path, false);
  const int code =
      sqlite3_exec(handle.get(), "SELECT 1 FROM sqlite_schema", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return handle;
  if ((code & 0xff) != SQLITE_CANTOPEN && (code & 0xff) != SQLITE_READONLY)
    throw_query_error(handle.get(), path, code);
  return open_query_handle(path, true);
}

QueryStatement prepare_query(sqlite3* handle, const std::string& path, const std::string& sql) {
  if (sql.find('\0') != std::string::npos)
    throw Error(ErrorCode::kInvalidParameter, "the SQL holds a NUL byte");
  if (sql.size() > static_cast<std::size_t>(kQueryMaxValueBytes))
    throw Error(ErrorCode::kTooLarge, "the SQL is too long");
  sqlite3_stmt* made = nullptr;
  const char* tail = nullptr;
  const int code =
      sqlite3_prepare_v2(handle, sql.c_str(), static_cast<int>(sql.size()), &made, &tail);
  QueryStatement statement(made);
  if (code != SQLITE_OK) throw_query_error(handle, path, code);
  if (!statement) throw Error(ErrorCode::kInvalidParameter, "there is no statement in the SQL");
  sqlite3_stmt* next = nullptr;
  const int after = sqlite3_prepare_v2(handle, tail, -1, &next, nullptr);
  const QueryStatement second(next);
  if (after != SQLITE_OK || second) {
    throw Error(ErrorCode::kInvalidParameter,
                "one statement at a time: there is more after it, at " + quoted(trim(tail)));
  }
  if (sqlite3_column_count(statement.get()) == 0 || !sqlite3_stmt_readonly(statement.get()))
    throw Error(ErrorCode::kPermissionDenied, "only SELECT is allowed here");
  return statement;
}

StoreQueryCell read_query_cell(sqlite3_stmt* statement, int column) {
  StoreQueryCell cell;
  const auto size = [&] {
    return static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      cell.kind = StoreQueryCell::Kind::kInteger;
      cell.integer = sqlite3_column_int64(statement, column);
      break;
    case SQLITE_FLOAT:
      cell.kind = StoreQueryCell::Kind::kReal;
      cell.real = sqlite3_column_double(statement, column);
      break;
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      if (text == nullptr) throw std::bad_alloc();
      cell.kind = StoreQueryCell::Kind::kText;
      cell.text.assign(text, size());
      break;
    }
    case SQLITE_BLOB: {
      const void* data = sqlite3_column_blob(statement, column);
      cell.kind = StoreQueryCell::Kind::kBlob;
      if (data != nullptr) cell.text = to_hex(data, size());
      break;
    }
    default:
      break;
  }
  return cell;
}

}  // namespace

StoreQueryResult query_store(const std::string& path, const std::string& sql,
                             const StoreQueryLimits& limits) {
  const std::string absolute = fs::absolute(path);
  {
    // Says what is wrong with a file that is no store, and brings an older one up to date.
    DatabaseOptions options;
    options.must_exist = true;
    Database::open(path, options);
  }
  const QueryHandle handle = open_readable_query(absolute);
  sqlite3_set_authorizer(handle.get(), query_authorize, nullptr);
  sqlite3_progress_handler(handle.get(), kQueryProgressSteps, query_progress, nullptr);
  const QueryStatement statement = prepare_query(handle.get(), absolute, sql);
  StoreQueryResult result;
  const int columns = sqlite3_column_count(statement.get());
  for (int i = 0; i < columns; ++i) {
    const char* name = sqlite3_column_name(statement.get(), i);
    if (name == nullptr) throw std::bad_alloc();
    result.columns.emplace_back(name);
  }
  std::size_t bytes = 0;
  for (;;) {
    const int code = sqlite3_step(statement.get());
    if (code == SQLITE_DONE) return result;
    if (code != SQLITE_ROW) throw_query_error(handle.get(), absolute, code);
    if (result.rows.size() == limits.max_rows) {
      result.cut = true;
      return result;
    }
    std::vector<StoreQueryCell> row;
    for (int i = 0; i < columns; ++i) {
      row.push_back(read_query_cell(statement.get(), i));
      bytes += sizeof(StoreQueryCell) + row.back().text.size();
    }
    if (bytes > limits.max_bytes) {
      throw Error(ErrorCode::kTooLarge, "the answer is larger than " +
                                            std::to_string(limits.max_bytes >> 20) +
                                            " MiB; select less, or add a LIMIT");
    }
    result.rows.push_back(std::move(row));
  }
}

}  // namespace mlrt
