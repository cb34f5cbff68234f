#ifndef MLRT_CORE_FS_CALLS_HPP_
#define MLRT_CORE_FS_CALLS_HPP_

// Internal to core/fs*.cpp: one system call with its fault hook, and the error that it ends in.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"

namespace mlrt {
namespace fs {

constexpr int kFsFolderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
// A FIFO would block open() until someone writes to it.
constexpr int kFsReadFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

// What the hook in force, if there is one, makes of a call: an errno or 0.
int fs_fault(Op op, const std::string& path);

// One system call: asks the fault hook, repeats when a signal came. `call` returns < 0 and sets
// errno.
template <typename Call>
auto fs_call(Op op, const std::string& path, Call call) -> decltype(call()) {
  for (;;) {
    const int fault = fs_fault(op, path);
    decltype(call()) result = -1;
    if (fault == 0) {
      result = call();
    } else {
      errno = fault;
    }
    if (result >= 0 || errno != EINTR) return result;
  }
}

// Owns an open file; closes it.
class FsDescriptor {
 public:
  explicit FsDescriptor(int descriptor = -1) : descriptor_(descriptor) {}
  ~FsDescriptor() { reset(-1); }
  FsDescriptor(const FsDescriptor&) = delete;
  FsDescriptor& operator=(const FsDescriptor&) = delete;

  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }
  void reset(int descriptor) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = descriptor;
  }

 private:
  int descriptor_;
};

// The system's reason in words of people who did not read errno.h; `missing` is what ENOENT is
// about.
std::string fs_reason(int error, const char* missing);

ErrorCode fs_error_code(int error);

// A path as messages show it.
std::string fs_shown(const std::string& path);

// "cannot <verb> '<path>': <reason>"; `missing` as in fs_reason.
[[noreturn]] void throw_fs_error(const char* verb, const std::string& path, int error,
                                 const char* missing);

// The system would take a path only up to its first NUL: another file than the one that was named.
// Throws kInvalidParameter.
void fs_check_path(const char* verb, const std::string& path);

// 0, or the errno of what failed. A folder that may not be opened for reading, or a file system
// that has no sync for folders, leaves nothing to be done.
int fs_sync_folder(const std::string& folder, int descriptor);

// "a//b/" -> "a//b", so that a link that is named with a slash behind it is still a link.
std::string fs_without_trailing_slashes(std::string path);

}  // namespace fs
}  // namespace mlrt

#endif  // MLRT_CORE_FS_CALLS_HPP_
