#ifndef MLRT_CLI_EXCHANGE_COMMAND_HPP_
#define MLRT_CLI_EXCHANGE_COMMAND_HPP_

#include <string>

#include "cli/arguments.hpp"

namespace mlrt {

struct ImportCommandOptions {
  std::string path;
  std::string experiment;     // for TensorBoard files
  bool no_artifacts = false;  // leave the files out
  bool json = false;          // the report as JSON
};

// Imports into the store, which is created on demand; prints what came in, and what could not be
// read as warnings. Returns the exit code: 1 if there was something of that kind, else 0. Ctrl-C
// ends it with kInterrupted; importing again completes it. Throws what import_tracking throws.
int run_import(const GlobalOptions& global, const ImportCommandOptions& options);

// Writes the store as an MLflow database, and says which schema revision of MLflow it has. Throws
// what export_mlflow throws.
void run_export(const GlobalOptions& global, const std::string& path);

}  // namespace mlrt

#endif  // MLRT_CLI_EXCHANGE_COMMAND_HPP_
