#ifndef MLRT_TESTS_SUPPORT_TEMP_DIR_HPP_
#define MLRT_TESTS_SUPPORT_TEMP_DIR_HPP_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

namespace mlrt {
namespace test {

// A new, empty folder below $TMPDIR that lives as long as this object. Its name holds spaces and a
// letter outside of ASCII on purpose: code that can't cope with such paths fails in every test.
// Throws std::filesystem::filesystem_error if it can't be made.
class TempDir {
 public:
  TempDir() {
    static std::atomic<unsigned> counter{0};
    const std::filesystem::path base = std::filesystem::temp_directory_path();
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    // create_directory says false for a folder that stood there already: then the next name.
    do {
      path_ = base / ("mlrt t\xc3\xa9st " + std::to_string(static_cast<std::uint64_t>(now)) + " " +
                      std::to_string(counter++));
    } while (!std::filesystem::create_directory(path_));
  }

  // Removes the folder and all in it; what can't be removed is left.
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  // The folder's absolute path, in UTF-8.
  std::string path() const { return path_.string(); }

  // The path of a file or folder of that name in it; it need not exist.
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_SUPPORT_TEMP_DIR_HPP_
