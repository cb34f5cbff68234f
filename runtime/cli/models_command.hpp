#ifndef MLRT_CLI_MODELS_COMMAND_HPP_
#define MLRT_CLI_MODELS_COMMAND_HPP_

#include "cli/arguments.hpp"

namespace mlrt {

struct ModelsListOptions {
  bool json = false;
};

// Prints the registered models with their versions, by name, newest version first, as a table or as
// a JSON array. Throws kNotFound for a store that does not exist, and what Session and Registry
// throw.
void run_models_list(const GlobalOptions& global, const ModelsListOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_MODELS_COMMAND_HPP_
