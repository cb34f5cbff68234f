#ifndef MLRT_TESTS_STORE_STORE_TESTING_HPP_
#define MLRT_TESTS_STORE_STORE_TESTING_HPP_

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

#include "core/error.hpp"

namespace mlrt {
namespace test {

// What `action` threw: its code and message; no message if it threw nothing.
struct Caught {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  bool has(const std::string& part) const { return message.find(part) != std::string::npos; }
};

template <typename Action>
Caught caught(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.message()};
  }
  return {};
}

// For use in a child process, where doctest's own checks would be lost.
inline void require_in_child(bool good, const std::string& what) {
  if (!good) throw std::runtime_error(what);
}

// True where an emulator runs the tests: qemu-user ends with an error of its own when a child that
// was forked from a process with threads makes a thread.
inline bool is_emulated() { return std::getenv("MLRT_EMULATED") != nullptr; }

// Runs `action` in a new process; its id.
inline pid_t start_child(const std::function<void()>& action) {
  const pid_t child = fork();
  if (child != 0) return child;
  try {
    action();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child process: %s\n", error.what());
    _exit(1);
  }
  _exit(0);
}

// Whether the child's action came to its end without an exception.
inline bool child_succeeded(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// In a child: gives up root's rights, for whom no file is read-only.
inline void become_ordinary_user() {
  if (geteuid() != 0) return;
  require_in_child(setgid(65534) == 0 && setuid(65534) == 0, "cannot give up root's rights");
}

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_STORE_STORE_TESTING_HPP_
