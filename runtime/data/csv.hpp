#ifndef MLRT_DATA_CSV_HPP_
#define MLRT_DATA_CSV_HPP_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/table.hpp"

namespace mlrt {

struct CsvOptions {
  char separator = ',';
  bool header = true;                     // the first record names the columns
  std::vector<std::string> column_names;  // without a header: the names; empty: "c0", "c1", ...
  // Columns whose type is known, as a model's signature knows it, and so is not inferred: a cell
  // that does not fit is an error. Names that the file does not have are ignored.
  std::vector<std::pair<std::string, ColumnType>> column_types;
};

// Reads CSV (RFC 4180: quotes, doubled quotes, line breaks inside quotes; CRLF or LF; a byte order
// mark and blank lines are skipped). A column's type is the first of long, double, string that all
// its non-empty cells fit (TFX's rule; blanks around a number do not count, "NaN" and "inf" are
// doubles); an empty cell is missing, and a column with no value at all is double. Throws
// kInvalidParameter as "name:line:column: what" (column counted in bytes from 1) for a record with
// too many or too few fields, an unclosed quote, text after a closing quote, a carriage return
// without its line feed, invalid UTF-8, a NUL, a doubled or empty column name, no header, more than
// 100,000 columns, or a cell that does not fit a given type; and for a separator that is a quote or
// a line break.
Table parse_csv(std::string_view bytes, std::string_view name, const CsvOptions& options = {});

// The table as CSV with a header. parse_csv reads back the same cell texts; types are inferred
// anew, so that a string column in which every value is a number comes back as numbers. Throws
// kInvalidParameter, naming column and row, for a text with a NUL or invalid UTF-8.
std::string format_csv(const Table& table);

}  // namespace mlrt

#endif  // MLRT_DATA_CSV_HPP_
