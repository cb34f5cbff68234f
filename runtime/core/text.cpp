#include "core/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace mlrt {
namespace {

// Edit distance with swaps of neighbours counted once, as people mistype.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

// Bytes of the UTF-8 sequence at `text[i]`, or 0 if it is not a valid one.
std::size_t utf8_sequence_size(std::string_view text, std::size_t i) {
  auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  unsigned char first = byte(i);
  if (first < 0x80) return 1;
  std::size_t size = first >= 0xC2 && first <= 0xDF   ? 2
                     : first >= 0xE0 && first <= 0xEF ? 3
                     : first >= 0xF0 && first <= 0xF4 ? 4
                                                      : 0;
  if (size == 0 || i + size > text.size()) return 0;
  for (std::size_t k = 1; k < size; ++k) {
    if ((byte(i + k) & 0xC0) != 0x80) return 0;
  }
  unsigned char second = byte(i + 1);
  if (first == 0xE0 && second < 0xA0) return 0;  // overlong
  if (first == 0xED && second > 0x9F) return 0;  // surrogate
  if (first == 0xF0 && second < 0x90) return 0;  // overlong
  if (first == 0xF4 && second > 0x8F) return 0;  // beyond U+10FFFF
  return size;
}

}  // namespace

std::string to_hex(const void* data, std::size_t size) {
  static const char kDigits[] = "0123456789abcdef";
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::string out(size * 2, '0');
  for (std::size_t i = 0; i < size; ++i) {
    out[2 * i] = kDigits[bytes[i] >> 4];
    out[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return out;
}

std::string format_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char text[40];
  auto result = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, result.ptr);
}

namespace {

// For a decimal number beyond a double's range: true if it is too large, false if too small. `text`
// has no sign; what counts is where its first digit other than 0 stands.
bool text_is_too_large(std::string_view text) {
  constexpr long long kFar = 1000000000000000;  // further than any text is long
  std::size_t mark = std::min(text.find_first_of("eE"), text.size());
  std::string_view digits = text.substr(0, mark);
  long long point = static_cast<long long>(std::min(digits.find('.'), digits.size()));
  auto first = static_cast<long long>(std::min(digits.find_first_not_of("0."), digits.size()));
  long long exponent = 0;
  if (mark < text.size() && !parse_int64(text.substr(mark + 1), exponent)) {
    exponent = text[mark + 1] == '-' ? -kFar : kFar;  // it does not even fit 64 bits
  }
  exponent = std::clamp(exponent, -kFar, kFar);
  return point - first + exponent > 0;
}

}  // namespace

bool parse_double(std::string_view text, double& value) {
  if (text.empty()) return false;
  bool signed_plus = text[0] == '+';
  if (signed_plus) text.remove_prefix(1);
  if (text.empty() || (signed_plus && (text[0] == '-' || text[0] == '+'))) return false;
  double parsed = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (result.ptr != text.data() + text.size()) return false;
  if (result.ec == std::errc::result_out_of_range) {
    // from_chars leaves the value alone: too small is zero, too large is infinite, as strtod has
    // it.
    bool negative = text[0] == '-';
    bool large = text_is_too_large(text.substr(negative ? 1 : 0));
    parsed = large ? std::numeric_limits<double>::infinity() : 0.0;
    if (negative) parsed = -parsed;
  } else if (result.ec != std::errc()) {
    return false;
  }
  // "nan(chars)" is a C habit that no data file has.
  if (std::isnan(parsed) && text.back() == ')') return false;
  value = parsed;
  return true;
}

bool parse_int64(std::string_view text, long long& value) {
  if (!text.empty() && text[0] == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text[0] == '-') return false;
  }
  if (text.empty()) return false;
  long long parsed = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return false;
  value = parsed;
  return true;
}

std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongestWord = 100;  // the distance is quadratic in the length
  if (word.empty() || word.size() > kLongestWord) return {};
  std::string lowered = to_lower(word);
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  // A name that shares no letter with the word is not near: "-h" for "-x", or "a" for "z".
  best = std::min(best, word.size() - std::min(word.find_first_not_of('-'), word.size()));
  std::string found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestWord) continue;
    std::size_t distance = edit_distance(lowered, to_lower(candidate));
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  std::string name = nearest_name(word, candidates);
  return name.empty() ? std::string() : "; did you mean '" + name + "'?";
}

std::string quoted(std::string_view text, std::size_t max_size) {
  std::string out = "'";
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t size = utf8_sequence_size(text, i);
    if (i + std::max<std::size_t>(size, 1) > max_size) {
      out += "...";
      break;
    }
    auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are controls as well: U+009B starts a terminal's escape sequence.
    bool is_c1 = size == 2 && byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (size == 0 || is_c1 || byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += to_hex(&byte, 1);
      size = 1;
    } else {
      out.append(text.substr(i, size));
    }
    i += size;
  }
  return out + "'";
}

bool is_utf8(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080u;
  for (std::size_t i = 0; i < text.size();) {
    std::uint64_t eight = kHighBits;  // most text is ASCII
    if (text.size() - i >= sizeof(eight)) std::memcpy(&eight, text.data() + i, sizeof(eight));
    if ((eight & kHighBits) == 0) {
      i += sizeof(eight);
      continue;
    }
    std::size_t size = utf8_sequence_size(text, i);
    if (size == 0) return false;
    i += size;
  }
  return true;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (;;) {
    std::size_t to = text.find(separator, from);
    if (to == std::string_view::npos) break;
    parts.emplace_back(text.substr(from, to - from));
    from = to + 1;
  }
  parts.emplace_back(text.substr(from));
  return parts;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string_view trim(std::string_view text) {
  auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace mlrt
