#ifndef MLRT_CLI_RUNS_PLOT_HPP_
#define MLRT_CLI_RUNS_PLOT_HPP_

#include <cstddef>
#include <string>

#include "cli/arguments.hpp"
#include "cli/listing.hpp"

namespace mlrt {

struct RunsPlotOptions {
  std::string run;
  std::string key;          // the metric's
  bool ascii = false;       // no Braille
  std::size_t columns = 0;  // 0: the terminal's, else 80
  std::size_t rows = 0;     // 0: 20
  OutputFlags output;       // the whole history in place of the chart
};

// Draws a metric over its steps (over the seconds since the first point, if all have one step).
// Throws as the other commands on runs (runs_command.hpp), kNotFound for a metric that the run does
// not have.
void run_runs_plot(const GlobalOptions& global, const RunsPlotOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_RUNS_PLOT_HPP_
