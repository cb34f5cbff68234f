#include "core/fs_calls.hpp"

#include <atomic>
#include <mutex>
#include <system_error>
#include <utility>

#include "core/text.hpp"

namespace mlrt {
namespace fs {

namespace {

std::atomic<bool> fs_has_hook{false};

struct FsHook {
  std::recursive_mutex mutex;  // a hook may use fs itself
  FaultHook hook;
};

FsHook& fs_hook() {
  static FsHook* const hook = new FsHook;  // a static object's destructor may still use fs
  return *hook;
}

}  // namespace

void set_fault_hook(FaultHook hook) {
  const std::lock_guard<std::recursive_mutex> lock(fs_hook().mutex);
  fs_has_hook = static_cast<bool>(hook);
  fs_hook().hook = std::move(hook);
}

int fs_fault(Op op, const std::string& path) {
  if (!fs_has_hook.load(std::memory_order_relaxed)) return 0;
  const std::lock_guard<std::recursive_mutex> lock(fs_hook().mutex);
  return fs_hook().hook ? fs_hook().hook(op, path) : 0;
}

std::string fs_reason(int error, const char* missing) {
  switch (error) {
    case ENOENT:
      return std::string("no such ") + missing;
    case ENOTDIR:
      return "a part of the path is not a folder";
    case EACCES:
    case EPERM:
      return "permission denied";
    case EROFS:
      return "the file system is read-only";
    case EEXIST:
      return "it exists already";
    case EISDIR:
      return "it is a folder";
    case ENOTEMPTY:
      return "the folder is not empty";
    case ENOSPC:
      return "no space left on the disk";
    case EDQUOT:
      return "the disk quota is used up";
    case EFBIG:
      return "the file would be larger than the system allows";
    case EMFILE:
    case ENFILE:
      return "too many open files";
    case ENAMETOOLONG:
      return "the name is too long";
    case ELOOP:
      return "too many symbolic links, or a link where none is allowed";
    case EXDEV:
      return "the two are on different file systems";
    case EBUSY:
      return "it is in use";
    case EIO:
      return "the disk reported an error";
    default:
      break;
  }
  std::string text = std::generic_category().message(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return text;
}

ErrorCode fs_error_code(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kPermissionDenied;
    case EEXIST:
      return ErrorCode::kAlreadyExists;
    case ENAMETOOLONG:
      return ErrorCode::kInvalidParameter;
    case EMFILE:
    case ENFILE:
      return ErrorCode::kUnavailable;
    default:
      return ErrorCode::kIo;
  }
}

std::string fs_shown(const std::string& path) { return quoted(path, 1000); }

[[noreturn]] void throw_fs_error(const char* verb, const std::string& path, int error,
                                 const char* missing) {
  throw Error(
      fs_error_code(error),
      std::string("cannot ") + verb + " " + fs_shown(path) + ": " + fs_reason(error, missing),
      "errno " + std::to_string(error));
}

void fs_check_path(const char* verb, const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInvalidParameter, std::string("cannot ") + verb + " " + fs_shown(path) +
                                                  ": the path holds a NUL byte");
  }
}

int fs_sync_folder(const std::string& folder, int descriptor) {
  if (descriptor < 0) return 0;
  if (fs_call(Op::kSync, folder, [&] { return ::fsync(descriptor); }) == 0) return 0;
  return errno == EINVAL || errno == ENOTSUP ? 0 : errno;
}

std::string fs_without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace fs
}  // namespace mlrt
