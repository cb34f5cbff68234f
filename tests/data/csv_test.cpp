#include "data/csv.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <random>

#include "core/text.hpp"
#include "data/expect_error.hpp"
#include "data/shared_data.hpp"

using mlrt::Column;
using mlrt::ColumnType;
using mlrt::CsvOptions;
using mlrt::parse_csv;
using mlrt::Table;
using mlrt::test::ends_cleanly;
using mlrt::test::message_of;

namespace {

std::string csv_test_message(std::string_view text, const CsvOptions& options = {}) {
  return message_of([&] { parse_csv(text, "t.csv", options); });
}

ColumnType csv_test_type(const std::string& cells) {
  return parse_csv("x\n" + cells, "t.csv").column("x").type();
}

// A table of random columns, some of them nasty to quote.
Table csv_test_random_table(std::mt19937& random) {
  const std::string pieces[] = {"a",        "\"",           ",", "\n",  "\r", "\r\n", " ",
                                "\xC3\xA9", "\xEF\xBB\xBF", "'", "nan", "-",  "#"};
  std::size_t rows = random() % 6;
  std::size_t columns = 1 + random() % 4;
  Table table;
  for (std::size_t i = 0; i < columns; ++i) {
    std::string name = pieces[random() % 13] + std::to_string(i);
    std::vector<std::uint8_t> missing(rows);
    for (auto& mark : missing) mark = random() % 4 == 0;
    if (random() % 3 == 0) {
      std::vector<std::int64_t> values(rows);
      for (auto& value : values)
        value = static_cast<std::int64_t>((std::uint64_t{random()} << 32) | random());
      table.set(Column::of_longs(name, values, missing));
    } else if (random() % 2 == 0) {
      std::vector<double> values(rows);
      for (auto& value : values) {
        value = std::ldexp(static_cast<double>(random()) - 2e9,
                           static_cast<int>(random() % 2000) - 1000);
      }
      table.set(Column::of_doubles(name, values));
    } else {
      std::vector<std::string> values(rows);
      for (auto& value : values) {
        value = "t";  // so that no value is a number
        for (std::size_t k = random() % 5; k > 0; --k) value += pieces[random() % 13];
      }
      table.set(Column::of_strings(name, values, missing));
    }
  }
  return table;
}

}  // namespace

TEST_CASE("CSV is read with quotes, doubled quotes and line breaks inside quotes") {
  Table table = parse_csv(
      "\xEF\xBB\xBF"
      "a,\"b \"\"c\"\"\",d\r\n1,\"x,\ny\",\r\n\r\n,\"\",\"\"\"\"\n2,z \"q\",w",
      "t.csv");
  CHECK(table.column_names() == std::vector<std::string>{"a", "b \"c\"", "d"});
  REQUIRE(table.row_count() == 3);
  CHECK(table.column("a").type() == ColumnType::kLong);
  CHECK(table.column("a").integer(0) == 1);
  CHECK(table.column("a").is_missing(1));
  CHECK(table.columns()[1].text(0) == "x,\ny");
  CHECK(table.columns()[1].is_missing(1));
  CHECK(table.columns()[1].text(2) == "z \"q\"");
  CHECK(table.column("d").is_missing(0));
  CHECK(table.column("d").text(1) == "\"");
}

TEST_CASE("a column's type is the first of long, double, string that all its values fit") {
  CHECK(csv_test_type("1\n-2\n+3\n 4 ") == ColumnType::kLong);
  CHECK(csv_test_type("9223372036854775807\n-9223372036854775808") == ColumnType::kLong);
  CHECK(csv_test_type("9223372036854775808") == ColumnType::kDouble);
  CHECK(csv_test_type("1\n2.5") == ColumnType::kDouble);
  CHECK(csv_test_type("-0") == ColumnType::kDouble);
  CHECK(csv_test_type("1\nNaN\n-inf") == ColumnType::kDouble);
  CHECK(csv_test_type("1e5") == ColumnType::kDouble);
  CHECK(csv_test_type("1\n2.5\nx") == ColumnType::kString);
  CHECK(csv_test_type("true") == ColumnType::kString);
  CHECK(csv_test_type("0x10") == ColumnType::kString);
  CHECK(csv_test_type("\"1,000\"") == ColumnType::kString);
}

TEST_CASE("a column without any value is double, and all of it missing") {
  Table table = parse_csv("a,b\n1,\n2,\n", "t.csv");
  CHECK(table.column("b").type() == ColumnType::kDouble);
  CHECK(table.column("b").missing_count() == 2);
  CHECK(parse_csv("a,b", "t.csv").column("a").type() == ColumnType::kDouble);
  CHECK(parse_csv("a,b", "t.csv").row_count() == 0);
}

