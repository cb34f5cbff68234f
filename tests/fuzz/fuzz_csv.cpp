// CSV: a table that was read is written and read again as the same cells.

#include "core/error.hpp"
#include "data/csv.hpp"
#include "fuzz_target.hpp"

namespace {

void check_csv_round_trip(const mlrt::Table& table) {
  // With the types given: "007" that was asked for as a string would be found to be a number else.
  mlrt::CsvOptions options;
  for (const mlrt::Column& column : table.columns()) {
    options.column_types.emplace_back(column.name(), column.type());
  }
  const mlrt::Table again = mlrt::parse_csv(mlrt::format_csv(table), "again", options);
  mlrt::fuzz::require(again.column_names() == table.column_names(), "CSV keeps column names");
  mlrt::fuzz::require(again.row_count() == table.row_count(), "CSV keeps the number of rows");
  for (std::size_t c = 0; c < table.column_count(); ++c) {
    for (std::size_t row = 0; row < table.row_count(); ++row) {
      mlrt::fuzz::require(again.columns()[c].cell_text(row) == table.columns()[c].cell_text(row),
                          "CSV keeps the text of cells");
    }
  }
}

void check_csv(std::string_view text, const mlrt::CsvOptions& options) {
  mlrt::Table table;
  try {
    table = mlrt::parse_csv(text, "input", options);
  } catch (const mlrt::Error&) {
    return;
  }
  if (table.column_count() == 0) return;  // no text stands for it
  check_csv_round_trip(table);            // it was read, so an error now is a defect
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = mlrt::fuzz::input_text(data, size);
  check_csv(text, {});
  mlrt::CsvOptions tabs;
  tabs.separator = '\t';
  tabs.header = false;
  check_csv(text, tabs);
  mlrt::CsvOptions typed;
  typed.column_types = {{"a", mlrt::ColumnType::kLong}, {"b", mlrt::ColumnType::kString}};
  check_csv(text, typed);
  return 0;
}
