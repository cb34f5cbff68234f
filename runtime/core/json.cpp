#include "core/json.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

struct JsonToken {
  enum class Kind { kOpen, kClose, kKey, kString, kWord, kPunctuation, kEnd };
  Kind kind;
  std::size_t from;  // in bytes
  std::size_t to;
};

// Cuts a text into tokens and checks nothing else: on text that is JSON up to some point, its
// tokens up to there are those of the parser, which tells neither where a value began nor where a
// key stood.
class JsonScanner {
 public:
  // The parser skips a byte order mark at the start, so it is no word here either.
  explicit JsonScanner(std::string_view text)
      : text_(text), at_(starts_with(text, "\xEF\xBB\xBF") ? 3 : 0) {}

  JsonToken next() {
    using Kind = JsonToken::Kind;
    at_ = skip_blanks(at_);
    std::size_t from = at_;
    if (from >= text_.size()) return {Kind::kEnd, from, from};
    char c = text_[at_++];
    if (c == '{' || c == '[') return {Kind::kOpen, from, at_};
    if (c == '}' || c == ']') return {Kind::kClose, from, at_};
    if (c == ',' || c == ':') return {Kind::kPunctuation, from, at_};
    if (c != '"') {
      while (at_ < text_.size() && !ends_word(text_[at_])) ++at_;
      return {Kind::kWord, from, at_};
    }
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_ + 1, text_.size());
    std::size_t after = skip_blanks(at_);
    bool is_key = after < text_.size() && text_[after] == ':';
    return {is_key ? Kind::kKey : Kind::kString, from, at_};
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  static bool ends_word(char c) {
    return is_blank(c) || c == ',' || c == ':' || c == '"' || c == '[' || c == ']' || c == '{' ||
           c == '}';
  }
  std::size_t skip_blanks(std::size_t i) const {
    while (i < text_.size() && is_blank(text_[i])) ++i;
    return i;
  }

  std::string_view text_;
  std::size_t at_;
};

// "line 3, column 5", in characters, for a place in bytes.
std::string json_place(std::string_view text, std::size_t byte) {
  std::size_t line = 1, column = 1;
  for (std::size_t i = 0; i < byte && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++column;
    }
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

[[noreturn]] void throw_json_error(std::string_view what, std::string_view text, std::size_t byte,
                                   const std::string& why, const std::string& detail = {}) {
  throw Error(ErrorCode::kInvalidParameter,
              std::string(what) + ": " + json_place(text, byte) + ": " + why, detail);
}

// The place of the token that is the `nth` (from 1) of those that `counts` says yes to.
template <typename Counts>
std::size_t json_nth_token(std::string_view text, std::size_t nth, Counts counts) {
  JsonScanner scanner(text);
  for (;;) {
    JsonToken token = scanner.next();
    if (token.kind == JsonToken::Kind::kEnd || (counts(token) && --nth == 0)) return token.from;
  }
}

bool json_is_scalar(const JsonToken& token) {
  return token.kind == JsonToken::Kind::kString || token.kind == JsonToken::Kind::kWord;
}

// The values of bare words that JSON does not know, by their place among all scalars of the text.
struct JsonBareWords {
  std::string text;  // with 0 and blanks in their place, so that every byte stays where it was
  std::vector<std::pair<std::size_t, double>> values;
};

JsonBareWords json_take_bare_words(std::string_view text) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  JsonBareWords words{std::string(text), {}};
  JsonScanner scanner(text);
  std::size_t scalars = 0;
  for (JsonToken token = scanner.next(); token.kind != JsonToken::Kind::kEnd;
       token = scanner.next()) {
    if (!json_is_scalar(token)) continue;
    ++scalars;
    std::string_view word = text.substr(token.from, token.to - token.from);
    double value = word == "NaN"         ? std::numeric_limits<double>::quiet_NaN()
                   : word == "Infinity"  ? kInfinity
                   : word == "-Infinity" ? -kInfinity
                                         : 0;
    if (value == 0) continue;
    words.text.replace(token.from, word.size(), "0" + std::string(word.size() - 1, ' '));
    words.values.emplace_back(scalars, value);
  }
  return words;
}

// The library's text is "[id] parse error at line 1, column 2: why": the why is for the user. It
// ends with what was read last, which may be long and is the sender's.
std::string json_reason(const char* text) {
  std::string_view why = text;
  std::size_t colon = why.find(": ");
  if (colon == std::string_view::npos) return "syntax error";
  std::string safe = quoted(why.substr(colon + 2), 200);
  return safe.substr(1, safe.size() - 2);
}

