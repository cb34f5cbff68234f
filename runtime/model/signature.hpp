#ifndef MLRT_MODEL_SIGNATURE_HPP_
#define MLRT_MODEL_SIGNATURE_HPP_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/table.hpp"

namespace mlrt {

// One column of a model's input or output, by MLflow's type names: boolean, integer, long, float,
// double, string.
struct ColumnSpec {
  std::string name;
  std::string type;
  bool required = true;
};

// What a model takes and gives.
struct Signature {
  std::vector<ColumnSpec> inputs;
  std::vector<ColumnSpec> outputs;
};

// MLflow's JSON form of one side: [{"name": ..., "type": ..., "required": true}, ...].
std::string format_schema(const std::vector<ColumnSpec>& columns);
// Throws kInvalidParameter, naming `what`, for anything else.
std::vector<ColumnSpec> parse_schema(std::string_view json, std::string_view what);

// The type of each input as our tables have it (integer and long: kLong; float and double:
// kDouble), for CsvOptions::column_types: MLflow's server reads CSV by the signature too. Throws
// kInvalidParameter for an unknown type.
std::vector<std::pair<std::string, ColumnType>> input_column_types(const Signature& signature);

// `table` with exactly the columns that `signature` wants, in its order and with its types; columns
// that it does not have are left out, which the log tells at level info, and so are optional ones
// that `table` lacks. Casts lose nothing: whole numbers serve as doubles and whole doubles as
// longs, as in MLflow's server; a float is rounded to one. A boolean, string, float or double may
// be missing, a long or integer may not; a column without any value fits every other type. Throws
// kInvalidParameter with MLflow's words, "Model is missing inputs ['b'].", for absent required
// columns, and "Incompatible input types for column c. Can not safely convert object to float64."
// for values of another type.
Table enforce_schema(const Table& table, const Signature& signature);

}  // namespace mlrt

#endif  // MLRT_MODEL_SIGNATURE_HPP_
