#include "core/text.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <iomanip>  // on purpose: its std::quoted must not be taken for ours
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace mlrt {
namespace {

// As the sources call it: the argument's namespace offers std::quoted too.
std::string text_test_unqualified(std::string& text) { return quoted(text); }

}  // namespace
}  // namespace mlrt

namespace {

constexpr double kTextTestInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("parse_double reads decimal numbers and rounds to the nearest double") {
  struct Case {
    std::string text;
    double value;
  };
  const Case cases[] = {
      {"0", 0.0},
      {"1", 1.0},
      {"+1", 1.0},
      {"-1.5", -1.5},
      {"1.", 1.0},
      {".5", 0.5},
      {"-.5", -0.5},
      {"+.5", 0.5},
      {"1e3", 1000.0},
      {"1E+3", 1000.0},
      {"1e-3", 0.001},
      {"0.1", 0.1},
      {"007", 7.0},
      {"9007199254740993", 9007199254740992.0},
      {"1.7976931348623157e308", std::numeric_limits<double>::max()},
      {"2.2250738585072014e-308", std::numeric_limits<double>::min()},
      {"4.9406564584124654e-324", std::numeric_limits<double>::denorm_min()},
      {"0e999999999999999999999", 0.0},
      // beyond the range
      {"1e309", kTextTestInfinity},
      {"-1e309", -kTextTestInfinity},
      {"+1e999999999999999999999", kTextTestInfinity},
      {"1e-400", 0.0},
      {"1e-999999999999999999999", 0.0},
      {"0." + std::string(400, '0') + "1", 0.0},
      {"0." + std::string(400, '0') + "1e+3", 0.0},
      {"1" + std::string(400, '0'), kTextTestInfinity},
      {"1" + std::string(400, '0') + "e-3", kTextTestInfinity},
      {"-1" + std::string(400, '0') + ".0", -kTextTestInfinity},
      {"1" + std::string(400, '0') + "e-400", 1.0},
      {"0." + std::string(400, '0') + "1e401", 1.0},
      {"inf", kTextTestInfinity},
      {"-Infinity", -kTextTestInfinity},
      {"+INF", kTextTestInfinity},
  };
  for (const Case& c : cases) {
    double value = 12345;
    CAPTURE(c.text);
    CHECK(mlrt::parse_double(c.text, value));
    CHECK(value == c.value);
  }
  double value = 1;
  CHECK(mlrt::parse_double("-0", value));
  CHECK(value == 0);
  CHECK(std::signbit(value));
  CHECK(mlrt::parse_double("-1e-400", value));
  CHECK(std::signbit(value));
  for (const char* text : {"nan", "NaN", "-nan", "+NAN"}) {
    value = 1;
    CHECK(mlrt::parse_double(text, value));
    CHECK(std::isnan(value));
  }
}

TEST_CASE("parse_double refuses all else and leaves the value alone") {
  for (const char* text :
       {"",       " ",     "1 ",      " 1",   "+",   "-",    "+-1", "-+1",   "++1",
        "--1",    ".",     "e5",      "1e",   "1e+", "0x10", "1,5", "1_000", "1.2.3",
        "nan(1)", "nan()", "infinit", "inf1", "1f",  "one",  "NA",  "1e5 x"}) {
    double value = 12345;
    CAPTURE(text);
    CHECK_FALSE(mlrt::parse_double(text, value));
    CHECK(value == 12345);
  }
  double value = 12345;
  CHECK_FALSE(mlrt::parse_double(std::string("1\0", 2), value));
  CHECK(value == 12345);
}

TEST_CASE("format_double writes the shortest text that reads back as the same bits") {
  CHECK(mlrt::format_double(0.1) == "0.1");
  CHECK(mlrt::format_double(1) == "1");
  CHECK(mlrt::format_double(-0.0) == "-0");
  CHECK(mlrt::format_double(1e20) == "1e+20");
  CHECK(mlrt::format_double(1.0 / 3) == "0.3333333333333333");
  CHECK(mlrt::format_double(kTextTestInfinity) == "Infinity");
  CHECK(mlrt::format_double(-kTextTestInfinity) == "-Infinity");
  CHECK(mlrt::format_double(std::numeric_limits<double>::quiet_NaN()) == "NaN");
  std::mt19937_64 random(7);
  for (int i = 0; i < 10000; ++i) {
    double value =
        std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 2000) - 1060);
    double back = 0;
    REQUIRE(mlrt::parse_double(mlrt::format_double(value), back));
    REQUIRE(back == value);
  }
}

TEST_CASE("parse_int64 reads whole numbers that fit, and nothing else") {
  struct Case {
    const char* text;
    bool good;
    long long value;
  };
  const Case cases[] = {{"0", true, 0},
                        {"-0", true, 0},
                        {"+7", true, 7},
                        {"007", true, 7},
                        {"9223372036854775807", true, std::numeric_limits<long long>::max()},
                        {"-9223372036854775808", true, std::numeric_limits<long long>::min()},
                        {"9223372036854775808", false, 0},
                        {"-9223372036854775809", false, 0},
                        {"", false, 0},
                        {"+", false, 0},
                        {"-", false, 0},
                        {"+-1", false, 0},
                        {"++1", false, 0},
                        {"1.0", false, 0},
                        {"12x", false, 0},
                        {" 1", false, 0},
                        {"1 ", false, 0},
                        {"0x1", false, 0}};
  for (const Case& c : cases) {
    long long value = 12345;
    CAPTURE(c.text);
    CHECK(mlrt::parse_int64(c.text, value) == c.good);
    CHECK(value == (c.good ? c.value : 12345));
  }
}

