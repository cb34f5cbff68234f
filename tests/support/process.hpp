#ifndef MLRT_TESTS_SUPPORT_PROCESS_HPP_
#define MLRT_TESTS_SUPPORT_PROCESS_HPP_

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mlrt {
namespace test {

struct ProcessResult {
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;      // the signal that ended it, else 0
  bool timed_out = false;
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::string folder;  // to run in; empty: the current one
  std::vector<std::pair<std::string, std::string>> environment;  // besides the inherited one
  std::string out_file;  // where standard output goes, "/dev/full" for one; empty: captured
  bool close_out = false;
  unsigned user_id = 0;  // the user and group to run as, for a test that root runs; 0: the same
  std::string in;        // what standard input holds
};

// A program that runs, its output captured. Killed by the destructor if it still does.
class Process {
 public:
  Process(const std::vector<std::string>& command, const ProcessOptions& options = {}) {
    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
      throw std::runtime_error("pipe failed");
    }
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) run_child(words, options, in[0], out[1], err[1]);
    ::close(in[0]);
    ::close(out[1]);
    ::close(err[1]);
    // Small enough for the pipe, so this does not wait for the program to read.
    if (!options.in.empty() && ::write(in[1], options.in.data(), options.in.size()) < 0) errno = 0;
    ::close(in[1]);
    out_ = out[0];
    err_ = err[0];
  }

  ~Process() {
    if (!ended_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(out_);
    ::close(err_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send_signal(int signal) { ::kill(pid_, signal); }

  // Reads standard output until it holds `text`; false if it ends or the time is over before.
  bool wait_for_output(const std::string& text, int timeout_ms = 20000) {
    const auto deadline = deadline_in(timeout_ms);
    while (result_.out.find(text) == std::string::npos) {
      if (!read_some(deadline)) return false;
    }
    return true;
  }
  const std::string& output() const { return result_.out; }
  const std::string& errors() const { return result_.err; }

  // Waits for the end; kills the program, with timed_out set, when it takes longer.
  ProcessResult wait(int timeout_ms = 30000) {
    const auto deadline = deadline_in(timeout_ms);
    while (read_some(deadline)) {
    }
    int status = 0;
    for (;;) {
      const pid_t got = ::waitpid(pid_, &status, WNOHANG);
      if (got == pid_) break;
      if (std::chrono::steady_clock::now() > deadline && !result_.timed_out) {
        result_.timed_out = true;
        ::kill(pid_, SIGKILL);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ended_ = true;
    if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
    return result_;
  }

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  static Deadline deadline_in(int timeout_ms) {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  }

  [[noreturn]] static void run_child(const std::vector<char*>& words, const ProcessOptions& options,
                                     int in, int out, int err) {
    ::dup2(in, STDIN_FILENO);
    ::dup2(err, STDERR_FILENO);
    if (!options.out_file.empty()) out = ::open(options.out_file.c_str(), O_WRONLY | O_CLOEXEC);
    ::dup2(out, STDOUT_FILENO);
    if (options.close_out) ::close(STDOUT_FILENO);
    for (const auto& item : options.environment)
      ::setenv(item.first.c_str(), item.second.c_str(), 1);
    if (options.user_id != 0 && (::setgid(options.user_id) != 0 || ::setuid(options.user_id) != 0))
      ::_exit(127);
    const bool there = options.folder.empty() || ::chdir(options.folder.c_str()) == 0;
    if (there) ::execvp(words[0], words.data());
    ::_exit(127);
  }

  // Waits for output of either kind; false when both have ended or the time is over.
  bool read_some(Deadline deadline) {
    pollfd polled[2] = {{out_open_ ? out_ : -1, POLLIN, 0}, {err_open_ ? err_ : -1, POLLIN, 0}};
    if (!out_open_ && !err_open_) return false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    if (::poll(polled, 2, static_cast<int>(left.count())) <= 0) return errno == EINTR;
    if (polled[0].revents != 0) out_open_ = read_into(out_, result_.out);
    if (polled[1].revents != 0) err_open_ = read_into(err_, result_.err);
    return true;
  }

  static bool read_into(int fd, std::string& text) {
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  bool out_open_ = true;
  bool err_open_ = true;
  bool ended_ = false;
  ProcessResult result_;
};

inline ProcessResult run_process(const std::vector<std::string>& command,
                                 const ProcessOptions& options = {}, int timeout_ms = 30000) {
  Process process(command, options);
  return process.wait(timeout_ms);
}

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_SUPPORT_PROCESS_HPP_
