#ifndef MLRT_CLI_SCRIPT_COMMAND_HPP_
#define MLRT_CLI_SCRIPT_COMMAND_HPP_

#include "cli/arguments.hpp"

namespace mlrt {

// Runs the script, the code of -e, or the prompt that `line` asks for. Ctrl-C and SIGTERM end it
// with kInterrupted, its open runs marked KILLED; the second one ends the process at once. Throws
// kNotFound for an overlay that is no folder, what Interpreter throws, and kIo if something that it
// printed was lost.
void run_script_command(const CommandLine& line);

}  // namespace mlrt

#endif  // MLRT_CLI_SCRIPT_COMMAND_HPP_
