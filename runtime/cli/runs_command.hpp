#ifndef MLRT_CLI_RUNS_COMMAND_HPP_
#define MLRT_CLI_RUNS_COMMAND_HPP_

#include <cstddef>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/listing.hpp"

namespace mlrt {

// The commands on runs. A run is named by its id or a unique beginning of it (find_run_id). All
// throw kNotFound for a store, run or experiment that does not exist, and what Session and
// TrackingStore throw.

struct RunsSearchOptions {
  std::vector<std::string> experiments;  // names or ids; empty: all active ones
  std::string filter;
  std::vector<std::string> order_by;  // empty: newest first
  std::string view;                   // "active" (or empty), "deleted", "all"
  std::size_t max_results = 50;
  OutputFlags output;
};

// Prints the runs that match.
void run_runs_search(const GlobalOptions& global, const RunsSearchOptions& options);

struct RunsGetOptions {
  std::string run;
  std::string field;  // "status", "params.l2", "metrics.auc", ...; empty: all of it
  OutputFlags output;
};

// Prints the run as JSON or CSV, or the bare value of one field.
void run_runs_get(const GlobalOptions& global, const RunsGetOptions& options);

// Prints all there is to know of a run, for people; as JSON it is what get prints.
void run_runs_describe(const GlobalOptions& global, const RunsGetOptions& options);

// Marks runs deleted, or active again; all of them are found before the first is changed.
void run_runs_delete(const GlobalOptions& global, const std::vector<std::string>& runs);
void run_runs_restore(const GlobalOptions& global, const std::vector<std::string>& runs);

}  // namespace mlrt

#endif  // MLRT_CLI_RUNS_COMMAND_HPP_