// Builds the value from the parser's events, so that a bad text is refused before it costs memory.
// (The library's own way to watch it, a callback, looks through the whole parent at the end of each
// object: a list of half a million records took minutes.)
class JsonBuilder final : public Json::json_sax_t {
 public:
  JsonBuilder(std::string_view text, std::string_view what, const JsonLimits& limits,
              const JsonBareWords& words)
      : text_(text), what_(what), limits_(limits), words_(words) {}

  Json take() { return std::move(root_); }

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value); }
  bool string(string_t& value) override { return scalar(std::move(value)); }
  bool binary(binary_t& value) override { return scalar(std::move(value)); }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    ++keys_seen_;
    const auto made = open_.back()->get_ref<Json::object_t&>().emplace(key, nullptr);
    if (!made.second) {
      std::size_t byte = json_nth_token(
          text_, keys_seen_, [](const JsonToken& t) { return t.kind == JsonToken::Kind::kKey; });
      throw_json_error(what_, text_, byte,
                       "the key " + quoted(key) + " is there twice in one object");
    }
    member_ = &made.first->second;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    if (const auto* syntax = dynamic_cast<const Json::parse_error*>(&error)) {
      throw_json_error(std::string(what_) + " is not valid JSON", text_,
                       syntax->byte > 0 ? syntax->byte - 1 : 0, json_reason(error.what()),
                       error.what());
    }
    std::size_t byte = json_nth_token(text_, scalars_ + 1, json_is_scalar);
    throw_json_error(what_, text_, byte, "a number is beyond the range of a double", error.what());
  }

 private:
  // Where it stands stays where it is as long as it is open: only the innermost container grows.
  Json* add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      auto& elements = open_.back()->get_ref<Json::array_t&>();
      elements.push_back(std::move(value));
      return &elements.back();
    }
    *member_ = std::move(value);
    return member_;
  }

  bool scalar(Json value) {
    ++scalars_;
    if (words_taken_ < words_.values.size() && words_.values[words_taken_].first == scalars_) {
      value = words_.values[words_taken_++].second;
    }
    add(std::move(value));
    return true;
  }

  bool open(Json container) {
    ++opened_;
    if (open_.size() >= limits_.max_depth) {
      std::size_t byte = json_nth_token(
          text_, opened_, [](const JsonToken& t) { return t.kind == JsonToken::Kind::kOpen; });
      throw_json_error(what_, text_, byte,
                       "it is nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
    open_.push_back(add(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  std::string_view what_;
  const JsonLimits& limits_;
  const JsonBareWords& words_;
  Json root_;
  std::vector<Json*> open_;
  Json* member_ = nullptr;  // of the innermost object: where the value of its last key goes
  std::size_t opened_ = 0;
  std::size_t keys_seen_ = 0;
  std::size_t scalars_ = 0;
  std::size_t words_taken_ = 0;
};

}  // namespace

Json parse_json(std::string_view text, std::string_view what, const JsonLimits& limits) {
  JsonBareWords words;
  if (limits.allow_nan && (text.find("NaN") != std::string_view::npos ||
                           text.find("Infinity") != std::string_view::npos)) {
    words = json_take_bare_words(text);
    text = words.text;
  }
  JsonBuilder builder(text, what, limits, words);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json& json_member(const Json& parent, const char* key, std::string_view what) {
  if (!parent.is_object()) {
    throw Error(ErrorCode::kInvalidParameter,
                std::string(what) + " must be an object with the key '" + key + "'");
  }
  auto found = parent.find(key);
  if (found == parent.end()) {
    throw Error(ErrorCode::kInvalidParameter, std::string(what) + " lacks the key '" + key + "'");
  }
  return *found;
}

namespace {

[[noreturn]] void throw_json_type(std::string_view what, const char* key, const char* wanted,
                                  const Json& got) {
  throw Error(ErrorCode::kInvalidParameter,
              std::string(what) + ": '" + key + "' must be " + wanted + ", not " + got.type_name());
}

}  // namespace

std::string json_string(const Json& parent, const char* key, std::string_view what) {
  const Json& member = json_member(parent, key, what);
  if (!member.is_string()) throw_json_type(what, key, "a string", member);
  return member.get<std::string>();
}

double json_number(const Json& parent, const char* key, std::string_view what) {
  const Json& member = json_member(parent, key, what);
  if (!member.is_number()) throw_json_type(what, key, "a number", member);
  return member.get<double>();
}

const Json& json_array(const Json& parent, const char* key, std::string_view what) {
  const Json& member = json_member(parent, key, what);
  if (!member.is_array()) throw_json_type(what, key, "an array", member);
  return member;
}

const Json& json_object(const Json& parent, const char* key, std::string_view what) {
  const Json& member = json_member(parent, key, what);
  if (!member.is_object()) throw_json_type(what, key, "an object", member);
  return member;
}

}  // namespace mlrt
