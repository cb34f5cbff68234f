#include "server/rest_document.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kRestMaxDepth = 64;
constexpr std::size_t kRestMaxNodes = 500000;
constexpr std::size_t kRestMaxDumpBytes = 1000;

bool rest_is_digit(char c) { return c >= '0' && c <= '9'; }

void rest_append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      out += static_cast<char>(0xe0 | c >> 12);
    } else {
      out += static_cast<char>(0xf0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    }
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
  }
  out += static_cast<char>(0x80 | (c & 0x3f));
}

std::uint32_t rest_next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(at++);
  if (lead < 0x80) return lead;
  int more = lead >= 0xf0 ? 3 : (lead >= 0xe0 ? 2 : 1);
  std::uint32_t c = lead & (0x3fu >> more);
  while (more-- > 0 && at < text.size()) c = c << 6 | (byte(at++) & 0x3fu);
  return c;
}

void rest_append_escape(std::string& out, std::uint32_t unit) {
  static const char kDigits[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[unit >> shift & 15];
}

// As Python's json.dumps writes a string.
void rest_dump_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size() && out.size() < kRestMaxDumpBytes;) {
    const std::uint32_t c = rest_next_code_point(text, at);
    static const char kNamed[] = "\"\\\b\f\n\r\t", kNames[] = "\"\\bfnrt";
    const std::size_t named = c < 0x80 && c != 0
                                  ? std::string_view(kNamed).find(static_cast<char>(c))
                                  : std::string::npos;
    if (named != std::string::npos) {
      out += '\\';
      out += kNames[named];
    } else if (c >= 0x20 && c < 0x7f) {
      out += static_cast<char>(c);
    } else if (c < 0x10000) {
      rest_append_escape(out, c);
    } else {
      rest_append_escape(out, 0xd800 + ((c - 0x10000) >> 10));
      rest_append_escape(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
    }
  }
  out += '"';
}

}  // namespace

// Reads a text from left to right; the containers that are open stand in a list, so no depth of
// the text is a depth of calls.
class RestDocument::Reader {
 public:
  Reader(std::string_view text, std::vector<RestNode>& nodes, std::string& decoded)
      : text_(text), nodes_(nodes), decoded_(decoded) {}

  bool read() {
    blanks();
    for (;;) {
      // Here a value begins.
      if (!value()) return false;
      for (;;) {
        // Here a value has ended; containers that are empty are handled by value().
        blanks();
        if (open_.empty()) return at_ == text_.size() || fail("there is something behind the end");
        const bool object = top().kind == RestNode::Kind::kObject;
        const char c = peek();
        if (c == ',') {
          ++at_;
          blanks();
          if (object && !name()) return false;
          break;
        }
        if (c != (object ? '}' : ']'))
          return fail(object ? "',' or '}' was expected" : "',' or ']' was expected");
        ++at_;
        close();
      }
    }
  }

  std::size_t at() const { return at_; }
  const char* why() const { return why_; }

 private:
  bool fail(const char* why) {
    why_ = why;
    return false;
  }
  // '\0' at the end, which is no JSON anywhere.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  RestNode& top() { return nodes_[open_.back()]; }
  void close() {
    top().next = static_cast<std::uint32_t>(nodes_.size());
    open_.pop_back();
  }
  void blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  bool add(RestNode::Kind kind, std::string_view text = {}) {
    if (nodes_.size() >= kRestMaxNodes) return fail("it has more than 500000 values");
    nodes_.push_back({kind, static_cast<std::uint32_t>(nodes_.size()) + 1, text});
    return true;
  }

  bool value() {
    using Kind = RestNode::Kind;
    for (;;) {
      const char c = peek();
      if (c == '"') return string();
      if (c == '-' || rest_is_digit(c)) return number();
      if (c != '[' && c != '{') return word();
      if (open_.size() >= kRestMaxDepth) return fail("it is nested deeper than 64 levels");
      const auto index = static_cast<std::uint32_t>(nodes_.size());
      if (!add(c == '[' ? Kind::kArray : Kind::kObject)) return false;
      open_.push_back(index);
      ++at_;
      blanks();
      if (peek() == (c == '[' ? ']' : '}')) {
        ++at_;
        close();
        return true;
      }
      if (c == '{' && !name()) return false;
    }
  }

