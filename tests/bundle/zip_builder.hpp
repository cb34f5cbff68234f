#ifndef MLRT_TESTS_BUNDLE_ZIP_BUILDER_HPP_
#define MLRT_TESTS_BUNDLE_ZIP_BUILDER_HPP_

// Builds zip archives as others would make them, sound or crooked in one field at a time.

#include <zlib.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {
namespace test {

inline std::string zip_le(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}

inline std::uint32_t zip_test_crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

inline std::string zip_deflate(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2");
  }
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())) + 16, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(&out[0]);
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// One entry; what is not set follows from `name` and `content`.
struct ZipPart {
  std::string name;
  std::string content;  // as it is unpacked
  std::uint16_t method = 0;
  std::uint16_t flags = 0x0800;
  std::uint32_t external = 0100644u << 16;
  std::optional<std::string> raw;  // the bytes that lie in the archive
  std::optional<std::uint32_t> crc;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> stored_size;
  std::string local_extra;
  std::string central_extra;
  std::string descriptor;  // behind the data
  std::string gap;         // bytes behind that
  std::optional<std::string> local_name;
  std::optional<std::uint16_t> local_method;
  std::optional<std::uint16_t> local_flags;
  std::optional<std::uint32_t> local_crc;
  std::optional<std::uint64_t> local_size;
  std::optional<std::uint64_t> local_stored_size;
  std::optional<std::uint64_t> offset;  // what the directory says
  std::uint16_t disk = 0;
  std::string comment;

  std::string stored_bytes() const {
    return raw ? *raw : method == 8 ? zip_deflate(content) : content;
  }
};

inline ZipPart zip_part(std::string name, std::string content, std::uint16_t method = 0) {
  ZipPart part;
  part.name = std::move(name);
  part.content = std::move(content);
  part.method = method;
  return part;
}

struct ZipBuilder {
  std::vector<ZipPart> parts;
  std::string prefix;      // before everything, with offsets that allow for it
  std::string comment;     // of the archive
  std::string suffix;      // behind everything
  std::string before_end;  // between directory and end record
  std::optional<std::uint16_t> count;
  std::optional<std::uint16_t> disk_count;
  std::optional<std::uint32_t> directory_size;
  std::optional<std::uint32_t> directory_offset;
  std::optional<std::uint16_t> comment_size;
  std::uint16_t disk = 0;

  std::string build() const {
    std::string out = prefix;
    std::string directory;
    for (const ZipPart& part : parts) {
      const std::string stored = part.stored_bytes();
      const std::uint32_t crc = part.crc.value_or(zip_test_crc(part.content));
      const std::uint64_t size = part.size.value_or(part.content.size());
      const std::uint64_t stored_size = part.stored_size.value_or(stored.size());
      const std::uint64_t offset = part.offset.value_or(out.size());
      const std::string local_name = part.local_name.value_or(part.name);
      out += zip_le(0x04034B50, 4) + zip_le(20, 2) +
             zip_le(part.local_flags.value_or(part.flags), 2) +
             zip_le(part.local_method.value_or(part.method), 2) + zip_le(0, 2) + zip_le(33, 2) +
             zip_le(part.local_crc.value_or(crc), 4) +
             zip_le(part.local_stored_size.value_or(stored_size), 4) +
             zip_le(part.local_size.value_or(size), 4) + zip_le(local_name.size(), 2) +
             zip_le(part.local_extra.size(), 2) + local_name + part.local_extra + stored +
             part.descriptor + part.gap;
      directory += zip_le(0x02014B50, 4) + zip_le(0x0314, 2) + zip_le(20, 2) +
                   zip_le(part.flags, 2) + zip_le(part.method, 2) + zip_le(0, 2) + zip_le(33, 2) +
                   zip_le(crc, 4) + zip_le(stored_size, 4) + zip_le(size, 4) +
                   zip_le(part.name.size(), 2) + zip_le(part.central_extra.size(), 2) +
                   zip_le(part.comment.size(), 2) + zip_le(part.disk, 2) + zip_le(0, 2) +
                   zip_le(part.external, 4) + zip_le(offset, 4) + part.name + part.central_extra +
                   part.comment;
    }
    const std::size_t at = out.size();
    out += directory + before_end;
    out +=
        zip_le(0x06054B50, 4) + zip_le(disk, 2) + zip_le(0, 2) +
        zip_le(disk_count.value_or(count.value_or(static_cast<std::uint16_t>(parts.size()))), 2) +
        zip_le(count.value_or(static_cast<std::uint16_t>(parts.size())), 2) +
        zip_le(directory_size.value_or(static_cast<std::uint32_t>(directory.size())), 4) +
        zip_le(directory_offset.value_or(static_cast<std::uint32_t>(at)), 4) +
        zip_le(comment_size.value_or(static_cast<std::uint16_t>(comment.size())), 2) + comment +
        suffix;
    return out;
  }
};

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_BUNDLE_ZIP_BUILDER_HPP_
