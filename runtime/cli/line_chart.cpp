#include "cli/line_chart.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace mlrt {
namespace {

constexpr std::size_t kChartLeastColumns = 20;
constexpr std::size_t kChartLeastRows = 5;
constexpr std::size_t kChartMostColumns = 1000;
constexpr std::size_t kChartMostRows = 1000;

// Dots, from the lower left corner. A cell of text holds 2 x 4 of them in Braille, else one.
class ChartCanvas {
 public:
  ChartCanvas(std::size_t columns, std::size_t rows, bool ascii)
      : columns_(columns), rows_(rows), ascii_(ascii), cells_(columns * rows, 0) {}

  long width() const { return static_cast<long>(columns_ * (ascii_ ? 1 : 2)); }
  long height() const { return static_cast<long>(rows_ * (ascii_ ? 1 : 4)); }

  void dot(long x, long y) {
    const auto column = static_cast<std::size_t>(ascii_ ? x : x / 2);
    const long down = height() - 1 - y;
    const auto row = static_cast<std::size_t>(ascii_ ? down : down / 4);
    // The bits of U+2800: dots 1 to 3 and 7 are the left column from above, 4 to 6 and 8 the right.
    static constexpr unsigned char kBits[2][4] = {{0x01, 0x02, 0x04, 0x40},
                                                  {0x08, 0x10, 0x20, 0x80}};
    cells_[row * columns_ + column] |= ascii_ ? 1 : kBits[x % 2][down % 4];
  }

  // Every column between is met, and every row.
  void line(long x0, long y0, long x1, long y1) {
    const long steps = std::max(std::labs(x1 - x0), std::labs(y1 - y0));
    for (long i = 0; i <= steps; ++i) {
      const double part = steps == 0 ? 0 : static_cast<double>(i) / static_cast<double>(steps);
      dot(x0 + std::lround(part * static_cast<double>(x1 - x0)),
          y0 + std::lround(part * static_cast<double>(y1 - y0)));
    }
  }

  std::string row_text(std::size_t row) const {
    std::string out;
    for (std::size_t column = 0; column < columns_; ++column) {
      const unsigned char bits = cells_[row * columns_ + column];
      if (bits == 0) {
        out += ' ';
      } else if (ascii_) {
        out += '*';
      } else {
        out += '\xE2';  // U+2800 + bits in UTF-8
        out += static_cast<char>(0xA0 | (bits >> 6));
        out += static_cast<char>(0x80 | (bits & 0x3F));
      }
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
  }

 private:
  std::size_t columns_, rows_;
  bool ascii_;
  std::vector<unsigned char> cells_;
};

struct ChartRange {
  double low = 0, high = 0;

  // From 0 to 1. Halves, since the whole range may be beyond a double's.
  double part(double value) const {
    const double size = high / 2 - low / 2;
    return size > 0 ? std::min(1.0, std::max(0.0, (value / 2 - low / 2) / size)) : 0.5;
  }
};

bool is_drawn(const ChartPoint& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

std::string chart_number(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.5g", value);
  return text;
}

std::string right_aligned(const std::string& text, std::size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

struct ChartRanges {
  ChartRange x, y;
  bool any = false;
};

ChartRanges chart_ranges(const std::vector<ChartPoint>& points) {
  ChartRanges ranges;
  for (const ChartPoint& point : points) {
    if (!is_drawn(point)) continue;
    if (!ranges.any) {
      ranges = {{point.x, point.x}, {point.y, point.y}, true};
      continue;
    }
    ranges.x = {std::min(ranges.x.low, point.x), std::max(ranges.x.high, point.x)};
    ranges.y = {std::min(ranges.y.low, point.y), std::max(ranges.y.high, point.y)};
  }
  return ranges;
}

void draw_chart(ChartCanvas& canvas, const std::vector<ChartPoint>& points,
                const ChartRanges& ranges) {
  bool joined = false;
  long last_x = 0, last_y = 0;
  for (const ChartPoint& point : points) {
    if (!is_drawn(point)) {
      joined = false;
      continue;
    }
    const long x = std::lround(ranges.x.part(point.x) * static_cast<double>(canvas.width() - 1));
    const long y = std::lround(ranges.y.part(point.y) * static_cast<double>(canvas.height() - 1));
    canvas.line(joined ? last_x : x, joined ? last_y : y, x, y);
    last_x = x;
    last_y = y;
    joined = true;
  }
}

}  // namespace

std::string line_chart(const std::vector<ChartPoint>& points, const ChartOptions& options) {
  const std::size_t columns =
      std::min(std::max(options.columns, kChartLeastColumns), kChartMostColumns);
  const std::size_t rows = std::min(std::max(options.rows, kChartLeastRows), kChartMostRows);
  const ChartRanges ranges = chart_ranges(points);
  const std::string high = ranges.any ? chart_number(ranges.y.high) : "";
  const std::string low = ranges.any ? chart_number(ranges.y.low) : "";
  const bool flat = high == low;  // one label, in the middle
  const std::size_t label = std::max(high.size(), low.size());
  const std::size_t plot_rows = rows - 2;  // below it: the axis and its labels
  const std::size_t plot_columns = columns - label - 3;
  ChartCanvas canvas(plot_columns, plot_rows, options.ascii);
  draw_chart(canvas, points, ranges);
  const char* bar = options.ascii ? " | " : " \xE2\x94\x82 ";  // a vertical line
  std::string out;
  for (std::size_t row = 0; row < plot_rows; ++row) {
    std::string text;
    if (flat) {
      if (row == plot_rows / 2) text = high;
    } else if (row == 0) {
      text = high;
    } else if (row == plot_rows - 1) {
      text = low;
    }
    out += right_aligned(text, label) + bar + canvas.row_text(row);
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  out += std::string(label + 1, ' ') + (options.ascii ? "+" : "\xE2\x94\x94");
  for (std::size_t i = 0; i <= plot_columns; ++i) out += options.ascii ? "-" : "\xE2\x94\x80";
  const std::string first = ranges.any ? chart_number(ranges.x.low) : "";
  const std::string last = ranges.any ? chart_number(ranges.x.high) : "";
  // Labels that a narrow chart has no room for are left out.
  std::string labels = first;
  if (first != last && first.size() + 1 + last.size() <= plot_columns)
    labels += right_aligned(last, plot_columns - first.size());
  if (labels.size() > plot_columns) labels.clear();
  out += "\n" + std::string(label + 3, ' ') + labels;
  out.erase(out.find_last_not_of(' ') + 1);
  return out + "\n";
}

}  // namespace mlrt
