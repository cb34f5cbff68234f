#include "server/scoring_column.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr ScoringType kScoringTypes[] = {
    {"boolean", "bool", ScoringCell::kBoolean},  {"integer", "int32", ScoringCell::kInteger},
    {"long", "int64", ScoringCell::kLong},       {"float", "float32", ScoringCell::kFloat},
    {"double", "float64", ScoringCell::kDouble}, {"string", "str", ScoringCell::kString},
};

// What a message says of a cell that does not fit; long texts are cut.
std::string scoring_cell_text(const Json& cell) {
  if (cell.is_string()) return quoted(cell.get_ref<const std::string&>());
  if (cell.is_structured()) return std::string("an ") + cell.type_name();
  return cell.is_null() ? "null" : dump_json(cell);
}

// Numbers as text the way Python's str writes them: 5 is "5", 5.0 is "5.0".
std::string scoring_number_text(const Json& cell) {
  if (cell.is_number_unsigned()) return std::to_string(cell.get<std::uint64_t>());
  if (cell.is_number_integer()) return std::to_string(cell.get<std::int64_t>());
  std::string text = format_double(cell.get<double>());
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

const ScoringType& scoring_type(const ColumnSpec& spec) {
  for (const ScoringType& type : kScoringTypes) {
    if (spec.type == type.name) return type;
  }
  throw Error(ErrorCode::kInternal, "the model's signature has the type " + quoted(spec.type) +
                                        ", which cannot be served");
}

ColumnType scoring_column_type(ScoringCell cell) {
  switch (cell) {
    case ScoringCell::kBoolean:
      return ColumnType::kBoolean;
    case ScoringCell::kInteger:
    case ScoringCell::kLong:
      return ColumnType::kLong;
    case ScoringCell::kString:
      return ColumnType::kString;
    default:
      return ColumnType::kDouble;
  }
}

void throw_scoring_invalid(const std::string& why) {
  throw Error(ErrorCode::kBadRequest, "Invalid input. " + why);
}

void ScoringColumn::fail(const Json& cell, const char* why) const {
  throw_scoring_invalid("Data is not compatible with model signature. Failed to convert column " +
                        quoted(spec_.name) + " to type '" + type_.numpy_name + "'. Error: row " +
                        std::to_string(size_) + ": " + scoring_cell_text(cell) + " " + why);
}

double ScoringColumn::number(const Json& cell) const {
  if (cell.is_number()) return cell.get<double>();
  if (cell.is_boolean()) return cell.get<bool>() ? 1 : 0;
  double value = 0;
  if (!cell.is_string() || !parse_double(trim(cell.get_ref<const std::string&>()), value)) {
    fail(cell, "is not a number");
  }
  return value;
}

std::int64_t ScoringColumn::integer(const Json& cell) const {
  const bool narrow = type_.cell == ScoringCell::kInteger;
  constexpr double kLongEnd = 9223372036854775808.0;  // 2^63
  std::int64_t value = 0;
  long long parsed = 0;
  if (cell.is_number_unsigned()) {
    const auto wide = cell.get<std::uint64_t>();
    if (wide > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail(cell, "is too large");
    }
    value = static_cast<std::int64_t>(wide);
  } else if (cell.is_number_integer()) {
    value = cell.get<std::int64_t>();
  } else if (cell.is_number_float()) {
    const double number = cell.get<double>();
    if (number != std::floor(number)) fail(cell, "is not a whole number");
    if (!(number >= -kLongEnd && number < kLongEnd)) fail(cell, "is too large");
    value = static_cast<std::int64_t>(number);
  } else if (cell.is_boolean()) {
    value = cell.get<bool>() ? 1 : 0;
  } else if (cell.is_string() && parse_int64(trim(cell.get_ref<const std::string&>()), parsed)) {
    value = parsed;
  } else {
    fail(cell, "is not a whole number");
  }
  if (narrow && (value < std::numeric_limits<std::int32_t>::min() ||
                 value > std::numeric_limits<std::int32_t>::max())) {
    fail(cell, "is too large");
  }
  return value;
}

void ScoringColumn::add(const Json& cell) {
  if (cell.is_null()) return add_missing();
  switch (type_.cell) {
    case ScoringCell::kDouble:
      doubles_.push_back(number(cell));
      break;
    case ScoringCell::kFloat:
      doubles_.push_back(static_cast<double>(static_cast<float>(number(cell))));
      break;
    case ScoringCell::kInteger:
    case ScoringCell::kLong:
      longs_.push_back(integer(cell));
      break;
    case ScoringCell::kBoolean: {
      const double value = cell.is_string() ? std::nan("") : number(cell);
      if (value != 0 && value != 1) fail(cell, "is not true or false");
      booleans_.push_back(value == 1 ? 1 : 0);
      break;
    }
    case ScoringCell::kString:
      if (cell.is_structured()) fail(cell, "is not a text");
      strings_.push_back(cell.is_string()    ? cell.get<std::string>()
                         : cell.is_boolean() ? (cell.get<bool>() ? "True" : "False")
                                             : scoring_number_text(cell));
      break;
  }
  missing_.push_back(0);
  ++size_;
}

void ScoringColumn::add_missing() {
  switch (scoring_column_type(type_.cell)) {
    case ColumnType::kDouble:
      doubles_.push_back(std::nan(""));
      break;
    case ColumnType::kString:
      strings_.emplace_back();
      break;
    case ColumnType::kLong:
    case ColumnType::kBoolean:
      // Neither numpy's integers nor its booleans have a missing value.
      fail(Json(), "(a missing value) is not allowed in this column");
  }
  missing_.push_back(1);
  ++size_;
}

Column ScoringColumn::finish() {
  const bool any_missing = std::find(missing_.begin(), missing_.end(), 1) != missing_.end();
  if (!any_missing) missing_.clear();
  switch (scoring_column_type(type_.cell)) {
    case ColumnType::kDouble:
      return Column::of_doubles(spec_.name, std::move(doubles_));
    case ColumnType::kLong:
      return Column::of_longs(spec_.name, std::move(longs_), std::move(missing_));
    case ColumnType::kBoolean:
      return Column::of_booleans(spec_.name, std::move(booleans_), std::move(missing_));
    case ColumnType::kString:
      break;
  }
  return Column::of_strings(spec_.name, std::move(strings_), std::move(missing_));
}

}  // namespace mlrt
