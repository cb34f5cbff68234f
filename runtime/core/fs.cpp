#include "core/fs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <system_error>
#include <utility>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace fs {
namespace {

constexpr std::size_t kFsCopyBlockBytes = std::size_t{256} << 10;
constexpr std::size_t kFsLongestSafePath = 4096;
constexpr std::size_t kFsTemporaryNameBytes = 200;  // with what is added it stays below 255
constexpr int kFsFolderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
// A FIFO would block open() until someone writes to it.
constexpr int kFsReadFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

FaultHook& fs_fault_hook() {
  static FaultHook hook;
  return hook;
}

// One system call: asks the fault hook, repeats when a signal came. `call` returns < 0 and sets errno.
template <typename Call>
auto fs_call(Op op, const std::string& path, Call call) -> decltype(call()) {
  for (;;) {
    const FaultHook& hook = fs_fault_hook();
    int fault = hook ? hook(op, path) : 0;
    decltype(call()) result = -1;
    if (fault == 0) {
      result = call();
    } else {
      errno = fault;
    }
    if (result >= 0 || errno != EINTR) return result;
  }
}

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

// The system's reason in words of people who did not read errno.h; `missing` is what ENOENT is about.
std::string fs_reason(int error, const char* missing) {
  switch (error) {
    case ENOENT: return std::string("no such ") + missing;
    case ENOTDIR: return "a part of the path is not a folder";
    case EACCES:
    case EPERM: return "permission denied";
    case EROFS: return "the file system is read-only";
    case EEXIST: return "it exists already";
    case EISDIR: return "it is a folder";
    case ENOTEMPTY: return "the folder is not empty";
    case ENOSPC: return "no space left on the disk";
    case EDQUOT: return "the disk quota is used up";
    case EFBIG: return "the file would be larger than the system allows";
    case EMFILE:
    case ENFILE: return "too many open files";
    case ENAMETOOLONG: return "the name is too long";
    case ELOOP: return "too many symbolic links, or a link where none is allowed";
    case EXDEV: return "the two are on different file systems";
    case EBUSY: return "it is in use";
    case EIO: return "the disk reported an error";
    default: break;
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
    case ENOTDIR: return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorCode::kPermissionDenied;
    case EEXIST: return ErrorCode::kAlreadyExists;
    default: return ErrorCode::kIo;
  }
}

std::string fs_shown(const std::string& path) { return quoted(path, 1000); }

[[noreturn]] void throw_fs_error(const char* verb, const std::string& path, int error,
                                 const char* missing) {
  throw Error(fs_error_code(error),
              std::string("cannot ") + verb + " " + fs_shown(path) + ": " +
                  fs_reason(error, missing),
              "errno " + std::to_string(error));
}

// The system would take a path only up to its first NUL: another file than the one that was named.
void fs_check_path(const char* verb, const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInvalidParameter, std::string("cannot ") + verb + " " +
                                                  fs_shown(path) + ": the path holds a NUL byte");
  }
}

// False when nothing of that name exists.
bool fs_stat(const std::string& path, struct stat& info) {
  if (path.find('\0') != std::string::npos) return false;
  if (fs_call(Op::kStat, path, [&] { return ::stat(path.c_str(), &info); }) == 0) return true;
  int error = errno;
  if (error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG || error == ELOOP) return false;
  throw_fs_error("look at", path, error, "file");
}

// Opens a regular file for reading; `info` tells about the very file that was opened.
int fs_open_regular(const char* verb, const std::string& path, struct stat& info) {
  fs_check_path(verb, path);
  int opened = fs_call(Op::kOpen, path, [&] { return ::open(path.c_str(), kFsReadFlags); });
  if (opened < 0) throw_fs_error(verb, path, errno, "file");
  FsDescriptor file(opened);
  if (fs_call(Op::kStat, path, [&] { return ::fstat(file.get(), &info); }) < 0) {
    throw_fs_error(verb, path, errno, "file");
  }
  if (S_ISDIR(info.st_mode)) throw_fs_error(verb, path, EISDIR, "file");
  if (!S_ISREG(info.st_mode)) {
    throw Error(ErrorCode::kIo, std::string("cannot ") + verb + " " + fs_shown(path) +
                                    ": it is not a regular file");
  }
  return file.release();
}

