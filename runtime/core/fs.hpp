#ifndef MLRT_CORE_FS_HPP_
#define MLRT_CORE_FS_HPP_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

class Error;

namespace fs {

// All file access goes through here, so that tests can make any call fail. Paths are bytes as the
// system has them. Errors: kNotFound for what does not exist, kPermissionDenied for what the system
// refuses, kAlreadyExists, kInvalidParameter for a path that holds a NUL byte, kUnavailable for too
// many open files, else kIo; each names the path. Functions may run at the same time in several
// threads.

enum class Op {
  kOpen,
  kRead,
  kWrite,
  kSync,
  kRename,
  kRemove,
  kMakeFolder,
  kList,
  kStat,
  kMap,
  kAllocate,
  kLock
};

// Asked before each system call: an errno other than 0 makes the call fail with it. For tests; an
// empty function (the default) takes the hook away. EINTR makes the call repeat, as a signal does.
// The hook must not throw; one thread at a time is in it, and none any more once another is set.
using FaultHook = std::function<int(Op op, const std::string& path)>;
void set_fault_hook(FaultHook hook);

// False for a name that cannot exist; throw when the system will not tell.
bool exists(const std::string& path);       // links followed
bool is_file(const std::string& path);      // a regular file, links followed
bool is_folder(const std::string& path);    // links followed
bool is_writable(const std::string& path);  // as far as the system's permissions say
std::uint64_t file_size(const std::string& path);
// True if a part of `relative`, which is below `folder`, is a symbolic link: it could lead outside.
bool has_link(const std::string& folder, const std::string& relative);

// The whole of a regular file (a FIFO or a device could keep us waiting for ever, and is refused).
// Throws kTooLarge, before it reads, when it is larger than `max_bytes`.
std::string read_file(const std::string& path, std::uint64_t max_bytes = std::uint64_t{4} << 30);

// Creates or replaces `path` so that after a crash at any instant the old or the new content is
// there, whole: written beside it, synced, renamed, folder synced. After a failure the old file
// stands and nothing is left beside it; only where the folder's sync fails and the old file cannot
// be put back either, the new one stands and the message says so. Mode 0644 less the umask; a link
// is replaced, not followed.
void write_file(const std::string& path, std::string_view content);

// The same for content that is produced in pieces. After a write() or commit() that threw, or a
// commit() that did not, the writer is closed: another call throws kInternal.
class AtomicWriter {
 public:
  explicit AtomicWriter(std::string path);
  ~AtomicWriter();  // without commit(): removes what was written
  AtomicWriter(const AtomicWriter&) = delete;
  AtomicWriter& operator=(const AtomicWriter&) = delete;

  void write(const void* data, std::size_t size);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  void commit();

 private:
  void discard() noexcept;
  [[noreturn]] void fail(int error);
  void publish();
  bool restore(int old_descriptor) noexcept;

  std::string path_;
  std::string temporary_;  // empty once it is renamed or removed
  int descriptor_ = -1;
};

// Copies the bytes of a regular file, in constant memory, as write_file writes.
void copy_file(const std::string& from, const std::string& to);

// A regular file that is read in pieces, at any place and by any number of threads. What was opened
// stays readable when the file is replaced or removed.
class FileReader {
 public:
  explicit FileReader(const std::string& path);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  std::uint64_t size() const { return size_; }               // when it was opened
  std::int64_t modified_ns() const { return modified_ns_; }  // since 1970, as the system has it
  // At most `size` bytes from `offset` on; 0 at the end.
  std::size_t read_at(std::uint64_t offset, char* out, std::size_t size) const;

 private:
  std::string path_;
  int descriptor_;
  std::uint64_t size_;
  std::int64_t modified_ns_;
};

// True for an error of this module that says that the disk is full, or the user's part of it.
bool is_disk_full(const Error& error);

void make_folders(const std::string& path);  // with its parents; fine if it is there
void remove_file(const std::string& path);   // fine if it is not there
// With all that is in it, to any depth; links are removed, not followed; fine if not there. After a
// failure a part is gone; the same call may be repeated. Throws kInvalidParameter for "/", "." and
// "..".
void remove_tree(const std::string& path);
void rename(const std::string& from, const std::string& to);  // replaces; does not sync the folder
void sync_folder(const std::string& folder);  // makes renames in it last through a power cut
std::vector<std::string> list(
    const std::string& folder);  // names, sorted by byte, without . and ..
// Regular files below `folder` as relative paths with '/', sorted by byte; a link is refused
// (kPermissionDenied): it could lead outside.
std::vector<std::string> list_files_below(const std::string& folder);
// What a folder holds, links neither followed nor counted; zeros if it is not there.
struct TreeSize {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
};
TreeSize tree_size(const std::string& folder);
// When it was last written to (a folder: when names in it changed), in ms since 1970; of a link,
// the link's own. 0 for what is not there.
std::int64_t modified_ms(const std::string& path);

// The file system that holds `path`, in bytes.
struct DiskSpace {
  std::uint64_t total = 0;
  std::uint64_t free = 0;       // for root
  std::uint64_t available = 0;  // for everyone
};
DiskSpace disk_space(const std::string& path);

std::string absolute(const std::string& path);  // without "." and "//"; links and ".." stay
// The path by which the system knows what is there: absolute, without links and ".."; "" for what
// is not there or may not be looked at.
std::string real_path(const std::string& path);
std::string current_folder();
std::string parent(const std::string& path);     // "a/b.c" -> "a"; "b.c" -> "."
std::string basename(const std::string& path);   // "a/b.c" -> "b.c"
std::string extension(const std::string& path);  // "a/b.c" -> ".c"; "" when none
// With one '/' between. `name` is always taken below `folder`: join("a", "/b") is "a/b".
std::string join(const std::string& folder, const std::string& name);

// True for the name of what write_file, and others who write beside a target and rename, have not
// renamed yet: ".<anything>.<16 hex digits>.tmp". After a kill such files may stay behind.
bool is_temporary_name(std::string_view name);

// True for a relative path with '/' that stays below its root: no empty part, no "." or "..", no
// backslash, no NUL, valid UTF-8, at most 4096 bytes. Names inside bundles and artifact folders.
bool is_safe_relative(std::string_view path);

// A file mapped into memory, read-only. An empty file has size 0. The file must not shrink while it
// is mapped (writers replace files by rename, so ours never do).
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace fs
}  // namespace mlrt

#endif  // MLRT_CORE_FS_HPP_
