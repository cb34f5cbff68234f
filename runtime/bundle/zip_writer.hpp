#ifndef MLRT_BUNDLE_ZIP_WRITER_HPP_
#define MLRT_BUNDLE_ZIP_WRITER_HPP_

// Internal: writes the container of a bundle.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bundle/zip_format.hpp"

namespace mlrt {

// The CRC-32 of zip (polynomial 0xEDB88320) of `bytes`, which follow bytes whose CRC is `before`.
std::uint32_t zip_crc32(std::string_view bytes, std::uint32_t before = 0);

// Writes a zip archive from front to end, as the same bytes for the same calls: entries STORED,
// their data at multiples of 64 bytes, dated 1980-01-01, mode 0100644, ZIP64 records only where a
// number demands them. Not for use by two threads at once.
class ZipWriter {
 public:
  static constexpr std::uint64_t kAlignment = 64;
  using Sink = std::function<void(std::string_view)>;

  // `sink` gets the archive's bytes in order; what it throws goes through. Numbers from
  // `zip64_from` on go into ZIP64 fields (tests set it low: the true limit takes gigabytes).
  explicit ZipWriter(Sink sink, std::uint64_t zip64_from = kZipMax32);

  // Adds a file. `name` is safe, of at most 65535 bytes and new; `crc` is the CRC-32 of `data`.
  void add(const std::string& name, std::string_view data, std::uint32_t crc);

  // Writes the directory; nothing can be added after it.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint32_t crc;
    std::uint64_t size_bytes;
    std::uint64_t offset;
  };

  void put(std::string_view bytes);
  void put_u16(std::uint64_t value);
  void put_u32(std::uint64_t value);
  void put_u64(std::uint64_t value);
  void flush();
  bool is_large(std::uint64_t value) const { return value >= zip64_from_; }
  std::uint64_t or_max32(std::uint64_t value) const { return is_large(value) ? kZipMax32 : value; }

  Sink sink_;
  std::uint64_t zip64_from_;
  std::string buffer_;  // small pieces gather here, so that the sink is called for 64 KB at a time
  std::uint64_t offset_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace mlrt

#endif  // MLRT_BUNDLE_ZIP_WRITER_HPP_
