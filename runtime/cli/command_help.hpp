#ifndef MLRT_CLI_COMMAND_HELP_HPP_
#define MLRT_CLI_COMMAND_HELP_HPP_

// Internal: what CLI11's tree of commands tells people and shells.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace mlrt {

// The help of the command whose words are `name` ("runs list"), in the style of root_help.
std::string command_help(const CLI::App& command, const std::string& name);

// "--json" and the like, of the command and all above it.
std::vector<std::string> command_option_names(const CLI::App& command);
std::vector<std::string> subcommand_names(const CLI::App& command);

// A script that completes the words after `mlrt` in "bash", "zsh" or "fish". Throws kUsage for
// another shell.
std::string completion_script(const CLI::App& root, const std::string& shell);

}  // namespace mlrt

#endif  // MLRT_CLI_COMMAND_HELP_HPP_
