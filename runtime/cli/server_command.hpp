#ifndef MLRT_CLI_SERVER_COMMAND_HPP_
#define MLRT_CLI_SERVER_COMMAND_HPP_

#include <string>

#include "cli/arguments.hpp"

namespace mlrt {

// Empty is what the command line does not say; then the environment, the configuration file and the
// usual values are asked, in this order.
struct ServerCommandOptions {
  std::string config;                 // MLRT_CONFIG: a Lua file, see lua/server_config.hpp
  std::string host;                   // MLRT_HOST, 127.0.0.1
  std::string port;                   // MLRT_PORT, 5000; 0: a free one
  std::string artifacts_destination;  // MLRT_ARTIFACTS_DESTINATION; kept in the store
  std::string allowed_hosts;          // MLRT_ALLOWED_HOSTS; separated by commas
  bool read_only = false;             // MLRT_READ_ONLY
};

// Serves the store as MLflow's tracking server does, until SIGINT or SIGTERM; then finishes the
// requests under way and returns. A second signal ends the process at once. A store that does not
// exist is made, unless the server is read-only. Call it before any other thread exists. Throws
// kUsage for a setting that is none, and what load_server_config, Session and TrackingServer throw;
// nothing listens then.
void run_server(const GlobalOptions& global, const ServerCommandOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_SERVER_COMMAND_HPP_
