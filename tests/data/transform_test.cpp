#include "data/transform.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "data/expect_error.hpp"

using mlrt::Column;
using mlrt::ColumnType;
using mlrt::FeatureSpec;
using mlrt::Matrix;
using mlrt::Table;
using mlrt::Transform;
using mlrt::test::ends_cleanly;
using mlrt::test::message_of;

namespace {

Table transform_test_table() {
  Table table;
  table.set(Column::of_longs("miles", {1, 2, 3, 0, 6}, {0, 0, 0, 1, 0}));
  table.set(Column::of_doubles("fare", {0.1, 0.1, 0.1, 0.1, 0.1}));
  table.set(Column::of_booleans("night", {1, 0, 0, 0, 1}, {0, 0, 0, 1, 0}));
  table.set(Column::of_strings("pay", {"Cash", "Card", "Card", "", "App"}, {0, 0, 0, 1, 0}));
  table.set(Column::of_longs("area", {7, 7, 8, 0, 9}, {0, 0, 0, 1, 0}));
  return table;
}

FeatureSpec transform_test_spec() {
  FeatureSpec spec;
  spec.standardize = {"miles", "fare"};
  spec.numeric = {"night"};
  spec.one_hot = {"pay", "area"};
  return spec;
}

const char* const kTransformTestJson =
    "{\"format\":1,\"steps\":[\n"
    "{\"op\":\"standardize\",\"column\":\"miles\",\"type\":\"long\",\"mean\":3,\"std_dev\":1."
    "8708286933869707},\n"
    "{\"op\":\"standardize\",\"column\":\"fare\",\"type\":\"double\",\"mean\":0.1,\"std_dev\":1},\n"
    "{\"op\":\"numeric\",\"column\":\"night\",\"type\":\"boolean\",\"mean\":0.5},\n"
    "{\"op\":\"one_hot\",\"column\":\"pay\",\"type\":\"string\",\"categories\":[\"Card\",\"App\","
    "\"Cash\"]},\n"
    "{\"op\":\"one_hot\",\"column\":\"area\",\"type\":\"double\",\"categories\":[\"7\",\"8\",\"9\"]"
    "}\n"
    "]}\n";

std::string transform_test_message(const FeatureSpec& spec,
                                   const Table& table = transform_test_table()) {
  return message_of([&] { Transform::fit(table, spec); });
}

std::string transform_test_json_message(const std::string& json) {
  return message_of([&] { Transform::from_json(json, "t.json"); });
}

}  // namespace

TEST_CASE("a transform is fitted by one pass, in the order standardize, numeric, one_hot") {
  Transform transform = Transform::fit(transform_test_table(), transform_test_spec());
  CHECK(transform.to_json() == kTransformTestJson);
  CHECK(transform.feature_count() == 9);
  CHECK(transform.feature_names() == std::vector<std::string>{"miles", "fare", "night", "pay=Card",
                                                              "pay=App", "pay=Cash", "area=7",
                                                              "area=8", "area=9"});
}

TEST_CASE("missing numbers become the mean; unknown and missing categories are all zero") {
  Transform transform = Transform::fit(transform_test_table(), transform_test_spec());
  Matrix matrix = transform.apply(transform_test_table());
  CHECK(matrix.rows == 5);
  CHECK(matrix.columns == 9);
  std::vector<double> first(matrix.row(0), matrix.row(0) + 9);
  CHECK(first == std::vector<double>{-2.0 / 1.8708286933869707, 0, 1, 0, 0, 1, 1, 0, 0});
  std::vector<double> missing(matrix.row(3), matrix.row(3) + 9);
  CHECK(missing == std::vector<double>{0, 0, 0.5, 0, 0, 0, 0, 0, 0});

  Table other = transform_test_table();
  other.set(Column::of_strings("pay", {"Gold", "Card", "", "x", "y"}));
  other.set(Column::of_doubles("area", {12.5, 8, 7, 9, std::nan("")}));
  matrix = transform.apply(other);
  CHECK(matrix.row(0)[3] + matrix.row(0)[4] + matrix.row(0)[5] == 0);
  CHECK(matrix.row(0)[6] + matrix.row(0)[7] + matrix.row(0)[8] == 0);
  CHECK(matrix.row(1)[3] == 1);
  CHECK(matrix.row(1)[7] == 1);
}

TEST_CASE("max_categories keeps the most frequent ones") {
  FeatureSpec spec;
  spec.one_hot = {"pay"};
  spec.max_categories = 2;
  CHECK(Transform::fit(transform_test_table(), spec).feature_names() ==
        std::vector<std::string>{"pay=Card", "pay=App"});
}

