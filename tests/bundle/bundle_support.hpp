#ifndef MLRT_TESTS_BUNDLE_BUNDLE_SUPPORT_HPP_
#define MLRT_TESTS_BUNDLE_BUNDLE_SUPPORT_HPP_

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "bundle/bundle.hpp"
#include "core/error.hpp"
#include "core/file_set.hpp"
#include "core/fs.hpp"

namespace mlrt {
namespace test {

// The error that `call` throws, as "code: message"; "" if it throws none.
template <typename Call>
std::string bundle_error(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(error_info(error.code()).name) + ": " + error.message();
  }
  return {};
}

inline std::string bundle_fixture(const std::string& name) {
  return std::string(MLRT_SOURCE_DIR) + "/tests/bundle/fixtures/" + name;
}

// The model of the fixture tiny_format1.mlrt: never change it.
inline MemoryFiles tiny_model_files() {
  MemoryFiles files;
  files.add("MLmodel", "flavors:\n  linear:\n    data: linear.json\n");
  files.add("linear.json", "{\"intercept\":0.5,\"weights\":[1,-2]}\n");
  files.add("data/empty", "");
  files.add("data/caf\xc3\xa9.txt", "caf\xc3\xa9\n");
  files.add("data/sixty-four", std::string(64, '\x40'));
  return files;
}

// Bytes that neither repeat soon nor compress.
inline std::string noise_bytes(std::size_t size, std::uint32_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

inline bool same_files(const FileSet& a, const FileSet& b) {
  if (a.names() != b.names()) return false;
  for (const std::string& name : a.names()) {
    if (a.read(name) != b.read(name)) return false;
  }
  return true;
}

// `text` as one word for sh.
inline std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

inline bool run_shell(const std::string& command) { return std::system(command.c_str()) == 0; }

inline bool has_tool(const std::string& name) {
  return run_shell("command -v " + name + " >/dev/null 2>&1");
}

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_BUNDLE_BUNDLE_SUPPORT_HPP_
