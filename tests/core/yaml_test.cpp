#include "core/yaml.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"

namespace {

// The message that the text is refused with; "" when it is taken.
std::string yaml_test_message(const std::string& text) {
  try {
    mlrt::parse_yaml(text, "MLmodel");
  } catch (const mlrt::Error& error) {
    CHECK(error.code() == mlrt::ErrorCode::kInvalidParameter);
    return error.message();
  }
  return {};
}

mlrt::Json yaml_test_value(const std::string& text) { return mlrt::parse_yaml(text, "it"); }

const char* const kYamlTestModel =
    "artifact_path: model\n"
    "flavors:\n"
    "  python_function:\n"
    "    env:\n"
    "      conda: conda.yaml\n"
    "      virtualenv: python_env.yaml\n"
    "    loader_module: mlflow.sklearn\n"
    "    python_version: 3.10.12\n"
    "  sklearn: {code: null, pickled_model: model.pkl}\n"
    "mlflow_version: 2.9.2\n"
    "model_size_bytes: 1234\n"
    "signature:\n"
    "  inputs: '[{\"type\": \"double\", \"name\": \"it''s\", \"required\": true}]'\n"
    "  outputs: \"[{\\\"type\\\": \\\"long\\\"}]\"\n"
    "  params: null\n"
    "tags: [a, 'b', 1.5, -3]\n"
    "text: |\n"
    "  two\n"
    "  lines\n"
    "utc_time_created: '2026-11-20 21:22:23.456789'\n";

}  // namespace

TEST_CASE("an MLmodel file is read with all its scalar styles") {
  mlrt::Json model = yaml_test_value(kYamlTestModel);
  CHECK(model["flavors"]["python_function"]["env"]["virtualenv"] == "python_env.yaml");
  CHECK(model["flavors"]["python_function"]["python_version"] == "3.10.12");
  CHECK(model["flavors"]["sklearn"]["code"].is_null());
  CHECK(model["mlflow_version"] == "2.9.2");
  CHECK(model["model_size_bytes"] == 1234);
  CHECK(model["signature"]["inputs"] ==
        "[{\"type\": \"double\", \"name\": \"it's\", \"required\": true}]");
  CHECK(model["signature"]["outputs"] == "[{\"type\": \"long\"}]");
  CHECK(model["tags"] == mlrt::Json({"a", "b", 1.5, -3}));
  CHECK(model["text"] == "two\nlines\n");
  CHECK(model["utc_time_created"] == "2026-11-20 21:22:23.456789");
}

