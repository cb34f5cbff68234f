#ifndef MLRT_TESTS_CLI_TRANSCRIPT_HPP_
#define MLRT_TESTS_CLI_TRANSCRIPT_HPP_

#include <doctest/doctest.h>

#include <cctype>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "cli/cli_support.hpp"
#include "core/fs.hpp"

namespace mlrt {
namespace test {

// What commands print, one after the other, to be compared with a stored file: ids, times and paths
// that are different each time are replaced by others of the same length where that matters.
// MLRT_UPDATE_EXPECTED=1 in the environment writes the file instead.
class Transcript {
 public:
  explicit Transcript(std::string folder) : folder_(std::move(folder)) { hide(folder_, "/FOLDER"); }

  void hide(const std::string& text, const std::string& by) { hidden_.emplace_back(text, by); }
  // A run id (or model id) becomes 32 times that letter; its first eight digits are hidden too.
  void hide_id(const std::string& id, char letter) {
    const std::size_t prefix = id.size() - 32;
    const std::string by = id.substr(0, prefix) + std::string(32, letter);
    hide(id, by);
    if (prefix == 0) hide(id.substr(0, 8), by.substr(0, 8));
  }

  // Runs the command and keeps what it printed; returns the exit code.
  int run(const std::vector<std::string>& words) {
    const ProcessResult result = run_mlrt(folder_, words);
    text_ += "$ mlrt";
    for (const std::string& word : words)
      text_ +=
          word.find_first_of(" '<>|*;") == std::string::npos ? " " + word : " \"" + word + "\"";
    text_ += "\n" + result.out + result.err;
    if (result.exit_code != 0) text_ += "[exit code " + std::to_string(result.exit_code) + "]\n";
    text_ += "\n";
    return result.exit_code;
  }

  std::string text() const {
    std::string out = text_;
    for (const auto& item : hidden_) replace_all(out, item.first, item.second);
    return masked_times(out);
  }

  void compare_with(const std::string& name) const {
    const std::string path = std::string(MLRT_SOURCE_DIR) + "/tests/cli/expected/" + name;
    if (std::getenv("MLRT_UPDATE_EXPECTED") != nullptr) fs::write_file(path, text());
    const std::string expected = fs::read_file(path);
    const std::vector<std::string> want = split(expected, '\n');
    const std::vector<std::string> got = split(text(), '\n');
    for (std::size_t i = 0; i < want.size() && i < got.size(); ++i) {
      if (want[i] == got[i]) continue;
      FAIL_CHECK(name << ":" << i + 1 << ": expected\n" << want[i] << "\nbut got\n" << got[i]);
      return;
    }
    CHECK(want.size() == got.size());
  }

 private:
  static void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
  }

  static bool digits(const std::string& text, std::size_t at, std::size_t count) {
    if (at + count > text.size()) return false;
    for (std::size_t i = at; i < at + count; ++i) {
      if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) return false;
    }
    return true;
  }

  // Times of the fixed store are in 2001; all others are of today: "2026-11-20 21:22:23", or 13
  // digits.
  static std::string masked_times(std::string text) {
    for (std::size_t i = 0; i + 13 <= text.size(); ++i) {
      const bool begins = i == 0 || !digits(text, i - 1, 1);
      if (!begins) continue;
      if (digits(text, i, 13) && !digits(text, i + 13, 1)) text.replace(i, 13, "<TODAY-IN-MS>");
      if (digits(text, i, 4) && text.compare(i, 4, "2001") != 0 && i + 19 <= text.size() &&
          text[i + 4] == '-' && digits(text, i + 5, 2) && text[i + 7] == '-' &&
          text[i + 10] == ' ' && text[i + 13] == ':') {
        text.replace(i, 19, "YYYY-MM-DD hh:mm:ss");
      }
    }
    return text;
  }

  std::string folder_;
  std::vector<std::pair<std::string, std::string>> hidden_;
  std::string text_;
};

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_CLI_TRANSCRIPT_HPP_
