#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/fs_calls.hpp"

namespace mlrt {
namespace fs {
namespace {

int fs_open_folder_to_sync(const char* verb, const std::string& path, const std::string& folder) {
  int opened = fs_call(Op::kOpen, folder, [&] { return ::open(folder.c_str(), kFsFolderFlags); });
  if (opened < 0 && errno != EACCES) throw_fs_error(verb, path, errno, "folder");
  return opened;
}

// The names in an open folder, sorted, without . and ..; leaves `descriptor` open.
std::vector<std::string> fs_read_names(const std::string& path, int descriptor) {
  int own = fs_call(Op::kOpen, path, [&] { return ::openat(descriptor, ".", kFsFolderFlags); });
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

// Removes what is in a folder, however deep, with two descriptors: it goes down by openat() and
// comes back by "..", and checks there that it came back to the folder it left.
class FsTreeRemover {
 public:
  explicit FsTreeRemover(const std::string& path) {
    int top =
        fs_call(Op::kOpen, path, [&] { return ::open(path.c_str(), kFsFolderFlags | O_NOFOLLOW); });
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
    int result =
        fs_call(Op::kRemove, shown, [&] { return ::unlinkat(here_.get(), name.c_str(), flags); });
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
    int above =
        fs_call(Op::kOpen, shown, [&] { return ::openat(here_.get(), "..", kFsFolderFlags); });
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
    if (errno != ENOENT && errno != ENOTDIR)
      throw_fs_error("make the folder", path, errno, "folder");
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
      if (S_ISDIR(info.st_mode))
        waiting.push_back(std::move(relative));
      else if (S_ISREG(info.st_mode))
        files.push_back(std::move(relative));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

TreeSize tree_size(const std::string& folder) {
  fs_check_path("list", folder);
  TreeSize size;
  std::vector<std::string> waiting{folder};
  while (!waiting.empty()) {
    const std::string path = std::move(waiting.back());
    waiting.pop_back();
    const bool top = path == folder;
    int flags = kFsFolderFlags | (top ? 0 : O_NOFOLLOW);
    int opened = fs_call(Op::kOpen, path, [&] { return ::open(path.c_str(), flags); });
    if (opened < 0) {
      // What is removed meanwhile is not there.
      if (errno == ENOENT || (top && errno == ENOTDIR)) continue;
      throw_fs_error("list", path, errno, "folder");
    }
    FsDescriptor file(opened);
    for (const std::string& name : fs_read_names(path, file.get())) {
      struct stat info {};
      int result = fs_call(Op::kStat, path, [&] {
        return ::fstatat(file.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW);
      });
      if (result < 0) {
        if (errno == ENOENT) continue;
        throw_fs_error("look at", join(path, name), errno, "file");
      }
      if (S_ISDIR(info.st_mode)) waiting.push_back(join(path, name));
      if (!S_ISREG(info.st_mode)) continue;
      size.bytes += static_cast<std::uint64_t>(info.st_size);
      ++size.files;
    }
  }
  return size;
}

std::int64_t modified_ms(const std::string& path) {
  fs_check_path("look at", path);
  struct stat info {};
  if (fs_call(Op::kStat, path, [&] { return ::lstat(path.c_str(), &info); }) < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return 0;
    throw_fs_error("look at", path, errno, "file");
  }
  return static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1000 + info.st_mtim.tv_nsec / 1000000;
}

}  // namespace fs
}  // namespace mlrt
