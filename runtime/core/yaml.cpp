#include "core/yaml.hpp"

#include <yaml.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

// A gigabyte of blanks deflates to a megabyte, and libyaml takes a minute to read it.
constexpr std::size_t kYamlMaxBytes = std::size_t{16} << 20;

constexpr std::size_t kYamlMaxDepth = 64;
constexpr std::size_t kYamlMaxValues = 1000000;

[[noreturn]] void throw_yaml_error(const std::string& what, std::size_t line, std::size_t column,
                                   const std::string& why) {
  throw Error(ErrorCode::kInvalidParameter, what + ": line " + std::to_string(line) + ", column " +
                                                std::to_string(column) + ": " + why);
}

// Frees what libyaml holds, whichever way the reading ends.
struct YamlEvent {
  yaml_event_t event{};
  YamlEvent() = default;
  ~YamlEvent() { yaml_event_delete(&event); }
  YamlEvent(const YamlEvent&) = delete;
  YamlEvent& operator=(const YamlEvent&) = delete;
};

bool yaml_all_digits(std::string_view text, int base) {
  if (text.empty()) return false;
  for (char c : text) {
    bool good = base == 8 ? c >= '0' && c <= '7'
                : base == 10
                    ? c >= '0' && c <= '9'
                    : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!good) return false;
  }
  return true;
}

// Digits of base 8 or 16; what does not fit 64 bits becomes the nearest double.
Json yaml_integer_of_base(std::string_view digits, int base) {
  std::uint64_t whole = 0;
  double wide = 0;
  bool fits = true;
  for (char c : digits) {
    int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    if (whole > (std::numeric_limits<std::uint64_t>::max() - 15) / 16) fits = false;
    whole = whole * static_cast<unsigned>(base) + static_cast<unsigned>(digit);
    wide = wide * base + digit;
  }
  if (!fits) return wide;
  if (whole <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return static_cast<std::int64_t>(whole);
  }
  return whole;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, as YAML 1.2, 10.3.2 has it.
bool yaml_is_float(std::string_view text) {
  std::size_t i = 0;
  auto digits = [&] {
    std::size_t from = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i - from;
  };
  auto sign = [&] {
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  };
  sign();
  std::size_t before = digits(), after = 0;
  if (i < text.size() && text[i] == '.') {
    ++i;
    after = digits();
  }
  if (before + after == 0) return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    sign();
    if (digits() == 0) return false;
  }
  return i == text.size();
}

bool yaml_is_null(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

// True when `text` is a number by the core schema; then `value` is it.
bool yaml_read_number(std::string_view text, Json& value) {
  if (starts_with(text, "0o") && yaml_all_digits(text.substr(2), 8)) {
    value = yaml_integer_of_base(text.substr(2), 8);
    return true;
  }
  if (starts_with(text, "0x") && yaml_all_digits(text.substr(2), 16)) {
    value = yaml_integer_of_base(text.substr(2), 16);
    return true;
  }
  std::string_view unsigned_text = text;
  bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) unsigned_text.remove_prefix(1);
  if (unsigned_text == ".inf" || unsigned_text == ".Inf" || unsigned_text == ".INF") {
    double infinity = std::numeric_limits<double>::infinity();
    value = negative ? -infinity : infinity;
    return true;
  }
  if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    value = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  long long whole = 0;
  if (yaml_all_digits(unsigned_text, 10) && parse_int64(text, whole)) {
    value = static_cast<std::int64_t>(whole);
    return true;
  }
  double number = 0;
  if (!yaml_is_float(text) || !parse_double(text, number)) return false;
  value = number;
  return true;
}

bool yaml_read_boolean(std::string_view text, Json& value) {
  bool yes = text == "true" || text == "True" || text == "TRUE";
  if (!yes && text != "false" && text != "False" && text != "FALSE") return false;
  value = yes;
  return true;
}