  bool word() {
    using Kind = RestNode::Kind;
    static constexpr struct {
      std::string_view word;
      Kind kind;
    } kWords[] = {{"null", Kind::kNull},
                  {"true", Kind::kTrue},
                  {"false", Kind::kFalse},
                  {"NaN", Kind::kFloat},
                  {"Infinity", Kind::kFloat}};
    for (const auto& known : kWords) {
      if (text_.compare(at_, known.word.size(), known.word) != 0) continue;
      at_ += known.word.size();
      return add(known.kind, known.word);
    }
    return fail("a value was expected");
  }

  bool digits() {
    if (!rest_is_digit(peek())) return fail("a digit was expected");
    while (rest_is_digit(peek())) ++at_;
    return true;
  }

  bool number() {
    const std::size_t from = at_;
    bool whole = true;
    if (peek() == '-') ++at_;
    if (text_.compare(at_, 8, "Infinity") == 0) {
      at_ += 8;
      return add(RestNode::Kind::kFloat, text_.substr(from, at_ - from));
    }
    if (peek() == '0') {
      ++at_;
    } else if (!digits()) {
      return false;
    }
    if (peek() == '.') {
      whole = false;
      ++at_;
      if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return false;
    }
    return add(whole ? RestNode::Kind::kInteger : RestNode::Kind::kFloat,
               text_.substr(from, at_ - from));
  }

  bool name() {
    if (peek() != '"') return fail("a name in double quotes was expected");
    if (!string()) return false;
    blanks();
    if (peek() != ':') return fail("':' was expected");
    ++at_;
    blanks();
    return true;
  }

  bool string() {
    const std::size_t from = ++at_;
    // Most strings have no escapes: they are taken out of the text as they are.
    for (; at_ < text_.size(); ++at_) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') return add(RestNode::Kind::kString, text_.substr(from, at_++ - from));
      if (c < 0x20) return fail("a control character in a string");
      if (c == '\\') break;
    }
    // What is decoded is shorter than what is read, so this never moves what was decoded before.
    if (decoded_.capacity() < text_.size()) decoded_.reserve(text_.size());
    const std::size_t start = decoded_.size();
    decoded_.append(text_.substr(from, at_ - from));
    while (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_++]);
      if (c == '"') {
        return add(RestNode::Kind::kString, std::string_view(decoded_).substr(start));
      }
      if (c < 0x20) {
        --at_;
        return fail("a control character in a string");
      }
      if (c != '\\') {
        decoded_ += static_cast<char>(c);
      } else if (!escape()) {
        return false;
      }
    }
    return fail("a string has no end");
  }

  bool escape() {
    static const char kNames[] = "\"\\/bfnrt", kMeant[] = "\"\\/\b\f\n\r\t";
    const char c = peek();
    ++at_;
    if (c == 'u') return unicode_escape();
    const std::size_t named = c == '\0' ? std::string::npos : std::string_view(kNames).find(c);
    if (named == std::string::npos) return fail("an escape that is none");
    decoded_ += kMeant[named];
    return true;
  }

  bool hex_unit(std::uint32_t& unit) {
    if (text_.size() - std::min(at_, text_.size()) < 4) return fail("\\u needs four hex digits");
    const char* from = text_.data() + at_;
    const auto read = std::from_chars(from, from + 4, unit, 16);
    if (read.ec != std::errc() || read.ptr != from + 4) return fail("\\u needs four hex digits");
    at_ += 4;
    return true;
  }

  bool unicode_escape() {
    std::uint32_t unit = 0, low = 0;
    if (!hex_unit(unit)) return false;
    if (unit >= 0xd800 && unit < 0xe000) {
      const bool paired = unit < 0xdc00 && text_.compare(at_, 2, "\\u") == 0;
      at_ += paired ? 2 : 0;
      if (paired && !hex_unit(low)) return false;
      if (low < 0xdc00 || low >= 0xe000) return fail("half of a surrogate pair");
      unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    rest_append_utf8(decoded_, unit);
    return true;
  }

  std::string_view text_;
  std::vector<RestNode>& nodes_;
  std::string& decoded_;
  std::vector<std::uint32_t> open_;
  std::size_t at_ = 0;
  const char* why_ = "";
};

