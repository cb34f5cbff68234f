#ifndef MLRT_LUA_INTERPRETER_HPP_
#define MLRT_LUA_INTERPRETER_HPP_

#include <memory>
#include <string>
#include <vector>

namespace mlrt {

struct InterpreterOptions {
  std::string store;  // what Session takes; empty: its default. Opened when a script first needs it
  std::string overlay;  // a folder looked up before the embedded stdlib; empty: none
};

// One Lua state with mlrt's modules. Not for use by two threads at once.
//
// Scripts find modules by `require` in the script's folder, then in the overlay, then in the
// embedded stdlib. A script that fails throws kScript (kInterrupted after an interrupt), whose
// message has the file, the line, what went wrong, and the traceback, ready to print. Runs that the
// script left open are ended: FINISHED after a normal end, FAILED after an error, KILLED after an
// interrupt.
//
// While a script runs, SIGINT and SIGTERM interrupt it, a second one ends the process at once; the
// handlers that were there before come back afterwards.
class Interpreter {
 public:
  explicit Interpreter(const InterpreterOptions& options = {});
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // `args` is what the script sees in `arg` from index 1 and as `...`.
  void run_file(const std::string& path, const std::vector<std::string>& args);
  void run_string(const std::string& code, const std::vector<std::string>& args);

  // A prompt on standard input and output until end of file: prints the values of expressions,
  // takes input of several lines, survives errors and Ctrl-C.
  void run_prompt();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlrt

#endif  // MLRT_LUA_INTERPRETER_HPP_
