#ifndef MLRT_DATA_TABLE_HPP_
#define MLRT_DATA_TABLE_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

enum class ColumnType { kBoolean, kLong, kDouble, kString };

// "boolean", "long", "double", "string": MLflow's names.
const char* column_type_name(ColumnType type);

// One named column of values of one type, any of which may be missing.
class Column {
 public:
  // `missing` holds a 1 for each row without a value; empty means that none is missing. A NaN among
  // doubles is missing. Throws kInvalidParameter if the sizes differ.
  static Column of_doubles(std::string name, std::vector<double> values);
  static Column of_longs(std::string name, std::vector<std::int64_t> values,
                         std::vector<std::uint8_t> missing = {});
  static Column of_booleans(std::string name, std::vector<std::uint8_t> values,
                            std::vector<std::uint8_t> missing = {});
  static Column of_strings(std::string name, std::vector<std::string> values,
                           std::vector<std::uint8_t> missing = {});

  const std::string& name() const { return name_; }
  ColumnType type() const { return type_; }
  std::size_t size() const { return size_; }
  bool is_numeric() const { return type_ != ColumnType::kString; }

  bool is_missing(std::size_t row) const;
  std::size_t missing_count() const;

  // `row` is below size() in all of these; that is not checked.
  // The value as a double (booleans 0 and 1); NaN if missing. Throws kInvalidParameter for a string
  // column.
  double number(std::size_t row) const;
  // The value of a long or boolean column (0 if missing). Throws kInvalidParameter for another
  // type.
  std::int64_t integer(std::size_t row) const;
  // The value of a string column ("" if missing). Throws kInvalidParameter for another type.
  const std::string& text(std::size_t row) const;
  // Any value as text: shortest decimal form, "true"/"false", the string itself; "" if missing.
  std::string cell_text(std::size_t row) const;

  // The rows of `rows`, in that order. Throws kInvalidParameter for a row that does not exist.
  Column take(const std::vector<std::size_t>& rows) const;
  Column renamed(std::string name) const;

 private:
  Column(std::string name, ColumnType type, std::size_t size, std::vector<std::uint8_t> missing);
  std::string name_;
  ColumnType type_;
  std::size_t size_;
  std::vector<double> doubles_;
  std::vector<std::int64_t> integers_;  // longs and booleans
  std::vector<std::string> strings_;
  std::vector<std::uint8_t> missing_;  // empty: none
};

// Columns of equal length, in order. A value type.
class Table {
 public:
  // Throws kInvalidParameter for an empty or repeated name, and for lengths that differ.
  static Table of_columns(std::vector<Column> columns);

  std::size_t row_count() const { return columns_.empty() ? 0 : columns_.front().size(); }
  std::size_t column_count() const { return columns_.size(); }
  const std::vector<Column>& columns() const { return columns_; }
  std::vector<std::string> column_names() const;

  bool has(std::string_view name) const;
  // Throws kInvalidParameter that names the column and the nearest existing name.
  const Column& column(std::string_view name) const;

  // Adds a column, or replaces the one of that name in place. Throws kInvalidParameter, the table
  // unchanged, if its name is empty or its length is not that of the other columns.
  void set(Column column);

  // The named columns, in that order. Throws as column() does, and for a name given twice.
  Table select(const std::vector<std::string>& names) const;
  Table take(const std::vector<std::size_t>& rows) const;

  // SHA-256 of the row's cells: column names sorted by byte, each with its cell text (both behind
  // their length as 8 little-endian bytes), so that neither the order of columns nor that of rows
  // matters, nor whether 12 was read as a long or as a double. A missing cell is an empty one.
  std::string row_hash(std::size_t row) const;  // 64 hex digits

  // Splits the rows by a hash of their content: bucket = first 8 bytes of the row's SHA-256
  // (big-endian) modulo the sum of `weights`; split i gets the i-th run of weights[i] buckets (as
  // TFX's ExampleGen does; its default is {2, 1}). Equal rows always meet in the same split, in
  // every run and on every machine. Throws kInvalidParameter if weights is empty or sums to 0 or to
  // more than 2^31.
  std::vector<Table> split(const std::vector<std::uint32_t>& weights) const;

  // SHA-256 over names, types and cells in order, 16 hex digits: MLflow's dataset digest.
  std::string digest() const;

 private:
  std::vector<Column> columns_;
};

}  // namespace mlrt

#endif  // MLRT_DATA_TABLE_HPP_
