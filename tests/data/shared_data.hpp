#ifndef MLRT_TESTS_DATA_SHARED_DATA_HPP_
#define MLRT_TESTS_DATA_SHARED_DATA_HPP_

#include <doctest/doctest.h>

#include <string>

#include "core/fs.hpp"

namespace mlrt {
namespace test {

// The real data that lies beside the project, not in it. A clone without it skips the tests that
// need it.
inline std::string shared_data_folder() { return std::string(MLRT_SOURCE_DIR) + "/../shared/data"; }

// False, having said so, if the folder is absent. In a folder that is there, a missing file is a
// failure.
inline bool has_shared_data() {
  if (fs::is_folder(shared_data_folder())) return true;
  MESSAGE("SKIPPED: this test needs the folder ../shared/data, which is absent");
  return false;
}

inline std::string read_shared_data(const std::string& file) {
  return fs::read_file(shared_data_folder() + "/" + file);
}

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_DATA_SHARED_DATA_HPP_
