// JSON: a value that was read is written and read again as the same value.

#include "core/error.hpp"
#include "core/json.hpp"
#include "fuzz_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = mlrt::fuzz::input_text(data, size);
  mlrt::Json value;
  bool sound = false;
  try {
    value = mlrt::parse_json(text, "input");
    sound = true;
  } catch (const mlrt::Error&) {
  }
  // Outside of the try: what was read must be written and read without an error.
  if (sound) {
    const std::string written = mlrt::dump_json(value);
    mlrt::fuzz::require(mlrt::parse_json(written, "again") == value, "JSON reads back as it was");
    mlrt::fuzz::require(mlrt::dump_json(value) == written, "JSON is written the same twice");
  }
  try {
    mlrt::JsonLimits limits;
    limits.allow_nan = true;
    limits.max_depth = 8;
    (void)mlrt::dump_json(mlrt::parse_json(text, "input", limits));
  } catch (const mlrt::Error&) {
  }
  return 0;
}
