#include "data/csv.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

// A row of commas must not cost a hundred times its size in columns.
constexpr std::size_t kCsvMaxColumns = 100000;

// Splits the bytes into cells: views into them, or into `unescaped_` for those with doubled quotes.
class CsvScanner {
 public:
  CsvScanner(std::string_view bytes, std::string_view name, const CsvOptions& options)
      : bytes_(bytes), name_(name), options_(options) {
    if (starts_with(bytes_, "\xEF\xBB\xBF")) bytes_.remove_prefix(3);
  }

  void scan();
  Table table() const;

 private:
  struct Unescaped {
    std::string text;
    std::size_t offset;
  };

  [[noreturn]] void fail(std::size_t offset, const std::string& what) const;
  void check_bytes() const;
  bool at_line_end(std::size_t at) const;
  std::string_view scan_field(std::size_t& at);
  std::string_view scan_quoted_field(std::size_t& at);
  [[noreturn]] void fail_columns(std::size_t offset) const;
  bool skip_blank_lines(std::size_t& at) const;
  void skip_line_end(std::size_t& at) const;
  void scan_header(std::size_t& at);
  void scan_record(std::size_t& at);
  void set_names(std::size_t count);
  std::size_t offset_of(std::string_view cell) const;

  std::size_t row_count() const { return names_.empty() ? 0 : cells_.size() / names_.size(); }
  std::string_view cell(std::size_t row, std::size_t column) const {
    return cells_[row * names_.size() + column];
  }
  [[noreturn]] void fail_type(std::size_t row, std::size_t column, ColumnType type) const;
  bool read_longs(std::size_t column, std::vector<std::int64_t>& values,
                  std::vector<std::uint8_t>& missing, std::size_t& stopped_at) const;
  bool read_doubles(std::size_t column, std::vector<double>& values, std::size_t& stopped_at) const;
  Column inferred_column(std::size_t column) const;
  Column typed_column(std::size_t column, ColumnType type) const;
  Column string_column(std::size_t column) const;
  Column boolean_column(std::size_t column) const;

  std::string_view bytes_;
  std::string_view name_;
  const CsvOptions& options_;
  std::vector<std::string> names_;
  std::vector<std::string_view> cells_;  // row after row
  std::deque<Unescaped> unescaped_;      // a deque: the views into it must stay valid
};

void CsvScanner::fail(std::size_t offset, const std::string& what) const {
  std::size_t line = 1;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < offset && i < bytes_.size(); ++i) {
    if (bytes_[i] == '\n') {
      ++line;
      line_start = i + 1;
    }
  }
  throw Error(ErrorCode::kInvalidParameter, std::string(name_) + ":" + std::to_string(line) + ":" +
                                                std::to_string(offset - line_start + 1) + ": " +
                                                what);
}

void CsvScanner::check_bytes() const {
  if (!bytes_.empty()) {
    const void* nul = std::memchr(bytes_.data(), 0, bytes_.size());
    if (nul != nullptr) {
      fail(static_cast<std::size_t>(static_cast<const char*>(nul) - bytes_.data()),
           "a NUL byte: this is not a text file in UTF-8");
    }
  }
  if (is_utf8(bytes_)) return;
  // The first line with the fault is found by lines, as no sequence spans a line break.
  std::size_t from = 0;
  while (from < bytes_.size()) {
    std::size_t to = std::min(bytes_.find('\n', from), bytes_.size() - 1) + 1;
    if (!is_utf8(bytes_.substr(from, to - from))) break;
    from = to;
  }
  std::size_t at = from;
  while (at < bytes_.size()) {
    std::size_t size = 1;
    while (size <= 4 && at + size <= bytes_.size() && !is_utf8(bytes_.substr(at, size))) ++size;
    if (size > 4 || at + size > bytes_.size()) break;
    at += size;
  }
  fail(at, "a byte that is not UTF-8; save the file in UTF-8");
}

// A line ends at LF, CRLF, or the end of the bytes.
bool CsvScanner::at_line_end(std::size_t at) const {
  if (at >= bytes_.size() || bytes_[at] == '\n') return true;
  return bytes_[at] == '\r' && at + 1 < bytes_.size() && bytes_[at + 1] == '\n';
}

std::string_view CsvScanner::scan_quoted_field(std::size_t& at) {
  std::size_t opened_at = at++;
  std::size_t from = at;
  std::string* unescaped = nullptr;
  for (;;) {
    std::size_t quote = bytes_.find('"', at);
    if (quote == std::string_view::npos) fail(opened_at, "this quote is never closed");
    if (quote + 1 < bytes_.size() && bytes_[quote + 1] == '"') {
      if (unescaped == nullptr) {
        unescaped_.push_back({std::string(), opened_at});
        unescaped = &unescaped_.back().text;
      }
      unescaped->append(bytes_.substr(from, quote + 1 - from));
      at = from = quote + 2;
      continue;
    }
    at = quote + 1;
    if (!at_line_end(at) && bytes_[at] != options_.separator) {
      fail(at, "text after a closing quote; a quote inside a quoted field is written twice");
    }
    std::string_view rest = bytes_.substr(from, quote - from);
    if (unescaped == nullptr) return rest;
    unescaped->append(rest);
    return *unescaped;
  }
}