// At most `size` bytes; 0 at the end.
std::size_t fs_read_some(const std::string& path, int descriptor, char* out, std::size_t size) {
  // Linux moves at most 2 GiB a call and some systems refuse more.
  std::size_t wanted = std::min(size, std::size_t{1} << 30);
  ssize_t got = fs_call(Op::kRead, path, [&] { return ::read(descriptor, out, wanted); });
  if (got < 0) throw_fs_error("read", path, errno, "file");
  return static_cast<std::size_t>(got);
}

[[noreturn]] void throw_fs_too_large(const std::string& path, std::uint64_t max_bytes) {
  throw Error(ErrorCode::kTooLarge, "cannot read " + fs_shown(path) + ": it is larger than " +
                                        std::to_string(max_bytes) + " bytes");
}

// 0, or the errno of what failed. A folder that may not be opened for reading, or a file system that
// has no sync for folders, leaves nothing to be done.
int fs_sync_folder(const std::string& folder, int descriptor) {
  if (descriptor < 0) return 0;
  if (fs_call(Op::kSync, folder, [&] { return ::fsync(descriptor); }) == 0) return 0;
  return errno == EINVAL || errno == ENOTSUP ? 0 : errno;
}

int fs_open_folder_to_sync(const char* verb, const std::string& path, const std::string& folder) {
  int opened = fs_call(Op::kOpen, folder, [&] { return ::open(folder.c_str(), kFsFolderFlags); });
  if (opened < 0 && errno != EACCES) throw_fs_error(verb, path, errno, "folder");
  return opened;
}

