#ifndef MLRT_CLI_ARGUMENTS_HPP_
#define MLRT_CLI_ARGUMENTS_HPP_

#include <string>
#include <vector>

namespace mlrt {

// What may stand before a script or a command, and after a command's name.
struct GlobalOptions {
  std::string store;    // empty: $MLRT_STORE, else mlrt.db
  std::string overlay;  // empty: none
  std::string log_level = "warn";
  std::string log_format = "text";
};

struct CommandLine {
  enum class Call { kHelp, kVersion, kScript, kCode, kPrompt, kCommand };

  Call call = Call::kHelp;
  GlobalOptions options;
  std::string subject;            // the script's path, the code of -e, or the command's name
  std::vector<std::string> rest;  // all that follows it, untouched
};

// Reads the words up to the script or command. A word that is no command is a script if such a file
// exists or it looks like a path. Throws kUsage, with the nearest name, for an option or command
// that does not exist; kNotFound for a script that does not.
CommandLine read_command_line(const std::vector<std::string>& words);

// Throws kUsage for a level or format that does not exist.
void apply_log_options(const GlobalOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_ARGUMENTS_HPP_