// Reads the field at `at` and leaves `at` on the separator or line end after it.
std::string_view CsvScanner::scan_field(std::size_t& at) {
  if (at < bytes_.size() && bytes_[at] == '"') return scan_quoted_field(at);
  std::size_t from = at;
  while (at < bytes_.size()) {
    char c = bytes_[at];
    if (c == options_.separator || c == '\n') break;
    if (c == '\r') {
      if (at_line_end(at)) break;
      fail(at, "a carriage return without its line feed; put the field in quotes");
    }
    ++at;
  }
  return bytes_.substr(from, at - from);
}

void CsvScanner::scan() {
  char separator = options_.separator;
  if (separator == '"' || separator == '\n' || separator == '\r' || separator == '\0' ||
      static_cast<unsigned char>(separator) >= 0x80) {
    throw Error(ErrorCode::kInvalidParameter,
                "a CSV separator is one ASCII character other than a quote or a line break");
  }
  check_bytes();
  std::size_t at = 0;
  if (options_.header) scan_header(at);
  while (skip_blank_lines(at)) scan_record(at);
  if (names_.empty()) set_names(options_.column_names.size());  // no header, no record
}

// False at the end of the bytes.
bool CsvScanner::skip_blank_lines(std::size_t& at) const {
  while (at < bytes_.size() && at_line_end(at)) skip_line_end(at);
  return at < bytes_.size();
}

void CsvScanner::skip_line_end(std::size_t& at) const {
  if (at < bytes_.size()) at += bytes_[at] == '\r' ? 2 : 1;
}

void CsvScanner::scan_header(std::size_t& at) {
  if (!skip_blank_lines(at)) fail(0, "no header: the first line must name the columns");
  std::unordered_set<std::string> seen;
  for (;; ++at) {  // over the separator
    std::size_t field_at = at;
    std::string name(scan_field(at));
    if (name.empty()) fail(field_at, "a column without a name");
    if (!seen.insert(name).second) {
      fail(field_at, "the column name " + quoted(name) + " stands twice");
    }
    if (names_.size() == kCsvMaxColumns) fail_columns(field_at);
    names_.push_back(std::move(name));
    if (at_line_end(at)) break;
  }
  skip_line_end(at);
}

void CsvScanner::scan_record(std::size_t& at) {
  bool first_names = names_.empty();  // the first record of a file without a header
  std::size_t fields = 0;
  for (;; ++at) {  // over the separator
    if (!first_names && fields == names_.size()) {
      fail(at, "a field too many: the table has " + std::to_string(names_.size()) +
                   (names_.size() == 1 ? " column" : " columns"));
    }
    if (fields == kCsvMaxColumns) fail_columns(at);
    cells_.push_back(scan_field(at));
    ++fields;
    if (at_line_end(at)) break;
  }
  if (first_names) set_names(fields);
  if (fields < names_.size()) {
    fail(at, "only " + std::to_string(fields) + (fields == 1 ? " field" : " fields") +
                 ": the table has " + std::to_string(names_.size()) + " columns");
  }
  skip_line_end(at);
}

void CsvScanner::fail_columns(std::size_t offset) const {
  fail(offset, "more than " + std::to_string(kCsvMaxColumns) + " columns");
}

// Names for a file without a header whose first record has `count` fields.
void CsvScanner::set_names(std::size_t count) {
  names_ = options_.column_names;
  if (names_.empty()) {
    for (std::size_t i = 0; i < count; ++i) names_.push_back("c" + std::to_string(i));
  }
  if (names_.size() != count) {
    fail(0, std::to_string(names_.size()) + " column names were given, but the first record has " +
                std::to_string(count) + " fields");
  }
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : names_) {
    if (name.empty()) fail(0, "a given column name is empty");
    if (!seen.insert(name).second) fail(0, "the column name " + quoted(name) + " is given twice");
  }
}

std::size_t CsvScanner::offset_of(std::string_view cell) const {
  for (const Unescaped& text : unescaped_) {
    if (text.text.data() == cell.data()) return text.offset;
  }
  return static_cast<std::size_t>(cell.data() - bytes_.data());
}

void CsvScanner::fail_type(std::size_t row, std::size_t column, ColumnType type) const {
  std::string_view text = cell(row, column);
  fail(offset_of(text), quoted(text) + " in column " + quoted(names_[column]) + " is not a " +
                            column_type_name(type));
}

// Fills `values` until a cell is no whole number; then false, with its row in `stopped_at`.
bool CsvScanner::read_longs(std::size_t column, std::vector<std::int64_t>& values,
                            std::vector<std::uint8_t>& missing, std::size_t& stopped_at) const {
  std::size_t rows = row_count();
  values.assign(rows, 0);
  missing.assign(rows, 0);
  for (std::size_t row = 0; row < rows; ++row) {
    std::string_view text = cell(row, column);
    if (text.empty()) {
      missing[row] = 1;
      continue;
    }
    text = trim(text);
    long long value = 0;
    // A negative zero is a double: as a long it would lose its sign.
    if (!parse_int64(text, value) || (value == 0 && text[0] == '-')) {
      stopped_at = row;
      return false;
    }
    values[row] = value;
  }
  return true;
}