// Builds the value from libyaml's events with a stack of its own, so that depth costs no call
// stack.
class YamlReader {
 public:
  YamlReader(std::string_view text, std::string_view what) : text_(text), what_(what) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    static const unsigned char kNothing = 0;  // libyaml asserts that the pointer is not null
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    yaml_parser_set_input_string(&parser_, text.empty() ? &kNothing : bytes, text.size());
  }
  ~YamlReader() { yaml_parser_delete(&parser_); }
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;

  Json read() {
    for (;;) {
      YamlEvent next;
      if (yaml_parser_parse(&parser_, &next.event) == 0) throw_syntax();
      const yaml_event_t& event = next.event;
      switch (event.type) {
        case YAML_DOCUMENT_END_EVENT:
        case YAML_STREAM_END_EVENT:
          return std::move(root_);
        case YAML_ALIAS_EVENT:
          fail(event, "aliases (*name) are not allowed");
        case YAML_SCALAR_EVENT:
          on_scalar(event);
          break;
        case YAML_SEQUENCE_START_EVENT:
          on_start(event, Json::array(), event.data.sequence_start.tag, YAML_SEQ_TAG);
          break;
        case YAML_MAPPING_START_EVENT:
          on_start(event, Json::object(), event.data.mapping_start.tag, YAML_MAP_TAG);
          break;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
          open_.pop_back();
          break;
        default:
          break;  // the start of the stream or of the document
      }
    }
  }

 private:
  struct Open {
    Json* value;
    std::string key;
    bool has_key = false;
  };

  [[noreturn]] void fail(const yaml_event_t& event, const std::string& why) {
    throw_yaml_error(what_, event.start_mark.line + 1, event.start_mark.column + 1, why);
  }

  [[noreturn]] void throw_syntax() {
    if (parser_.error == YAML_MEMORY_ERROR) throw std::bad_alloc();
    std::string why = parser_.problem != nullptr ? parser_.problem : "syntax error";
    std::size_t line = parser_.problem_mark.line + 1, column = parser_.problem_mark.column + 1;
    if (parser_.error == YAML_READER_ERROR) {  // has an offset in bytes only
      line = column = 1;
      for (std::size_t i = 0; i < parser_.problem_offset && i < text_.size(); ++i) {
        auto byte = static_cast<unsigned char>(text_[i]);
        if (byte == '\n') {
          ++line;
          column = 1;
        } else if ((byte & 0xC0) != 0x80) {
          ++column;
        }
      }
    }
    throw_yaml_error(what_ + " is not valid YAML", line, column, why);
  }

  // The place for the next value: the root, the end of a list, or under the key that was read.
  Json* put(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Open& top = open_.back();
    if (top.value->is_array()) {
      top.value->push_back(std::move(value));
      return &top.value->back();
    }
    top.has_key = false;
    Json& place = (*top.value)[top.key];
    place = std::move(value);
    return &place;
  }

  bool wants_key() const {
    return !open_.empty() && open_.back().value->is_object() && !open_.back().has_key;
  }

  void count(const yaml_event_t& event) {
    if (++values_ > kYamlMaxValues) {
      fail(event, "it holds more than " + std::to_string(kYamlMaxValues) + " values");
    }
  }

  void on_start(const yaml_event_t& event, Json empty, const yaml_char_t* tag,
                const char* own_tag) {
    count(event);
    if (wants_key()) fail(event, "a key must be a single value, not a list or a mapping");
    if (open_.size() >= kYamlMaxDepth) {
      fail(event, "it is nested deeper than " + std::to_string(kYamlMaxDepth) + " levels");
    }
    std::string_view name = tag == nullptr ? "" : reinterpret_cast<const char*>(tag);
    if (!name.empty() && name != "!" && name != own_tag) refuse_tag(event, name);
    // The pointer stays good: a parent grows only after its children are closed.
    open_.push_back({put(std::move(empty)), {}, false});
  }

  void on_scalar(const yaml_event_t& event) {
    count(event);
    const auto& scalar = event.data.scalar;
    std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    if (wants_key()) {
      Open& top = open_.back();
      top.key = std::string(text);
      if (top.value->contains(top.key)) fail(event, "the key " + quoted(text) + " is there twice");
      top.has_key = true;
      return;
    }
    std::string_view tag = scalar.tag == nullptr ? "" : reinterpret_cast<const char*>(scalar.tag);
    bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    Json value;
    if (tag.empty() && plain) {
      if (!yaml_is_null(text) && !yaml_read_boolean(text, value) &&
          !yaml_read_number(text, value)) {
        value = std::string(text);
      }
    } else if (tag.empty() || tag == "!" || tag == YAML_STR_TAG) {
      value = std::string(text);
    } else if (!read_tagged(tag, text, value)) {
      refuse_tag(event, tag);
    }
    put(std::move(value));
  }

  static bool read_tagged(std::string_view tag, std::string_view text, Json& value) {
    if (tag == YAML_NULL_TAG) return yaml_is_null(text);
    if (tag == YAML_BOOL_TAG) return yaml_read_boolean(text, value);
    if (tag == YAML_INT_TAG) return yaml_read_number(text, value) && value.is_number_integer();
    if (tag != YAML_FLOAT_TAG || !yaml_read_number(text, value)) return false;
    value = value.get<double>();
    return true;
  }

  [[noreturn]] void refuse_tag(const yaml_event_t& event, std::string_view tag) {
    fail(event, "the tag " + quoted(tag) + " does not fit here or is not known");
  }

  std::string_view text_;
  std::string what_;
  yaml_parser_t parser_;
  Json root_;
  std::vector<Open> open_;
  std::size_t values_ = 0;
};