// The names in an open folder, sorted, without . and ..; leaves `descriptor` open.
std::vector<std::string> fs_read_names(const std::string& path, int descriptor) {
  int own = fs_call(Op::kOpen, path,
                    [&] { return ::openat(descriptor, ".", kFsFolderFlags); });
  if (own < 0) throw_fs_error("list", path, errno, "folder");
  DIR* stream = ::fdopendir(own);
  if (stream == nullptr) {
    int error = errno;
    ::close(own);
    throw_fs_error("list", path, error, "folder");
  }
  struct StreamCloser {
    DIR* stream;
    ~StreamCloser() { ::closedir(stream); }
  } closer{stream};
  std::vector<std::string> names;
  for (;;) {
    struct dirent* entry = nullptr;
    int result = fs_call(Op::kList, path, [&] {
      errno = 0;
      entry = ::readdir(stream);
      return entry == nullptr && errno != 0 ? -1 : 0;
    });
    if (result < 0) throw_fs_error("list", path, errno, "folder");
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// "a//b/" -> "a//b", so that a link that is named with a slash behind it is still a link.
std::string fs_without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Removes what is in a folder, however deep, with two descriptors: it goes down by openat() and comes
// back by "..", and checks there that it came back to the folder it left.
class FsTreeRemover {
 public:
  explicit FsTreeRemover(const std::string& path) {
    int top = fs_call(Op::kOpen, path,
                      [&] { return ::open(path.c_str(), kFsFolderFlags | O_NOFOLLOW); });
    if (top < 0) throw_fs_error("remove", path, errno, "folder");
    enter(path, top);
  }

  void run() {
    while (levels_.size() > 1 || !levels_.back().folders.empty()) {
      if (levels_.back().folders.empty()) {
        leave();
        continue;
      }
      std::string name = std::move(levels_.back().folders.back());
      levels_.back().folders.pop_back();
      std::string shown = shown_path(name);
      int child = fs_call(Op::kOpen, shown, [&] {
        return ::openat(here_.get(), name.c_str(), kFsFolderFlags | O_NOFOLLOW);
      });
      if (child >= 0) {
        enter(name, child);
      } else if (errno == ELOOP || errno == ENOTDIR) {
        remove_entry(name, 0);  // someone put a link or a file into its place
      } else if (errno != ENOENT) {
        throw_fs_error("remove", shown, errno, "folder");
      }
    }
  }

 private:
  struct Level {
    std::string name;
    dev_t device;
    ino_t inode;
    std::vector<std::string> folders;  // those not yet removed
  };

  std::string shown_path(const std::string& name) const {
    std::string path;
    for (const Level& level : levels_) path += level.name + "/";
    return path + name;
  }

  void remove_entry(const std::string& name, int flags) {
    std::string shown = shown_path(name);
    int result = fs_call(Op::kRemove, shown,
                         [&] { return ::unlinkat(here_.get(), name.c_str(), flags); });
    if (result < 0 && errno != ENOENT) throw_fs_error("remove", shown, errno, "file");
  }

  void enter(const std::string& name, int descriptor) {
    FsDescriptor child(descriptor);
    std::string shown = levels_.empty() ? name : shown_path(name);
    struct stat info {};
    if (fs_call(Op::kStat, shown, [&] { return ::fstat(child.get(), &info); }) < 0) {
      throw_fs_error("remove", shown, errno, "folder");
    }
    levels_.push_back({name, info.st_dev, info.st_ino, {}});
    here_.reset(child.release());
    for (std::string& entry : fs_read_names(shown, here_.get())) {
      std::string entry_shown = shown_path(entry);
      int result = fs_call(Op::kStat, entry_shown, [&] {
        return ::fstatat(here_.get(), entry.c_str(), &info, AT_SYMLINK_NOFOLLOW);
      });
      if (result < 0 && errno == ENOENT) continue;
      if (result < 0) throw_fs_error("remove", entry_shown, errno, "file");
      if (S_ISDIR(info.st_mode)) {
        levels_.back().folders.push_back(std::move(entry));
      } else {
        remove_entry(entry, 0);
      }
    }
  }

  void leave() {
    std::string name = std::move(levels_.back().name);
    levels_.pop_back();
    std::string shown = shown_path(name);
    int above = fs_call(Op::kOpen, shown,
                        [&] { return ::openat(here_.get(), "..", kFsFolderFlags); });
    if (above < 0) throw_fs_error("remove", shown, errno, "folder");
    here_.reset(above);
    struct stat info {};
    if (fs_call(Op::kStat, shown, [&] { return ::fstat(here_.get(), &info); }) < 0) {
      throw_fs_error("remove", shown, errno, "folder");
    }
    if (info.st_dev != levels_.back().device || info.st_ino != levels_.back().inode) {
      throw Error(ErrorCode::kConflict,
                  "cannot remove " + fs_shown(shown) + ": it was moved in the meantime");
    }
    remove_entry(name, AT_REMOVEDIR);
  }

  FsDescriptor here_;
  std::vector<Level> levels_;
};

}  // namespace

void set_fault_hook(FaultHook hook) { fs_fault_hook() = std::move(hook); }

bool exists(const std::string& path) {
  struct stat info {};
  return fs_stat(path, info);
}

bool is_file(const std::string& path) {
  struct stat info {};
  return fs_stat(path, info) && S_ISREG(info.st_mode);
}

bool is_folder(const std::string& path) {
  struct stat info {};
  return fs_stat(path, info) && S_ISDIR(info.st_mode);
}

std::uint64_t file_size(const std::string& path) {
  fs_check_path("look at", path);
  struct stat info {};
  if (fs_call(Op::kStat, path, [&] { return ::stat(path.c_str(), &info); }) < 0) {
    throw_fs_error("look at", path, errno, "file");
  }
  if (S_ISDIR(info.st_mode)) throw_fs_error("tell the size of", path, EISDIR, "file");
  return static_cast<std::uint64_t>(info.st_size);
}

std::string read_file(const std::string& path, std::uint64_t max_bytes) {
  struct stat info {};
  FsDescriptor file(fs_open_regular("read", path, info));
  auto size = static_cast<std::uint64_t>(info.st_size);
  std::string content;
  max_bytes = std::min<std::uint64_t>(max_bytes, content.max_size() - 1);
  if (size > max_bytes) throw_fs_too_large(path, max_bytes);
  // One byte more than it should hold, to see the end; files of /proc say 0 and still hold something.
  content.resize(static_cast<std::size_t>(size) + 1);
  std::size_t filled = 0;
  for (;;) {
    if (filled == content.size()) {
      if (filled > max_bytes) throw_fs_too_large(path, max_bytes);
      std::uint64_t larger = std::min<std::uint64_t>(max_bytes, std::uint64_t{filled} * 2 + 4096);
      content.resize(static_cast<std::size_t>(larger) + 1);
    }
    std::size_t got =
        fs_read_some(path, file.get(), &content[filled], content.size() - filled);
    if (got == 0) break;
    filled += got;
  }
  content.resize(filled);
  return content;
}

void write_file(const std::string& path, std::string_view content) {
  AtomicWriter writer(path);
  writer.write(content);
  writer.commit();
}

AtomicWriter::AtomicWriter(std::string path) : path_(std::move(path)) {
  fs_check_path("write", path_);
  if (path_.empty()) throw_fs_error("write", path_, ENOENT, "file: the path is empty");
  if (path_.back() == '/') throw_fs_error("write", path_, EISDIR, "folder");
  std::string name = basename(path_).substr(0, kFsTemporaryNameBytes);
  std::string folder = parent(path_);
  constexpr int kTries = 8;
  for (int i = 0; i < kTries; ++i) {
    temporary_ = join(folder, "." + name + "." + random_hex(8) + ".tmp");
    descriptor_ = fs_call(Op::kOpen, path_, [&] {
      return ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    });
    if (descriptor_ >= 0 || errno != EEXIST) break;
  }
  if (descriptor_ < 0) throw_fs_error("write", path_, errno, "folder");
}

AtomicWriter::~AtomicWriter() { discard(); }

void AtomicWriter::discard() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  if (temporary_.empty()) return;
  fs_call(Op::kRemove, path_, [&] { return ::unlink(temporary_.c_str()); });
  temporary_.clear();
}

