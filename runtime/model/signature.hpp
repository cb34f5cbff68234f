#ifndef MLRT_MODEL_SIGNATURE_HPP_
#define MLRT_MODEL_SIGNATURE_HPP_

#include <string>
#include <string_view>
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

// `table` with exactly the columns that `signature` wants, in its order and with its types, by MLflow's
// safe casts (integer to long, float to double, 32-bit integer to double; a missing long is refused).
// Columns that the signature does not have are left out. Throws kInvalidParameter with MLflow's words,
// "Model is missing inputs ['b'].", for absent required columns and for values of another type.
Table enforce_schema(const Table& table, const Signature& signature);

}  // namespace mlrt

#endif  // MLRT_MODEL_SIGNATURE_HPP_
