#ifndef MLRT_SERVER_SCORING_INPUT_HPP_
#define MLRT_SERVER_SCORING_INPUT_HPP_

#include <string>
#include <string_view>

#include "data/table.hpp"
#include "model/signature.hpp"

namespace mlrt {

// The body of a scoring request as the table that `signature` wants: its columns with its types, in
// its order. Columns that the signature does not have are left out. When a required one is absent,
// what came is in the table by name, so that enforce_schema can tell both.
//
// Cells are cast as MLflow's scoring server casts them: whole numbers and numeric text to doubles,
// booleans to 0 and 1, numbers to text; null and NaN are missing. Where it would change a value
// without a word (2.5 for a long, a number beyond 64 bits), this refuses.
//
// Throw kBadRequest ("Invalid input. ...") for what cannot be read as rows of values, and
// kInvalidParameter for rows that are not named columns.

// JSON with exactly one of dataframe_split, dataframe_records, instances and inputs. Other keys,
// `params` among them, are ignored.
Table parse_scoring_json(std::string_view body, const Signature& signature);

// CSV with a header.
Table parse_scoring_csv(std::string_view body, const Signature& signature);
// The same for a file, which messages call `name`. Throws what parse_csv throws.
Table read_scoring_csv(std::string_view body, std::string_view name, const Signature& signature);

// The error of a request whose rows do not fit `signature`, in MLflow's words: "Failed to predict
// data ... Error: Failed to enforce schema of data ... Error: " and `why`.
std::string scoring_schema_message(const std::string& data, const Signature& signature,
                                   const std::string& why);

// What a message says of the data: "2 rows of 'a', 'b'". The values stay out of messages and logs.
std::string describe_scoring_table(const Table& table);

}  // namespace mlrt

#endif  // MLRT_SERVER_SCORING_INPUT_HPP_
