#ifndef MLRT_CLI_OUTPUT_HPP_
#define MLRT_CLI_OUTPUT_HPP_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

// Writes to standard output at once. Throws kIo if not all of it could be written.
void print_out(std::string_view text);

// What C's streams still hold is written. Throws kIo if anything that went through them was lost.
void flush_out();

// "mlrt: message" on standard error; never fails.
void print_error(std::string_view message) noexcept;
// "mlrt: warning: message" on standard error; never fails.
void print_warning(std::string_view message) noexcept;

// Columns under their titles, aligned by what a terminal shows: numbers may be right-aligned.
// Control characters in cells are replaced, so that a name from the store cannot steer the
// terminal.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Title {
    std::string text;
    Align align = Align::kLeft;
  };

  explicit TextTable(std::vector<Title> titles);
  void add(std::vector<std::string> cells);  // as many as there are titles
  std::string text() const;

 private:
  std::vector<Title> titles_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace mlrt

#endif  // MLRT_CLI_OUTPUT_HPP_