void AtomicWriter::fail(int error) {
  discard();
  throw_fs_error("write", path_, error, "folder");
}

void AtomicWriter::write(const void* data, std::size_t size) {
  if (descriptor_ < 0) {
    throw Error(ErrorCode::kInternal, "cannot write " + fs_shown(path_) + ": it is closed");
  }
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    std::size_t wanted = std::min(size, std::size_t{1} << 30);
    ssize_t put =
        fs_call(Op::kWrite, path_, [&] { return ::write(descriptor_, bytes, wanted); });
    if (put < 0) fail(errno);
    bytes += put;
    size -= static_cast<std::size_t>(put);
  }
}

void AtomicWriter::publish() {
  if (fs_call(Op::kSync, path_, [&] { return ::fsync(descriptor_); }) < 0) fail(errno);
  // Network file systems may report a failed write only here. A signal does not keep it open.
  int closed = ::close(descriptor_);
  int error = errno;
  descriptor_ = -1;
  if (closed < 0 && error != EINTR) fail(error);
  int renamed = fs_call(Op::kRename, path_,
                        [&] { return ::rename(temporary_.c_str(), path_.c_str()); });
  if (renamed < 0) fail(errno);
  temporary_.clear();
}

bool AtomicWriter::restore(int old_descriptor) noexcept {
  try {
    struct stat info {};
    if (fs_call(Op::kStat, path_, [&] { return ::fstat(old_descriptor, &info); }) < 0) return false;
    if (!S_ISREG(info.st_mode)) return false;
    AtomicWriter old(path_);
    std::string block(kFsCopyBlockBytes, '\0');
    for (;;) {
      std::size_t got = fs_read_some(path_, old_descriptor, &block[0], block.size());
      if (got == 0) break;
      old.write(block.data(), got);
    }
    mode_t mode = info.st_mode & 07777;
    if (fs_call(Op::kWrite, path_, [&] { return ::fchmod(old.descriptor_, mode); }) < 0) return false;
    old.publish();
    return true;
  } catch (const std::exception&) {
    return false;  // the caller reports the failure that made this necessary
  }
}

void AtomicWriter::commit() {
  if (descriptor_ < 0) {
    throw Error(ErrorCode::kInternal, "cannot write " + fs_shown(path_) + ": it is closed");
  }
  std::string folder = parent(path_);
  int opened = fs_call(Op::kOpen, folder, [&] { return ::open(folder.c_str(), kFsFolderFlags); });
  if (opened < 0 && errno != EACCES) fail(errno);
  FsDescriptor folder_file(opened);
  // The replaced file stays readable through this, should the folder's sync fail after the rename.
  FsDescriptor old(fs_call(Op::kOpen, path_,
                           [&] { return ::open(path_.c_str(), kFsReadFlags | O_NOFOLLOW); }));
  bool was_absent = old.get() < 0 && errno == ENOENT;
  publish();
  int error = fs_sync_folder(folder, folder_file.get());
  if (error == 0) return;
  bool undone = was_absent ? fs_call(Op::kRemove, path_,
                                     [&] { return ::unlink(path_.c_str()); }) == 0
                           : old.get() >= 0 && restore(old.get());
  if (undone) throw_fs_error("write", path_, error, "folder");
  throw Error(fs_error_code(error),
              "wrote " + fs_shown(path_) + ", but it may not survive a power cut: " +
                  fs_reason(error, "folder"),
              "fsync of the folder: errno " + std::to_string(error));
}

