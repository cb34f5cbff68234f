#ifndef MLRT_TRACKING_TFEVENTS_HPP_
#define MLRT_TRACKING_TFEVENTS_HPP_

// Internal: TensorBoard event files. Pure: bytes in, values out.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mlrt {

// One scalar of an event file.
struct TfScalar {
  std::string tag;
  double value = 0;
  std::int64_t step = 0;
  double wall_time_s = 0;  // seconds since 1970 UTC; finite
};

// What an event file holds beside its scalars.
struct TfEventsSummary {
  std::size_t records = 0;          // sound ones
  std::size_t scalars = 0;          // given to the caller
  std::size_t other_values = 0;     // images, histograms, texts, ... which are left out
  std::size_t damaged_records = 0;  // left out
  double first_time_s = 0;          // of the first sound event; 0 if there is none
  double last_time_s = 0;           // the latest
  std::vector<std::pair<std::string, std::string>> hyperparameters;  // of the plugin "hparams"
  std::vector<std::string> problems;  // "byte 120: ...", at most 20 and a line that says so
};

// Reads an event file: records of (length, masked CRC-32C of it, bytes, masked CRC-32C of them),
// each a protobuf message Event of TensorFlow (tensorflow/core/util/event.proto). A scalar is a
// simple_value, or a tensor of one number of a tag that no other plugin has. `on_scalar` gets each
// in the file's order. A damaged record is left out and reading goes on at the next sound one, so
// any bytes are fine. May be called by several threads at once.
TfEventsSummary read_tfevents(std::string_view bytes,
                              const std::function<void(const TfScalar& scalar)>& on_scalar);

// True if `bytes` begin with a sound record head, as an event file does.
bool looks_like_tfevents(std::string_view bytes);

// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected) as TFRecord masks it: rotated right by 15
// bits, plus 0xa282ead8.
std::uint32_t tfrecord_crc(std::string_view bytes);

}  // namespace mlrt

#endif  // MLRT_TRACKING_TFEVENTS_HPP_