TEST_CASE("a string column keeps its numbers as they were written") {
  Table table = parse_csv("zip\n007\n1.50\nx\n", "t.csv");
  CHECK(table.column("zip").text(0) == "007");
  CHECK(table.column("zip").text(1) == "1.50");
}

TEST_CASE("a file without a header gets the given names, or c0, c1 and so on") {
  CsvOptions options;
  options.separator = '\t';
  options.header = false;
  CHECK(parse_csv("1\tx\n2\ty\n", "t.tsv", options).column_names() ==
        std::vector<std::string>{"c0", "c1"});
  options.column_names = {"n", "s"};
  Table table = parse_csv("1\tx\n2\ty\n", "t.tsv", options);
  CHECK(table.column("s").text(1) == "y");
  CHECK(table.row_count() == 2);
  CHECK(parse_csv("", "t.tsv", options).column_count() == 2);
  options.column_names = {"n"};
  CHECK(csv_test_message("1\tx\n", options) ==
        "t.csv:1:1: 1 column names were given, but the first record has 2 fields");
  options.column_names = {"n", "n"};
  CHECK(csv_test_message("1\tx\n", options) == "t.csv:1:1: the column name 'n' is given twice");
}

TEST_CASE("columns whose type is given are not inferred") {
  CsvOptions options;
  options.column_types = {{"s", ColumnType::kString},
                          {"n", ColumnType::kLong},
                          {"d", ColumnType::kDouble},
                          {"b", ColumnType::kBoolean},
                          {"other", ColumnType::kLong}};
  Table table = parse_csv("s,n,d,b\n12,3,4,True\n,,,\n7,1,2,0\n", "t.csv", options);
  CHECK(table.column("s").text(0) == "12");
  CHECK(table.column("s").is_missing(1));
  CHECK(table.column("n").type() == ColumnType::kLong);
  CHECK(table.column("n").is_missing(1));
  CHECK(table.column("d").type() == ColumnType::kDouble);
  CHECK(table.column("b").type() == ColumnType::kBoolean);
  CHECK(table.column("b").integer(0) == 1);
  CHECK(table.column("b").is_missing(1));
  CHECK(table.column("b").integer(2) == 0);
  CHECK(csv_test_message("s,n\nx,1\nx,2.5\n", options) ==
        "t.csv:3:3: '2.5' in column 'n' is not a long");
  CHECK(csv_test_message("d\n\"a\"\"b\"\n", options) ==
        "t.csv:2:1: 'a\"b' in column 'd' is not a double");
  CHECK(csv_test_message("b\nyes\n", options) == "t.csv:2:1: 'yes' in column 'b' is not a boolean");
}

