#ifndef MLRT_TESTS_CRASH_CRASH_VFS_HPP_
#define MLRT_TESTS_CRASH_CRASH_VFS_HPP_

// SQLite's calls to the system, and its allocations, seen and made to fail.

#include <cstddef>
#include <functional>
#include <string>

namespace mlrt {
namespace test {

enum class VfsCall { kOpen, kRead, kWrite, kTruncate, kSync, kSize, kDelete, kLock, kShared };

// What is told of a call, from any thread, without an allocation before it.
class VfsObserver {
 public:
  virtual ~VfsObserver() = default;
  // A SQLite error to fail with in place of the call, or 0.
  virtual int before(VfsCall call, const char* path) = 0;
  // After a sync that went well; `content` reads the whole file. `with_folder`: the name of the
  // file was made to last too.
  virtual void synced(const char* path, bool with_folder,
                      const std::function<std::string()>& content) = 0;
};

// Makes every database that is opened from now on go through `observer`, which must stay.
void observe_vfs(VfsObserver* observer);

// Before SQLite is used: every allocation of SQLite asks `refuse` first.
void observe_sqlite_memory(bool (*refuse)());

// SQLITE_IOERR and SQLITE_FULL, for those who do not see sqlite3.h.
int sqlite_io_error();
int sqlite_full_error();

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_CRASH_CRASH_VFS_HPP_
