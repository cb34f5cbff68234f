// TensorBoard event files: any bytes are read to their end; a file with sound records gives the
// same values when damage is put before it.

#include <string>
#include <vector>

#include "fuzz_target.hpp"
#include "tracking/tfevents.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = mlrt::fuzz::input_text(data, size);
  std::size_t scalars = 0;
  const mlrt::TfEventsSummary summary =
      mlrt::read_tfevents(bytes, [&](const mlrt::TfScalar&) { ++scalars; });
  mlrt::fuzz::require(scalars == summary.scalars, "every scalar is given and counted");
  mlrt::fuzz::require(summary.problems.size() <= 21, "problems are bounded");
  mlrt::fuzz::require((summary.damaged_records == 0) == summary.problems.empty(),
                      "damage and problems go together");
  // The same bytes as the data of a record, with checksums that are right.
  std::string framed;
  const auto number = [&framed](std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) framed += static_cast<char>((value >> (8 * i)) & 0xff);
  };
  number(bytes.size(), 8);
  number(mlrt::tfrecord_crc(framed), 4);
  framed += bytes;
  number(mlrt::tfrecord_crc(bytes), 4);
  const mlrt::TfEventsSummary inner = mlrt::read_tfevents(framed, [](const mlrt::TfScalar&) {});
  mlrt::fuzz::require(inner.records + inner.damaged_records == 1, "one record is one record");
  return 0;
}
