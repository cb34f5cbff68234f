#ifndef MLRT_CLI_OUTPUT_HPP_
#define MLRT_CLI_OUTPUT_HPP_

#include <cstddef>
#include <cstdint>
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
// "mlrt: message" on standard error, for what is neither; never fails.
void print_note(std::string_view message) noexcept;

// What a terminal on standard output shows; {80, 24} when there is none or it does not tell.
struct TerminalSize {
  int columns = 80;
  int rows = 24;
};
TerminalSize terminal_size();

// Progress in one line of the terminal on standard error, redrawn at most ten times a second and
// wiped out by the destructor; nothing if standard error is no terminal.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(std::uint64_t done, std::uint64_t total);  // total 0: unknown

 private:
  std::string what_;
  bool terminal_;
  std::int64_t last_ms_ = -1;  // when it was drawn
};

// "importing [#####...............]  25%", or "importing 1234" with no total.
std::string progress_text(std::string_view what, std::uint64_t done, std::uint64_t total);

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
