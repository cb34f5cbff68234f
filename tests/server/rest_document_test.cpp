#include "server/rest_document.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/json.hpp"

namespace mlrt {
namespace {

std::string rest_document_reason(const std::string& text) {
  RestDocument document;
  CHECK_MESSAGE(!document.parse(text), text);
  CHECK(document.empty());
  return document.reason();
}

std::string rest_document_text(const std::string& text) {
  RestDocument document;
  REQUIRE_MESSAGE(document.parse(text), document.reason());
  REQUIRE(document.at(0).kind == RestNode::Kind::kString);
  return std::string(document.at(0).text);
}

}  // namespace

TEST_CASE("a document finds members, and of a name given twice the last value") {
  RestDocument document;
  REQUIRE(document.parse(R"( {"a": [1, {"b": {}}], "c": "x", "a": -2.5e3, "": null} )"));
  CHECK(document.at(document.member(0, "a")).text == "-2.5e3");
  CHECK(document.at(document.member(0, "c")).text == "x");
  CHECK(document.at(document.member(0, "")).kind == RestNode::Kind::kNull);
  CHECK(document.member(0, "b") == RestDocument::kNone);
  CHECK(document.count(0) == 4);
}

TEST_CASE("a document steps over containers of any shape") {
  RestDocument document;
  REQUIRE(document.parse(R"([[], {}, [[1], {"k": [2, 3]}], "end"])"));
  std::vector<std::uint32_t> elements;
  for (std::uint32_t i = 1; i < document.at(0).next; i = document.at(i).next) elements.push_back(i);
  REQUIRE(elements.size() == 4);
  CHECK(document.at(elements[0]).kind == RestNode::Kind::kArray);
  CHECK(document.at(elements[1]).kind == RestNode::Kind::kObject);
  CHECK(document.count(elements[2]) == 2);
  CHECK(document.at(elements[3]).text == "end");
  CHECK(document.at(0).next == elements[3] + 1);
}

TEST_CASE("a document decodes every escape, and leaves plain strings where they are") {
  CHECK(rest_document_text(R"("a\"\\\/\b\f\n\r\tz")") == "a\"\\/\b\f\n\r\tz");
  CHECK(rest_document_text(R"("\u0041\u00e9\u20AC\ud83d\ude00")") == "A\u00e9\u20ac\U0001F600");
  CHECK(rest_document_text(R"("\u0000")") == std::string(1, '\0'));
  CHECK(rest_document_text("\"\xc3\xa9\"") == "\xc3\xa9");
  const std::string text = "{\"plain\": \"here\"}";
  RestDocument document;
  REQUIRE(document.parse(text));
  CHECK(document.at(document.member(0, "plain")).text.data() == text.data() + 11);
}

TEST_CASE("strings that were decoded stay where they are while others are decoded") {
  std::string text = "[";
  for (int i = 0; i < 2000; ++i) text += R"("\u0041\n",)";
  text += "0]";
  RestDocument document;
  REQUIRE(document.parse(text));
  for (std::uint32_t i = 1; i <= 2000; ++i) REQUIRE(document.at(i).text == "A\n");
}

TEST_CASE("a document takes the bare words that Python writes") {
  RestDocument document;
  REQUIRE(document.parse("[NaN, Infinity, -Infinity, -0, 0.5, 1E+2, true, false, null]"));
  CHECK(document.at(1).kind == RestNode::Kind::kFloat);
  CHECK(document.at(3).text == "-Infinity");
  CHECK(document.at(4).kind == RestNode::Kind::kInteger);
  CHECK(document.at(6).text == "1E+2");
  CHECK(document.at(7).kind == RestNode::Kind::kTrue);
}

TEST_CASE("text that is no JSON is refused with its place") {
  CHECK(rest_document_reason("") == "line 1, column 1: a value was expected");
  CHECK(rest_document_reason("{\n  \"a\" 1}") == "line 2, column 7: ':' was expected");
  CHECK(rest_document_reason("{\"a\":1,}") ==
        "line 1, column 8: a name in double quotes was expected");
  CHECK(rest_document_reason("[1 2]") == "line 1, column 4: ',' or ']' was expected");
  CHECK(rest_document_reason("{\"a\":1]") == "line 1, column 7: ',' or '}' was expected");
  CHECK(rest_document_reason("[1,]") == "line 1, column 4: a value was expected");
  CHECK(rest_document_reason("1 1") == "line 1, column 3: there is something behind the end");
  CHECK(rest_document_reason("\"a\nb\"") == "line 1, column 3: a control character in a string");
  CHECK(rest_document_reason("\"\\n\x01\"") == "line 1, column 4: a control character in a string");
  CHECK(rest_document_reason("\"\xff\"") == "it is not valid UTF-8");
  for (const char* text : {"\"",
                           "\"\\",
                           "\"\\q\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "\"\\ud83d\\u\"",
                           "[",
                           "{",
                           "{\"a\"",
                           "{\"a\":",
                           "01",
                           "-",
                           "1.",
                           ".5",
                           "1e",
                           "+1",
                           "tru",
                           "nul",
                           "[1",
                           "-Infinit",
                           "'a'",
                           "{1:2}",
                           "\\",
                           "\"\\u",
                           "\"a\\"}) {
    rest_document_reason(text);
  }
  rest_document_reason(std::string("[1\0]", 4));
}

TEST_CASE("depth and the number of values are limited, and depth costs no stack") {
  CHECK(RestDocument().parse(std::string(64, '[') + std::string(64, ']')));
  CHECK(rest_document_reason(std::string(65, '[') + std::string(65, ']')) ==
        "line 1, column 65: it is nested deeper than 64 levels");
  rest_document_reason(std::string(10000000, '['));
  std::string text = "[0";
  for (int i = 0; i < 499998; ++i) text += ",0";
  CHECK(RestDocument().parse(text + "]"));
  CHECK(rest_document_reason(text + ",0]").find("more than 500000 values") != std::string::npos);
}

TEST_CASE("values are shown as Python shows them, and cut") {
  RestDocument document;
  REQUIRE(
      document.parse("{\"b\": [1.50, true, null, \"\xc3\xa9\\u0001\\n\\ud83d\\ude00\\\"\"], \"a\": "
                     "{}, \"c\": 1e2}"));
  CHECK(document.dump(0) ==
        "{\"a\":{},\"b\":[1.5,true,null,\"\\u00e9\\u0001\\n\\ud83d\\ude00\\\"\"],\"c\":100.0}");
  const std::string longest = "[\"" + std::string(100000, 'x') + "\"]";
  REQUIRE(document.parse(longest));
  CHECK(document.dump(0).size() < 1100);
  std::string many = "[";
  for (int i = 0; i < 400000; ++i) many += "1,";
  many += "1]";
  REQUIRE(document.parse(many));
  CHECK(document.dump(0).size() < 1100 * 3);
}

TEST_CASE("what the document takes, and only that, the JSON reader of the store takes too") {
  const std::string seed = R"({"a":[1,-2.5e3,"x\u00e9\n",true,null,{"b":{}}],"c":"d"})";
  unsigned state = 1;
  for (int round = 0; round < 20000; ++round) {
    std::string text = seed;
    for (int change = 0; change < 2; ++change) {
      state = state * 1664525u + 1013904223u;
      const std::size_t at = (state >> 8) % text.size();
      static const char kBytes[] = "{}[],:\"\\0159eE+-.tfnu \x01\xc3\xa9";
      text[at] = kBytes[(state >> 20) % (sizeof(kBytes) - 1)];
    }
    bool expected = true;
    try {
      parse_json(text, "text");
    } catch (const Error& error) {
      // The other reader refuses a name that comes twice, and a number that is too large.
      const bool other = error.message().find("twice") != std::string::npos ||
                         error.message().find("range of a double") != std::string::npos;
      if (other) continue;
      expected = false;
    }
    RestDocument document;
    REQUIRE_MESSAGE(document.parse(text) == expected, text << "  " << document.reason());
  }
}

}  // namespace mlrt
