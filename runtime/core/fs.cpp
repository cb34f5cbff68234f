#include "core/fs.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <utility>

#include "core/error.hpp"
#include "core/fs_calls.hpp"
#include "core/ids.hpp"

namespace mlrt {
namespace fs {
namespace {

constexpr std::size_t kFsCopyBlockBytes = std::size_t{256} << 10;
constexpr std::size_t kFsTemporaryNameBytes = 200;  // with what is added it stays below 255

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

}  // namespace

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

bool has_link(const std::string& folder, const std::string& relative) {
  for (std::size_t end = 0; end < relative.size();) {
    end = std::min(relative.find('/', end + 1), relative.size());
    const std::string part = join(folder, relative.substr(0, end));
    struct stat info {};
    // What is not there is no link, and nothing is behind it.
    if (fs_call(Op::kStat, part, [&] { return ::lstat(part.c_str(), &info); }) < 0) return false;
    if (S_ISLNK(info.st_mode)) return true;
  }
  return false;
}

bool is_writable(const std::string& path) {
  fs_check_path("look at", path);
  return fs_call(Op::kStat, path, [&] { return ::access(path.c_str(), W_OK); }) == 0;
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
  // One byte more than it should hold, to see the end; files of /proc say 0 and still hold
  // something.
  content.resize(static_cast<std::size_t>(size) + 1);
  std::size_t filled = 0;
  for (;;) {
    if (filled == content.size()) {
      if (filled > max_bytes) throw_fs_too_large(path, max_bytes);
      std::uint64_t larger = std::min<std::uint64_t>(max_bytes, std::uint64_t{filled} * 2 + 4096);
      content.resize(static_cast<std::size_t>(larger) + 1);
    }
    std::size_t got = fs_read_some(path, file.get(), &content[filled], content.size() - filled);
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
    ssize_t put = fs_call(Op::kWrite, path_, [&] { return ::write(descriptor_, bytes, wanted); });
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
  int renamed =
      fs_call(Op::kRename, path_, [&] { return ::rename(temporary_.c_str(), path_.c_str()); });
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
    if (fs_call(Op::kWrite, path_, [&] { return ::fchmod(old.descriptor_, mode); }) < 0)
      return false;
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
  FsDescriptor old(
      fs_call(Op::kOpen, path_, [&] { return ::open(path_.c_str(), kFsReadFlags | O_NOFOLLOW); }));
  bool was_absent = old.get() < 0 && errno == ENOENT;
  publish();
  int error = fs_sync_folder(folder, folder_file.get());
  if (error == 0) return;
  bool undone = was_absent
                    ? fs_call(Op::kRemove, path_, [&] { return ::unlink(path_.c_str()); }) == 0
                    : old.get() >= 0 && restore(old.get());
  if (undone) throw_fs_error("write", path_, error, "folder");
  throw Error(fs_error_code(error),
              "wrote " + fs_shown(path_) +
                  ", but it may not survive a power cut: " + fs_reason(error, "folder"),
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

FileReader::FileReader(const std::string& path) : path_(path) {
  struct stat info {};
  descriptor_ = fs_open_regular("read", path_, info);
  size_ = static_cast<std::uint64_t>(info.st_size);
  modified_ns_ = std::int64_t{info.st_mtim.tv_sec} * 1000000000 + info.st_mtim.tv_nsec;
}

FileReader::~FileReader() { ::close(descriptor_); }

std::size_t FileReader::read_at(std::uint64_t offset, char* out, std::size_t size) const {
  const std::size_t wanted = std::min(size, std::size_t{1} << 30);
  const ssize_t got = fs_call(Op::kRead, path_, [&] {
    return ::pread(descriptor_, out, wanted, static_cast<off_t>(offset));
  });
  if (got < 0) throw_fs_error("read", path_, errno, "file");
  return static_cast<std::size_t>(got);
}

bool is_disk_full(const Error& error) {
  // As throw_fs_error writes it.
  for (const int full : {ENOSPC, EDQUOT, EFBIG}) {
    if (error.detail() == "errno " + std::to_string(full)) return true;
  }
  return false;
}

void remove_file(const std::string& path) {
  fs_check_path("remove", path);
  if (fs_call(Op::kRemove, path, [&] { return ::unlink(path.c_str()); }) == 0) return;
  if (errno != ENOENT && errno != ENOTDIR) throw_fs_error("remove", path, errno, "file");
}

void rename(const std::string& from, const std::string& to) {
  fs_check_path("rename", from);
  fs_check_path("rename to", to);
  int renamed = fs_call(Op::kRename, from, [&] { return ::rename(from.c_str(), to.c_str()); });
  if (renamed == 0) return;
  int error = errno;
  throw Error(fs_error_code(error),
              "cannot rename " + fs_shown(from) + " to " + fs_shown(to) + ": " +
                  fs_reason(error, "file or folder"),
              "errno " + std::to_string(error));
}

void sync_folder(const std::string& folder) {
  fs_check_path("sync", folder);
  int opened = fs_call(Op::kOpen, folder, [&] { return ::open(folder.c_str(), kFsFolderFlags); });
  if (opened < 0 && errno != EACCES) throw_fs_error("sync", folder, errno, "folder");
  FsDescriptor file(opened);
  int error = fs_sync_folder(folder, file.get());
  if (error != 0) throw_fs_error("sync", folder, error, "folder");
}

DiskSpace disk_space(const std::string& path) {
  fs_check_path("look at", path);
  struct statvfs info {};
  if (fs_call(Op::kStat, path, [&] { return ::statvfs(path.c_str(), &info); }) < 0) {
    throw_fs_error("look at", path, errno, "file or folder");
  }
  const std::uint64_t unit = info.f_frsize != 0 ? info.f_frsize : info.f_bsize;
  return {unit * info.f_blocks, unit * info.f_bfree, unit * info.f_bavail};
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
