#include "cli/script_command.hpp"

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "lua/interpreter.hpp"

namespace mlrt {

void run_script_command(const CommandLine& line) {
  const std::string& overlay = line.options.overlay;
  if (!overlay.empty() && !fs::is_folder(overlay)) {
    throw Error(ErrorCode::kNotFound,
                "there is no folder " + quoted(overlay, 300) + ", which --overlay names");
  }
  InterpreterOptions options;
  options.store = line.options.store;
  options.overlay = overlay;
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
