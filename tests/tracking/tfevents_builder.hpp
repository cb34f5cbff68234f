#ifndef MLRT_TESTS_TRACKING_TFEVENTS_BUILDER_HPP_
#define MLRT_TESTS_TRACKING_TFEVENTS_BUILDER_HPP_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tracking/tfevents.hpp"

namespace mlrt {
namespace test {
namespace tfevents {

// Event files piece by piece. Numbers in the byte order of the machine: little endian.

template <typename Number>
std::string raw(Number number) {
  return std::string(reinterpret_cast<const char*>(&number), sizeof number);
}

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}

inline std::string number_field(std::uint32_t id, std::uint64_t value) {
  return varint(std::uint64_t{id} << 3) + varint(value);
}
inline std::string double_field(std::uint32_t id, double value) {
  return varint(std::uint64_t{id} << 3 | 1) + raw(value);
}
inline std::string bytes_field(std::uint32_t id, const std::string& bytes) {
  return varint(std::uint64_t{id} << 3 | 2) + varint(bytes.size()) + bytes;
}
inline std::string float_field(std::uint32_t id, float value) {
  return varint(std::uint64_t{id} << 3 | 5) + raw(value);
}

inline std::string simple_value(const std::string& tag, float value) {
  return bytes_field(1, tag) + float_field(2, value);
}
inline std::string tensor_value(const std::string& tag, const std::string& tensor,
                                const std::string& plugin) {
  std::string value = bytes_field(1, tag) + bytes_field(8, tensor);
  if (!plugin.empty()) value += bytes_field(9, bytes_field(1, bytes_field(1, plugin)));
  return value;
}

inline std::string event(double time_s, std::int64_t step, const std::vector<std::string>& values) {
  std::string summary;
  for (const std::string& value : values) summary += bytes_field(1, value);
  return double_field(1, time_s) + number_field(2, static_cast<std::uint64_t>(step)) +
         bytes_field(5, summary);
}
inline std::string version_event(double time_s) {
  return double_field(1, time_s) + bytes_field(3, "brain.Event:2");
}

inline std::string record(const std::string& data) {
  const std::string length = raw(static_cast<std::uint64_t>(data.size()));
  return length + raw(tfrecord_crc(length)) + data + raw(tfrecord_crc(data));
}

}  // namespace tfevents
}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_TRACKING_TFEVENTS_BUILDER_HPP_
