#ifndef MLRT_CLI_PREDICT_COMMAND_HPP_
#define MLRT_CLI_PREDICT_COMMAND_HPP_

#include <string>

#include "cli/arguments.hpp"

namespace mlrt {

struct PredictCommandOptions {
  std::string model;   // a bundle, a model folder, "models:/..." or "runs:/..."
  std::string file;    // CSV with a header; empty or "-": the standard input
  std::string output;  // empty or "-": the standard output
  std::string format;  // "csv" (or empty) or "json"
};

// Prints one prediction a row, or writes them to a file, whole or not at all. Throws kUsage for
// another format, kInvalidParameter as "file:line:column: what" for CSV that cannot be read or does
// not fit the model, kTooLarge for more than 4 GiB, and what load_model and core/fs throw.
void run_predict(const GlobalOptions& global, const PredictCommandOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_PREDICT_COMMAND_HPP_
