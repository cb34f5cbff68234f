#include "model/signature.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "data/expect_error.hpp"

using mlrt::Column;
using mlrt::ColumnSpec;
using mlrt::ColumnType;
using mlrt::Signature;
using mlrt::Table;
using mlrt::test::message_of;

namespace {

// The column after it was made fit for the type.
Column signature_test_cast(const Column& column, const std::string& type) {
  return mlrt::enforce_schema(Table::of_columns({column}), {{{column.name(), type, true}}, {}})
      .columns()[0];
}

std::string signature_test_refusal(const Column& column, const std::string& type) {
  return message_of([&] { signature_test_cast(column, type); });
}

Column signature_test_missing(const std::string& type) {
  return signature_test_cast(Column::of_doubles("c", {NAN, NAN}), type);
}

}  // namespace

TEST_CASE("a schema is written as MLflow writes it, and read back") {
  std::vector<ColumnSpec> columns = {{"a \"b\"", "double", true}, {"c", "string", false}};
  std::string json = mlrt::format_schema(columns);
  CHECK(json ==
        "[{\"name\": \"a \\\"b\\\"\", \"type\": \"double\", \"required\": true}, "
        "{\"name\": \"c\", \"type\": \"string\", \"required\": false}]");
  CHECK(mlrt::format_schema(mlrt::parse_schema(json, "it")) == json);
  CHECK(mlrt::format_schema({}) == "[]");
  auto read = mlrt::parse_schema(R"([{"type": "long", "name": "x"}])", "it");
  REQUIRE(read.size() == 1);
  CHECK(read[0].name == "x");
  CHECK(read[0].required);
}

TEST_CASE("a schema that is none is refused with its place") {
  auto refusal = [](const char* json) {
    return message_of([&] { mlrt::parse_schema(json, "inputs"); });
  };
  CHECK(refusal("{}") == "inputs must be an array of columns");
  CHECK(refusal("[1]") == "inputs[0] must be an object with the key 'name'");
  CHECK(refusal(R"([{"name": "a"}])") == "inputs[0] lacks the key 'type'");
  CHECK(refusal(R"([{"name": "", "type": "long"}])") == "inputs[0]: 'name' is empty");
  CHECK(refusal(R"([{"name": "a", "type": "tensor"}])") ==
        "inputs[0]: 'type' is 'tensor'; known are boolean, integer, long, float, double, string");
  CHECK(refusal(R"([{"name": "a", "type": "long", "required": 1}])") ==
        "inputs[0]: 'required' must be a boolean");
  CHECK(refusal(R"([{"name": "a", "type": "long", "shape": []}])") ==
        "inputs[0] has keys other than name, type and required");
  CHECK(refusal(R"([{"name": "a", "type": "long"}, {"name": "a", "type": "long"}])") ==
        "inputs[1]: the name 'a' stands twice");
}

TEST_CASE("absent columns are named in MLflow's words, extra ones are left out") {
  Signature signature{{{"a", "double", true}, {"b", "double", true}, {"o", "long", false}}, {}};
  Table table = Table::of_columns({Column::of_doubles("x", {1}), Column::of_doubles("a", {2})});
  CHECK(message_of([&] { mlrt::enforce_schema(table, signature); }) ==
        "Model is missing inputs ['b']. Note that there were extra inputs: ['x'].");
  CHECK(message_of([&] { mlrt::enforce_schema(table.select({"a"}), signature); }) ==
        "Model is missing inputs ['b'].");
  CHECK(message_of([&] { mlrt::enforce_schema(Table(), signature); }) ==
        "Model is missing inputs ['a', 'b'].");
  table.set(Column::of_longs("b", {3}));
  Table fit = mlrt::enforce_schema(table, signature);
  CHECK(fit.column_names() == std::vector<std::string>{"a", "b"});
  CHECK(fit.column("b").type() == ColumnType::kDouble);
}

TEST_CASE("a message names at most a hundred columns") {
  Signature signature;
  for (int i = 0; i < 101; ++i) signature.inputs.push_back({"c" + std::to_string(i), "long", true});
  std::string message = message_of([&] { mlrt::enforce_schema(Table(), signature); });
  CHECK(message.substr(message.size() - 14) == ", 'c99', ...].");
}