TEST_CASE("a transform works on columns of other types where that loses nothing") {
  Transform transform = Transform::fit(transform_test_table(), transform_test_spec());
  Table table = transform_test_table();
  table.set(Column::of_doubles("miles", {1.5, 2, 3, 4, 5}));
  table.set(Column::of_doubles("pay",
                               std::vector<double>(5, std::nan(""))));  // as an empty CSV column is
  table.set(Column::of_strings("fare", std::vector<std::string>(5), {1, 1, 1, 1, 1}));
  Matrix matrix = transform.apply(table);
  CHECK(matrix.row(0)[0] == (1.5 - 3) / 1.8708286933869707);
  CHECK(matrix.row(0)[1] == 0);
  CHECK(matrix.row(0)[3] == 0);
  table.set(Column::of_strings("miles", {"1", "2", "3", "4", "5"}));
  CHECK(message_of([&] { transform.apply(table); }) ==
        "column 'miles' holds string values where the model takes numbers");
  table.set(Column::of_longs("miles", {1, 2, 3, 4, 5}));
  table.set(Column::of_longs("pay", {1, 2, 3, 4, 5}));
  CHECK(message_of([&] { transform.apply(table); }) ==
        "column 'pay' holds long values where the model takes strings");
  CHECK(message_of([&] {
          transform.apply(transform_test_table().select({"miles", "fare"}));
        }) == "there is no column 'night'; the columns are 'miles', 'fare'");
}

TEST_CASE("rows one by one give the same bits as rows together") {
  Transform transform = Transform::fit(transform_test_table(), transform_test_spec());
  Matrix together = transform.apply(transform_test_table());
  for (std::size_t row = 0; row < together.rows; ++row) {
    Matrix alone = transform.apply(transform_test_table().take({row}));
    CHECK(std::vector<double>(together.row(row), together.row(row) + 9) == alone.values);
  }
}

TEST_CASE("bad features are refused with what is wrong") {
  CHECK(transform_test_message({}) ==
        "no feature columns: name some under standardize, numeric or one_hot");
  FeatureSpec spec;
  spec.standardize = {"mile"};
  CHECK(transform_test_message(spec) == "there is no column 'mile'; did you mean 'miles'?");
  spec.standardize = {"pay"};
  CHECK(transform_test_message(spec) ==
        "column 'pay' holds string values: standardize takes numbers");
  spec.standardize = {"miles"};
  spec.numeric = {"miles"};
  CHECK(transform_test_message(spec) == "column 'miles' is named twice among the features");
  CHECK(transform_test_message(spec, transform_test_table().take({})) ==
        "the table has no rows to fit on");
  spec = {};
  spec.one_hot = {"fare"};
  CHECK(transform_test_message(spec) ==
        "column 'fare' holds double values: one_hot takes strings, longs and booleans");
  spec.one_hot = {"pay"};
  spec.max_categories = 0;
  CHECK(transform_test_message(spec) == "max_categories must be 1 or more");
  Table table;
  table.set(Column::of_doubles("x", {1, std::numeric_limits<double>::infinity()}));
  spec = {};
  spec.numeric = {"x"};
  CHECK(transform_test_message(spec, table) == "column 'x' is infinite in row 1");
  table.set(Column::of_doubles("x", {1e308, -1e308}));
  CHECK(transform_test_message(spec, table) == "column 'x' has numbers too large to average");
  table.set(Column::of_strings("s", {"\xFF", "a"}));
  spec = {};
  spec.one_hot = {"s"};
  CHECK(transform_test_message(spec, table) ==
        "column 's' has the value '\\xff', which is not UTF-8");
}

TEST_CASE("numbers of any size are standardized") {
  for (double unit : {1e-320, 1e-200, 1.0, 1e200, 1e306}) {
    CAPTURE(unit);
    Table table;
    table.set(Column::of_doubles("x", {0, unit * 4, unit * 8}));
    FeatureSpec spec;
    spec.standardize = {"x"};
    Matrix matrix = Transform::fit(table, spec).apply(table);
    CHECK(matrix.values[0] == doctest::Approx(-1.224744871391589).epsilon(1e-3));
    CHECK(std::fabs(matrix.values[1]) < 1e-3);
  }
}

TEST_CASE("a transform without values to learn from still has a mean") {
  Table table;
  table.set(Column::of_doubles("x", {std::nan(""), std::nan("")}));
  FeatureSpec spec;
  spec.standardize = {"x"};
  Transform transform = Transform::fit(table, spec);
  CHECK(transform.apply(table).values == std::vector<double>{0, 0});
}

