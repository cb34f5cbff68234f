#include "crash_support.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <system_error>

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace mlrt {
namespace test {
namespace {

constexpr std::size_t kCrashProblemBytes = 3000;

char g_crash_label[512];

// Only what a signal handler may do.
void tell_crash_label() {
  const ssize_t ignored = write(STDERR_FILENO, g_crash_label, std::strlen(g_crash_label));
  (void)ignored;
}

extern "C" void on_crash_signal(int number) {
  tell_crash_label();
  signal(number, SIG_DFL);
  raise(number);
}

void watch_crash_signals() {
  static bool watched = false;
  if (watched) return;
  watched = true;
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(tell_crash_label);
  for (int number : {SIGABRT, SIGALRM, SIGFPE, SIGILL, SIGBUS}) signal(number, on_crash_signal);
  if (__sanitizer_set_death_callback == nullptr) signal(SIGSEGV, on_crash_signal);
}

}  // namespace

CrashOptions parse_crash_options(int argc, char** argv) {
  CrashOptions options;
  // What is tested here is not the disk: in memory it takes a tenth of the time.
  if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 0);
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (word == "--long") {
      options.is_long = true;
      continue;
    }
    if (value != nullptr && word == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else if (value != nullptr && word == "--count") {
      options.count = std::strtoll(value, nullptr, 10);
    } else if (value != nullptr && word == "--from") {
      options.from = std::strtoll(value, nullptr, 10);
    } else if (value != nullptr && word == "--only") {
      options.only = value;
    } else {
      std::fprintf(stderr, "usage: %s [--long] [--seed N] [--count N] [--from N] [--only PART]\n",
                   argv[0]);
      std::exit(2);
    }
    ++i;
  }
  return options;
}

bool CrashTally::run(const std::string& part, std::int64_t number, const std::string& folder,
                     unsigned max_seconds, const std::function<void()>& loop) {
  watch_crash_signals();
  std::snprintf(g_crash_label, sizeof(g_crash_label),
                "it ended in: %s, loop %lld; repeat it with --seed %llu --only '%s' --from %lld\n",
                part.c_str(), static_cast<long long>(number),
                static_cast<unsigned long long>(options_.seed), part.c_str(),
                static_cast<long long>(number));
  alarm(max_seconds);
  std::string problem;
  try {
    loop();
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (problem.size() > kCrashProblemBytes) problem.resize(kCrashProblemBytes);
  alarm(0);
  if (problem.empty()) {
    ++passed_;
    return true;
  }
  ++failed_;
  std::printf("FAILED: %s\n%s", problem.c_str(), g_crash_label);
  if (!folder.empty() && failed_ == 1) {
    const std::filesystem::path kept =
        std::filesystem::temp_directory_path() / ("mlrt-crash-" + std::to_string(::getpid()));
    std::error_code error;
    std::filesystem::copy(folder, kept, std::filesystem::copy_options::recursive, error);
    std::printf("  what it left: %s\n", kept.c_str());
  }
  std::fflush(stdout);
  return false;
}

void CrashTally::skip(const std::string& part, const std::string& reason) {
  std::printf("skipped %s: %s\n", part.c_str(), reason.c_str());
}

void CrashTally::report(const std::string& line) {
  std::printf("count: %s\n", line.c_str());
  std::fflush(stdout);
}

int CrashTally::finish() {
  std::printf("%lld passed, %lld failed\n", static_cast<long long>(passed_),
              static_cast<long long>(failed_));
  return failed_ > 0 || passed_ == 0 ? 1 : 0;
}

std::string crash_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

void crash_copy_tree(const std::string& from, const std::string& to) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

std::string crash_bytes(std::uint64_t seed, std::size_t size) {
  CrashRandom random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next() & 0xFF);
  return bytes;
}

}  // namespace test
}  // namespace mlrt
