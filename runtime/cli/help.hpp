#ifndef MLRT_CLI_HELP_HPP_
#define MLRT_CLI_HELP_HPP_

namespace mlrt {

// What `mlrt --help` prints.
const char* root_help();

}  // namespace mlrt

#endif  // MLRT_CLI_HELP_HPP_
