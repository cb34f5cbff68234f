// Cuts the power at every sync of a workload: the image of the disk that would be left
// (shadow_image.hpp) is opened, and must be sound and hold what was promised. With
// Durability::kPower that is every record acknowledged before that instant; with kProcess, every
// one acknowledged more than a second before it.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "core/clock.hpp"
#include "crash_workload.hpp"
#include "shadow_image.hpp"
#include "support/temp_dir.hpp"

namespace {

using mlrt::Durability;
using mlrt::Session;
using mlrt::test::crash_require;
using mlrt::test::CrashFailure;
using mlrt::test::CrashLedger;
using mlrt::test::CrashMix;
using mlrt::test::CrashOptions;
using mlrt::test::CrashTally;
using mlrt::test::ShadowImage;
using mlrt::test::TempDir;

constexpr int kPowerWriters = 2;
constexpr std::int64_t kPowerBoundMs = 1000;
constexpr unsigned kPowerSeconds = 60;

struct PowerPart {
  const char* name;
  Durability durability;
  int pause_us;  // between two actions
};
const PowerPart kPowerParts[] = {
    {"what survives a power cut", Durability::kPower, 0},
    {"what survives the end of the process", Durability::kProcess, 2000},
};

CrashMix power_mix() {
  CrashMix mix;
  mix.burst = 25;
  return mix;
}

// What one writer was told, as it was told it.
struct PowerAcknowledged {
  std::int64_t time_ms = 0;
  std::string run_id;
};

class PowerPlan {
 public:
  PowerPlan(const PowerPart& part, std::uint64_t seed, std::int64_t actions,
            std::int64_t duration_ms)
      : part_(part),
        seed_(seed),
        actions_(actions),
        duration_ms_(duration_ms),
        acked_(kPowerWriters),
        told_(kPowerWriters),
        image_(dir_.path(), seed, acked_) {}

  void log() {
    image_.begin();
    start_ms_ = mlrt::monotonic_ms();
    for (int opening = 0; opening < 2; ++opening) log_once(opening);
    image_.take("the end");
    image_.end();
    for (const auto& problem : problems_) crash_require(problem.empty(), problem);
    const mlrt::test::StoredCounts stored = mlrt::test::read_stored_counts(dir_.path("mlrt.db"));
    crash_require(!stored.empty(), "nothing was logged");
  }

  std::size_t images() const { return image_.snapshots().size(); }
  std::int64_t acknowledged() const { return acked_[0].load() + acked_[1].load(); }

  // The ledgers go on from one image to the next.
  void begin_checks() {
    ledgers_.clear();
    for (int i = 0; i < kPowerWriters; ++i) {
      ledgers_.emplace_back(seed_, i, power_mix(), "");
      ledgers_.back().set_running(true);
    }
  }

  void check(std::size_t index) {
    const ShadowImage::Snapshot& snapshot = image_.snapshots()[index];
    std::int64_t promised = 0;
    for (int i = 0; i < kPowerWriters; ++i) {
      const auto& told = told_[static_cast<std::size_t>(i)];
      CrashLedger& ledger = ledgers_[static_cast<std::size_t>(i)];
      while (ledger.acknowledged() < snapshot.acked[static_cast<std::size_t>(i)]) {
        const auto& next = told[static_cast<std::size_t>(ledger.acknowledged())];
        const bool is_old = next.time_ms < snapshot.time_ms - kPowerBoundMs;
        if (part_.durability == Durability::kProcess && !is_old) break;
        ledger.acknowledge(next.run_id);
      }
      promised += ledger.acknowledged();
    }
    TempDir dir;
    image_.write(snapshot, dir.path("image"));
    const std::string store = dir.path("image") + "/mlrt.db";
    try {
      if (promised == 0 && ::access(store.c_str(), F_OK) != 0) return;
      {
        Session session(store);
        for (const CrashLedger& ledger : ledgers_) ledger.check(session);
      }
      // Where the database itself was lost, the journal is left alone, as one of another store.
      if (promised > 0) mlrt::test::require_clean_close(store);
      const std::string found = mlrt::test::check_store_integrity(store);
      crash_require(found == "ok", "integrity_check: " + found);
    } catch (const std::exception& error) {
      throw CrashFailure("the power fails " + std::to_string(snapshot.time_ms - start_ms_) +
                         " ms after the start, before the sync of '" + snapshot.at +
                         "': " + error.what());
    }
  }

