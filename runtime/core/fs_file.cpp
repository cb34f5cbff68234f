#include "core/fs_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iterator>
#include <limits>
#include <utility>

#include "core/error.hpp"
#include "core/fs_calls.hpp"

#ifndef MADV_POPULATE_WRITE
#define MLRT_MADV_POPULATE_WRITE 23  // Linux 5.14; older headers do not know it
#else
#define MLRT_MADV_POPULATE_WRITE MADV_POPULATE_WRITE
#endif

namespace mlrt {
namespace fs {
namespace {

constexpr std::size_t kFsZeroBlockBytes = std::size_t{256} << 10;
constexpr std::size_t kFsLongestTransfer = std::size_t{1}
                                           << 30;  // Linux moves at most 2 GiB a call
constexpr std::uint64_t kFsLargestOffset = std::numeric_limits<off_t>::max();

// 'y' or 'n'; '?': the file system is asked.
std::atomic<char> fs_network_answer{'?'};

// The numbers are those of statfs(2) and linux/magic.h.
constexpr std::uint32_t kFsNetworkMagics[] = {
    0x00006969,  // NFS
    0x0000517B,  // SMB
    0xFF534D42,  // CIFS
    0xFE534D42,  // SMB2
    0x01021997,  // 9P
    0x65735546,  // FUSE: most often sshfs, a cloud's bucket or a virtual machine's host
    0x00C36400,  // Ceph
    0x5346414F,  // AFS
    0x6B414653,  // AFS, the kernel's own
    0x73757245,  // Coda
    0x0BD00BD0,  // Lustre
    0x01161970,  // GFS2
    0x7461636F,  // OCFS2
    0x47504653,  // GPFS
    0x19830326,  // BeeGFS
    0xAAD7AAEA,  // Panasas
    0x20030528,  // OrangeFS
    0x0000564C,  // NCP
    0x786F4256,  // VirtualBox shared folders
    0xBACBACBC,  // VMware shared folders
    0x7C7C6673,  // Parallels shared folders
};

int fs_lock_byte(int descriptor, const std::string& path, std::uint64_t offset, short type) {
  struct flock lock {};  // l_pid must be 0
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = 1;
  return fs_call(Op::kLock, path, [&] { return ::fcntl(descriptor, F_OFD_SETLK, &lock); });
}

[[noreturn]] void throw_fs_lock(const std::string& path, int error) {
  if (error != EINVAL && error != ENOSYS && error != ENOTSUP && error != ENOLCK) {
    throw_fs_error("lock", path, error, "file");
  }
  throw Error(ErrorCode::kIo,
              "cannot lock " + fs_shown(path) +
                  ": its file system has no locks, or the system is older than Linux 3.15",
              "errno " + std::to_string(error));
}

void fs_check_range(const char* verb, const std::string& path, std::uint64_t offset,
                    std::uint64_t size) {
  if (offset > kFsLargestOffset || size > kFsLargestOffset - offset) {
    throw_fs_error(verb, path, EFBIG, "file");
  }
}

}  // namespace

File::File(std::string path, Mode mode) : path_(std::move(path)) {
  const char* verb = mode == Mode::kCreate ? "make" : "open";
  fs_check_path(verb, path_);
  const int flags = mode == Mode::kRead        ? kFsReadFlags
                    : mode == Mode::kReadWrite ? O_RDWR | O_CLOEXEC | O_NONBLOCK
                                               : O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  FsDescriptor file(fs_call(Op::kOpen, path_, [&] { return ::open(path_.c_str(), flags, 0644); }));
  if (file.get() < 0) {
    throw_fs_error(verb, path_, errno, mode == Mode::kCreate ? "folder" : "file");
  }
  if (mode != Mode::kCreate) {
    struct stat info {};
    if (fs_call(Op::kStat, path_, [&] { return ::fstat(file.get(), &info); }) < 0) {
      throw_fs_error(verb, path_, errno, "file");
    }
    if (S_ISDIR(info.st_mode)) throw_fs_error(verb, path_, EISDIR, "file");
    if (!S_ISREG(info.st_mode)) {
      throw Error(ErrorCode::kIo, "cannot open " + fs_shown(path_) + ": it is not a regular file");
    }
  }
  descriptor_ = file.release();
}

File::~File() { close(); }

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
  if (this == &other) return *this;
  close();
  path_ = std::move(other.path_);
  descriptor_ = std::exchange(other.descriptor_, -1);
  return *this;
}

void File::close() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

std::uint64_t File::size() const {
  struct stat info {};
  if (fs_call(Op::kStat, path_, [&] { return ::fstat(descriptor_, &info); }) < 0) {
    throw_fs_error("look at", path_, errno, "file");
  }
  return static_cast<std::uint64_t>(info.st_size);
}

std::size_t File::read_at(std::uint64_t offset, void* data, std::size_t size) const {
  fs_check_range("read", path_, offset, size);
  std::size_t done = 0;
  while (done < size) {
    const std::size_t wanted = std::min(size - done, kFsLongestTransfer);
    const ssize_t got = fs_call(Op::kRead, path_, [&] {
      return ::pread(descriptor_, static_cast<char*>(data) + done, wanted,
                     static_cast<off_t>(offset + done));
    });
    if (got < 0) throw_fs_error("read", path_, errno, "file");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void File::write_at(std::uint64_t offset, const void* data, std::size_t size) {
  fs_check_range("write", path_, offset, size);
  std::size_t done = 0;
  while (done < size) {
    const std::size_t wanted = std::min(size - done, kFsLongestTransfer);
    const ssize_t put = fs_call(Op::kWrite, path_, [&] {
      return ::pwrite(descriptor_, static_cast<const char*>(data) + done, wanted,
                      static_cast<off_t>(offset + done));
    });
    if (put <= 0) throw_fs_error("write", path_, put < 0 ? errno : EIO, "file");
    done += static_cast<std::size_t>(put);
  }
}

void File::write_zeros(std::uint64_t offset, std::uint64_t size) {
  const std::string zeros(
      static_cast<std::size_t>(std::min<std::uint64_t>(size, kFsZeroBlockBytes)), '\0');
  while (size > 0) {
    const std::uint64_t block = std::min<std::uint64_t>(size, zeros.size());
    write_at(offset, zeros.data(), static_cast<std::size_t>(block));
    offset += block;
    size -= block;
  }
}

void File::allocate(std::uint64_t size) {
  fs_check_range("write", path_, 0, size);
  const std::uint64_t old = this->size();
  if (size <= old) return;
  struct Shortener {
    const File& file;
    std::uint64_t size;
    bool armed;
    // What a full disk has left over is half allocated.
    ~Shortener() {
      if (!armed) return;
      const int ignored = fs_call(Op::kAllocate, file.path_, [&] {
        return ::ftruncate(file.descriptor_, static_cast<off_t>(size));
      });
      (void)ignored;
    }
  } shortener{*this, old, true};
  // Not posix_fallocate: what glibc does where the file system cannot is one write a block.
  const int allocated = fs_call(Op::kAllocate, path_, [&] {
    return ::fallocate(descriptor_, 0, static_cast<off_t>(old), static_cast<off_t>(size - old));
  });
  if (allocated < 0) {
    if (errno != EOPNOTSUPP && errno != ENOSYS) throw_fs_error("write", path_, errno, "file");
    write_zeros(old, size - old);
  }
  shortener.armed = false;
}

void File::sync() {
  // The length and whatever else is needed to read the data again is synced by this too.
  if (fs_call(Op::kSync, path_, [&] { return ::fdatasync(descriptor_); }) < 0) {
    throw_fs_error("sync", path_, errno, "file");
  }
}

bool File::try_lock(std::uint64_t offset) {
  if (fs_lock_byte(descriptor_, path_, offset, F_WRLCK) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  throw_fs_lock(path_, errno);
}

void File::unlock(std::uint64_t offset) {
  if (fs_lock_byte(descriptor_, path_, offset, F_UNLCK) < 0) throw_fs_lock(path_, errno);
}

void File::rename_to(std::string path) {
  fs::rename(path_, path);
  path_ = std::move(path);
}

WritableMap::WritableMap(const File& file, std::size_t size) {
  if (size == 0 || file.size() < size) {
    throw Error(ErrorCode::kIo, "cannot map " + fs_shown(file.path()) + ": it is shorter than " +
                                    std::to_string(size) + " bytes");
  }
  void* mapped = MAP_FAILED;
  int result = fs_call(Op::kMap, file.path(), [&] {
    mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor(), 0);
    return mapped == MAP_FAILED ? -1 : 0;
  });
  if (result < 0) throw_fs_error("map", file.path(), errno, "file");
  result = fs_call(Op::kMap, file.path(),
                   [&] { return ::madvise(mapped, size, MLRT_MADV_POPULATE_WRITE); });
  // Other errors say that the system has no such call, or no memory to spare just now.
  if (result < 0 && (errno == EFAULT || errno == EIO || errno == ENOSPC)) {
    const int error = errno == EFAULT ? ENOSPC : errno;
    ::munmap(mapped, size);
    throw_fs_error("map", file.path(), error, "file");
  }
  data_ = mapped;
  size_ = size;
}

WritableMap::~WritableMap() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

WritableMap::WritableMap(WritableMap&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

WritableMap& WritableMap::operator=(WritableMap&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

std::optional<FileStatus> file_status(const std::string& path) {
  fs_check_path("look at", path);
  struct stat info {};
  if (fs_call(Op::kStat, path, [&] { return ::lstat(path.c_str(), &info); }) < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_fs_error("look at", path, errno, "file");
  }
  FileStatus status;
  status.is_regular = S_ISREG(info.st_mode);
  status.size_bytes = static_cast<std::uint64_t>(info.st_size);
  status.modified_ms =
      static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1000 + info.st_mtim.tv_nsec / 1000000;
  return status;
}

bool make_folder(const std::string& folder) {
  fs_check_path("make the folder", folder);
  if (fs_call(Op::kMakeFolder, folder, [&] { return ::mkdir(folder.c_str(), 0777); }) == 0) {
    return true;
  }
  const int error = errno;
  if (error == EEXIST && is_folder(folder)) return false;
  throw_fs_error("make the folder", folder, error, "folder");
}

bool remove_folder_if_empty(const std::string& folder) {
  fs_check_path("remove", folder);
  if (fs_call(Op::kRemove, folder, [&] { return ::rmdir(folder.c_str()); }) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR || errno == ENOTEMPTY || errno == EEXIST) return false;
  throw_fs_error("remove", folder, errno, "folder");
}

bool is_on_network(const std::string& path) {
  const char answer = fs_network_answer;
  if (answer != '?') return answer == 'y';
  fs_check_path("look at", path);
  struct statfs info {};
  if (fs_call(Op::kStat, path, [&] { return ::statfs(path.c_str(), &info); }) < 0) {
    throw_fs_error("look at", path, errno, "file or folder");
  }
  const auto magic = static_cast<std::uint32_t>(info.f_type);
  return std::find(std::begin(kFsNetworkMagics), std::end(kFsNetworkMagics), magic) !=
         std::end(kFsNetworkMagics);
}

void set_on_network_for_tests(std::optional<bool> answer) {
  fs_network_answer = !answer ? '?' : *answer ? 'y' : 'n';
}

}  // namespace fs
}  // namespace mlrt
