#ifndef MLRT_SERVER_SCORING_COLUMN_HPP_
#define MLRT_SERVER_SCORING_COLUMN_HPP_

// Internal: one column of a scoring request, filled cell by cell from JSON.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "data/table.hpp"
#include "model/signature.hpp"

namespace mlrt {

enum class ScoringCell { kBoolean, kInteger, kLong, kFloat, kDouble, kString };

// MLflow's name of the type and numpy's, which MLflow's messages use.
struct ScoringType {
  const char* name;
  const char* numpy_name;
  ScoringCell cell;
};

// The type of the signature's column. Throws kInternal for one that cannot be served.
const ScoringType& scoring_type(const ColumnSpec& spec);
ColumnType scoring_column_type(ScoringCell cell);

// Throws kBadRequest, "Invalid input. " and `why`.
[[noreturn]] void throw_scoring_invalid(const std::string& why);

// Casts as parse_scoring_json says. Keeps a reference to its part of the signature.
class ScoringColumn {
 public:
  explicit ScoringColumn(const ColumnSpec& spec) : spec_(spec), type_(scoring_type(spec)) {}

  const std::string& name() const { return spec_.name; }
  bool required() const { return spec_.required; }
  std::size_t size() const { return size_; }

  void reserve(std::size_t rows) {
    const ColumnType type = scoring_column_type(type_.cell);
    if (type == ColumnType::kDouble) doubles_.reserve(rows);
    if (type == ColumnType::kLong) longs_.reserve(rows);
    if (type == ColumnType::kBoolean) booleans_.reserve(rows);
    if (type == ColumnType::kString) strings_.reserve(rows);
    missing_.reserve(rows);
  }

  // Throw kBadRequest that names column, row and cell when the cell does not fit.
  void add(const Json& cell);
  void add_missing();
  Column finish();  // what was added; the object is empty then

 private:
  [[noreturn]] void fail(const Json& cell, const char* why) const;
  double number(const Json& cell) const;
  std::int64_t integer(const Json& cell) const;

  const ColumnSpec& spec_;
  const ScoringType& type_;
  std::size_t size_ = 0;
  std::vector<double> doubles_;
  std::vector<std::int64_t> longs_;
  std::vector<std::uint8_t> booleans_;
  std::vector<std::string> strings_;
  std::vector<std::uint8_t> missing_;
};

}  // namespace mlrt

#endif  // MLRT_SERVER_SCORING_COLUMN_HPP_
