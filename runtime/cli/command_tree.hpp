#ifndef MLRT_CLI_COMMAND_TREE_HPP_
#define MLRT_CLI_COMMAND_TREE_HPP_

#include <string>
#include <vector>

#include "cli/arguments.hpp"

namespace mlrt {

// The first words of all commands.
const std::vector<std::string>& command_names();

// Reads the rest of the command line by the tree of commands and options, and runs the command;
// returns the exit code. Throws kUsage, with the nearest name, for words that do not fit, and what
// the command throws.
int run_command(const CommandLine& line);

}  // namespace mlrt

#endif  // MLRT_CLI_COMMAND_TREE_HPP_
