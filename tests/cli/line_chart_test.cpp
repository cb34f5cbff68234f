#include "cli/line_chart.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/text.hpp"

namespace mlrt {
namespace {

ChartOptions ascii_chart(std::size_t columns, std::size_t rows) {
  ChartOptions options;
  options.columns = columns;
  options.rows = rows;
  options.ascii = true;
  return options;
}

std::size_t chart_width(const std::string& line) {
  std::size_t width = 0;
  for (const char c : line) width += (static_cast<unsigned char>(c) & 0xC0) == 0x80 ? 0 : 1;
  return width;
}

}  // namespace

TEST_CASE("a chart has lines between its points and labels at its ends") {
  CHECK(line_chart({{0, 0}, {4, 4}, {8, 0}}, ascii_chart(20, 7)) ==
        "4 |        **\n"
        "  |      **  **\n"
        "  |    **      **\n"
        "  |  **          **\n"
        "0 | *              *\n"
        "  +-----------------\n"
        "    0              8\n");
}

TEST_CASE("NaN and infinities are gaps in a chart") {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(line_chart({{0, 1}, {1, 1}, {2, nan}, {3, -infinity}, {4, 2}}, ascii_chart(20, 5)) ==
        "2 |                *\n"
        "  |\n"
        "1 | *****\n"
        "  +-----------------\n"
        "    0              4\n");
}

TEST_CASE("a chart of one value, of one point and of none is drawn") {
  CHECK(line_chart({{0, 3}, {9, 3}}, ascii_chart(20, 5)) ==
        "  |\n"
        "3 | ****************\n"
        "  |\n"
        "  +-----------------\n"
        "    0              9\n");
  CHECK(line_chart({{7, 3}}, ascii_chart(20, 5)) ==
        "  |\n"
        "3 |         *\n"
        "  |\n"
        "  +-----------------\n"
        "    7\n");
  CHECK(line_chart({}, ascii_chart(20, 5)) ==
        " |\n"
        " |\n"
        " |\n"
        " +------------------\n"
        "\n");
}

TEST_CASE("a Braille chart has two dots a column and four a line") {
  ChartOptions options;
  options.columns = 20;
  options.rows = 5;
  const std::string text = line_chart({{0, 0}, {31, 11}}, options);
  const std::vector<std::string> lines = split(text, '\n');
  REQUIRE(lines.size() == 6);
  // The first point is the lower left dot, the last one the upper right dot.
  CHECK(lines[2].find("0 \xE2\x94\x82 \xE2\xA3\x80") == 1);
  CHECK(ends_with(lines[0], "\xE2\xA0\x89"));
}

TEST_CASE("a chart of extreme values and sizes stays within its width") {
  const double most = std::numeric_limits<double>::max();
  for (const std::size_t columns : {0u, 20u, 80u, 200u}) {
    for (const bool ascii : {false, true}) {
      ChartOptions options = ascii_chart(columns, columns / 2);
      options.ascii = ascii;
      const std::string text =
          line_chart({{-9e15, -most}, {0, most}, {1, 5e-324}, {9e15, -most}}, options);
      for (const std::string& line : split(text, '\n'))
        CHECK(chart_width(line) <= std::max<std::size_t>(columns, 20));
    }
  }
}

}  // namespace mlrt
