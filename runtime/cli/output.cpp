#include "cli/output.hpp"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kProgressWidth = 30;
constexpr std::int64_t kProgressPeriodMs = 100;

[[noreturn]] void throw_output_lost(int error) {
  throw Error(ErrorCode::kIo,
              error == 0 ? std::string("cannot write to standard output")
                         : std::string("cannot write to standard output: ") + strerror(error));
}

int write_descriptor(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

// Standard error has nobody to tell of its own failure.
void print_error_line(const char* prefix, std::string_view message) noexcept {
  write_descriptor(STDERR_FILENO, prefix);
  write_descriptor(STDERR_FILENO, message);
  if (message.empty() || message.back() != '\n') write_descriptor(STDERR_FILENO, "\n");
}

bool is_utf8_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Characters, as an approximation of columns on a terminal.
std::size_t shown_width(const std::string& text) {
  std::size_t width = 0;
  for (const char c : text) width += is_utf8_continuation(c) ? 0 : 1;
  return width;
}

std::string shown_cell(std::string text) {
  if (!is_utf8(text)) return quoted(text, text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are controls too, and begin with C2 in UTF-8.
    const bool c1 =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) text.erase(i + 1, 1);
    if (c1 || byte < 0x20 || byte == 0x7F) text[i] = '?';
  }
  return text;
}

}  // namespace

void print_out(std::string_view text) {
  const int error = write_descriptor(STDOUT_FILENO, text);
  if (error != 0) throw_output_lost(error);
}

void flush_out() {
  errno = 0;
  if (fflush(stdout) != 0 || ferror(stdout) != 0) throw_output_lost(errno);
}

void print_error(std::string_view message) noexcept { print_error_line("mlrt: ", message); }

void print_warning(std::string_view message) noexcept {
  print_error_line("mlrt: warning: ", message);
}

void print_note(std::string_view message) noexcept { print_error_line("mlrt: ", message); }

TerminalSize terminal_size() {
  TerminalSize size;
  winsize window = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0) return size;
  if (window.ws_col > 0) size.columns = window.ws_col;
  if (window.ws_row > 0) size.rows = window.ws_row;
  return size;
}

std::string progress_text(std::string_view what, std::uint64_t done, std::uint64_t total) {
  if (total == 0) return std::string(what) + " " + std::to_string(done);
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto full = static_cast<std::size_t>(part * kProgressWidth);
  const std::string percent = std::to_string(static_cast<int>(part * 100));
  return std::string(what) + " [" + std::string(full, '#') +
         std::string(kProgressWidth - full, '.') + "] " + std::string(3 - percent.size(), ' ') +
         percent + "%";
}

ProgressLine::ProgressLine(std::string what)
    : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (last_ms_ >= 0) write_descriptor(STDERR_FILENO, "\r\x1b[K");
}

void ProgressLine::show(std::uint64_t done, std::uint64_t total) {
  const std::int64_t now = monotonic_ms();
  if (!terminal_ || (last_ms_ >= 0 && now - last_ms_ < kProgressPeriodMs)) return;
  last_ms_ = now;
  write_descriptor(STDERR_FILENO, "\r" + progress_text(what_, done, total) + "\x1b[K");
}

TextTable::TextTable(std::vector<Title> titles) : titles_(std::move(titles)) {
  for (Title& title : titles_) title.text = shown_cell(std::move(title.text));
}

void TextTable::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = shown_cell(std::move(cell));
  cells.resize(titles_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < titles_.size(); ++i) {
    std::size_t width = shown_width(titles_[i].text);
    for (const auto& row : rows_) width = std::max(width, shown_width(row[i]));
    widths.push_back(width);
  }
  std::string out;
  auto append = [&](std::size_t i, const std::string& cell) {
    const std::string gap(widths[i] - shown_width(cell), ' ');
    const bool right = titles_[i].align == Align::kRight;
    if (i > 0) out += "  ";
    out += right ? gap + cell : cell;
    if (!right && i + 1 < titles_.size()) out += gap;
  };
  for (std::size_t i = 0; i < titles_.size(); ++i) append(i, titles_[i].text);
  out += '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) append(i, row[i]);
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  }
  return out;
}

}  // namespace mlrt