TEST_CASE("a transform's JSON is read back as the same transform") {
  CHECK(Transform::from_json(kTransformTestJson, "t.json").to_json() == kTransformTestJson);
  Table table;
  table.set(Column::of_doubles("tiny \"q\"\n", {5e-324, 1e-310, 0.3}));
  table.set(Column::of_strings("\xC3\xA9", {"\x01", "\\", "\xF0\x9F\x98\x80"}));
  FeatureSpec spec;
  spec.standardize = {"tiny \"q\"\n"};
  spec.one_hot = {"\xC3\xA9"};
  Transform transform = Transform::fit(table, spec);
  Transform read = Transform::from_json(transform.to_json(), "t.json");
  CHECK(read.to_json() == transform.to_json());
  CHECK(read.steps()[0].mean == transform.steps()[0].mean);
  CHECK(read.steps()[0].std_dev == transform.steps()[0].std_dev);
  CHECK(read.apply(table).values == transform.apply(table).values);
}

TEST_CASE("JSON that to_json would not write is refused with its key") {
  auto step = [](const std::string& text) { return "{\"format\":1,\"steps\":[" + text + "]}"; };
  const std::string numeric =
      "{\"op\":\"numeric\",\"column\":\"x\",\"type\":\"double\",\"mean\":1}";
  CHECK(transform_test_json_message(step(numeric)).empty());
  CHECK(transform_test_json_message("[]") == "t.json must be an object with the key 'format'");
  CHECK(transform_test_json_message("{\"format\":1}") == "t.json lacks the key 'steps'");
  CHECK(transform_test_json_message("{\"format\":2,\"steps\":[]}") ==
        "t.json: format 2 is not known to this mlrt, which reads 1");
  CHECK(transform_test_json_message("{\"format\":\"1\",\"steps\":[]}") ==
        "t.json: 'format' must be a whole number");
  CHECK(transform_test_json_message("{\"format\":1,\"steps\":[],\"x\":1}") ==
        "t.json has the unknown key 'x'");
  CHECK(transform_test_json_message(step(numeric + "," + numeric)) ==
        "t.json: steps[1]: column 'x' stands in an earlier step too");
  CHECK(transform_test_json_message(step("1")) ==
        "t.json: steps[0] must be an object with the key 'op'");
  CHECK(transform_test_json_message(step("{\"op\":\"scale\"}")) ==
        "t.json: steps[0]: 'op' must be standardize, numeric or one_hot, not 'scale'");
  CHECK(transform_test_json_message(step("{\"op\":\"numeric\",\"column\":\"\"}")) ==
        "t.json: steps[0]: 'column' is empty");
  CHECK(transform_test_json_message(
            step("{\"op\":\"numeric\",\"column\":\"x\",\"type\":\"float\"}")) ==
        "t.json: steps[0]: 'type' must be boolean, long, double or string, not 'float'");
  CHECK(transform_test_json_message(
            step("{\"op\":\"numeric\",\"column\":\"x\",\"type\":\"string\"}")) ==
        "t.json: steps[0]: 'type' string cannot be numeric");
  CHECK(transform_test_json_message(
            step("{\"op\":\"numeric\",\"column\":\"x\",\"type\":\"long\"}")) ==
        "t.json: steps[0] lacks the key 'mean'");
  CHECK(transform_test_json_message(step("{\"op\":\"standardize\",\"column\":\"x\",\"type\":"
                                         "\"long\",\"mean\":1,\"std_dev\":0}")) ==
        "t.json: steps[0]: 'std_dev' must be above 0");
  CHECK(transform_test_json_message(
            step("{\"op\":\"one_hot\",\"column\":\"x\",\"type\":\"long\",\"categories\":[1]}")) ==
        "t.json: steps[0]: 'categories' must hold strings only");
  CHECK(transform_test_json_message(step("{\"op\":\"one_hot\",\"column\":\"x\",\"type\":\"long\","
                                         "\"categories\":[\"a\",\"a\"]}")) ==
        "t.json: steps[0]: 'categories' has 'a' twice");
}

TEST_CASE("no flipped byte and no truncation of a transform does more than fail cleanly") {
  const std::string good = kTransformTestJson;
  for (std::size_t size = 0; size + 2 < good.size(); ++size) {
    CHECK_FALSE(transform_test_json_message(good.substr(0, size)).empty());
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = good;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      CHECK(ends_cleanly([&] {
        Transform transform = Transform::from_json(flipped, "t.json");
        transform.apply(transform_test_table());
      }));
    }
  }
}
