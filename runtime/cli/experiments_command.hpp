#ifndef MLRT_CLI_EXPERIMENTS_COMMAND_HPP_
#define MLRT_CLI_EXPERIMENTS_COMMAND_HPP_

#include <cstddef>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/listing.hpp"

namespace mlrt {

// The commands on experiments. One is named by its name, or else its id. All throw kNotFound for a
// store or experiment that does not exist, and what Session and TrackingStore throw.

struct ExperimentsCreateOptions {
  std::string name;
  std::string artifact_location;  // empty: the usual one
  std::vector<std::string> tags;  // "key=value"
};

// Creates the experiment, and the store on demand; prints its id. Throws kUsage for a tag without
// '='.
void run_experiments_create(const GlobalOptions& global, const ExperimentsCreateOptions& options);

struct ExperimentsSearchOptions {
  std::string filter;
  std::vector<std::string> order_by;
  std::string view;  // "active" (or empty), "deleted", "all"
  std::size_t max_results = 1000;
  OutputFlags output;
};

void run_experiments_search(const GlobalOptions& global, const ExperimentsSearchOptions& options);

void run_experiments_get(const GlobalOptions& global, const std::string& experiment,
                         const OutputFlags& output);
void run_experiments_rename(const GlobalOptions& global, const std::string& experiment,
                            const std::string& name);
void run_experiments_delete(const GlobalOptions& global, const std::string& experiment);
void run_experiments_restore(const GlobalOptions& global, const std::string& experiment);

// All active runs of the experiment as CSV, to standard output or into `file`.
void run_experiments_csv(const GlobalOptions& global, const std::string& experiment,
                         const std::string& file);

}  // namespace mlrt

#endif  // MLRT_CLI_EXPERIMENTS_COMMAND_HPP_