 private:
  // Both writers through one session, which is closed cleanly.
  void log_once(int opening) {
    mlrt::SessionOptions options;
    options.store = dir_.path("mlrt.db");
    options.durability = part_.durability;
    Session session(options);
    std::vector<std::thread> threads;
    const std::int64_t begin_ms = mlrt::monotonic_ms();
    std::atomic<int> running{kPowerWriters};
    for (int i = 0; i < kPowerWriters; ++i) {
      threads.emplace_back([this, i, opening, begin_ms, &session, &running] {
        try {
          write(session, i, opening, begin_ms);
        } catch (const std::exception& error) {
          problems_[i] = error.what();
        }
        --running;
      });
    }
    // Without a sync, too: a sync that never comes must not go unnoticed.
    while (running > 0) {
      ::usleep(50000);
      image_.take("(no sync)");
    }
    for (std::thread& thread : threads) thread.join();
  }

  void write(Session& session, int number, int opening, std::int64_t begin_ms) {
    const auto index = static_cast<std::size_t>(number);
    if (opening == 0) plans_[number].emplace(seed_, number, power_mix());
    mlrt::test::CrashWriter writer(session, number, "");
    // A second opening goes on in the run of the first.
    for (const PowerAcknowledged& told : told_[index]) {
      if (!told.run_id.empty()) writer.know_run(told.run_id);
    }
    for (std::int64_t i = 0; i < actions_ / 2; ++i) {
      if (duration_ms_ > 0 && mlrt::monotonic_ms() - begin_ms > duration_ms_ / 2) break;
      PowerAcknowledged told;
      told.run_id = writer.perform(plans_[number]->next());
      told.time_ms = mlrt::monotonic_ms();
      told_[index].push_back(told);
      acked_[index].fetch_add(1);
      if (part_.pause_us > 0) ::usleep(static_cast<useconds_t>(part_.pause_us));
    }
  }

  const PowerPart& part_;
  const std::uint64_t seed_;
  const std::int64_t actions_, duration_ms_;
  TempDir dir_;
  std::int64_t start_ms_ = 0;
  std::vector<std::atomic<std::int64_t>> acked_;
  std::vector<std::vector<PowerAcknowledged>> told_;
  std::optional<mlrt::test::CrashPlan> plans_[kPowerWriters];
  std::string problems_[kPowerWriters];
  ShadowImage image_;
  std::vector<CrashLedger> ledgers_;
};

int run_power_test(const CrashOptions& options) {
  CrashTally tally(options);
  for (const PowerPart& part : kPowerParts) {
    const std::string name = part.name;
    if (name.find(options.only) == std::string::npos) continue;
    const bool by_time = part.durability == Durability::kProcess;
    const std::int64_t actions = by_time ? 1000000 : (options.is_long ? 4000 : 260);
    PowerPlan plan(part, options.seed, actions, by_time ? (options.is_long ? 30000 : 5000) : 0);
    const std::int64_t start = mlrt::monotonic_ms();
    if (!tally.run(name, 0, "", kPowerSeconds * 4, [&] { plan.log(); })) continue;
    const std::int64_t logged = mlrt::monotonic_ms();
    plan.begin_checks();
    for (std::size_t i = 0; i < plan.images() && !tally.is_hopeless(); ++i) {
      tally.run(name, static_cast<std::int64_t>(i) + 1, "", kPowerSeconds, [&] { plan.check(i); });
    }
    tally.report(name + ": " + std::to_string(plan.images()) + " images of " +
                 std::to_string(plan.acknowledged()) + " acknowledged actions, logged in " +
                 std::to_string(logged - start) + " ms, looked at in " +
                 std::to_string(mlrt::monotonic_ms() - logged) + " ms");
  }
  return tally.finish();
}

}  // namespace

int main(int argc, char** argv) {
  return run_power_test(mlrt::test::parse_crash_options(argc, argv));
}