// Plain only where no reader, YAML 1.1's (PyYAML) included, could take it for anything but a
// string.
bool yaml_may_be_plain(std::string_view text) {
  if (text.empty() || text.size() > 1000) return false;
  auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  if (!is_letter(text[0]) && text[0] != '/') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    bool good = is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '/' || c == '-' ||
                c == '+' || c == '@' || c == '(' || c == ')' || c == '=' ||
                (c == ' ' && i + 1 < text.size());
    if (!good) return false;
  }
  static const char* const kWords[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  std::string lowered = to_lower(text);
  for (const char* word : kWords) {
    if (lowered == word) return false;
  }
  return true;
}

yaml_scalar_style_t yaml_style_of(std::string_view text) {
  if (yaml_may_be_plain(text)) return YAML_PLAIN_SCALAR_STYLE;
  for (char c : text) {
    if (c < 0x20 || c == 0x7F) return YAML_DOUBLE_QUOTED_SCALAR_STYLE;  // not ASCII is negative
    if (static_cast<unsigned char>(c) >= 0x80) return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
  }
  return YAML_SINGLE_QUOTED_SCALAR_STYLE;
}

// YAML 1.1 takes a number for a float only if it has a point.
std::string yaml_float_text(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  std::string text = format_double(value);
  if (text.find('.') != std::string::npos) return text;
  std::size_t exponent = text.find('e');
  return exponent == std::string::npos ? text + ".0" : text.insert(exponent, ".0");
}

class YamlWriter {
 public:
  YamlWriter() {
    if (yaml_emitter_initialize(&emitter_) == 0) throw std::bad_alloc();
    yaml_emitter_set_output(&emitter_, &YamlWriter::on_output, this);
    yaml_emitter_set_encoding(&emitter_, YAML_UTF8_ENCODING);
    yaml_emitter_set_unicode(&emitter_, 1);
    yaml_emitter_set_width(&emitter_, -1);  // a value stays on its line
    yaml_emitter_set_break(&emitter_, YAML_LN_BREAK);
  }
  ~YamlWriter() { yaml_emitter_delete(&emitter_); }
  YamlWriter(const YamlWriter&) = delete;
  YamlWriter& operator=(const YamlWriter&) = delete;

