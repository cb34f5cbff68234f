#ifndef MLRT_STORE_LOG_VFS_HPP_
#define MLRT_STORE_LOG_VFS_HPP_

struct sqlite3;

namespace mlrt {

// Internal: the name of a SQLite VFS that is the default one, except that a COMMIT may go to the
// write-ahead log in one write. SQLite itself makes two of each page, which takes longer than all
// the rest of a small transaction. Null, which is the default VFS, if it cannot be made.
// Thread-safe.
const char* log_vfs();

// While one exists, what a COMMIT of `connection` writes to the log is gathered until its last
// page, and then written. Only that: what SQLite writes before a COMMIT may be taken back without a
// word to the file, and must not come into it later, over what others wrote there meanwhile.
class LogGathering {
 public:
  explicit LogGathering(sqlite3* connection);
  ~LogGathering();
  LogGathering(const LogGathering&) = delete;
  LogGathering& operator=(const LogGathering&) = delete;

 private:
  struct LogFile* log_;  // null: it is not through the VFS above
};

}  // namespace mlrt

#endif  // MLRT_STORE_LOG_VFS_HPP_
