#include "core/json.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <string>

#include "core/error.hpp"

namespace {

// The message that the text is refused with; "" when it is taken.
std::string json_test_message(const std::string& text, const mlrt::JsonLimits& limits = {}) {
  try {
    mlrt::parse_json(text, "the body", limits);
  } catch (const mlrt::Error& error) {
    CHECK(error.code() == mlrt::ErrorCode::kInvalidParameter);
    return error.message();
  }
  return {};
}

bool json_test_starts(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

constexpr mlrt::JsonLimits kJsonTestNan{64, true};

}  // namespace

TEST_CASE("JSON is read, and written compact with sorted keys") {
  mlrt::Json value = mlrt::parse_json(R"( {"b": [1, 2.5, null, true], "a": "x\u00e9"} )", "it");
  CHECK(mlrt::dump_json(value) == "{\"a\":\"x\xC3\xA9\",\"b\":[1,2.5,null,true]}");
  CHECK(mlrt::dump_json(mlrt::Json(std::nan(""))) == "null");
  CHECK(mlrt::dump_json(mlrt::Json("\xFF")) == "\"\xEF\xBF\xBD\"");
  CHECK(mlrt::parse_json("\xEF\xBB\xBF[1]", "it").size() == 1);
}

TEST_CASE("text that is not JSON is refused with its line and column") {
  CHECK(json_test_starts(json_test_message("{\"a\": 1,\n  \"b\": x}"),
                         "the body is not valid JSON: line 2, column 8: syntax error"));
  CHECK(json_test_starts(json_test_message(""), "the body is not valid JSON: line 1, column 1: "));
  CHECK(json_test_starts(json_test_message("[1, 2"),
                         "the body is not valid JSON: line 1, column 6: "));
  CHECK(json_test_starts(json_test_message("[1] 2"),
                         "the body is not valid JSON: line 1, column 5: "));
  // columns are characters, not bytes
  CHECK(json_test_starts(json_test_message("[\"\xC3\xBC\", x]"),
                         "the body is not valid JSON: line 1, column 7: "));
  for (const char* text : {"{'a': 1}", "[1,]", "{\"a\" 1}", "\"\xFF\"", "01", "+1", "\"\n\"", "tru",
                           "[1 2]", "NaN", "[Infinity]", "// x\n1", "{1: 2}", "\"\\ud800\""}) {
    CAPTURE(text);
    CHECK(json_test_starts(json_test_message(text), "the body is not valid JSON: line "));
  }
}

TEST_CASE("a message about bad JSON is one short line, whatever the text holds") {
  std::string message = json_test_message("\"" + std::string(100000, 'x') + "\x01\xFF\n");
  CHECK(message.size() < 400);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.find('\x01') == std::string::npos);
  CHECK(message.find('\xFF') == std::string::npos);
}

TEST_CASE("JSON nested deeper than the limit is refused where it passes the limit") {
  std::string fits = std::string(64, '[') + std::string(64, ']');
  CHECK(json_test_message(fits).empty());
  CHECK(json_test_message("[" + fits + "]") ==
        "the body: line 1, column 65: it is nested deeper than 64 levels");
  CHECK(json_test_message("[\"[[{\",\n[{}]]", {2, false}) ==
        "the body: line 2, column 2: it is nested deeper than 2 levels");
  CHECK(json_test_message(std::string(10000000, '[')) ==
        "the body: line 1, column 65: it is nested deeper than 64 levels");
}

TEST_CASE("a key that is there twice in one object is refused, with its place") {
  CHECK(json_test_message("{\"a\": 1,\n \"b\": \"a\", \"a\": 2}") ==
        "the body: line 2, column 12: the key 'a' is there twice in one object");
  CHECK(json_test_message("{\"x\\\"\": {\"b\": 1}, \"c\" : {\"b\": 1, \"\\u0062\": 2}}") ==
        "the body: line 1, column 34: the key 'b' is there twice in one object");
  CHECK(json_test_message("[{\"a\": {\"a\": 1}}, {\"a\": 1}]").empty());
}

TEST_CASE("a number beyond a double's range is refused with its place") {
  CHECK(json_test_message("[\"1e999\", 1, {\"a\": true,\n\"b\": -1e999}]") ==
        "the body: line 2, column 6: a number is beyond the range of a double");
  CHECK(json_test_message("\xEF\xBB\xBF"
                          "1e999") ==
        "the body: line 1, column 2: a number is beyond the range of a double");
}

