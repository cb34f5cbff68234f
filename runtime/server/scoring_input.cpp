#include "server/scoring_input.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "data/csv.hpp"
#include "server/scoring_column.hpp"

namespace mlrt {
namespace {

constexpr const char* kScoringSplit = "dataframe_split";
constexpr const char* kScoringRecords = "dataframe_records";
constexpr const char* kScoringInstances = "instances";
constexpr const char* kScoringInputs = "inputs";
constexpr std::size_t kScoringNamesShown = 20;
constexpr std::size_t kScoringNoColumn = std::numeric_limits<std::size_t>::max();

std::string scoring_names(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kScoringNamesShown; ++i) {
    out += (i > 0 ? ", " : "") + quoted(names[i]);
  }
  if (names.size() > kScoringNamesShown) out += ", ...";
  return out;
}

std::string scoring_shape(std::size_t rows, const std::vector<std::string>& names) {
  std::string text = std::to_string(rows) + (rows == 1 ? " row" : " rows");
  return names.empty() ? text + " without columns" : text + " of " + scoring_names(names);
}

[[noreturn]] void throw_scoring_schema(const std::string& data, const Signature& signature,
                                       const std::string& why) {
  throw Error(ErrorCode::kInvalidParameter, scoring_schema_message(data, signature, why));
}

std::vector<ScoringColumn> scoring_columns(const Signature& signature) {
  return std::vector<ScoringColumn>(signature.inputs.begin(), signature.inputs.end());
}

// The table of the columns that came. When a required one did not, the others that came stand
// beside them by name, without values: the error of enforce_schema names them.
Table scoring_table(std::vector<ScoringColumn>& columns, const std::vector<std::uint8_t>& present,
                    std::size_t rows, const std::vector<std::string>& given) {
  std::vector<Column> made;
  bool complete = true;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (present[i] != 0) {
      made.push_back(columns[i].finish());
    } else if (columns[i].required()) {
      complete = false;
    }
  }
  if (!complete) {
    for (const std::string& name : given) {
      auto same = [&](const Column& column) { return column.name() == name; };
      if (made.size() >= kScoringNamesShown + columns.size()) break;
      if (name.empty() || std::any_of(made.begin(), made.end(), same)) continue;
      made.push_back(Column::of_doubles(name, std::vector<double>(rows, std::nan(""))));
    }
  }
  return Table::of_columns(std::move(made));
}

std::string scoring_label(const Json& name) {
  return name.is_string() ? name.get<std::string>() : dump_json(name);
}

// The names that pandas gives to columns without names.
std::vector<std::string> scoring_positions(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(count, kScoringNamesShown + 1); ++i) {
    names.push_back(std::to_string(i));
  }
  return names;
}

// ---- the four forms ----

[[noreturn]] void throw_scoring_split(const std::string& why) {
  throw_scoring_invalid("The field 'dataframe_split' is not a valid data frame: " + why);
}

void check_scoring_split_keys(const Json& split) {
  if (!split.is_object()) {
    throw_scoring_split(std::string("it must be an object with 'columns' and 'data', not ") +
                        (split.is_null() ? "null" : split.type_name()));
  }
  for (const auto& item : split.items()) {
    const std::string& key = item.key();
    if (key != "columns" && key != "data" && key != "index") {
      throw_scoring_split("it has the unknown field " + quoted(key) +
                          "; it takes 'columns', 'data' and 'index'");
    }
  }
  if (!split.contains("data")) throw_scoring_split("it has no 'data'");
  if (!split["data"].is_array()) throw_scoring_split("'data' must be a list of rows");
}