  std::string write(const OrderedJson& value) {
    yaml_event_t event;
    emit(event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(event, yaml_document_start_event_initialize(&event, nullptr, nullptr, nullptr, 1));
    emit_value(value, 0);
    emit(event, yaml_document_end_event_initialize(&event, 1));
    emit(event, yaml_stream_end_event_initialize(&event));
    if (yaml_emitter_flush(&emitter_) == 0) fail();
    return std::move(out_);
  }

 private:
  // libyaml calls this through C frames, which an exception must not pass.
  static int on_output(void* self, unsigned char* bytes, std::size_t size) {
    try {
      static_cast<YamlWriter*>(self)->out_.append(reinterpret_cast<const char*>(bytes), size);
      return 1;
    } catch (const std::exception&) {
      return 0;
    }
  }

  [[noreturn]] void fail() {
    if (emitter_.error == YAML_MEMORY_ERROR || emitter_.error == YAML_WRITER_ERROR)
      throw std::bad_alloc();
    throw Error(ErrorCode::kInternal, "a value cannot be written as YAML",
                emitter_.problem != nullptr ? emitter_.problem : "");
  }

  // libyaml frees the event in either case.
  void emit(yaml_event_t& event, int made) {
    if (made == 0) throw std::bad_alloc();
    if (yaml_emitter_emit(&emitter_, &event) == 0) fail();
  }

  void emit_scalar(std::string_view text, yaml_scalar_style_t style) {
    if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      throw Error(ErrorCode::kTooLarge, "a text of more than 2 GB cannot be written as YAML");
    }
    static const yaml_char_t kNothing = 0;
    const auto* bytes =
        text.empty() ? &kNothing : reinterpret_cast<const yaml_char_t*>(text.data());
    yaml_event_t event;
    emit(event, yaml_scalar_event_initialize(&event, nullptr, nullptr, bytes,
                                             static_cast<int>(text.size()), 1, 1, style));
  }

  void emit_string(const std::string& text) {
    if (!is_utf8(text)) {
      throw Error(ErrorCode::kInvalidParameter,
                  "cannot write " + quoted(text) + " as YAML: it is not UTF-8");
    }
    emit_scalar(text, yaml_style_of(text));
  }

  void emit_value(const OrderedJson& value, std::size_t depth) {
    using Type = OrderedJson::value_t;
    switch (value.type()) {
      case Type::null:
        return emit_scalar("null", YAML_PLAIN_SCALAR_STYLE);
      case Type::boolean:
        return emit_scalar(value.get<bool>() ? "true" : "false", YAML_PLAIN_SCALAR_STYLE);
      case Type::number_integer:
        return emit_scalar(std::to_string(value.get<std::int64_t>()), YAML_PLAIN_SCALAR_STYLE);
      case Type::number_unsigned:
        return emit_scalar(std::to_string(value.get<std::uint64_t>()), YAML_PLAIN_SCALAR_STYLE);
      case Type::number_float:
        return emit_scalar(yaml_float_text(value.get<double>()), YAML_PLAIN_SCALAR_STYLE);
      case Type::string:
        return emit_string(value.get_ref<const std::string&>());
      case Type::array:
      case Type::object:
        return emit_container(value, depth);
      default:
        throw Error(ErrorCode::kInvalidParameter, "bytes cannot be written as YAML");
    }
  }

  void emit_container(const OrderedJson& value, std::size_t depth) {
    if (depth >= kYamlMaxDepth) {
      throw Error(ErrorCode::kInvalidParameter, "a value nested deeper than " +
                                                    std::to_string(kYamlMaxDepth) +
                                                    " levels cannot be written as YAML");
    }
    yaml_event_t event;
    if (value.is_array()) {
      emit(event, yaml_sequence_start_event_initialize(&event, nullptr, nullptr, 1,
                                                       YAML_BLOCK_SEQUENCE_STYLE));
      for (const OrderedJson& item : value) emit_value(item, depth + 1);
      emit(event, yaml_sequence_end_event_initialize(&event));
    } else {
      emit(event, yaml_mapping_start_event_initialize(&event, nullptr, nullptr, 1,
                                                      YAML_BLOCK_MAPPING_STYLE));
      for (auto item = value.begin(); item != value.end(); ++item) {
        emit_string(item.key());
        emit_value(item.value(), depth + 1);
      }
      emit(event, yaml_mapping_end_event_initialize(&event));
    }
  }

  yaml_emitter_t emitter_;
  std::string out_;
};

}  // namespace

Json parse_yaml(std::string_view text, std::string_view what) {
  if (text.size() > kYamlMaxBytes) {
    throw Error(ErrorCode::kInvalidParameter, std::string(what) + " has " +
                                                  std::to_string(text.size()) +
                                                  " bytes; YAML of more than 16 MiB is not read");
  }
  return YamlReader(text, what).read();
}

std::string dump_yaml(const OrderedJson& value) { return YamlWriter().write(value); }

}  // namespace mlrt
