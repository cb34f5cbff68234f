#ifndef MLRT_CLI_PROGRAM_HPP_
#define MLRT_CLI_PROGRAM_HPP_

#include <string>
#include <vector>

namespace mlrt {

// The executable: runs what `words` (the command line without the program's name) ask for, and
// returns the exit code. Changes the whole process (signals, log, open descriptors 0 to 2); call it
// once, from main. An error is one line "mlrt: message" on standard error, a script's followed by
// its traceback; its detail is shown at --log-level debug only. Output that cannot be written is an
// error too.
int run_program(const std::vector<std::string>& words);

}  // namespace mlrt

#endif  // MLRT_CLI_PROGRAM_HPP_