TEST_CASE("plain scalars get their types by the core schema, quoted ones are strings") {
  for (const char* text :
       {"~", "null", "Null", "NULL", "", "# nothing\n", "---\n...\n", "!!null ''"}) {
    CAPTURE(text);
    CHECK(yaml_test_value(text).is_null());
  }
  for (const char* text : {"true", "True", "TRUE", "!!bool 'true'"})
    CHECK(yaml_test_value(text) == true);
  for (const char* text : {"false", "False", "FALSE"}) CHECK(yaml_test_value(text) == false);
  struct Number {
    const char* text;
    mlrt::Json value;
  };
  const Number integers[] = {{"0", 0},
                             {"-19", -19},
                             {"+12", 12},
                             {"007", 7},
                             {"0o17", 15},
                             {"0x1F", 31},
                             {"!!int '5'", 5},
                             {"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
                             {"-9223372036854775808", std::numeric_limits<std::int64_t>::min()},
                             {"0xffffffffffffffff", std::numeric_limits<std::uint64_t>::max()}};
  for (const Number& number : integers) {
    CAPTURE(number.text);
    CHECK(yaml_test_value(number.text) == number.value);
    CHECK(yaml_test_value(number.text).is_number_integer());
  }
  const Number floats[] = {{"1.5", 1.5},
                           {"1.", 1.0},
                           {".5", 0.5},
                           {"-.5e1", -5.0},
                           {"1e3", 1000.0},
                           {"1.0E+3", 1000.0},
                           {"!!float 1", 1.0},
                           {".inf", INFINITY},
                           {"-.INF", -INFINITY},
                           {"+.Inf", INFINITY},
                           {"1e999", INFINITY},
                           {"9223372036854775808", 9223372036854775808.0},
                           {"0x10000000000000000", 18446744073709551616.0},
                           {"0o2000000000000000000000", 18446744073709551616.0}};
  for (const Number& number : floats) {
    CAPTURE(number.text);
    CHECK(yaml_test_value(number.text) == number.value);
    CHECK(yaml_test_value(number.text).is_number_float());
  }
  CHECK(std::isnan(yaml_test_value(".NaN").get<double>()));
  for (const char* text :
       {"yes",   "no",    "on",  "off",      "y",          "nan",   "inf",  "NaN",
        "+.nan", "1_000", "0b1", "0o8",      "0x",         "1.2.3", "1e",   "e5",
        ".",     "-",     "+",   "12:30:45", "2026-11-20", "tRUE",  "nULL", "-0x1F"}) {
    CAPTURE(text);
    if (std::string(text) == "-") continue;  // an empty list item, below
    CHECK(yaml_test_value(text) == text);
  }
  CHECK(yaml_test_value("-") == mlrt::Json::array({nullptr}));
  for (const char* text : {"'1'", "\"1\"", "! 1", "!!str 1", "|-\n  1", ">-\n  1"}) {
    CAPTURE(text);
    CHECK(yaml_test_value(text) == "1");
  }
  CHECK(yaml_test_value("1: a\nnull: b\n") == mlrt::Json({{"1", "a"}, {"null", "b"}}));
}

TEST_CASE("only the first document is read") {
  CHECK(yaml_test_value("a: 1\n---\nb: 2\n") == mlrt::Json({{"a", 1}}));
  CHECK(yaml_test_value("%YAML 1.2\n---\na: 1\n...\n") == mlrt::Json({{"a", 1}}));
}

TEST_CASE("text that is not YAML is refused with its line and column") {
  CHECK(yaml_test_message("a: 1\nb: [1, 2\nc: 3\n")
            .rfind("MLmodel is not valid YAML: line 3, column ", 0) == 0);
  CHECK(yaml_test_message("a: 1\n\tb: 2\n")
            .rfind("MLmodel is not valid YAML: line 2, column 1: ", 0) == 0);
  CHECK(yaml_test_message("a: \xC3\xBC\xFF\n")
            .rfind("MLmodel is not valid YAML: line 1, column 5: ", 0) == 0);
  CHECK(yaml_test_message("a: b\x01\n").rfind("MLmodel is not valid YAML: line 1, column 5: ", 0) ==
        0);
  for (const char* text : {"a: b: c", "a: 'b", "]", "a: [", "%YAML 9",
                           "\xFF\xFE"
                           "a",
                           "a: !<", "- a\nb: c"}) {
    CAPTURE(text);
    CHECK(yaml_test_message(text).rfind("MLmodel is not valid YAML: line ", 0) == 0);
  }
}

TEST_CASE(
    "aliases, keys twice, keys that are not scalars and foreign tags are refused with their "
    "place") {
  CHECK(yaml_test_message("a: &x 1\nb: *x\n") ==
        "MLmodel: line 2, column 4: aliases (*name) are not allowed");
  CHECK(yaml_test_message("a: &x [*x]\n") ==
        "MLmodel: line 1, column 8: aliases (*name) are not allowed");
  CHECK(yaml_test_message("a: 1\nb:\n  a: 2\na: 3\n") ==
        "MLmodel: line 4, column 1: the key 'a' is there twice");
  CHECK(yaml_test_message("{1: a, '1': b}") ==
        "MLmodel: line 1, column 8: the key '1' is there twice");
  CHECK(yaml_test_message("? [a]\n: b\n") ==
        "MLmodel: line 1, column 3: a key must be a single value, not a list or a mapping");
  CHECK(yaml_test_message("? {a: b}\n: b\n") ==
        "MLmodel: line 1, column 3: a key must be a single value, not a list or a mapping");
  CHECK(yaml_test_message("a: !!python/object:os.system x\n") ==
        "MLmodel: line 1, column 4: the tag 'tag:yaml.org,2002:python/object:os.system' does not "
        "fit here or is not "
        "known");
  for (const char* text : {"!!int x", "!!float x", "!!bool 1", "!!null 1", "!!int 1.5", "!!seq x",
                           "!!map [a]", "!!seq {a: b}", "!mine x", "!!set {a}"}) {
    CAPTURE(text);
    CHECK(yaml_test_message(text).find("does not fit here or is not known") != std::string::npos);
  }
}

TEST_CASE("YAML nested deeper than 64 levels is refused before it costs anything") {
  CHECK(yaml_test_message(std::string(64, '[') + std::string(64, ']')).empty());
  CHECK(yaml_test_message(std::string(65, '[') + std::string(65, ']')) ==
        "MLmodel: line 1, column 65: it is nested deeper than 64 levels");
  CHECK(yaml_test_message(std::string(5000000, '[')) ==
        "MLmodel: line 1, column 65: it is nested deeper than 64 levels");
  std::string dashes;
  for (int i = 0; i < 10000; ++i) dashes += "- ";
  CHECK(yaml_test_message(dashes + "x").find("it is nested deeper than 64 levels") !=
        std::string::npos);
  std::string questions;
  for (int i = 0; i < 10000; ++i) questions += "? ";
  CHECK_FALSE(yaml_test_message(questions + "x").empty());
}

TEST_CASE("YAML of more than 16 MiB is refused before it is read") {
  CHECK(mlrt::parse_yaml("a: 1" + std::string(1000000, ' '), "the file")["a"] == 1);
  CHECK_THROWS_WITH_AS(mlrt::parse_yaml(std::string((std::size_t{16} << 20) + 1, ' '), "the file"),
                       "the file has 16777217 bytes; YAML of more than 16 MiB is not read",
                       mlrt::Error);
}

TEST_CASE("YAML with more than a million values is refused") {
  std::string text = "[";
  for (int i = 0; i < 1000000; ++i) text += "1,";
  CHECK(yaml_test_message(text + "]").find("it holds more than 1000000 values") !=
        std::string::npos);
}

TEST_CASE("a value is written in block style, in its own order, and always as the same bytes") {
  mlrt::OrderedJson value = {
      {"zeta", 1},
      {"alpha", {{"list", {1, 2.5, "x y"}}, {"none", nullptr}, {"yes", true}}},
      {"empty", mlrt::OrderedJson::object()},
      {"nothing", mlrt::OrderedJson::array()},
      {"signature", "[{\"name\": \"it's\"}]"},
      {"version", "2.9.2"},
      {"file", "model/data.json"},
      {"lines", "a\nb"}};
  const char* expected =
      "zeta: 1\n"
      "alpha:\n"
      "  list:\n"
      "  - 1\n"
      "  - 2.5\n"
      "  - x y\n"
      "  none: null\n"
      "  'yes': true\n"
      "empty: {}\n"
      "nothing: []\n"
      "signature: '[{\"name\": \"it''s\"}]'\n"
      "version: '2.9.2'\n"
      "file: model/data.json\n"
      "lines: \"a\\nb\"\n";
  CHECK(mlrt::dump_yaml(value) == expected);
  CHECK(mlrt::dump_yaml(value) == mlrt::dump_yaml(value));
}

TEST_CASE("every value comes back from YAML as it went in") {
  mlrt::OrderedJson strings = mlrt::OrderedJson::array();
  for (const char* text : {"",
                           " ",
                           "a",
                           " a",
                           "a ",
                           "a: b",
                           "a #b",
                           "#a",
                           "- a",
                           "-",
                           "?",
                           ":",
                           "*a",
                           "&a",
                           "!a",
                           "|",
                           ">",
                           "%a",
                           "@a",
                           "`a",
                           "'a'",
                           "\"a\"",
                           "{a}",
                           "[a]",
                           "a,b",
                           "null",
                           "Null",
                           "~",
                           "true",
                           "FALSE",
                           "yes",
                           "No",
                           "y",
                           "on",
                           "1",
                           "-1",
                           "+1",
                           "0x1F",
                           "0o17",
                           "017",
                           "1e5",
                           "1.5",
                           ".5",
                           ".inf",
                           "-.inf",
                           ".nan",
                           "1_000",
                           "12:30:45",
                           "2026-11-20",
                           "2026-11-20 21:22:23",
                           "=",
                           "<<",
                           "---",
                           "...",
                           "--- a",
                           "a\nb",
                           "\n",
                           "a\n",
                           "\n a",
                           "a\r\nb",
                           "\t",
                           "a\tb",
                           "\x01\x1F\x7F",
                           "\\",
                           "a\\nb",
                           "gr\xC3\xBC\xC3\x9F",
                           "\xC2\x85",
                           "\xC2\xA0",
                           "\xE2\x80\xA8",
                           "\xEF\xBB\xBF"
                           "a",
                           "\xEF\xBF\xBF",
                           "\xEF\xBF\xBE",
                           "\xF0\x9F\x98\x80",
                           "\xF4\x8F\xBF\xBF",
                           "a  b",
                           "_",
                           "/a",
                           "a b  ",
                           "0123456789abcdef0123456789abcdef",
                           "31415926535897932384626433832e79"}) {
    strings.push_back(text);
  }
  strings.push_back(std::string("a\0b", 3));
  strings.push_back(std::string(5000, 'x') + " " + std::string(5000, ' ') + "y");
  mlrt::OrderedJson value;
  value["strings"] = strings;
  for (const auto& text : strings) value["keys"][text.get<std::string>()] = text;
  value["numbers"] = {0,
                      -1,
                      1e20,
                      1e-7,
                      0.1,
                      -0.0,
                      123456789.125,
                      std::numeric_limits<std::int64_t>::min(),
                      std::numeric_limits<std::uint64_t>::max(),
                      INFINITY,
                      -INFINITY,
                      5.0,
                      1e300};
  value["nested"] = {
      {{"a", {{{"b", {1, mlrt::OrderedJson::array(), mlrt::OrderedJson::object()}}}}}}, nullptr};
  mlrt::Json back = mlrt::parse_yaml(mlrt::dump_yaml(value), "it");
  CHECK(mlrt::Json(value) == back);
  for (std::size_t i = 0; i < strings.size(); ++i) {
    CAPTURE(strings[i].dump());
    CHECK(back["strings"][i] == mlrt::Json(strings[i]));
    CHECK(mlrt::parse_yaml(mlrt::dump_yaml(strings[i]), "it") == mlrt::Json(strings[i]));
  }
  CHECK(back["numbers"][11].is_number_float());
  CHECK(mlrt::dump_yaml(1e20) == "1.0e+20\n");  // YAML 1.1 would take 1e+20 for a string
  CHECK(mlrt::dump_yaml(std::nan("")) == ".nan\n");
}

TEST_CASE("what YAML cannot hold, or could not be read again, is refused") {
  CHECK_THROWS_WITH_AS(mlrt::dump_yaml("\xFF"), "cannot write '\\xff' as YAML: it is not UTF-8",
                       mlrt::Error);
  CHECK_THROWS_WITH_AS(mlrt::dump_yaml(mlrt::OrderedJson::binary({1, 2})),
                       "bytes cannot be written as YAML", mlrt::Error);
  mlrt::OrderedJson deep = 1;
  for (int i = 0; i < 64; ++i) deep = mlrt::OrderedJson::array({deep});
  CHECK(mlrt::parse_yaml(mlrt::dump_yaml(deep), "it") == mlrt::Json(deep));
  deep = mlrt::OrderedJson::array({deep});
  CHECK_THROWS_WITH_AS(mlrt::dump_yaml(deep),
                       "a value nested deeper than 64 levels cannot be written as YAML",
                       mlrt::Error);
}

TEST_CASE("flipped bytes in YAML give a value or a clean error, and what is read can be written") {
  const std::string sample = kYamlTestModel;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    for (int mask : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF}) {
      std::string text = sample;
      text[i] = static_cast<char>(text[i] ^ mask);
      try {
        mlrt::Json value = mlrt::parse_yaml(text, "MLmodel");
        REQUIRE(mlrt::parse_yaml(mlrt::dump_yaml(mlrt::OrderedJson(value)), "again") == value);
      } catch (const mlrt::Error& error) {
        REQUIRE(error.code() == mlrt::ErrorCode::kInvalidParameter);
        REQUIRE(error.message().rfind("MLmodel", 0) == 0);
      }
    }
    std::string cut = yaml_test_message(sample.substr(0, i));
    REQUIRE((cut.empty() || cut.rfind("MLmodel", 0) == 0));
  }
}