TEST_CASE("malformed CSV is refused with file, line and column") {
  struct Case {
    std::string text;
    std::string message;
  };
  const Case cases[] = {
      {"", "t.csv:1:1: no header: the first line must name the columns"},
      {"\n\n", "t.csv:1:1: no header: the first line must name the columns"},
      {"a,b\n1,2\n1,2,3\n", "t.csv:3:5: a field too many: the table has 2 columns"},
      {"a,b\n1,2,\n", "t.csv:2:5: a field too many: the table has 2 columns"},
      {"a,b,c\n1,2,3\r\n1,2\r\n", "t.csv:3:4: only 2 fields: the table has 3 columns"},
      {"a,b\n1", "t.csv:2:2: only 1 field: the table has 2 columns"},
      {"a,b\n1,\"2\n3,4\n", "t.csv:2:3: this quote is never closed"},
      {"a,b\n1,\"2\"x\n",
       "t.csv:2:6: text after a closing quote; a quote inside a quoted field is written twice"},
      {"a,b\n\"x\ny\",1\n2,\"3\" \n",
       "t.csv:4:6: text after a closing quote; a quote inside a quoted field is written twice"},
      {"a,b\n1,2\r3,4\r",
       "t.csv:2:4: a carriage return without its line feed; put the field in quotes"},
      {"a,b\n1,\xFF\n", "t.csv:2:3: a byte that is not UTF-8; save the file in UTF-8"},
      {"a,b\n\xC3\xA9,\xC3\n", "t.csv:2:4: a byte that is not UTF-8; save the file in UTF-8"},
      {"a,b\n1,\xC3", "t.csv:2:3: a byte that is not UTF-8; save the file in UTF-8"},
      {std::string("a,b\n1,\0\n", 8), "t.csv:2:3: a NUL byte: this is not a text file in UTF-8"},
      {"a,,b\n", "t.csv:1:3: a column without a name"},
      {"a,\"\"\n", "t.csv:1:3: a column without a name"},
      {"a,b,a\n", "t.csv:1:5: the column name 'a' stands twice"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(csv_test_message(c.text) == c.message);
  }
}

TEST_CASE("a separator that CSV needs for itself is refused") {
  for (char separator : {'"', '\n', '\r', '\0', '\xC3'}) {
    CsvOptions options;
    options.separator = separator;
    CHECK(csv_test_message("a", options) ==
          "a CSV separator is one ASCII character other than a quote or a line break");
  }
}

TEST_CASE("a line of nothing but separators cannot exhaust the memory") {
  CsvOptions options;
  options.header = false;
  CHECK(csv_test_message(std::string(200000, ','), options) ==
        "t.csv:1:100001: more than 100000 columns");
  CHECK(parse_csv(std::string(99999, ','), "t.csv", options).column_count() == 100000);
}

TEST_CASE("format_csv quotes what needs it, and refuses what CSV cannot hold") {
  Table table;
  table.set(Column::of_strings("a,b", {"x", "say \"hi\"", "two\nlines", ""}));
  table.set(Column::of_doubles("d", {0.1, std::nan(""), 1e22, -INFINITY}));
  table.set(Column::of_booleans("t", {1, 0, 1, 0}, {0, 0, 0, 1}));
  CHECK(mlrt::format_csv(table) ==
        "\"a,b\",d,t\nx,0.1,true\n\"say "
        "\"\"hi\"\"\",,false\n\"two\nlines\",1e+22,true\n,-Infinity,\n");
  Table single;
  single.set(Column::of_longs("n", {1, 2}, {0, 1}));
  CHECK(mlrt::format_csv(single) == "n\n1\n\"\"\n");
  CHECK(parse_csv(mlrt::format_csv(single), "t.csv").row_count() == 2);
  Table bad;
  bad.set(Column::of_strings("s", {"ok", "\xFF"}));
  CHECK(message_of([&] { mlrt::format_csv(bad); }) ==
        "column 's', row 1: a text with a NUL or invalid UTF-8 cannot be written as CSV");
}

TEST_CASE("what format_csv writes, parse_csv reads back as the same cells") {
  std::mt19937 random(20240);
  for (int round = 0; round < 2000; ++round) {
    Table table = csv_test_random_table(random);
    std::string text = mlrt::format_csv(table);
    CAPTURE(text);
    Table read = parse_csv(text, "t.csv");
    REQUIRE(read.column_names() == table.column_names());
    REQUIRE(read.row_count() == table.row_count());
    for (std::size_t i = 0; i < table.column_count(); ++i) {
      for (std::size_t row = 0; row < table.row_count(); ++row) {
        REQUIRE(read.columns()[i].cell_text(row) == table.columns()[i].cell_text(row));
      }
    }
    REQUIRE(mlrt::format_csv(read) == text);
  }
}

TEST_CASE("no flipped byte and no truncation of a CSV does more than fail cleanly") {
  const std::string good = "a,\"b\"\"c\",d\r\n1,\"x,\ny\",2.5\n\n,\"\",nan\n-3,\xC3\xA9,1e9\n";
  for (std::size_t size = 0; size <= good.size(); ++size) {
    CHECK(ends_cleanly([&] { parse_csv(good.substr(0, size), "t.csv"); }));
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string flipped = good;
      flipped[i] = static_cast<char>(value);
      CHECK(ends_cleanly([&] {
        Table table = parse_csv(flipped, "t.csv");
        table.digest();
        mlrt::format_csv(table);
      }));
    }
  }
}

TEST_CASE("the taxi data is read with its types, fast") {
  if (!mlrt::test::has_shared_data()) return;
  std::string bytes = mlrt::test::read_shared_data("taxi.csv");
  auto start = std::chrono::steady_clock::now();
  Table table = parse_csv(bytes, "taxi.csv");
  auto took = std::chrono::steady_clock::now() - start;
  // 24 ms where this was written; the limit only catches something quadratic, sanitizers included.
  CHECK(std::chrono::duration_cast<std::chrono::milliseconds>(took).count() < 2000);
  CHECK(table.row_count() == 15002);
  CHECK(table.column_count() == 18);
  CHECK(table.column("fare").type() == ColumnType::kDouble);
  CHECK(table.column("trip_seconds").type() == ColumnType::kLong);
  CHECK(table.column("trip_seconds").missing_count() == 6);
  CHECK(table.column("company").type() == ColumnType::kString);
  CHECK(table.column("company").missing_count() == 5140);
}
