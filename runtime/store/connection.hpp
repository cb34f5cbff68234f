#ifndef MLRT_STORE_CONNECTION_HPP_
#define MLRT_STORE_CONNECTION_HPP_

// Internal: one SQLite connection and its prepared statements. Nothing here locks; Database does.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace mlrt {

class StoreConnection;

// Bytes to be bound as a BLOB, where text would be bound as TEXT.
struct StoreBlob {
  std::string_view bytes;
};

// A prepared statement in use. Its destructor resets it and gives it back to the connection, so it
// must not outlive the transaction that made it.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Positions count from 1. Text is copied. A NaN is stored as NULL: SQLite has no NaN.
  Statement& bind(int position, std::int64_t value);
  Statement& bind(int position, double value);
  Statement& bind(int position, std::string_view text);
  Statement& bind_null(int position);
  Statement& bind(int position, StoreBlob bytes);

  // Binds all, from position 1; an empty optional and nullptr are NULL.
  template <typename... Values>
  Statement& bind_all(const Values&... values) {
    int position = 0;
    (bind_value(++position, values), ...);
    return *this;
  }

  // True if a row is there to read, false at the end. Throws what StoreConnection::fail throws.
  bool step();
  // Steps to the end.
  void run();
  // Makes the statement ready to be bound and run again.
  void reset();

  // Columns count from 0. A NULL reads as 0, NaN and "".
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  // The bytes of a BLOB (or text), until the next step.
  std::string_view bytes(int column) const;

 private:
  friend class StoreConnection;
  struct Kept;
  Statement(StoreConnection* connection, sqlite3_stmt* handle, Kept* kept);

  template <typename Value>
  void bind_value(int position, const Value& value) {
    if constexpr (std::is_same_v<Value, std::nullptr_t>) {
      bind_null(position);
    } else if constexpr (std::is_same_v<Value, StoreBlob>) {
      bind(position, value);
    } else if constexpr (std::is_integral_v<Value>) {
      bind(position, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_floating_point_v<Value>) {
      bind(position, static_cast<double>(value));
    } else {
      bind(position, std::string_view(value));
    }
  }
  template <typename Value>
  void bind_value(int position, const std::optional<Value>& value) {
    if (value) {
      bind_value(position, *value);
    } else {
      bind_null(position);
    }
  }

  StoreConnection* connection_;
  sqlite3_stmt* handle_;
  Kept* kept_;  // where the connection keeps it; null: nowhere
};

// A statement that a connection keeps.
struct Statement::Kept {
  sqlite3_stmt* handle = nullptr;
  bool in_use = false;
};

enum class StoreOpenMode {
  kReadWrite,  // creates the file; falls back to reading when the system allows no more
  kImmutable,  // reads a file that nobody changes meanwhile: no locks, no side files
  kForeign,    // reads another program's database, which may be damaged or hostile
};

// One SQLite connection. Not for use by two threads at once, nor after a fork.
class StoreConnection {
 public:
  // `shown_path` stands in messages. Waits up to `busy_timeout_ms` for locks. The file is created
  // when it is absent, but nothing is read yet: what it is shows at the first statement.
  StoreConnection(const std::string& absolute_path, std::string shown_path, StoreOpenMode mode,
                  int busy_timeout_ms);
  ~StoreConnection();
  StoreConnection(const StoreConnection&) = delete;
  StoreConnection& operator=(const StoreConnection&) = delete;

  // The prepared statement for `sql`, kept for the next time.
  Statement prepare(std::string_view sql);

  // Runs statements that give no rows, separated by ';'.
  void execute(std::string_view sql);

  // The first column of the first row; 0 and "" when there is none.
  std::int64_t query_integer(std::string_view sql);
  std::string query_text(std::string_view sql);

  // True when the file cannot be written to.
  bool read_only() const;
  const std::string& shown_path() const { return shown_path_; }
  int busy_timeout_ms() const { return busy_.timeout_ms; }
  void set_busy_timeout_ms(int timeout_ms) { busy_.timeout_ms = timeout_ms; }
  // False in the child of a fork, where the connection is the parent's: letting go of it is all
  // that may be done there.
  bool is_own_process() const;
  // Throws kInternal there.
  void require_own_process() const;

  // Throws kIo when the store's file was moved, deleted or replaced since it was opened: what is
  // written would be lost.
  void require_same_file();

  // Whether the last INSERT, UPDATE or DELETE that ended changed a row.
  bool changed() const;
  // Whether a transaction is open.
  bool in_transaction() const;

  // Ends the transaction under way, whose statements are done.
  void commit();

  // Moves the write-ahead log into the file whenever it has so many pages; 0: leaves that to the
  // other programs that have it open.
  void set_checkpoints(int pages);
  int checkpoints() const { return checkpoint_pages_; }

  // Undoes the open transaction, if any. Never throws: SQLite may have done so by itself.
  void roll_back() noexcept;

  // Throws mlrt::Error for the SQLite result `code`, with words for the user and `sql` as the
  // detail.
  [[noreturn]] void fail(int code, std::string_view sql);

 private:
  friend class Statement;
  struct Busy {
    int timeout_ms = 0;
    std::int64_t start_ms = 0;
  };
  static int on_busy(void* context, int count);
  sqlite3_stmt* compile(std::string_view sql, bool keep, std::string_view* rest);

  std::string shown_path_;
  Busy busy_;
  sqlite3* handle_ = nullptr;
  std::uint64_t process_ = 0;    // who opened it: process_generation()
  int checkpoint_pages_ = 1000;  // SQLite's default
  struct TextHash {
    std::size_t operator()(std::string_view sql) const;
  };
  std::unordered_map<std::string_view, Statement::Kept, TextHash> kept_;  // SQLite has the texts
};

// The SQLite version that runs, as 3051003 for 3.51.3.
int sqlite_version_number();

}  // namespace mlrt

#endif  // MLRT_STORE_CONNECTION_HPP_
