#ifndef MLRT_CLI_RUNS_TAIL_HPP_
#define MLRT_CLI_RUNS_TAIL_HPP_

#include <cstddef>
#include <string>
#include <vector>

#include "cli/arguments.hpp"

namespace mlrt {

struct RunsTailOptions {
  std::string run;
  std::vector<std::string> keys;  // of metrics; empty: all
  std::size_t lines = 10;         // of what is there already
  bool json = false;              // an object a line
};

// Prints the metrics that a run has logged last, then each new one as it comes, until the run ends;
// its status is the last line. Returns the exit code: 130 after Ctrl-C or SIGTERM, else 0. Call it
// before any other thread exists. Throws as the other commands on runs (runs_command.hpp).
int run_runs_tail(const GlobalOptions& global, const RunsTailOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_RUNS_TAIL_HPP_
