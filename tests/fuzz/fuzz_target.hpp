#ifndef MLRT_TESTS_FUZZ_FUZZ_TARGET_HPP_
#define MLRT_TESTS_FUZZ_FUZZ_TARGET_HPP_

// What each fuzz target is made of: one function that takes any bytes. It may throw nothing; input
// that is refused by mlrt::Error is fine, everything else (a crash, another exception, a promise
// that does not hold) ends the process.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace mlrt {
namespace fuzz {

inline std::string_view input_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the process with `promise` when it does not hold.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

}  // namespace fuzz
}  // namespace mlrt

#endif  // MLRT_TESTS_FUZZ_FUZZ_TARGET_HPP_