TEST_CASE("casts that lose nothing are made") {
  CHECK(signature_test_cast(Column::of_longs("c", {1, 2}, {0, 1}), "double").is_missing(1));
  CHECK(signature_test_cast(Column::of_longs("c", {1, 2}, {0, 1}), "double").number(0) == 1.0);
  CHECK(signature_test_cast(Column::of_doubles("c", {5.0, -2.0}), "long").integer(1) == -2);
  CHECK(signature_test_cast(Column::of_longs("c", {7}), "integer").integer(0) == 7);
  CHECK(signature_test_cast(Column::of_doubles("c", {0.1, NAN}), "float").number(0) == 0.1f);
  CHECK(signature_test_cast(Column::of_doubles("c", {0.1, NAN}), "float").is_missing(1));
  CHECK(signature_test_cast(Column::of_doubles("c", {0.1, NAN}), "double").is_missing(1));
  CHECK(signature_test_cast(Column::of_booleans("c", {1, 0}, {0, 1}), "boolean").is_missing(1));
  CHECK(signature_test_cast(Column::of_strings("c", {"x", ""}, {0, 1}), "string").is_missing(1));
}

TEST_CASE("a column without any value fits every type but the whole numbers") {
  for (const char* type : {"boolean", "float", "double", "string"}) {
    CAPTURE(type);
    CHECK(signature_test_missing(type).missing_count() == 2);
  }
  CHECK(signature_test_missing("string").type() == ColumnType::kString);
  CHECK(signature_test_refusal(Column::of_doubles("c", {NAN}), "long") ==
        "Incompatible input types for column c. Can not safely convert float64 to int64. Row 0 has "
        "no value, "
        "which a long column must have.");
  CHECK(signature_test_cast(Column::of_doubles("c", {}), "long").type() == ColumnType::kLong);
}

TEST_CASE("values of another type are refused in MLflow's words") {
  const std::string prefix = "Incompatible input types for column c. Can not safely convert ";
  Column strings = Column::of_strings("c", {"x"});
  Column longs = Column::of_longs("c", {1});
  Column doubles = Column::of_doubles("c", {1.5});
  Column booleans = Column::of_booleans("c", {1});
  CHECK(signature_test_refusal(strings, "double") == prefix + "object to float64.");
  CHECK(signature_test_refusal(strings, "float") == prefix + "object to float32.");
  CHECK(signature_test_refusal(strings, "long") == prefix + "object to int64.");
  CHECK(signature_test_refusal(strings, "boolean") == prefix + "object to bool.");
  CHECK(signature_test_refusal(longs, "string") == prefix + "int64 to str.");
  CHECK(signature_test_refusal(longs, "boolean") == prefix + "int64 to bool.");
  CHECK(signature_test_refusal(booleans, "double") == prefix + "bool to float64.");
  CHECK(signature_test_refusal(booleans, "long") == prefix + "bool to int64.");
  CHECK(signature_test_refusal(doubles, "string") == prefix + "float64 to str.");
  CHECK(signature_test_refusal(doubles, "long") ==
        prefix + "float64 to int64. Row 0 is not a whole number.");
  CHECK(signature_test_refusal(Column::of_doubles("c", {1e300}), "long") ==
        prefix + "float64 to int64. Row 0 is not a whole number.");
  CHECK(signature_test_refusal(Column::of_longs("c", {1, 2}, {0, 1}), "long") ==
        prefix + "float64 to int64. Row 1 has no value, which a long column must have.");
  CHECK(signature_test_refusal(Column::of_longs("c", {1LL << 40}), "integer") ==
        prefix + "int64 to int32. Row 0 does not fit into 32 bits.");
  CHECK(signature_test_refusal(Column::of_longs("c", {(1LL << 53) + 1}), "double") ==
        prefix + "int64 to float64. Row 0 has more digits than a double holds.");
  CHECK(signature_test_refusal(Column::of_longs("c", {std::numeric_limits<std::int64_t>::max()}),
                               "double") ==
        prefix + "int64 to float64. Row 0 has more digits than a double holds.");
  CHECK(signature_test_refusal(Column::of_doubles("c", {1e300}), "float") ==
        prefix + "float64 to float32. Row 0 is beyond a float's range.");
  CHECK(signature_test_refusal(doubles, "datetime") ==
        "column 'c' has the type 'datetime'; known are boolean, integer, long, float, double, "
        "string");
}

TEST_CASE("the inputs' types tell a CSV reader what to read") {
  Signature signature{{{"a", "integer", true}, {"b", "float", true}, {"c", "string", true}}, {}};
  auto types = mlrt::input_column_types(signature);
  REQUIRE(types.size() == 3);
  CHECK(types[0] == std::make_pair(std::string("a"), ColumnType::kLong));
  CHECK(types[1] == std::make_pair(std::string("b"), ColumnType::kDouble));
  CHECK(types[2] == std::make_pair(std::string("c"), ColumnType::kString));
}
