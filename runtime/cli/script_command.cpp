#include "cli/script_command.hpp"

#include "lua/interpreter.hpp"

namespace mlrt {

void run_script_command(const CommandLine& line) {
  InterpreterOptions options;
  options.store = line.options.store;
  options.overlay = line.options.overlay;
  Interpreter interpreter(options);
  if (line.call == CommandLine::Call::kScript) {
    interpreter.run_file(line.subject, line.rest);
  } else if (line.call == CommandLine::Call::kCode) {
    interpreter.run_string(line.subject, line.rest);
  } else {
    interpreter.run_prompt();
  }
}

}  // namespace mlrt
