#ifndef MLRT_TESTS_CRASH_CRASH_SUPPORT_HPP_
#define MLRT_TESTS_CRASH_CRASH_SUPPORT_HPP_

// What the programs of this folder share: their command line, their seeds and how they fail.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace mlrt {
namespace test {

// SplitMix64: the same numbers on every machine.
class CrashRandom {
 public:
  explicit CrashRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

// What a check throws.
struct CrashFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline void crash_require(bool good, const std::string& what) {
  if (!good) throw CrashFailure(what);
}

struct CrashOptions {
  std::uint64_t seed = 1;
  std::int64_t count = 0;  // loops of the test; 0: those of CI
  std::int64_t from = 1;   // the first one, to repeat one that failed
  bool is_long = false;
  std::string only;  // the part of the test whose name holds this
};

// --seed N --count N --from N --long --only PART. Ends the program for anything else.
CrashOptions parse_crash_options(int argc, char** argv);

// Counts loops that went well and ill, and says of each that failed what it was. A loop that takes
// longer than its time, or that a signal ends, ends the program with those words too.
class CrashTally {
 public:
  explicit CrashTally(const CrashOptions& options) : options_(options) {}

  // `folder` is what a failed loop leaves to be looked at: it is copied, and the place printed.
  // False if it failed.
  bool run(const std::string& part, std::int64_t number, const std::string& folder,
           unsigned max_seconds, const std::function<void()>& loop);
  // True once so many loops have failed that going on says nothing new.
  bool is_hopeless() const { return failed_ >= 5; }
  void skip(const std::string& part, const std::string& reason);
  // A line of the report: "kill: 200 kills, ...".
  void report(const std::string& line);
  // Prints "N passed, N failed". The exit code.
  int finish();

 private:
  CrashOptions options_;
  std::int64_t passed_ = 0;
  std::int64_t failed_ = 0;
};

// The program that runs, to be started again.
std::string crash_program();

// Copies a folder with all that is in it.
void crash_copy_tree(const std::string& from, const std::string& to);

// Bytes that follow from a seed; some of them are not text.
std::string crash_bytes(std::uint64_t seed, std::size_t size);

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_CRASH_CRASH_SUPPORT_HPP_