Table read_scoring_split(const Json& split, const Signature& signature) {
  check_scoring_split_keys(split);
  const Json& data = split["data"];
  const auto index = split.find("index");
  if (index != split.end() && !index->is_null() &&
      !(index->is_array() && index->size() == data.size())) {
    throw_scoring_split("'index' must be a list as long as 'data'");
  }
  const auto labels = split.find("columns");
  if (labels == split.end() || labels->is_null()) {
    const std::size_t width = !data.empty() && data[0].is_array() ? data[0].size() : 1;
    throw_scoring_schema(std::to_string(data.size()) + " rows without column names", signature,
                         "the model takes named columns: 'dataframe_split' needs 'columns' with " +
                             std::to_string(width) + " names.");
  }
  if (!labels->is_array()) throw_scoring_split("'columns' must be a list of names");

  // Where each column of the signature stands in a row.
  std::vector<ScoringColumn> columns = scoring_columns(signature);
  std::vector<std::size_t> position(columns.size(), kScoringNoColumn);
  std::vector<std::uint8_t> present(columns.size(), 0);
  std::map<std::string_view, std::size_t> by_name;
  for (std::size_t i = 0; i < columns.size(); ++i) by_name[columns[i].name()] = i;
  std::vector<std::string> given;
  for (std::size_t i = 0; i < labels->size(); ++i) {
    const Json& label = (*labels)[i];
    given.push_back(scoring_label(label));
    if (!label.is_string()) continue;  // a number names no column of ours, as in pandas
    const auto found = by_name.find(label.get_ref<const std::string&>());
    if (found == by_name.end()) continue;
    if (present[found->second] != 0) {
      throw_scoring_schema(scoring_shape(data.size(), given), signature,
                           "the column " + quoted(found->first) + " is given twice.");
    }
    present[found->second] = 1;
    position[found->second] = i;
    columns[found->second].reserve(data.size());
  }

  std::size_t row_number = 0;
  for (const Json& row : data) {
    if (!row.is_array() || row.size() != labels->size()) {
      throw_scoring_split(
          "row " + std::to_string(row_number) +
          (row.is_array() ? " has " + std::to_string(row.size()) + " values" : " is not a list") +
          "; each row must have one value for each of the " + std::to_string(labels->size()) +
          " columns");
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (present[i] != 0) columns[i].add(row[position[i]]);
    }
    ++row_number;
  }
  return scoring_table(columns, present, data.size(), given);
}

// A list of objects. `same_keys`: a column that some records lack is an error, not missing values.
Table read_scoring_records(const Json& records, const Signature& signature, const char* field,
                           bool same_keys) {
  std::vector<ScoringColumn> columns = scoring_columns(signature);
  // Both the keys of an object and this order are sorted, so a record is one walk over both.
  std::vector<std::size_t> order(columns.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return columns[a].name() < columns[b].name(); });
  std::vector<std::uint8_t> present(columns.size(), 0);
  std::vector<std::string> given;
  std::size_t rows = 0;
  for (const Json& record : records) {
    if (!record.is_object()) {
      throw_scoring_invalid(std::string("The field '") + field +
                            "' must be a list of records: element " + std::to_string(rows) +
                            " is " + (record.is_null() ? "null" : record.type_name()) +
                            ", not an object");
    }
    std::size_t at = 0;
    for (auto item = record.begin(); item != record.end() && at < order.size(); ++item) {
      while (at < order.size() && columns[order[at]].name() < item.key()) ++at;
      if (at == order.size() || columns[order[at]].name() != item.key()) continue;
      ScoringColumn& column = columns[order[at]];
      if (present[order[at]] == 0) {
        present[order[at]] = 1;
        column.reserve(records.size());
      }
      while (column.size() < rows) column.add_missing();
      column.add(*item);
    }
    ++rows;
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (present[i] == 0 || columns[i].size() == rows) continue;
    if (same_keys && columns[i].required()) {
      throw_scoring_invalid("The length of values for each input/column name are not the same");
    }
    while (columns[i].size() < rows) columns[i].add_missing();
  }
  if (!records.empty()) {
    for (const auto& item : records[0].items()) given.push_back(item.key());
  }
  return scoring_table(columns, present, rows, given);
}

// An object of columns, each a list of equal length, or all of them single values for one row.
Table read_scoring_columns(const Json& object, const Signature& signature) {
  std::vector<ScoringColumn> columns = scoring_columns(signature);
  std::vector<std::uint8_t> present(columns.size(), 0);
  std::vector<std::string> given;
  for (const auto& item : object.items()) given.push_back(item.key());
  std::size_t rows = 0;
  bool first = true;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto values = object.find(columns[i].name());
    if (values == object.end()) continue;
    present[i] = 1;
    const std::size_t size = values->is_array() ? values->size() : 1;
    if (!first && size != rows) {
      throw_scoring_schema(
          std::to_string(given.size()) + " columns " + scoring_names(given), signature,
          "all columns must have the same length, but " + quoted(columns[i].name()) + " has " +
              std::to_string(size) + ", not " + std::to_string(rows) + ".");
    }
    first = false;
    rows = size;
    columns[i].reserve(rows);
    if (values->is_array()) {
      for (const Json& cell : *values) columns[i].add(cell);
    } else {
      columns[i].add(*values);
    }
  }
  return scoring_table(columns, present, rows, given);
}

