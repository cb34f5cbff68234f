#include "data/table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>
#include <utility>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

[[noreturn]] void throw_column_type(const Column& column, const char* wanted) {
  throw Error(ErrorCode::kInvalidParameter, "column " + quoted(column.name()) + " holds " +
                                                column_type_name(column.type()) + " values, not " +
                                                wanted);
}

// A mask in which nothing is missing is dropped, so that equal columns are stored equally.
std::vector<std::uint8_t> checked_column_mask(const std::string& name, std::size_t size,
                                              std::vector<std::uint8_t> missing) {
  if (!missing.empty() && missing.size() != size) {
    throw Error(ErrorCode::kInvalidParameter,
                "column " + quoted(name) + " has " + std::to_string(size) + " values but " +
                    std::to_string(missing.size()) + " marks for missing ones");
  }
  bool any = false;
  for (std::uint8_t& mark : missing) {
    mark = mark != 0 ? 1 : 0;
    any = any || mark != 0;
  }
  if (!any) missing.clear();
  return missing;
}

void check_column_fits(const Column& column, std::size_t row_count) {
  if (column.name().empty()) throw Error(ErrorCode::kInvalidParameter, "a column needs a name");
  if (column.size() != row_count) {
    throw Error(ErrorCode::kInvalidParameter,
                "column " + quoted(column.name()) + " has " + std::to_string(column.size()) +
                    " rows, the table has " + std::to_string(row_count));
  }
}

void append_hash_size(std::string& out, std::uint64_t size) {
  for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>((size >> shift) & 0xFF);
}

void append_hash_text(std::string& out, std::string_view text) {
  append_hash_size(out, text.size());
  out += text;
}

std::vector<std::size_t> columns_by_name(const std::vector<Column>& columns) {
  std::vector<std::size_t> order(columns.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return columns[a].name() < columns[b].name(); });
  return order;
}

Sha256Digest hash_table_row(const std::vector<Column>& columns,
                            const std::vector<std::size_t>& order, std::size_t row,
                            std::string& buffer, Sha256& hash) {
  buffer.clear();
  for (std::size_t i : order) {
    append_hash_text(buffer, columns[i].name());
    if (columns[i].type() == ColumnType::kString) {
      append_hash_text(buffer, columns[i].text(row));
    } else {
      append_hash_text(buffer, columns[i].cell_text(row));
    }
  }
  hash.update(buffer);
  return hash.finish();
}

}  // namespace

const char* column_type_name(ColumnType type) {
  switch (type) {
    case ColumnType::kBoolean:
      return "boolean";
    case ColumnType::kLong:
      return "long";
    case ColumnType::kDouble:
      return "double";
    case ColumnType::kString:
      return "string";
  }
  return "unknown";
}

Column::Column(std::string name, ColumnType type, std::size_t size,
               std::vector<std::uint8_t> missing)
    : name_(std::move(name)), type_(type), size_(size), missing_(std::move(missing)) {}

Column Column::of_doubles(std::string name, std::vector<double> values) {
  Column column(std::move(name), ColumnType::kDouble, values.size(), {});
  column.doubles_ = std::move(values);
  return column;
}

Column Column::of_longs(std::string name, std::vector<std::int64_t> values,
                        std::vector<std::uint8_t> missing) {
  auto mask = checked_column_mask(name, values.size(), std::move(missing));
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0) values[i] = 0;
  }
  Column column(std::move(name), ColumnType::kLong, values.size(), std::move(mask));
  column.integers_ = std::move(values);
  return column;
}

Column Column::of_booleans(std::string name, std::vector<std::uint8_t> values,
                           std::vector<std::uint8_t> missing) {
  auto mask = checked_column_mask(name, values.size(), std::move(missing));
  Column column(std::move(name), ColumnType::kBoolean, values.size(), std::move(mask));
  column.integers_.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    column.integers_[i] = values[i] != 0 && !column.is_missing(i) ? 1 : 0;
  }
  return column;
}

