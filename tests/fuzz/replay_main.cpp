// Runs a fuzz target over its kept corpus and over mutations of it, the same ones every time, so
// that what fuzzing has found stays found on machines without a fuzzer.
//
// Usage: replay_<target> CORPUS_FOLDER [MUTATIONS_PER_FILE]

#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "fuzz_target.hpp"

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

constexpr unsigned kReplaySecondsPerInput = 20;  // a parser that takes longer hangs
constexpr std::size_t kReplayMaxSize = 1 << 20;

char g_replay_label[512];

// Only what a signal handler may do.
void tell_replay_input() {
  ssize_t ignored = write(STDERR_FILENO, g_replay_label, std::strlen(g_replay_label));
  (void)ignored;
}

extern "C" void on_replay_signal(int number) {
  tell_replay_input();
  signal(number, SIG_DFL);
  raise(number);
}

// SplitMix64: the same numbers on every machine, unlike the standard library's distributions.
class ReplayRandom {
 public:
  explicit ReplayRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t bound) {
    return bound == 0 ? 0 : static_cast<std::size_t>(next() % bound);
  }

 private:
  std::uint64_t state_;
};

std::string mutate_replay_input(std::string input, const std::vector<std::string>& corpus,
                                ReplayRandom& random) {
  static const std::string kTokens[] = {"\"",
                                        "\n",
                                        "\r\n",
                                        ",",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        ":",
                                        ": ",
                                        "- ",
                                        "'",
                                        "#",
                                        "&a ",
                                        "*a",
                                        "|\n",
                                        "\t",
                                        "NaN",
                                        "-",
                                        "1e999",
                                        "0",
                                        "9223372036854775808",
                                        "null",
                                        "true",
                                        "\\u0000",
                                        "\xEF\xBB\xBF",
                                        "\xFF",
                                        std::string(1, '\0'),
                                        std::string(4, '\xFF'),
                                        std::string("\x01\x00\x10\x00", 4),
                                        "PK\x05\x06",
                                        "PK\x03\x04",
                                        "PK\x01\x02",
                                        "\n=== ",
                                        std::string(70, '['),
                                        std::string(70, '{')};
  const std::size_t changes = 1 + random.below(4);
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t at = random.below(input.size() + 1);
    const std::size_t size = random.below(std::min<std::size_t>(input.size() - at, 64) + 1);
    switch (random.below(8)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ 1 << random.below(8));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(random.next() & 0xFF);
        break;
      case 2:
        input.erase(at, size);
        break;
      case 3:
        input.insert(at, input.substr(at, size));
        break;
      case 4:
        input.insert(at, kTokens[random.below(std::size(kTokens))]);
        break;
      case 5: {
        const std::string& token = kTokens[random.below(std::size(kTokens))];
        input.replace(at, std::min(token.size(), input.size() - at), token);
        break;
      }
      case 6: {
        const std::string& other = corpus[random.below(corpus.size())];
        const std::size_t from = random.below(other.size() + 1);
        input.replace(at, size, other.substr(from, random.below(200)));
        break;
      }
      default:
        if (random.below(4) == 0) input.resize(at);
        break;
    }
  }
  if (input.size() > kReplayMaxSize) input.resize(kReplayMaxSize);
  return input;
}

void replay_input(const std::string& name, std::uint64_t mutation, const std::string& input) {
  std::snprintf(g_replay_label, sizeof(g_replay_label), "failing input: %s, mutation %llu\n",
                name.c_str(), static_cast<unsigned long long>(mutation));
  alarm(kReplaySecondsPerInput);
  // A buffer of just that size, so that the address sanitizer sees a read beyond it.
  auto bytes = std::make_unique<std::uint8_t[]>(input.size());
  if (!input.empty()) std::memcpy(bytes.get(), input.data(), input.size());
  LLVMFuzzerTestOneInput(bytes.get(), input.size());
  alarm(0);
}

int replay(const std::string& folder, std::uint64_t mutations) {
  const std::vector<std::string> names = mlrt::fs::list_files_below(folder);
  std::vector<std::string> corpus;
  for (const std::string& name : names) {
    corpus.push_back(mlrt::fs::read_file(mlrt::fs::join(folder, name)));
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "no corpus in %s\n", folder.c_str());
    return 1;
  }
  replay_input("(empty)", 0, "");
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    replay_input(names[i], 0, corpus[i]);
    // A seed of its own for each mutation, so that one of them can be repeated alone.
    for (std::uint64_t m = 1; m <= mutations; ++m) {
      ReplayRandom random(i * 1000003 + m);
      replay_input(names[i], m, mutate_replay_input(corpus[i], corpus, random));
    }
  }
  std::printf("%s: %zu files, %llu inputs, no failure\n", mlrt::fs::basename(folder).c_str(),
              corpus.size(), static_cast<unsigned long long>(1 + corpus.size() * (1 + mutations)));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER [MUTATIONS_PER_FILE]\n", argv[0]);
    return 2;
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(tell_replay_input);
  for (int number : {SIGABRT, SIGALRM, SIGFPE, SIGILL}) signal(number, on_replay_signal);
  if (__sanitizer_set_death_callback == nullptr) signal(SIGSEGV, on_replay_signal);
  try {
    return replay(argv[1], argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 5000);
  } catch (const mlrt::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    tell_replay_input();
    return 1;
  }
}