Table read_scoring_rows(const Json& value, const Signature& signature, const char* field) {
  if (value.is_object()) return read_scoring_columns(value, signature);
  const bool records = value.is_array() && (value.empty() || value[0].is_object());
  if (!records) {
    throw_scoring_schema(
        std::string("a ") + (value.is_array() ? "tensor" : value.type_name()), signature,
        std::string("the model takes named columns, not a tensor: '") + field +
            "' must be a list of records, [{\"column\": value}], or an object of columns, "
            "{\"column\": [values]}.");
  }
  return read_scoring_records(value, signature, field,
                              std::string_view(field) == kScoringInstances);
}

// The one input field of a request.
std::pair<const char*, const Json*> scoring_field(const Json& request) {
  const std::string wanted =
      "The input must be a JSON dictionary with exactly one of the input fields 'dataframe_split', "
      "'dataframe_records', 'instances' and 'inputs'. ";
  if (!request.is_object()) {
    throw_scoring_invalid(
        wanted + "Received " +
        (request.is_array() ? "a list"
                            : std::string("unexpected input type '") + request.type_name() + "'") +
        ".");
  }
  std::vector<const char*> found;
  for (const char* name : {kScoringSplit, kScoringRecords, kScoringInstances, kScoringInputs}) {
    if (request.contains(name)) found.push_back(name);
  }
  if (found.size() != 1) {
    std::vector<std::string> names;
    for (const auto& item : request.items()) names.push_back(item.key());
    throw Error(ErrorCode::kBadRequest,
                wanted + "Received dictionary with input fields: [" + scoring_names(names) + "].");
  }
  return {found[0], &request[found[0]]};
}

Json read_scoring_request(std::string_view body) {
  try {
    JsonLimits limits;
    limits.allow_nan = true;  // Python's json writes NaN bare
    return parse_json(body, "the request body", limits);
  } catch (const Error& error) {
    throw_scoring_invalid("Ensure that input is a valid JSON formatted string. Error: " +
                          error.message());
  }
}

}  // namespace

Table parse_scoring_json(std::string_view body, const Signature& signature) {
  const Json request = read_scoring_request(body);
  const auto [name, value] = scoring_field(request);
  const std::string_view form = name;
  if (form == kScoringSplit) return read_scoring_split(*value, signature);
  if (form == kScoringRecords) {
    if (!value->is_array()) {
      throw_scoring_invalid(
          std::string("The field 'dataframe_records' must be a list of records. Got ") +
          (value->is_null() ? "null" : value->type_name()) + ".");
    }
    if (!value->empty() && !(*value)[0].is_object()) {
      const std::size_t width = (*value)[0].is_array() ? (*value)[0].size() : 1;
      throw_scoring_schema(scoring_shape(value->size(), scoring_positions(width)), signature,
                           "the model takes named columns: each record must be an object.");
    }
    return read_scoring_records(*value, signature, kScoringRecords, false);
  }
  return read_scoring_rows(*value, signature, name);
}

Table read_scoring_csv(std::string_view body, std::string_view name, const Signature& signature) {
  CsvOptions options;
  options.column_types = input_column_types(signature);
  return parse_csv(body, name, options);
}

Table parse_scoring_csv(std::string_view body, const Signature& signature) {
  try {
    return read_scoring_csv(body, "the request body", signature);
  } catch (const Error& error) {
    throw Error(ErrorCode::kBadRequest,
                "Failed to parse input as CSV with a header line. Error: " + error.message());
  }
}

std::string describe_scoring_table(const Table& table) {
  return scoring_shape(table.row_count(), table.column_names());
}

std::string scoring_schema_message(const std::string& data, const Signature& signature,
                                   const std::string& why) {
  std::string schema = "[";
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const ColumnSpec& spec = signature.inputs[i];
    if (i == kScoringNamesShown) {
      schema += ", ...";
      break;
    }
    schema += (i > 0 ? ", " : "") + quoted(spec.name) + ": " + spec.type +
              (spec.required ? " (required)" : " (optional)");
  }
  schema += "]";
  return "Failed to predict data '" + data + "'. \nError: Failed to enforce schema of data '" +
         data + "' with schema '" + schema + "'. Error: " + why;
}

}  // namespace mlrt