Column Column::of_strings(std::string name, std::vector<std::string> values,
                          std::vector<std::uint8_t> missing) {
  auto mask = checked_column_mask(name, values.size(), std::move(missing));
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0) values[i].clear();
  }
  Column column(std::move(name), ColumnType::kString, values.size(), std::move(mask));
  column.strings_ = std::move(values);
  return column;
}

bool Column::is_missing(std::size_t row) const {
  if (type_ == ColumnType::kDouble) return std::isnan(doubles_[row]);
  return !missing_.empty() && missing_[row] != 0;
}

std::size_t Column::missing_count() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < size_; ++i) count += is_missing(i) ? 1 : 0;
  return count;
}

double Column::number(std::size_t row) const {
  if (type_ == ColumnType::kDouble) return doubles_[row];
  if (type_ == ColumnType::kString) throw_column_type(*this, "numbers");
  if (is_missing(row)) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(integers_[row]);
}

std::int64_t Column::integer(std::size_t row) const {
  if (type_ != ColumnType::kLong && type_ != ColumnType::kBoolean)
    throw_column_type(*this, "whole numbers");
  return integers_[row];
}

const std::string& Column::text(std::size_t row) const {
  if (type_ != ColumnType::kString) throw_column_type(*this, "strings");
  return strings_[row];
}

std::string Column::cell_text(std::size_t row) const {
  if (is_missing(row)) return {};
  switch (type_) {
    case ColumnType::kBoolean:
      return integers_[row] != 0 ? "true" : "false";
    case ColumnType::kLong:
      return std::to_string(integers_[row]);
    case ColumnType::kDouble:
      return format_double(doubles_[row]);
    case ColumnType::kString:
      return strings_[row];
  }
  return {};
}

Column Column::take(const std::vector<std::size_t>& rows) const {
  for (std::size_t row : rows) {
    if (row >= size_) {
      throw Error(ErrorCode::kInvalidParameter, "column " + quoted(name_) + " has no row " +
                                                    std::to_string(row) + ": it has " +
                                                    std::to_string(size_));
    }
  }
  std::vector<std::uint8_t> mask;
  if (!missing_.empty()) {
    mask.reserve(rows.size());
    for (std::size_t row : rows) mask.push_back(missing_[row]);
  }
  Column taken(name_, type_, rows.size(), checked_column_mask(name_, rows.size(), std::move(mask)));
  if (type_ == ColumnType::kDouble) {
    taken.doubles_.reserve(rows.size());
    for (std::size_t row : rows) taken.doubles_.push_back(doubles_[row]);
  } else if (type_ == ColumnType::kString) {
    taken.strings_.reserve(rows.size());
    for (std::size_t row : rows) taken.strings_.push_back(strings_[row]);
  } else {
    taken.integers_.reserve(rows.size());
    for (std::size_t row : rows) taken.integers_.push_back(integers_[row]);
  }
  return taken;
}

Column Column::renamed(std::string name) const {
  Column copy = *this;
  copy.name_ = std::move(name);
  return copy;
}

Table Table::of_columns(std::vector<Column> columns) {
  std::unordered_set<std::string_view> seen;
  for (const Column& column : columns) {
    check_column_fits(column, columns.front().size());
    if (!seen.insert(column.name()).second) {
      throw Error(ErrorCode::kInvalidParameter,
                  "column " + quoted(column.name()) + " stands twice in a table");
    }
  }
  Table table;
  table.columns_ = std::move(columns);
  return table;
}

std::vector<std::string> Table::column_names() const {
  std::vector<std::string> names;
  names.reserve(columns_.size());
  for (const Column& column : columns_) names.push_back(column.name());
  return names;
}

bool Table::has(std::string_view name) const {
  return std::any_of(columns_.begin(), columns_.end(),
                     [&](const Column& c) { return c.name() == name; });
}

const Column& Table::column(std::string_view name) const {
  for (const Column& column : columns_) {
    if (column.name() == name) return column;
  }
  std::vector<std::string> names = column_names();
  std::string hint = did_you_mean(name, names);
  if (hint.empty()) {
    constexpr std::size_t kNamesShown = 20;
    hint = names.empty() ? "; the table has no columns" : "; the columns are ";
    for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) {
      hint += (i > 0 ? ", " : "") + quoted(names[i]);
    }
    if (names.size() > kNamesShown) hint += ", ...";
  }
  throw Error(ErrorCode::kInvalidParameter, "there is no column " + quoted(name) + hint);
}

