#ifndef MLRT_CLI_LINE_CHART_HPP_
#define MLRT_CLI_LINE_CHART_HPP_

#include <cstddef>
#include <string>
#include <vector>

namespace mlrt {

struct ChartPoint {
  double x = 0;
  double y = 0;
};

struct ChartOptions {
  std::size_t columns = 80;  // of the whole chart, labels included; at least 20
  std::size_t rows = 20;     // the same; at least 5
  bool ascii = false;        // '*' in place of Braille dots
};

// A chart of lines from point to point, in the order that they have, as lines of text: labels of
// the least and greatest value left of it, those of x below. A point whose y is not finite (or x)
// is a gap. Values that all are the same are a line in the middle; with no finite point the chart
// is empty and has no labels. Pure.
std::string line_chart(const std::vector<ChartPoint>& points, const ChartOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_LINE_CHART_HPP_
