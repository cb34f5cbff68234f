#ifndef MLRT_STORE_LOG_VFS_HPP_
#define MLRT_STORE_LOG_VFS_HPP_

namespace mlrt {

// Internal: the name of a SQLite VFS that is the default one, except that a transaction goes to the
// write-ahead log in one write. SQLite itself makes two of each page, which takes longer than all
// the rest of a small transaction. What SQLite is told is written when a commit returns, is
// written. Null, which is the default VFS, if it cannot be made. Thread-safe.
const char* log_vfs();

}  // namespace mlrt

#endif  // MLRT_STORE_LOG_VFS_HPP_
