#ifndef MLRT_BUNDLE_ZIP_READER_HPP_
#define MLRT_BUNDLE_ZIP_READER_HPP_

// Internal: reads the container of a bundle, ours or a foreign one, from memory.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

struct ZipEntry {
  std::string_view name;  // points into the archive
  bool deflated;
  std::uint32_t crc;
  std::uint64_t stored_size_bytes;  // as it lies in the archive
  std::uint64_t size_bytes;         // of the content
  std::uint64_t data_offset;
};

// The structure of a zip archive, checked so strictly that no two readers can see different files
// in it: every byte before the directory belongs to exactly one entry, and each entry's own header
// says what the directory says. Immutable; any thread may use it.
class ZipReader {
 public:
  using Sink = std::function<void(std::string_view)>;

  // Checks the structure of `bytes`, which must outlive the reader; reads no content. `what` begins
  // each message (the quoted path). Throws kDataCorrupt as "<what> is not a bundle: <what is
  // wrong>" for all that Bundle::open's comment lists except the manifest and the MLmodel.
  ZipReader(std::string_view bytes, std::string what);

  // The files, sorted by name; folders are left out.
  const std::vector<ZipEntry>& entries() const { return entries_; }

  // The entry of that name, or null.
  const ZipEntry* find(std::string_view name) const;

  // The entry's bytes as they lie in the archive: the content if it isn't deflated. Not checked.
  std::string_view raw(const ZipEntry& entry) const;

  // Gives the content to `sink`, in order and in pieces: never more than the declared size. Throws
  // kDataCorrupt as "<what> is damaged: ..." that names the entry if the content isn't what its
  // size and CRC say; the pieces given before are worthless then.
  void unpack(const ZipEntry& entry, const Sink& sink) const;

  [[noreturn]] void fail(const std::string& why) const;  // not a bundle
  [[noreturn]] void fail_damaged(const ZipEntry& entry, const std::string& why) const;

 private:
  struct Directory {
    std::uint64_t offset;
    std::uint64_t size_bytes;
    std::uint64_t count;
  };
  struct Record {  // one entry of the directory with what only the checks need
    ZipEntry entry;
    std::uint16_t flags;
    std::uint16_t method;
    std::uint64_t local_offset;
  };

  std::uint64_t find_end() const;
  Directory read_end(std::uint64_t end) const;
  std::vector<Record> read_directory(const Directory& directory) const;
  Record read_record(const Directory& directory, std::uint64_t& at) const;
  void check_attributes(const Record& record, std::uint32_t external) const;
  void check_sizes(const std::vector<Record>& records) const;
  void check_names(const std::vector<Record>& records) const;
  void check_layout(std::vector<Record>& records, std::uint64_t directory_offset) const;
  void check_local(Record& record, std::uint64_t limit) const;
  void check_descriptor(const Record& record, std::uint64_t at, std::uint64_t end) const;
  void unpack_deflated(const ZipEntry& entry, const Sink& sink) const;

  std::string_view bytes_;
  std::string what_;
  std::vector<ZipEntry> entries_;
};

}  // namespace mlrt

#endif  // MLRT_BUNDLE_ZIP_READER_HPP_
