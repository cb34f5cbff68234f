#include "server/rest_writer.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include "core/text.hpp"

namespace mlrt {
namespace {

bool rest_is_plain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

void rest_write_escaped(std::string& out, std::string_view text) {
  static const char kDigits[] = "0123456789abcdef";
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (rest_is_plain(c)) continue;
    out += text.substr(from, i - from);
    from = i + 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += "\\u00";
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[c & 15];
    }
  }
  out += text.substr(from);
}

}  // namespace

void RestWriter::comma() {
  if (out_.empty()) return;
  const char last = out_.back();
  if (last != '{' && last != '[' && last != ':') out_ += ',';
}

void RestWriter::open(char bracket) {
  comma();
  out_ += bracket;
}

void RestWriter::close(char bracket) { out_ += bracket; }

void RestWriter::name(std::string_view name) {
  comma();
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

void RestWriter::open(std::string_view member, char bracket) {
  name(member);
  out_ += bracket;
}

void RestWriter::word(std::string_view json) {
  comma();
  out_ += json;
}

void RestWriter::colon() { out_ += ':'; }

void RestWriter::member(std::string_view key, std::string_view value) {
  name(key);
  text(value);
}

void RestWriter::member(std::string_view key, const char* value) {
  member(key, std::string_view(value));
}

void RestWriter::member(std::string_view key, const std::string& value) {
  member(key, std::string_view(value));
}

void RestWriter::member(std::string_view key, std::int64_t value) {
  name(key);
  integer(value);
}

void RestWriter::member(std::string_view key, double value) {
  name(key);
  number(value);
}

void RestWriter::member(std::string_view key, bool value) {
  name(key);
  word(value ? "true" : "false");
}

void RestWriter::optional(std::string_view key, const std::string& value) {
  if (!value.empty()) member(key, value);
}

void RestWriter::text(std::string_view text) {
  comma();
  out_ += '"';
  if (is_utf8(text)) {
    rest_write_escaped(out_, text);
  } else {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) < 0x80) {
        rest_write_escaped(out_, std::string_view(&c, 1));
      } else {
        out_ += "\xEF\xBF\xBD";
      }
    }
  }
  out_ += '"';
}

void RestWriter::integer(std::int64_t value) {
  comma();
  char digits[24];
  out_.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

void RestWriter::number(double value) {
  comma();
  if (std::isnan(value)) {
    out_ += "\"NaN\"";
    return;
  }
  if (std::isinf(value)) value = std::copysign(std::numeric_limits<double>::max(), value);
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  const std::string_view written(digits, static_cast<std::size_t>(end - digits));
  out_ += written;
  if (written.find_first_not_of("-0123456789") == std::string_view::npos) out_ += ".0";
}

}  // namespace mlrt
