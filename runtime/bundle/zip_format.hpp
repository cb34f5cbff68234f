#ifndef MLRT_BUNDLE_ZIP_FORMAT_HPP_
#define MLRT_BUNDLE_ZIP_FORMAT_HPP_

// Internal: the numbers of the zip format (PKWARE's APPNOTE 6.3) that our reader and writer share.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mlrt {

constexpr std::uint32_t kZipLocalSignature = 0x04034B50;
constexpr std::uint32_t kZipCentralSignature = 0x02014B50;
constexpr std::uint32_t kZipEndSignature = 0x06054B50;
constexpr std::uint32_t kZip64EndSignature = 0x06064B50;
constexpr std::uint32_t kZip64LocatorSignature = 0x07064B50;
constexpr std::uint32_t kZipDescriptorSignature = 0x08074B50;

constexpr std::size_t kZipLocalSize = 30;
constexpr std::size_t kZipCentralSize = 46;
constexpr std::size_t kZipEndSize = 22;
constexpr std::size_t kZip64EndSize = 56;
constexpr std::size_t kZip64LocatorSize = 20;

constexpr std::uint16_t kZipFlagEncrypted = 1 << 0;
constexpr std::uint16_t kZipFlagDescriptor = 1 << 3;
constexpr std::uint16_t kZipFlagUtf8 = 1 << 11;
constexpr std::uint16_t kZipMethodStored = 0;
constexpr std::uint16_t kZipMethodDeflated = 8;

// A field that holds its largest value stands for the one in the ZIP64 extra field or end record.
constexpr std::uint16_t kZipMax16 = 0xFFFF;
constexpr std::uint32_t kZipMax32 = 0xFFFFFFFF;

constexpr std::uint16_t kZipExtraZip64 = 0x0001;
constexpr std::uint16_t kZipExtraUnicodePath = 0x7075;  // Info-ZIP: another name for the entry
// Data stream alignment (as Apache Commons Compress defined it): the multiple in 2 bytes, then
// zeros.
constexpr std::uint16_t kZipExtraAlignment = 0xA11E;

// The limits of a bundle, for both sides: what we write, we can read.
constexpr std::uint64_t kZipMaxEntries = 100000;
constexpr std::uint64_t kZipMaxTotalBytes = std::uint64_t{16} << 30;
constexpr std::uint64_t kZipMaxInflatedBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kZipMaxInflatedTotalBytes = std::uint64_t{4} << 30;
constexpr std::uint64_t kZipMaxRatio = 1100;  // deflate itself can't do more than about 1032

// Little-endian fields; `at` plus the field's size must be within `bytes`.
inline std::uint16_t zip_get_u16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) |
                                    static_cast<unsigned char>(bytes[at + 1]) << 8);
}

inline std::uint32_t zip_get_u32(std::string_view bytes, std::size_t at) {
  return zip_get_u16(bytes, at) | static_cast<std::uint32_t>(zip_get_u16(bytes, at + 2)) << 16;
}

inline std::uint64_t zip_get_u64(std::string_view bytes, std::size_t at) {
  return zip_get_u32(bytes, at) | static_cast<std::uint64_t>(zip_get_u32(bytes, at + 4)) << 32;
}

}  // namespace mlrt

#endif  // MLRT_BUNDLE_ZIP_FORMAT_HPP_