TEST_CASE("NaN, Infinity and -Infinity are read as such where that is allowed") {
  mlrt::Json value = mlrt::parse_json(
      "{\"NaN\": [NaN, \"NaN\", 1, -Infinity],\n\"b\": Infinity, \"c\": [ NaN ], \"d\": 0}", "it",
      kJsonTestNan);
  CHECK(std::isnan(value["NaN"][0].get<double>()));
  CHECK(value["NaN"][1] == "NaN");
  CHECK(value["NaN"][2] == 1);
  CHECK(value["NaN"][3].get<double>() == -INFINITY);
  CHECK(value["b"].get<double>() == INFINITY);
  CHECK(std::isnan(value["c"][0].get<double>()));
  CHECK(value["d"] == 0);
  CHECK(std::isnan(mlrt::parse_json("NaN", "it", kJsonTestNan).get<double>()));
  CHECK(std::isnan(mlrt::parse_json("\xEF\xBB\xBF[1,NaN]", "it", kJsonTestNan)[1].get<double>()));
}

TEST_CASE("words that only look like NaN are refused, and places stay right behind a NaN") {
  for (const char* text : {"[1NaN]", "[NaN1]", "[-NaN]", "[nan]", "[NaNNaN]", "[NaN NaN]",
                           "{NaN: 1}", "[+Infinity]", "[NaN\"a\"]", "[Infinity-]"}) {
    CAPTURE(text);
    CHECK(json_test_starts(json_test_message(text, kJsonTestNan),
                           "the body is not valid JSON: line 1, column "));
  }
  CHECK(json_test_starts(json_test_message("[NaN, -Infinity, x]", kJsonTestNan),
                         "the body is not valid JSON: line 1, column 18: "));
}

TEST_CASE("the time to read a list of objects grows with its length, not with its square") {
  std::string text = "[";
  for (int i = 0; i < 300000; ++i) text += i == 0 ? "{}" : ",{}";
  text += "]";
  const auto start = std::chrono::steady_clock::now();
  CHECK(mlrt::parse_json(text, "it").size() == 300000);
  // A tenth of a second; a walk through the list at the end of each object took more than half a
  // minute.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}

TEST_CASE("values stand where the text has them, after containers of each kind") {
  const char* text = R"({"a":[1,[2,{"b":[]}],{}],"c":{"d":{"e":"f"},"g":null},"h":true})";
  CHECK(mlrt::dump_json(mlrt::parse_json(text, "it")) == text);
}

TEST_CASE("flipped bytes in JSON give a value or a clean error") {
  const std::string sample =
      R"({"a": [1, -2.5e3, NaN, null, "x\u00e9\n"], "b": {"c": true, "d": [[], {}]}})";
  for (std::size_t i = 0; i < sample.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = sample;
      text[i] = static_cast<char>(byte);
      std::string message = json_test_message(text, kJsonTestNan);
      REQUIRE((message.empty() || json_test_starts(message, "the body")));
    }
    REQUIRE_FALSE(json_test_message(sample.substr(0, i), kJsonTestNan).empty());
  }
}

TEST_CASE("members are checked for presence and type, and named when they are wrong") {
  mlrt::Json value = mlrt::parse_json(R"({"s": "x", "n": 1.5, "a": [], "o": {}})", "it");
  CHECK(mlrt::json_string(value, "s", "it") == "x");
  CHECK(mlrt::json_number(value, "n", "it") == 1.5);
  CHECK(mlrt::json_array(value, "a", "it").empty());
  CHECK(mlrt::json_object(value, "o", "it").empty());
  CHECK_THROWS_WITH_AS(mlrt::json_member(value, "q", "the signature"),
                       "the signature lacks the key 'q'", mlrt::Error);
  CHECK_THROWS_WITH_AS(mlrt::json_string(value, "n", "it"), "it: 'n' must be a string, not number",
                       mlrt::Error);
  CHECK_THROWS_WITH_AS(mlrt::json_number(value, "s", "it"), "it: 's' must be a number, not string",
                       mlrt::Error);
  CHECK_THROWS_WITH_AS(mlrt::json_array(value, "o", "it"), "it: 'o' must be an array, not object",
                       mlrt::Error);
  CHECK_THROWS_WITH_AS(mlrt::json_object(value, "a", "it"), "it: 'a' must be an object, not array",
                       mlrt::Error);
  CHECK_THROWS_WITH_AS(mlrt::json_string(mlrt::Json(1), "s", "it"),
                       "it must be an object with the key 's'", mlrt::Error);
}