void copy_file(const std::string& from, const std::string& to) {
  struct stat info {};
  FsDescriptor source(fs_open_regular("read", from, info));
  AtomicWriter writer(to);
  std::string block(kFsCopyBlockBytes, '\0');
  for (;;) {
    std::size_t got = fs_read_some(from, source.get(), &block[0], block.size());
    if (got == 0) break;
    writer.write(block.data(), got);
  }
  writer.commit();
}

void make_folders(const std::string& path) {
  fs_check_path("make the folder", path);
  if (path.empty()) throw_fs_error("make the folder", path, ENOENT, "folder: the path is empty");
  // Up to what is there, then down again: only what is missing is asked of the system.
  std::vector<std::string> missing;
  std::string at = fs_without_trailing_slashes(path);
  for (;;) {
    struct stat info {};
    if (fs_call(Op::kStat, at, [&] { return ::stat(at.c_str(), &info); }) == 0) {
      if (S_ISDIR(info.st_mode)) break;
      throw Error(ErrorCode::kAlreadyExists, "cannot make the folder " + fs_shown(path) + ": " +
                                                 fs_shown(at) + " is not a folder");
    }
    if (errno != ENOENT && errno != ENOTDIR) throw_fs_error("make the folder", path, errno, "folder");
    missing.push_back(at);
    std::string above = parent(at);
    if (above == at) break;
    at = std::move(above);
  }
  for (auto folder = missing.rbegin(); folder != missing.rend(); ++folder) {
    int made = fs_call(Op::kMakeFolder, *folder, [&] { return ::mkdir(folder->c_str(), 0777); });
    if (made < 0) {
      int error = errno;
      if (error == EEXIST && is_folder(*folder)) continue;  // another process was faster
      throw_fs_error("make the folder", *folder, error, "folder");
    }
    // Else a power cut could take the folder together with files in it that were synced.
    std::string above = parent(*folder);
    FsDescriptor above_file(fs_open_folder_to_sync("make the folder", *folder, above));
    int error = fs_sync_folder(above, above_file.get());
    if (error != 0) throw_fs_error("make the folder", *folder, error, "folder");
  }
}

void remove_file(const std::string& path) {
  fs_check_path("remove", path);
  if (fs_call(Op::kRemove, path, [&] { return ::unlink(path.c_str()); }) == 0) return;
  if (errno != ENOENT && errno != ENOTDIR) throw_fs_error("remove", path, errno, "file");
}

void remove_tree(const std::string& path) {
  fs_check_path("remove", path);
  std::string top = fs_without_trailing_slashes(path);
  std::string name = basename(top);
  if (name == "/" || name == "." || name == "..") {
    throw Error(ErrorCode::kInvalidParameter,
                "cannot remove " + fs_shown(path) + ": it must be named by its name");
  }
  struct stat info {};
  if (fs_call(Op::kStat, top, [&] { return ::lstat(top.c_str(), &info); }) < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    throw_fs_error("remove", path, errno, "folder");
  }
  if (!S_ISDIR(info.st_mode)) return remove_file(top);
  FsTreeRemover(top).run();
  int removed = fs_call(Op::kRemove, top, [&] { return ::rmdir(top.c_str()); });
  if (removed < 0 && errno != ENOENT) throw_fs_error("remove", path, errno, "folder");
}

void rename(const std::string& from, const std::string& to) {
  fs_check_path("rename", from);
  fs_check_path("rename to", to);
  int renamed =
      fs_call(Op::kRename, from, [&] { return ::rename(from.c_str(), to.c_str()); });
  if (renamed == 0) return;
  int error = errno;
  throw Error(fs_error_code(error),
              "cannot rename " + fs_shown(from) + " to " + fs_shown(to) + ": " +
                  fs_reason(error, "file or folder"),
              "errno " + std::to_string(error));
}

std::vector<std::string> list(const std::string& folder) {
  fs_check_path("list", folder);
  int opened = fs_call(Op::kOpen, folder, [&] { return ::open(folder.c_str(), kFsFolderFlags); });
  if (opened < 0) throw_fs_error("list", folder, errno, "folder");
  FsDescriptor file(opened);
  return fs_read_names(folder, file.get());
}

