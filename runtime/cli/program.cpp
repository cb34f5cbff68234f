#include "cli/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <exception>
#include <memory>
#include <new>

#include "api/scoring_service.hpp"
#include "cli/arguments.hpp"
#include "cli/command_tree.hpp"
#include "cli/help.hpp"
#include "cli/output.hpp"
#include "cli/script_command.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/version.hpp"
#include "server/scoring_server.hpp"

namespace mlrt {
namespace {

void program_ignore_signal(int) {}

// A closed descriptor 0, 1 or 2 would be given to the next file that is opened, and what is printed
// would go into the store. In its place stands the reading end of a pipe, where a write fails, so
// that lost output is noticed, and where a read finds the end.
void program_fill_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    int ends[2];
    if (::pipe(ends) == 0) ::close(ends[1]);  // the lowest free number, so ends[0] is fd
  }
}

// A peer that went away is an error of write(), not the end of the process. A handler, since an
// ignored signal would stay ignored in the programs that a script starts.
void program_survive_broken_pipes() {
  struct sigaction action = {};
  action.sa_handler = program_ignore_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGPIPE, &action, nullptr);
  sigaction(SIGXFSZ, &action, nullptr);  // a file at its size limit is an error like a full disk
}

int run_call(const CommandLine& line) {
  switch (line.call) {
    case CommandLine::Call::kHelp:
      print_out(root_help());
      break;
    case CommandLine::Call::kVersion:
      print_out(std::string("mlrt ") + MLRT_VERSION + "\n");
      break;
    case CommandLine::Call::kScript:
    case CommandLine::Call::kCode:
    case CommandLine::Call::kPrompt:
      set_scoring_service_factory(make_scoring_server);
      run_script_command(line);
      break;
    case CommandLine::Call::kCommand:
      set_scoring_service_factory(make_scoring_server);
      return run_command(line);
  }
  return 0;
}

int report_error(const Error& error) {
  // What was printed before the error comes before it.
  fflush(stdout);
  print_error(error.message());
  if (!error.detail().empty()) log_debug("detail of the error", {{"detail", error.detail()}});
  return error_info(error.code()).exit_code;
}

}  // namespace

int run_program(const std::vector<std::string>& words) {
  try {
    program_fill_descriptors();
    program_survive_broken_pipes();
    const CommandLine line = read_command_line(words);
    apply_log_options(line.options);
    const int exit_code = run_call(line);
    flush_out();
    return exit_code;
  } catch (const Error& error) {
    return report_error(error);
  } catch (const std::bad_alloc&) {
    return report_error(Error(ErrorCode::kInternal, "out of memory"));
  } catch (const std::exception& error) {
    return report_error(
        Error(ErrorCode::kInternal, std::string("internal error: ") + error.what()));
  }
}

}  // namespace mlrt
