// YAML: a value that was read is written and read again as the same value.

#include "core/error.hpp"
#include "core/yaml.hpp"
#include "fuzz_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mlrt::Json value;
  try {
    value = mlrt::parse_yaml(mlrt::fuzz::input_text(data, size), "input");
  } catch (const mlrt::Error&) {
    return 0;
  }
  // Outside of the try: what was read must be written and read without an error.
  const std::string written = mlrt::dump_yaml(mlrt::OrderedJson(value));
  const std::string again = mlrt::dump_yaml(mlrt::OrderedJson(mlrt::parse_yaml(written, "again")));
  // Compared as text: a NaN is not equal to itself.
  mlrt::fuzz::require(again == written, "YAML reads back as it was");
  return 0;
}
