#include "model/signature.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

struct SchemaType {
  const char* name;        // MLflow's
  const char* numpy_name;  // as MLflow's messages call it
  ColumnType column_type;  // ours
};

constexpr SchemaType kSchemaTypes[] = {
    {"boolean", "bool", ColumnType::kBoolean},  {"integer", "int32", ColumnType::kLong},
    {"long", "int64", ColumnType::kLong},       {"float", "float32", ColumnType::kDouble},
    {"double", "float64", ColumnType::kDouble}, {"string", "str", ColumnType::kString},
};

const SchemaType* find_schema_type(std::string_view name) {
  for (const SchemaType& type : kSchemaTypes) {
    if (name == type.name) return &type;
  }
  return nullptr;
}

const SchemaType& schema_type(const ColumnSpec& spec) {
  const SchemaType* type = find_schema_type(spec.type);
  if (type != nullptr) return *type;
  throw Error(ErrorCode::kInvalidParameter,
              "column " + quoted(spec.name) + " has the type " + quoted(spec.type) +
                  "; known are boolean, integer, long, float, double, string");
}

// Python's repr of a list of strings, which MLflow's messages show; a long one is cut.
std::string schema_python_list(const std::vector<std::string_view>& names) {
  constexpr std::size_t kNamesShown = 100;
  std::string out = "[";
  for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) {
    if (i > 0) out += ", ";
    out += quoted(names[i], 256);
  }
  return out + (names.size() > kNamesShown ? ", ...]" : "]");
}

// The numpy type that MLflow would have for the column.
const char* schema_numpy_type(const Column& column) {
  switch (column.type()) {
    case ColumnType::kBoolean:
      return column.missing_count() > 0 ? "object" : "bool";
    case ColumnType::kLong:
      return column.missing_count() > 0 ? "float64" : "int64";
    case ColumnType::kDouble:
      return "float64";
    case ColumnType::kString:
      return "object";
  }
  return "object";
}

[[noreturn]] void throw_schema_cast(const Column& column, const SchemaType& wanted,
                                    const std::string& hint = {}) {
  throw Error(ErrorCode::kInvalidParameter,
              "Incompatible input types for column " + column.name() + ". Can not safely convert " +
                  schema_numpy_type(column) + " to " + wanted.numpy_name + "." + hint);
}

std::string schema_cast_row(std::size_t row) { return " Row " + std::to_string(row); }

// Whole numbers without loss; none may be missing.
Column schema_cast_to_longs(const Column& column, const SchemaType& wanted) {
  if (column.type() != ColumnType::kLong && column.type() != ColumnType::kDouble)
    throw_schema_cast(column, wanted);
  bool narrow = std::string_view(wanted.name) == "integer";
  constexpr double kExact =
      9007199254740992.0;  // 2^53: beyond it doubles are not all the whole numbers
  std::vector<std::int64_t> values(column.size());
  for (std::size_t row = 0; row < column.size(); ++row) {
    if (column.is_missing(row)) {
      throw_schema_cast(
          column, wanted,
          schema_cast_row(row) + " has no value, which a " + wanted.name + " column must have.");
    }
    if (column.type() == ColumnType::kLong) {
      values[row] = column.integer(row);
    } else {
      double value = column.number(row);
      if (!(std::fabs(value) <= kExact) || value != std::floor(value)) {
        throw_schema_cast(column, wanted, schema_cast_row(row) + " is not a whole number.");
      }
      values[row] = static_cast<std::int64_t>(value);
    }
    if (narrow && (values[row] < std::numeric_limits<std::int32_t>::min() ||
                   values[row] > std::numeric_limits<std::int32_t>::max())) {
      throw_schema_cast(column, wanted, schema_cast_row(row) + " does not fit into 32 bits.");
    }
  }
  return Column::of_longs(column.name(), std::move(values));
}

Column schema_cast_to_doubles(const Column& column, const SchemaType& wanted) {
  if (column.type() == ColumnType::kDouble && std::string_view(wanted.name) == "double")
    return column;
  if (column.type() != ColumnType::kLong && column.type() != ColumnType::kDouble)
    throw_schema_cast(column, wanted);
  bool narrow = std::string_view(wanted.name) == "float";
  std::vector<double> values(column.size());
  for (std::size_t row = 0; row < column.size(); ++row) {
    double value = column.number(row);
    // 2^63 as a double is one beyond the longs.
    bool exact =
        column.type() == ColumnType::kDouble || column.is_missing(row) ||
        (value < 9223372036854775808.0 && static_cast<std::int64_t>(value) == column.integer(row));
    if (!exact)
      throw_schema_cast(column, wanted,
                        schema_cast_row(row) + " has more digits than a double holds.");
    if (narrow && std::isfinite(value)) {
      if (std::fabs(value) > static_cast<double>(std::numeric_limits<float>::max())) {
        throw_schema_cast(column, wanted, schema_cast_row(row) + " is beyond a float's range.");
      }
      value = static_cast<double>(static_cast<float>(value));
    }
    values[row] = value;
  }
  return Column::of_doubles(column.name(), std::move(values));
}

