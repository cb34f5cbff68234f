#ifndef MLRT_CORE_TEXT_HPP_
#define MLRT_CORE_TEXT_HPP_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

// `size` bytes as lower-case hex.
std::string to_hex(const void* data, std::size_t size);

// The shortest decimal text that reads back as the same double; "NaN", "Infinity", "-Infinity"
// else.
std::string format_double(double value);

// Reads all of `text` as a decimal number ("nan", "inf", "infinity" with either sign and any case
// included); false, with `value` left alone, when it is anything else. What is beyond a double's
// range becomes an infinity or zero. Never depends on the locale.
bool parse_double(std::string_view text, double& value);

// Reads all of `text` as a whole decimal number; false, with `value` left alone, when it is
// anything else or does not fit.
bool parse_int64(std::string_view text, long long& value);

// The candidate that `word` was probably meant to be, by edit distance; empty when none is near.
std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates);

// "; did you mean 'x'?" for the nearest candidate, or nothing: the ending of an error message.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

// `text` in single quotes, shortened to `max_size` bytes and with control characters and invalid
// UTF-8 replaced: safe to put into a message.
std::string quoted(std::string_view text, std::size_t max_size = 60);
// The same: without these, <iomanip>'s std::quoted would be the better match for a std::string.
inline std::string quoted(const char* text, std::size_t max_size = 60) {
  return quoted(std::string_view(text), max_size);
}
inline std::string quoted(const std::string& text, std::size_t max_size = 60) {
  return quoted(std::string_view(text), max_size);
}
inline std::string quoted(std::string& text, std::size_t max_size = 60) {
  return quoted(std::string_view(text), max_size);
}

// True if `text` is valid UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
bool starts_with(std::string_view text, std::string_view prefix);
bool ends_with(std::string_view text, std::string_view suffix);
std::string to_lower(std::string_view text);  // ASCII only

}  // namespace mlrt

#endif  // MLRT_CORE_TEXT_HPP_
