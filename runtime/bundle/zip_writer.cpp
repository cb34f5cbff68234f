#include "bundle/zip_writer.hpp"

#include <zlib.h>

#include <algorithm>
#include <utility>

namespace mlrt {
namespace {

constexpr std::size_t kZipWriteBufferSize = 64 * 1024;
constexpr std::uint16_t kZipVersionPlain = 20;
constexpr std::uint16_t kZipVersion64 = 45;
constexpr std::uint16_t kZipHostUnix = 3 << 8;
constexpr std::uint16_t kZipTimeMidnight = 0;
constexpr std::uint16_t kZipDate1980 = (1 << 5) | 1;
constexpr std::uint32_t kZipModeRegular = 0100644u << 16;
// An extra field has a header of 4 bytes, and the alignment field a number of 2: no pad is smaller.
constexpr std::uint64_t kZipSmallestPad = 6;

}  // namespace

std::uint32_t zip_crc32(std::string_view bytes, std::uint32_t before) {
  return static_cast<std::uint32_t>(
      crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

ZipWriter::ZipWriter(Sink sink, std::uint64_t zip64_from)
    : sink_(std::move(sink)), zip64_from_(std::min<std::uint64_t>(zip64_from, kZipMax32)) {}

void ZipWriter::add(const std::string& name, std::string_view data, std::uint32_t crc) {
  const bool large = is_large(data.size());
  const std::uint64_t zip64_size = large ? 20 : 0;
  const std::uint64_t unpadded = offset_ + kZipLocalSize + name.size() + zip64_size;
  std::uint64_t pad = (kAlignment - unpadded % kAlignment) % kAlignment;
  if (pad != 0 && pad < kZipSmallestPad) pad += kAlignment;

  entries_.push_back({name, crc, data.size(), offset_});
  put_u32(kZipLocalSignature);
  put_u16(large ? kZipVersion64 : kZipVersionPlain);
  put_u16(kZipFlagUtf8);
  put_u16(kZipMethodStored);
  put_u16(kZipTimeMidnight);
  put_u16(kZipDate1980);
  put_u32(crc);
  put_u32(or_max32(data.size()));
  put_u32(or_max32(data.size()));
  put_u16(name.size());
  put_u16(zip64_size + pad);
  put(name);
  if (large) {
    put_u16(kZipExtraZip64);
    put_u16(16);
    put_u64(data.size());
    put_u64(data.size());
  }
  if (pad != 0) {
    put_u16(kZipExtraAlignment);
    put_u16(pad - 4);
    put_u16(kAlignment);
    put(std::string(static_cast<std::size_t>(pad - kZipSmallestPad), '\0'));
  }
  put(data);
}

void ZipWriter::finish() {
  const std::uint64_t directory = offset_;
  for (const Entry& entry : entries_) {
    const bool large_size = is_large(entry.size_bytes);
    const bool large_offset = is_large(entry.offset);
    const std::uint64_t zip64_size = (large_size ? 16 : 0) + (large_offset ? 8 : 0);
    const std::uint16_t version = zip64_size != 0 ? kZipVersion64 : kZipVersionPlain;
    put_u32(kZipCentralSignature);
    put_u16(kZipHostUnix | version);
    put_u16(version);
    put_u16(kZipFlagUtf8);
    put_u16(kZipMethodStored);
    put_u16(kZipTimeMidnight);
    put_u16(kZipDate1980);
    put_u32(entry.crc);
    put_u32(or_max32(entry.size_bytes));
    put_u32(or_max32(entry.size_bytes));
    put_u16(entry.name.size());
    put_u16(zip64_size != 0 ? zip64_size + 4 : 0);
    put_u16(0);  // comment
    put_u16(0);  // disk
    put_u16(0);  // internal attributes
    put_u32(kZipModeRegular);
    put_u32(or_max32(entry.offset));
    put(entry.name);
    if (zip64_size != 0) {
      put_u16(kZipExtraZip64);
      put_u16(zip64_size);
      if (large_size) {
        put_u64(entry.size_bytes);
        put_u64(entry.size_bytes);
      }
      if (large_offset) put_u64(entry.offset);
    }
  }

  const std::uint64_t end = offset_;
  const std::uint64_t directory_size = end - directory;
  const std::uint64_t count = entries_.size();
  if (count >= kZipMax16 || is_large(directory) || is_large(directory_size)) {
    put_u32(kZip64EndSignature);
    put_u64(kZip64EndSize - 12);
    put_u16(kZipHostUnix | kZipVersion64);
    put_u16(kZipVersion64);
    put_u32(0);
    put_u32(0);
    put_u64(count);
    put_u64(count);
    put_u64(directory_size);
    put_u64(directory);
    put_u32(kZip64LocatorSignature);
    put_u32(0);
    put_u64(end);
    put_u32(1);
  }
  put_u32(kZipEndSignature);
  put_u16(0);
  put_u16(0);
  put_u16(std::min<std::uint64_t>(count, kZipMax16));
  put_u16(std::min<std::uint64_t>(count, kZipMax16));
  put_u32(or_max32(directory_size));
  put_u32(or_max32(directory));
  put_u16(0);
  flush();
}

void ZipWriter::put(std::string_view bytes) {
  offset_ += bytes.size();
  if (buffer_.size() + bytes.size() > kZipWriteBufferSize) flush();
  if (bytes.size() > kZipWriteBufferSize) {
    sink_(bytes);
  } else {
    buffer_.append(bytes);
  }
}

void ZipWriter::put_u16(std::uint64_t value) {
  const char bytes[2] = {static_cast<char>(value & 0xFF), static_cast<char>(value >> 8 & 0xFF)};
  put(std::string_view(bytes, 2));
}

void ZipWriter::put_u32(std::uint64_t value) {
  put_u16(value);
  put_u16(value >> 16);
}

void ZipWriter::put_u64(std::uint64_t value) {
  put_u32(value);
  put_u32(value >> 32);
}

void ZipWriter::flush() {
  if (!buffer_.empty()) sink_(buffer_);
  buffer_.clear();
}

}  // namespace mlrt