bool CsvScanner::read_doubles(std::size_t column, std::vector<double>& values,
                              std::size_t& stopped_at) const {
  std::size_t rows = row_count();
  values.assign(rows, std::nan(""));
  for (std::size_t row = 0; row < rows; ++row) {
    std::string_view text = cell(row, column);
    if (!text.empty() && !parse_double(trim(text), values[row])) {
      stopped_at = row;
      return false;
    }
  }
  return true;
}

Column CsvScanner::string_column(std::size_t column) const {
  std::size_t rows = row_count();
  std::vector<std::string> values(rows);
  std::vector<std::uint8_t> missing(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    std::string_view text = cell(row, column);
    missing[row] = text.empty() ? 1 : 0;
    values[row] = text;
  }
  return Column::of_strings(names_[column], std::move(values), std::move(missing));
}

Column CsvScanner::boolean_column(std::size_t column) const {
  std::size_t rows = row_count();
  std::vector<std::uint8_t> values(rows), missing(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    std::string word = to_lower(trim(cell(row, column)));
    missing[row] = word.empty() ? 1 : 0;
    values[row] = word == "true" || word == "1" ? 1 : 0;
    if (values[row] == 0 && !word.empty() && word != "false" && word != "0") {
      fail_type(row, column, ColumnType::kBoolean);
    }
  }
  return Column::of_booleans(names_[column], std::move(values), std::move(missing));
}

Column CsvScanner::inferred_column(std::size_t column) const {
  std::vector<std::int64_t> longs;
  std::vector<std::uint8_t> missing;
  std::size_t row = 0;
  bool all_long = read_longs(column, longs, missing, row);
  bool any_value = std::find(missing.begin(), missing.end(), 0) != missing.end();
  if (all_long && any_value)
    return Column::of_longs(names_[column], std::move(longs), std::move(missing));
  std::vector<double> doubles;
  if (read_doubles(column, doubles, row))
    return Column::of_doubles(names_[column], std::move(doubles));
  return string_column(column);
}

Column CsvScanner::typed_column(std::size_t column, ColumnType type) const {
  std::size_t row = 0;
  if (type == ColumnType::kLong) {
    std::vector<std::int64_t> longs;
    std::vector<std::uint8_t> missing;
    if (!read_longs(column, longs, missing, row)) fail_type(row, column, type);
    return Column::of_longs(names_[column], std::move(longs), std::move(missing));
  }
  if (type == ColumnType::kDouble) {
    std::vector<double> doubles;
    if (!read_doubles(column, doubles, row)) fail_type(row, column, type);
    return Column::of_doubles(names_[column], std::move(doubles));
  }
  return type == ColumnType::kBoolean ? boolean_column(column) : string_column(column);
}

Table CsvScanner::table() const {
  std::unordered_map<std::string_view, ColumnType> types;
  for (const auto& given : options_.column_types) types[given.first] = given.second;
  std::vector<Column> columns;
  columns.reserve(names_.size());
  for (std::size_t i = 0; i < names_.size(); ++i) {
    auto given = types.find(names_[i]);
    columns.push_back(given == types.end() ? inferred_column(i) : typed_column(i, given->second));
  }
  return Table::of_columns(std::move(columns));
}

void append_csv_field(std::string& out, std::string_view text) {
  // 0xEF: a first name that starts with the bytes of a byte order mark would lose them.
  if (text.find_first_of(",\"\r\n\xEF") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void check_csv_text(std::string_view text, const std::string& column, const std::string& where) {
  if (is_utf8(text) && text.find('\0') == std::string_view::npos) return;
  throw Error(ErrorCode::kInvalidParameter,
              "column " + quoted(column) + ", " + where +
                  ": a text with a NUL or invalid UTF-8 cannot be written as CSV");
}

}  // namespace

Table parse_csv(std::string_view bytes, std::string_view name, const CsvOptions& options) {
  CsvScanner scanner(bytes, name, options);
  scanner.scan();
  return scanner.table();
}

std::string format_csv(const Table& table) {
  std::string out;
  for (std::size_t i = 0; i < table.column_count(); ++i) {
    const std::string& name = table.columns()[i].name();
    check_csv_text(name, name, "its name");
    if (i > 0) out += ',';
    append_csv_field(out, name);
  }
  out += '\n';
  for (std::size_t row = 0; row < table.row_count(); ++row) {
    for (std::size_t i = 0; i < table.column_count(); ++i) {
      const Column& column = table.columns()[i];
      if (i > 0) out += ',';
      if (column.type() == ColumnType::kString) {
        check_csv_text(column.text(row), column.name(), "row " + std::to_string(row));
        append_csv_field(out, column.text(row));
      } else {
        out += column.cell_text(row);
      }
    }
    // A lone empty cell would be a blank line, which readers skip.
    if (table.column_count() == 1 && out.back() == '\n') out += "\"\"";
    out += '\n';
  }
  return out;
}

}  // namespace mlrt