bool RestDocument::parse(std::string_view text) {
  nodes_.clear();
  decoded_.clear();
  if (!is_utf8(text)) {
    reason_ = "it is not valid UTF-8";
    return false;
  }
  nodes_.reserve(std::min<std::size_t>(text.size() / 8 + 8, 20000));
  Reader reader(text, nodes_, decoded_);
  if (reader.read()) return true;
  nodes_.clear();
  const std::string_view before = text.substr(0, reader.at());
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  reason_ = "line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n')) +
            ", column " + std::to_string(before.size() - line_start + 1) + ": " + reader.why();
  return false;
}

std::uint32_t RestDocument::add_string(std::string_view text) {
  const auto index = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({RestNode::Kind::kString, index + 1, text});
  return index;
}

std::uint32_t RestDocument::add_array(std::uint32_t count) {
  const auto index = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({RestNode::Kind::kArray, index + 1 + count, {}});
  return index;
}

std::uint32_t RestDocument::add_word(RestNode::Kind kind) {
  const auto index = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({kind, index + 1, {}});
  return index;
}

std::uint32_t RestDocument::member(std::uint32_t object, std::string_view name) const {
  std::uint32_t found = kNone;
  const RestNode& node = nodes_[object];
  if (node.kind != RestNode::Kind::kObject) return found;
  for (std::uint32_t i = object + 1; i < node.next; i = nodes_[i + 1].next) {
    if (nodes_[i].text == name) found = i + 1;
  }
  return found;
}

std::size_t RestDocument::count(std::uint32_t index) const {
  const RestNode& node = nodes_[index];
  const bool object = node.kind == RestNode::Kind::kObject;
  std::size_t count = 0;
  for (std::uint32_t i = index + 1; i < node.next; ++count) i = nodes_[object ? i + 1 : i].next;
  return count;
}

void RestDocument::dump_to(std::string& out, std::uint32_t index) const {
  using Kind = RestNode::Kind;
  if (out.size() > kRestMaxDumpBytes) return;
  const RestNode& node = nodes_[index];
  double number = 0;
  switch (node.kind) {
    case Kind::kNull:
      out += "null";
      return;
    case Kind::kFalse:
      out += "false";
      return;
    case Kind::kTrue:
      out += "true";
      return;
    case Kind::kInteger:
      out += node.text.substr(0, kRestMaxDumpBytes);
      return;
    case Kind::kString:
      rest_dump_string(out, node.text);
      return;
    case Kind::kFloat: {
      parse_double(node.text, number);
      const std::string written = format_double(number);
      out += written;
      if (written.find_first_not_of("-0123456789") == std::string::npos) out += ".0";
      return;
    }
    case Kind::kArray:
    case Kind::kObject:
      break;
  }
  const bool object = node.kind == Kind::kObject;
  std::vector<std::uint32_t> children;
  for (std::uint32_t i = index + 1; i < node.next && children.size() < kRestMaxDumpBytes;
       i = nodes_[object ? i + 1 : i].next) {
    children.push_back(i);
  }
  if (object) {
    for (std::size_t i = 1; i < children.size(); ++i) {  // few: the text is cut after 1000 bytes
      for (std::size_t j = i; j > 0 && nodes_[children[j]].text < nodes_[children[j - 1]].text;
           --j) {
        std::swap(children[j], children[j - 1]);
      }
    }
  }
  out += object ? '{' : '[';
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (i > 0) out += ',';
    if (object) {
      rest_dump_string(out, nodes_[children[i]].text);
      out += ':';
    }
    dump_to(out, children[i] + (object ? 1 : 0));
  }
  out += object ? '}' : ']';
}

std::string RestDocument::dump(std::uint32_t index) const {
  std::string out;
  dump_to(out, index);
  return out;
}

}  // namespace mlrt
