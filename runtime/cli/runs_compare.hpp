#ifndef MLRT_CLI_RUNS_COMPARE_HPP_
#define MLRT_CLI_RUNS_COMPARE_HPP_

#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/listing.hpp"

namespace mlrt {

struct RunsCompareOptions {
  std::vector<std::string> runs;  // two or more
  OutputFlags output;
};

// Prints the parameters, metrics (the latest values) and tags that are not the same in all of the
// runs, a column a run. Throws as the other commands on runs (runs_command.hpp), kUsage for fewer
// than two.
void run_runs_compare(const GlobalOptions& global, const RunsCompareOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_RUNS_COMPARE_HPP_
