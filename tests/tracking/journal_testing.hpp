#ifndef MLRT_TESTS_TRACKING_JOURNAL_TESTING_HPP_
#define MLRT_TESTS_TRACKING_JOURNAL_TESTING_HPP_

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/fs.hpp"
#include "core/fs_file.hpp"
#include "store/database.hpp"
#include "store/journal.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace test {

// In the child of a process with threads the thread sanitizer lets nobody make threads, and the
// memory of the address sanitizer may stay locked for ever by a thread that is not there.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif

// Short words from one process to another.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  }
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void say(const std::string& word = "x") {
    const std::string line = word + "\n";
    require_in_child(
        ::write(ends_[1], line.data(), line.size()) == static_cast<ssize_t>(line.size()),
        "write to a pipe");
  }
  std::string hear() {
    std::string word;
    for (;;) {
      char byte = 0;
      require_in_child(::read(ends_[0], &byte, 1) == 1, "read from a pipe");
      if (byte == '\n') return word;
      word += byte;
    }
  }

 private:
  int ends_[2] = {-1, -1};
};

// A child process, killed by the destructor if it still runs.
class ChildProcess {
 public:
  explicit ChildProcess(const std::function<void()>& action) : pid_(start_child(action)) {}
  ~ChildProcess() {
    if (pid_ > 0) kill();
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  bool succeeded() { return child_succeeded(std::exchange(pid_, 0)); }
  void kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  // Until it has stopped itself.
  bool wait_for_stop() {
    int status = 0;
    return ::waitpid(pid_, &status, WUNTRACED) == pid_ && WIFSTOPPED(status);
  }
  void go_on() { ::kill(pid_, SIGCONT); }

 private:
  pid_t pid_;
};

// What is written to standard error meanwhile, by this process and its children.
class StderrCapture {
 public:
  StderrCapture() : saved_(::dup(STDERR_FILENO)) {
    const int file = ::open(dir_.path("stderr").c_str(), O_RDWR | O_CREAT | O_APPEND, 0666);
    ::dup2(file, STDERR_FILENO);
    ::close(file);
  }
  ~StderrCapture() { stop(); }
  StderrCapture(const StderrCapture&) = delete;
  StderrCapture& operator=(const StderrCapture&) = delete;

  std::string text() const { return fs::read_file(dir_.path("stderr")); }
  std::size_t count(const std::string& part) const {
    const std::string all = text();
    std::size_t found = 0;
    for (std::size_t at = all.find(part); at != std::string::npos; at = all.find(part, at + 1))
      ++found;
    return found;
  }
  void stop() {
    if (saved_ < 0) return;
    ::dup2(saved_, STDERR_FILENO);
    ::close(std::exchange(saved_, -1));
  }

 private:
  TempDir dir_;
  int saved_;
};

// Sets the hook of core/fs for as long as it lives: make it before a store is opened, end it after.
class FsHook {
 public:
  explicit FsHook(fs::FaultHook hook) { fs::set_fault_hook(std::move(hook)); }
  ~FsHook() { fs::set_fault_hook({}); }
  FsHook(const FsHook&) = delete;
  FsHook& operator=(const FsHook&) = delete;
};

inline bool path_has(const std::string& path, const std::string& end) {
  return path.size() >= end.size() && path.compare(path.size() - end.size(), end.size(), end) == 0;
}

// The first column of the first row of what is in the database itself.
inline std::int64_t stored_integer(Database& database, const std::string& sql) {
  Transaction transaction(database, Transaction::Mode::kReadStored);
  Statement row = transaction.query(sql);
  return row.step() ? row.integer(0) : 0;
}

// All records of metrics, each as often as it is there.
inline std::int64_t stored_points(Database& database) {
  return stored_integer(database, "SELECT total(count) FROM metric_blocks");
}

inline std::uint64_t folder_bytes(const std::string& folder) {
  return fs::exists(folder) ? fs::tree_size(folder).bytes : 0;
}

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_TRACKING_JOURNAL_TESTING_HPP_