// A column without any value has no type of its own; only a long cannot be missing.
Column schema_cast_all_missing(const Column& column, const SchemaType& wanted) {
  std::size_t size = column.size();
  std::vector<std::uint8_t> missing(size, 1);
  switch (wanted.column_type) {
    case ColumnType::kBoolean:
      return Column::of_booleans(column.name(), std::vector<std::uint8_t>(size),
                                 std::move(missing));
    case ColumnType::kString:
      return Column::of_strings(column.name(), std::vector<std::string>(size), std::move(missing));
    case ColumnType::kDouble:
      return Column::of_doubles(
          column.name(), std::vector<double>(size, std::numeric_limits<double>::quiet_NaN()));
    case ColumnType::kLong:
      break;
  }
  if (size == 0) return Column::of_longs(column.name(), {});
  throw_schema_cast(
      column, wanted,
      schema_cast_row(0) + " has no value, which a " + wanted.name + " column must have.");
}

Column schema_cast_column(const Column& column, const ColumnSpec& spec) {
  const SchemaType& wanted = schema_type(spec);
  if (column.missing_count() == column.size()) return schema_cast_all_missing(column, wanted);
  switch (wanted.column_type) {
    case ColumnType::kLong:
      return schema_cast_to_longs(column, wanted);
    case ColumnType::kDouble:
      return schema_cast_to_doubles(column, wanted);
    case ColumnType::kBoolean:
    case ColumnType::kString:
      break;
  }
  if (column.type() != wanted.column_type) throw_schema_cast(column, wanted);
  return column;
}

}  // namespace

std::string format_schema(const std::vector<ColumnSpec>& columns) {
  std::string out = "[";
  for (const ColumnSpec& column : columns) {
    if (out.size() > 1) out += ", ";
    out += "{\"name\": " + dump_json(Json(column.name)) +
           ", \"type\": " + dump_json(Json(column.type)) +
           ", \"required\": " + (column.required ? "true" : "false") + "}";
  }
  return out + "]";
}

std::vector<ColumnSpec> parse_schema(std::string_view json, std::string_view what) {
  Json parsed = parse_json(json, what);
  if (!parsed.is_array()) {
    throw Error(ErrorCode::kInvalidParameter, std::string(what) + " must be an array of columns");
  }
  std::vector<ColumnSpec> columns;
  std::unordered_set<std::string> seen;
  for (const Json& item : parsed) {
    std::string path = std::string(what) + "[" + std::to_string(columns.size()) + "]";
    ColumnSpec spec;
    spec.name = json_string(item, "name", path);
    spec.type = json_string(item, "type", path);
    auto required = item.find("required");
    if (required != item.end()) {
      if (!required->is_boolean())
        throw Error(ErrorCode::kInvalidParameter, path + ": 'required' must be a boolean");
      spec.required = required->get<bool>();
    }
    if (item.size() > (required != item.end() ? 3u : 2u)) {
      throw Error(ErrorCode::kInvalidParameter,
                  path + " has keys other than name, type and required");
    }
    if (spec.name.empty()) throw Error(ErrorCode::kInvalidParameter, path + ": 'name' is empty");
    if (find_schema_type(spec.type) == nullptr) {
      throw Error(ErrorCode::kInvalidParameter,
                  path + ": 'type' is " + quoted(spec.type) +
                      "; known are boolean, integer, long, float, double, string");
    }
    if (!seen.insert(spec.name).second) {
      throw Error(ErrorCode::kInvalidParameter,
                  path + ": the name " + quoted(spec.name) + " stands twice");
    }
    columns.push_back(std::move(spec));
  }
  return columns;
}

std::vector<std::pair<std::string, ColumnType>> input_column_types(const Signature& signature) {
  std::vector<std::pair<std::string, ColumnType>> types;
  types.reserve(signature.inputs.size());
  for (const ColumnSpec& spec : signature.inputs)
    types.emplace_back(spec.name, schema_type(spec).column_type);
  return types;
}

Table enforce_schema(const Table& table, const Signature& signature) {
  std::unordered_map<std::string_view, const Column*> given;
  for (const Column& column : table.columns()) given.emplace(column.name(), &column);
  std::vector<Column> columns;
  columns.reserve(signature.inputs.size());
  std::vector<std::string_view> absent;
  std::unordered_set<std::string_view> known;
  for (const ColumnSpec& spec : signature.inputs) {
    known.insert(spec.name);
    if (spec.required && given.find(spec.name) == given.end()) absent.push_back(spec.name);
  }
  std::vector<std::string_view> extra;
  for (const Column& column : table.columns()) {
    if (known.find(column.name()) == known.end()) extra.push_back(column.name());
  }
  if (!absent.empty()) {
    std::string message = "Model is missing inputs " + schema_python_list(absent) + ".";
    if (!extra.empty())
      message += " Note that there were extra inputs: " + schema_python_list(extra) + ".";
    throw Error(ErrorCode::kInvalidParameter, message);
  }
  if (!extra.empty()) {
    log_info("Found extra inputs in the model input that are not defined in the model signature: " +
             schema_python_list(extra) + ". These inputs will be ignored.");
  }
  for (const ColumnSpec& spec : signature.inputs) {
    auto found = given.find(spec.name);
    if (found != given.end()) columns.push_back(schema_cast_column(*found->second, spec));
  }
  return Table::of_columns(std::move(columns));
}

}  // namespace mlrt