void Table::set(Column column) {
  auto same = std::find_if(columns_.begin(), columns_.end(),
                           [&](const Column& c) { return c.name() == column.name(); });
  bool has_others = columns_.size() > (same == columns_.end() ? 0u : 1u);
  check_column_fits(column, has_others ? row_count() : column.size());
  if (same == columns_.end()) {
    columns_.push_back(std::move(column));
  } else {
    *same = std::move(column);
  }
}

Table Table::select(const std::vector<std::string>& names) const {
  Table selected;
  std::unordered_set<std::string_view> seen;
  selected.columns_.reserve(names.size());
  for (const std::string& name : names) {
    if (!seen.insert(name).second) {
      throw Error(ErrorCode::kInvalidParameter, "column " + quoted(name) + " is selected twice");
    }
    selected.columns_.push_back(column(name));
  }
  return selected;
}

Table Table::take(const std::vector<std::size_t>& rows) const {
  Table taken;
  taken.columns_.reserve(columns_.size());
  for (const Column& column : columns_) taken.columns_.push_back(column.take(rows));
  return taken;
}

std::string Table::row_hash(std::size_t row) const {
  if (row >= row_count()) {
    throw Error(ErrorCode::kInvalidParameter, "the table has no row " + std::to_string(row) +
                                                  ": it has " + std::to_string(row_count()));
  }
  std::string buffer;
  Sha256 hash;
  return sha256_hex(hash_table_row(columns_, columns_by_name(columns_), row, buffer, hash));
}

std::vector<Table> Table::split(const std::vector<std::uint32_t>& weights) const {
  std::uint64_t total = 0;
  for (std::uint32_t weight : weights) total += weight;
  if (total == 0 || total > (std::uint64_t{1} << 31)) {
    throw Error(ErrorCode::kInvalidParameter,
                "the weights of a split must be whole numbers that sum to between 1 and "
                "2147483648, not to " +
                    std::to_string(total));
  }
  std::vector<std::vector<std::size_t>> rows(weights.size());
  std::vector<std::size_t> order = columns_by_name(columns_);
  std::string buffer;
  Sha256 hash;
  for (std::size_t row = 0; row < row_count(); ++row) {
    Sha256Digest digest = hash_table_row(columns_, order, row, buffer, hash);
    std::uint64_t bucket = 0;
    for (std::size_t i = 0; i < 8; ++i) bucket = (bucket << 8) | digest[i];
    bucket %= total;
    std::size_t part = 0;
    while (bucket >= weights[part]) bucket -= weights[part++];
    rows[part].push_back(row);
  }
  std::vector<Table> parts;
  parts.reserve(weights.size());
  for (const auto& part : rows) parts.push_back(take(part));
  return parts;
}

std::string Table::digest() const {
  // Missing cells count apart from empty ones here: their "size" is one that no text has.
  constexpr std::uint64_t kMissingMark = ~std::uint64_t{0};
  Sha256 hash;
  std::string buffer;
  append_hash_size(buffer, columns_.size());
  append_hash_size(buffer, row_count());
  for (const Column& column : columns_) {
    append_hash_text(buffer, column.name());
    append_hash_text(buffer, column_type_name(column.type()));
    for (std::size_t row = 0; row < column.size(); ++row) {
      if (column.is_missing(row)) {
        append_hash_size(buffer, kMissingMark);
      } else if (column.type() == ColumnType::kString) {
        append_hash_text(buffer, column.text(row));
      } else {
        append_hash_text(buffer, column.cell_text(row));
      }
      if (buffer.size() > 65536) {
        hash.update(buffer);
        buffer.clear();
      }
    }
  }
  hash.update(buffer);
  return sha256_hex(hash.finish()).substr(0, 16);
}

}  // namespace mlrt
