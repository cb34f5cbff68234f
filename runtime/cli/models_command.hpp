#ifndef MLRT_CLI_MODELS_COMMAND_HPP_
#define MLRT_CLI_MODELS_COMMAND_HPP_

#include "cli/arguments.hpp"
#include "cli/listing.hpp"

namespace mlrt {

struct ModelsListOptions {
  OutputFlags output;
};

// Prints the registered models with their versions, by name, newest version first, as a table,
// JSON or CSV (there with a row a version). Throws kNotFound for a store that does not exist, and
// what Session and Registry throw.
void run_models_list(const GlobalOptions& global, const ModelsListOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_MODELS_COMMAND_HPP_