std::vector<std::string> list_files_below(const std::string& folder) {
  fs_check_path("list", folder);
  std::vector<std::string> files;
  std::vector<std::string> waiting{std::string()};
  while (!waiting.empty()) {
    std::string below = std::move(waiting.back());
    waiting.pop_back();
    std::string path = below.empty() ? folder : join(folder, below);
    // Only the folder that the caller named may be a link.
    int flags = kFsFolderFlags | (below.empty() ? 0 : O_NOFOLLOW);
    int opened = fs_call(Op::kOpen, path, [&] { return ::open(path.c_str(), flags); });
    if (opened < 0) throw_fs_error("list", path, errno, "folder");
    FsDescriptor file(opened);
    for (const std::string& name : fs_read_names(path, file.get())) {
      std::string relative = below.empty() ? name : below + "/" + name;
      std::string shown = join(folder, relative);
      struct stat info {};
      int result = fs_call(Op::kStat, shown, [&] {
        return ::fstatat(file.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW);
      });
      if (result < 0) throw_fs_error("look at", shown, errno, "file");
      if (S_ISLNK(info.st_mode)) {
        throw Error(ErrorCode::kPermissionDenied,
                    "cannot take " + fs_shown(shown) + ": it is a symbolic link");
      }
      if (S_ISDIR(info.st_mode)) waiting.push_back(std::move(relative));
      else if (S_ISREG(info.st_mode)) files.push_back(std::move(relative));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string absolute(const std::string& path) {
  std::string whole = !path.empty() && path[0] == '/' ? path : join(current_folder(), path);
  std::string out;
  for (const std::string& part : split(whole, '/')) {
    // ".." stays: behind a link it does not undo the part before it.
    if (!part.empty() && part != ".") out += "/" + part;
  }
  return out.empty() ? "/" : out;
}

std::string current_folder() {
  std::string buffer(256, '\0');
  for (;;) {
    int result = fs_call(Op::kStat, ".", [&] {
      return ::getcwd(&buffer[0], buffer.size()) == nullptr ? -1 : 0;
    });
    if (result == 0) return buffer.c_str();
    if (errno != ERANGE) throw_fs_error("find", "the current folder", errno, "folder any more");
    buffer.resize(buffer.size() * 2);
  }
}

std::string parent(const std::string& path) {
  std::string whole = fs_without_trailing_slashes(path);
  std::size_t slash = whole.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : fs_without_trailing_slashes(whole.substr(0, slash));
}

std::string basename(const std::string& path) {
  std::string whole = fs_without_trailing_slashes(path);
  if (whole == "/") return whole;
  std::size_t slash = whole.rfind('/');
  return slash == std::string::npos ? whole : whole.substr(slash + 1);
}

std::string extension(const std::string& path) {
  std::string name = basename(path);
  std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || name.find_first_not_of('.') >= dot) return {};
  return name.substr(dot);
}

std::string join(const std::string& folder, const std::string& name) {
  if (folder.empty()) return name;
  std::size_t from = 0;
  while (from < name.size() && name[from] == '/') ++from;
  std::string out = folder;
  if (from == name.size()) return out;
  if (out.back() != '/') out += '/';
  return out.append(name, from, std::string::npos);
}

bool is_safe_relative(std::string_view path) {
  if (path.empty() || path.size() > kFsLongestSafePath || !is_utf8(path)) return false;
  if (path.find('\\') != std::string_view::npos || path.find('\0') != std::string_view::npos) {
    return false;
  }
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  struct stat info {};
  FsDescriptor file(fs_open_regular("read", path, info));
  auto size = static_cast<std::uint64_t>(info.st_size);
  if (size == 0) return;
  if (size > std::numeric_limits<std::size_t>::max() / 2) {
    throw_fs_too_large(path, std::numeric_limits<std::size_t>::max() / 2);
  }
  void* mapped = MAP_FAILED;
  int result = fs_call(Op::kMap, path, [&] {
    mapped = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_PRIVATE, file.get(), 0);
    return mapped == MAP_FAILED ? -1 : 0;
  });
  if (result < 0) throw_fs_error("map", path, errno, "file");
  data_ = mapped;
  size_ = static_cast<std::size_t>(size);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(other.data_), size_(other.size_) {
  other.data_ = nullptr;
  other.size_ = 0;
}

}  // namespace fs
}  // namespace mlrt
