#ifndef MLRT_CORE_FS_FILE_HPP_
#define MLRT_CORE_FS_FILE_HPP_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace mlrt {
namespace fs {

// Internal: a file that stays open to be written in place, such as a journal. Errors as in fs.hpp,
// through the same fault hook. The methods that are const may run at the same time in several
// threads.
class File {
 public:
  enum class Mode {
    kRead,
    kReadWrite,  // must exist
    kCreate,     // must not exist; mode 0644 less the umask
  };
  // Only regular files: a FIFO or a device could keep us waiting for ever.
  File(std::string path, Mode mode);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  std::uint64_t size() const;

  // Fewer bytes than asked for only at the end of the file.
  std::size_t read_at(std::uint64_t offset, void* data, std::size_t size) const;
  // After an error a part may be written.
  void write_at(std::uint64_t offset, const void* data, std::size_t size);
  void write_zeros(std::uint64_t offset, std::uint64_t size);
  // Makes the file `size` bytes long, and never shorter than it was, with the space of what is new
  // taken, so that writing there cannot fail for want of it. Where the file system has no such
  // call, zeros are written. After an error (kIo for a full disk) the file is as long as it was.
  void allocate(std::uint64_t size);
  void sync();  // what was written, through a mapping too, lasts through a power cut

  // An exclusive lock of the byte at `offset`, which need not exist. It belongs to the open file,
  // not to the process: of two openings in one process only one gets it, and a forked child has it
  // with its parent, until both closed the file. False if another opening has it. Needs a file that
  // may be written.
  bool try_lock(std::uint64_t offset);
  void unlock(std::uint64_t offset);

  // Renames the file, replacing what was there; does not sync the folder.
  void rename_to(std::string path);
  void close() noexcept;  // no other method may be called after it

 private:
  std::string path_;
  int descriptor_ = -1;
};

// A file's first `size` bytes mapped into memory, shared with whoever else reads or maps the file.
// Their space must have been allocated: touching a byte that the disk has no room for kills the
// process. The pages are made present and writable at once where the system can do that: a page
// that has no room is then an error (kIo) here. Throws kIo too if the file is shorter.
class WritableMap {
 public:
  WritableMap(const File& file, std::size_t size);
  ~WritableMap();
  WritableMap(WritableMap&& other) noexcept;
  WritableMap& operator=(WritableMap&& other) noexcept;

  char* data() const { return static_cast<char*>(data_); }
  std::size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// What a name stands for, links not followed; nothing if it does not exist.
struct FileStatus {
  bool is_regular = false;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ms = 0;  // since 1970, by the clock of the file system
};
std::optional<FileStatus> file_status(const std::string& path);

// Makes one folder, in one that exists; false if there is one. Unlike make_folders it does not sync
// what it is in.
bool make_folder(const std::string& folder);

// Removes a folder if it is empty; false, and nothing done, if it is not or is not there.
bool remove_folder_if_empty(const std::string& folder);

// True if `path`, which exists, lies on a file system that other machines write to (NFS, SMB, 9P,
// FUSE, ...), where shared mappings and locks of single bytes do not hold.
bool is_on_network(const std::string& path);
// What is_on_network says from now on, without a look; nothing: it looks again. For tests.
void set_on_network_for_tests(std::optional<bool> answer);

}  // namespace fs
}  // namespace mlrt

#endif  // MLRT_CORE_FS_FILE_HPP_
