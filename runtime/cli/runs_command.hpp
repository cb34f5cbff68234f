#ifndef MLRT_CLI_RUNS_COMMAND_HPP_
#define MLRT_CLI_RUNS_COMMAND_HPP_

#include <cstddef>
#include <string>

#include "cli/arguments.hpp"

namespace mlrt {

struct RunsListOptions {
  std::string experiment;  // a name; empty: all
  std::size_t max_results = 50;
  bool json = false;
};

// Prints the active runs, newest first, as a table or as a JSON array. Throws kNotFound for a store
// or experiment that does not exist, and what Session and TrackingStore throw.
void run_runs_list(const GlobalOptions& global, const RunsListOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_RUNS_COMMAND_HPP_
