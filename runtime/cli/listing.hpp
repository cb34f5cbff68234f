#ifndef MLRT_CLI_LISTING_HPP_
#define MLRT_CLI_LISTING_HPP_

#include <string>
#include <vector>

#include "cli/output.hpp"
#include "core/json.hpp"

namespace mlrt {

// How a command prints what it lists.
enum class OutputForm { kTable, kJson, kCsv };

struct OutputFlags {
  bool json = false;
  bool csv = false;
};

// Throws kUsage if both are asked for.
OutputForm output_form(const OutputFlags& flags);

// Indented, ended by a line break; invalid UTF-8 is replaced.
std::string json_text(const OrderedJson& value);

// A number as JSON, which has no word for NaN and infinities: MLflow writes them as text.
OrderedJson json_metric(double value);

// An array of objects as CSV (RFC 4180, lines end with \n): a column for each key, in order; an
// object within becomes a column for each of its keys ("params.l2"), sorted; null is empty, an
// array is its JSON text. `blank` is an object with all keys, for the titles of an empty array.
std::string json_as_csv(const OrderedJson& blank, const OrderedJson& list);

// One line of CSV.
std::string csv_line(const std::vector<std::string>& cells);

// Prints `list` as `form` has it; a table with no rows is replaced by `when_empty`, a line.
void print_listing(OutputForm form, const TextTable& table, const OrderedJson& blank,
                   const OrderedJson& list, const std::string& when_empty);

}  // namespace mlrt

#endif  // MLRT_CLI_LISTING_HPP_
