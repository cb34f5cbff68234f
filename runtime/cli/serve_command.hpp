#ifndef MLRT_CLI_SERVE_COMMAND_HPP_
#define MLRT_CLI_SERVE_COMMAND_HPP_

#include <string>
#include <vector>

#include "cli/arguments.hpp"

namespace mlrt {

struct ServeCommandOptions {
  std::string model;  // a bundle, a model folder, "models:/..." or "runs:/..."
  std::string host = "127.0.0.1";
  int port = 5000;  // 0: a free one
  std::vector<std::string> allowed_hosts;
};

// Serves the model until SIGINT or SIGTERM, then finishes the requests under way and returns; a
// second signal ends the process at once. Call it before any other thread exists. Throws what
// load_model and start_scoring_service throw; nothing listens then.
void run_serve(const GlobalOptions& global, const ServeCommandOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_SERVE_COMMAND_HPP_