TEST_CASE("is_utf8 takes each valid form and refuses each invalid one") {
  for (const char* text :
       {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "gr\xC3\xBC\xC3\x9F"}) {
    CAPTURE(text);
    CHECK(mlrt::is_utf8(text));
  }
  CHECK(mlrt::is_utf8(std::string(1, '\0')));
  const char* const bad[] = {"\x80",  // a continuation alone
                             "\xBF",
                             "\xC0\x80",  // overlong NUL
                             "\xC1\xBF",
                             "\xC2",  // cut short
                             "\xC2"
                             "a",
                             "\xE0\x9F\xBF",  // overlong
                             "\xE1\x80",
                             "\xE1\x80"
                             "a",
                             "\xED\xA0\x80",  // surrogates
                             "\xED\xBF\xBF",
                             "\xF0\x8F\xBF\xBF",  // overlong
                             "\xF1\x80\x80",
                             "\xF4\x90\x80\x80",  // beyond U+10FFFF
                             "\xF5\x80\x80\x80",
                             "\xFE",
                             "\xFF",
                             "ok\xC3"};
  for (const char* text : bad) CHECK_FALSE(mlrt::is_utf8(text));
}

TEST_CASE("quoted makes any text safe for a message, for every kind of string argument") {
  std::string variable = "a b";
  const std::string constant = "a b";
  CHECK(mlrt::text_test_unqualified(variable) == "'a b'");
  CHECK(mlrt::quoted(variable) == "'a b'");
  CHECK(mlrt::quoted(constant) == "'a b'");
  CHECK(mlrt::quoted("a b") == "'a b'");
  CHECK(mlrt::quoted("") == "''");
  CHECK(mlrt::quoted("a\nb\t\x1B[0m\x7F") == "'a\\x0ab\\x09\\x1b[0m\\x7f'");
  CHECK(mlrt::quoted("\xFF\xC3") == "'\\xff\\xc3'");
  CHECK(mlrt::quoted("gr\xC3\xBC\xC3\x9F") == "'gr\xC3\xBC\xC3\x9F'");
  CHECK(mlrt::quoted("\xC2\x9B"
                     "1m\xC2\xA0") == "'\\xc2\\x9b1m\xC2\xA0'");
  CHECK(mlrt::quoted("abcdef", 3) == "'abc...'");
  CHECK(mlrt::quoted("ab\xC3\xBC", 3) == "'ab...'");  // never half a character
  CHECK(mlrt::quoted("abc", 3) == "'abc'");
  CHECK(mlrt::quoted(std::string(1000, 'x')).size() < 70);
}

TEST_CASE("the nearest name is found for a slip and not for another word") {
  const std::vector<std::string> names = {"serve", "runs", "models", "--version"};
  CHECK(mlrt::nearest_name("sevre", names) == "serve");
  CHECK(mlrt::nearest_name("SERVE", names) == "serve");
  CHECK(mlrt::nearest_name("run", names) == "runs");
  CHECK(mlrt::nearest_name("--verison", names) == "--version");
  CHECK(mlrt::nearest_name("frobnicate", names).empty());
  CHECK(mlrt::nearest_name("", names).empty());
  CHECK(mlrt::nearest_name(std::string(1000000, 'x'), names).empty());
  CHECK(mlrt::nearest_name("x", {}).empty());
  CHECK(mlrt::nearest_name("z", {"a"}).empty());
  CHECK(mlrt::nearest_name("-x", {"-h", "-e"}).empty());
  CHECK(mlrt::nearest_name("-v", {"-h", "-V"}) == "-V");
  CHECK(mlrt::did_you_mean("modles", names) == "; did you mean 'models'?");
  CHECK(mlrt::did_you_mean("frobnicate", names).empty());
}

TEST_CASE("split, join and trim keep every part, empty ones included") {
  CHECK(mlrt::split("", ',') == std::vector<std::string>{""});
  CHECK(mlrt::split("a,,b,", ',') == std::vector<std::string>{"a", "", "b", ""});
  CHECK(mlrt::join({"a", "", "b"}, ", ") == "a, , b");
  CHECK(mlrt::join({}, ", ").empty());
  CHECK(mlrt::trim(" \t a b\r\n") == "a b");
  CHECK(mlrt::trim(" \n ").empty());
}

TEST_CASE("prefixes, suffixes, lower case and hex") {
  CHECK(mlrt::starts_with("abc", "ab"));
  CHECK(mlrt::starts_with("abc", ""));
  CHECK_FALSE(mlrt::starts_with("a", "ab"));
  CHECK(mlrt::ends_with("abc", "bc"));
  CHECK(mlrt::ends_with("abc", ""));
  CHECK_FALSE(mlrt::ends_with("c", "bc"));
  CHECK(mlrt::to_lower("AbZ\xC3\x84") == "abz\xC3\x84");
  CHECK(mlrt::to_hex("\x00\x0F\xF0\xFF", 4) == "000ff0ff");
  CHECK(mlrt::to_hex(nullptr, 0).empty());
}
