// Kills writers with SIGKILL at random instants, and looks at what they leave: everything that was
// acknowledged (written to a pipe before the next action began) is there, once, and the database is
// sound. Some writers are only stopped (SIGSTOP) and read meanwhile, some go on while another one
// dies, some processes are killed while they read. A store is used for a few loops, so that what
// one loop left is what the next one begins with.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/clock.hpp"
#include "core/fs.hpp"
#include "crash_workload.hpp"
#include "support/temp_dir.hpp"

namespace {

using mlrt::Error;
using mlrt::ErrorCode;
using mlrt::Session;
using mlrt::test::crash_require;
using mlrt::test::CrashFailure;
using mlrt::test::CrashLedger;
using mlrt::test::CrashMix;
using mlrt::test::CrashOptions;
using mlrt::test::CrashRandom;
using mlrt::test::CrashTally;
using mlrt::test::TempDir;

constexpr std::int64_t kKillCountCi = 200;
constexpr std::int64_t kKillCountLong = 10000;
constexpr int kLoopsOfStore = 6;
constexpr unsigned kSecondsOfLoop = 60;
constexpr std::int64_t kSlowReadMs = 30000;
constexpr std::int64_t kReadElsewhereMs = 200;

// What a writer tells its parent, in one write: smaller than PIPE_BUF, so whole or not at all.
struct KillMessage {
  std::int64_t action = 0;  // the number of those done
  char run_id[40] = {};
};

CrashMix kill_mix() {
  CrashMix mix;
  mix.with_shared_run = true;
  return mix;
}

volatile sig_atomic_t g_kill_stop = 0;
extern "C" void on_kill_stop(int) { g_kill_stop = 1; }

// Held back, in a process that was just started too, until it can be told to end.
void hold_kill_stop(bool held) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  if (!held) signal(SIGTERM, on_kill_stop);
  sigprocmask(held ? SIG_BLOCK : SIG_UNBLOCK, &signals, nullptr);
}

// The writer: STORE SEED NUMBER SHARED_RUN PIPE.
int run_kill_writer(char** words) {
  hold_kill_stop(false);
  const int number = std::atoi(words[2]);
  const std::uint64_t seed = std::strtoull(words[1], nullptr, 10);
  const int out = std::atoi(words[4]);
  try {
    Session session((std::string(words[0])));
    mlrt::test::CrashPlan plan(seed, number, kill_mix());
    mlrt::test::CrashWriter writer(session, number, words[3]);
    KillMessage message;
    while (g_kill_stop == 0) {
      const std::string run_id = writer.perform(plan.next());
      ++message.action;
      std::memset(message.run_id, 0, sizeof(message.run_id));
      std::memcpy(message.run_id, run_id.data(), run_id.size());
      if (write(out, &message, sizeof(message)) != sizeof(message)) return 4;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "writer %d of seed %llu: %s\n", number,
                 static_cast<unsigned long long>(seed), error.what());
    return 3;
  }
  return 0;
}

// The reader, which is there to be killed: STORE SHARED_RUN.
int run_kill_reader(char** words) {
  hold_kill_stop(false);
  try {
    while (g_kill_stop == 0) {
      Session session((std::string(words[0])));
      session.tracking().metric_history(words[1], "shared");
      session.tracking().list_runs({}, 10);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reader: %s\n", error.what());
    return 3;
  }
  return 0;
}

class KillProcess {
 public:
  explicit KillProcess(std::vector<std::string> words) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw CrashFailure("no pipe");
    words.insert(words.begin(), mlrt::test::crash_program());
    words.push_back(std::to_string(ends[1]));
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(&word[0]);
    pointers.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      fcntl(ends[1], F_SETFD, 0);
      execv(pointers[0], pointers.data());
      _exit(127);
    }
    ::close(ends[1]);
    in_ = ends[0];
    fcntl(in_, F_SETFL, O_NONBLOCK);
    if (pid_ < 0) throw CrashFailure("no process");
  }
  ~KillProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(in_);
  }
  KillProcess(const KillProcess&) = delete;
  KillProcess& operator=(const KillProcess&) = delete;

  bool ended() const { return pid_ <= 0; }
  int in() const { return in_; }
  void send(int number) const { ::kill(pid_, number); }

  // SIGSTOP is over only when the process has stopped.
  void stop() const {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    ::waitpid(pid_, &status, WUNTRACED);
    crash_require(WIFSTOPPED(status), "the process ended by itself, before it was stopped");
  }

  void kill() {
    int status = 0;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    crash_require(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                  "a process ended by itself, before it was killed");
  }

  // Tells it to end, and waits.
  void finish(const std::vector<std::unique_ptr<KillProcess>>& others,
              std::vector<CrashLedger>& ledgers);

  // Takes in what the process has said.
  void drain(CrashLedger* ledger) {
    char buffer[64 * sizeof(KillMessage)];
    for (;;) {
      const ssize_t got = ::read(in_, buffer, sizeof(buffer));
      if (got <= 0) return;
      crash_require(got % static_cast<ssize_t>(sizeof(KillMessage)) == 0, "a torn message");
      for (ssize_t at = 0; ledger != nullptr && at < got; at += sizeof(KillMessage)) {
        KillMessage message;
        std::memcpy(&message, buffer + at, sizeof(message));
        ledger->acknowledge(message.run_id);
        crash_require(message.action == ledger->acknowledged(), "messages out of order");
      }
    }
  }

  pid_t pid_ = -1;
  int in_ = -1;
};

void KillProcess::finish(const std::vector<std::unique_ptr<KillProcess>>& others,
                         std::vector<CrashLedger>& ledgers) {
  ::kill(pid_, SIGTERM);
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    for (std::size_t i = 0; i < others.size(); ++i) {
      if (!others[i]->ended()) others[i]->drain(i < ledgers.size() ? &ledgers[i] : nullptr);
    }
    usleep(500);
  }
  pid_ = 0;
  crash_require(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                "a process that was told to end did so with status " + std::to_string(status));
}

struct KillCounts {
  std::int64_t kills = 0, stops = 0, stopped_in_transaction = 0, closes = 0;
  std::int64_t actions = 0;
  std::int64_t slowest_read_ms = 0, late_reads = 0;
};

// The writers of one loop, with what they have acknowledged.
class KillLoop {
 public:
  KillLoop(std::string store, std::string shared_run, std::uint64_t seed, KillCounts& counts)
      : store_(std::move(store)),
        shared_run_(std::move(shared_run)),
        seed_(seed),
        random_(seed),
        counts_(counts) {}

  void run() {
    const int writers = 1 + static_cast<int>(random_.below(4));
    const bool with_reader = random_.one_in(4);
    for (int i = 0; i < writers; ++i) {
      // The number of a writer is its own in all loops of a store: shared values are told by it.
      const int number = static_cast<int>(seed_ % kLoopsOfStore) * 4 + i;
      ledgers_.emplace_back(seed_, number, kill_mix(), shared_run_);
      processes_.push_back(std::make_unique<KillProcess>(std::vector<std::string>{
          "--writer", store_, std::to_string(seed_), std::to_string(number), shared_run_}));
    }
    if (with_reader) {
      processes_.push_back(
          std::make_unique<KillProcess>(std::vector<std::string>{"--reader", store_, shared_run_}));
    }
    // One in four dies while it opens the store, the others at work.
    if (!random_.one_in(4)) wait_for_first_message();
    wait_ms(static_cast<std::int64_t>(1 + random_.below(60)));

    const std::uint64_t how = random_.below(10);
    const std::size_t victim = random_.below(processes_.size());
    if (how < 5) {
      for (auto& process : processes_) kill(*process);
    } else if (how < 7) {
      kill(*processes_[victim]);
      read_while_running();
      wait_ms(static_cast<std::int64_t>(random_.below(20)));
    } else if (how < 9) {
      stop_and_read(victim);
    }
    end_all(random_.one_in(2));
    check_after();
  }

 private:
  void drain() {
    for (std::size_t i = 0; i < processes_.size(); ++i)
      processes_[i]->drain(i < ledgers_.size() ? &ledgers_[i] : nullptr);
  }

  void wait_ms(std::int64_t ms) {
    const std::int64_t end = mlrt::monotonic_ms() + ms;
    for (;;) {
      const std::int64_t left = end - mlrt::monotonic_ms();
      if (left <= 0) break;
      std::vector<pollfd> polled;
      for (const auto& process : processes_) {
        if (!process->ended()) polled.push_back({process->in(), POLLIN, 0});
      }
      if (::poll(polled.data(), polled.size(), static_cast<int>(left)) > 0 &&
          (polled[0].revents & POLLHUP) != 0) {
        usleep(200);
      }
      drain();
    }
  }

  void wait_for_first_message() {
    pollfd polled = {processes_[0]->in(), POLLIN, 0};
    crash_require(::poll(&polled, 1, 30000) > 0, "a writer does nothing for 30 s");
  }

  void kill(KillProcess& process) {
    if (process.ended()) return;
    process.kill();
    ++counts_.kills;
  }

  void check_all(const Session& session) {
    for (const CrashLedger& ledger : ledgers_) ledger.check(session);
  }

  void set_running(bool running) {
    for (CrashLedger& ledger : ledgers_) ledger.set_running(running);
  }

  // While writers go on: what they have acknowledged before.
  void read_while_running() {
    drain();
    set_running(true);
    const std::int64_t start = mlrt::monotonic_ms();
    Session session(store_);
    check_in_time(session, start);
    note_read(start);
    set_running(false);
  }

  // A reader that does not get the store's lock in time, on a machine with more to do than it can,
  // answers without the latest metrics of others. What is wrong stays wrong.
  void check_in_time(const Session& session, std::int64_t start) {
    for (;;) {
      try {
        return check_all(session);
      } catch (const CrashFailure&) {
        if (mlrt::monotonic_ms() - start > kSlowReadMs / 2) throw;
        ++counts_.late_reads;
      }
    }
  }

  void note_read(std::int64_t start) {
    const std::int64_t took = mlrt::monotonic_ms() - start;
    counts_.slowest_read_ms = std::max(counts_.slowest_read_ms, took);
    crash_require(took < kSlowReadMs, "reading took " + std::to_string(took) + " ms");
  }

  void stop_and_read(std::size_t victim) {
    // Opened before: it sees what others write within its time, without being opened anew.
    std::unique_ptr<Session> before;
    if (random_.one_in(2)) before = std::make_unique<Session>(store_);
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      if (i == victim || random_.one_in(2)) processes_[i]->stop();
    }
    ++counts_.stops;
    drain();
    set_running(true);
    // Whoever is stopped inside a transaction has the store's lock, and nobody else can write.
    if (!mlrt::test::store_can_be_written(store_)) {
      ++counts_.stopped_in_transaction;
    } else {
      const std::int64_t start = mlrt::monotonic_ms();
      if (before) {
        usleep(kReadElsewhereMs * 1000);
        check_in_time(*before, start);
      }
      Session session(store_);
      check_in_time(session, start);
      note_read(start);
    }
    set_running(false);
    before.reset();
    for (auto& process : processes_) {
      if (random_.one_in(2)) {
        kill(*process);
      } else {
        process->send(SIGCONT);
      }
    }
    wait_ms(static_cast<std::int64_t>(random_.below(20)));
  }

  void end_all(bool by_force) {
    for (auto& process : processes_) {
      if (process->ended()) continue;
      if (by_force) {
        kill(*process);
      } else {
        // All that is pending is done before it ends.
        process->finish(processes_, ledgers_);
        ++counts_.closes;
      }
    }
    drain();
    for (const CrashLedger& ledger : ledgers_) counts_.actions += ledger.acknowledged();
  }

  void check_after() {
    {
      const std::int64_t start = mlrt::monotonic_ms();
      Session session(store_);
      check_all(session);
      note_read(start);
    }
    mlrt::test::require_clean_close(store_);
    const std::string found = mlrt::test::check_store_integrity(store_);
    crash_require(found == "ok", "integrity_check: " + found);
    const mlrt::test::StoredCounts stored = mlrt::test::read_stored_counts(store_);
    Session session(store_);
    for (const CrashLedger& ledger : ledgers_) ledger.check_stored(session, stored);
    const std::int64_t shared =
        stored.count({shared_run_, "shared"}) != 0 ? stored.at({shared_run_, "shared"}) : 0;
    crash_require(shared == static_cast<std::int64_t>(
                                session.tracking().metric_history(shared_run_, "shared").size()),
                  "a value of the shared run is stored twice");
  }

  std::string store_, shared_run_;
  std::uint64_t seed_;
  CrashRandom random_;
  KillCounts& counts_;
  std::vector<CrashLedger> ledgers_;
  std::vector<std::unique_ptr<KillProcess>> processes_;
};

int run_kill_test(const CrashOptions& options) {
  const std::int64_t count =
      options.count > 0 ? options.count : (options.is_long ? kKillCountLong : kKillCountCi);
  CrashTally tally(options);
  hold_kill_stop(true);
  KillCounts counts;
  std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
  std::unique_ptr<TempDir> dir;
  std::string store, shared_run;
  const std::int64_t start = mlrt::monotonic_ms();
  for (std::int64_t i = options.from; i < options.from + count && !tally.is_hopeless(); ++i) {
    const std::uint64_t seed = options.seed * 1000003 + static_cast<std::uint64_t>(i);
    if (!dir || seed % kLoopsOfStore == 0) {
      dir = std::make_unique<TempDir>();
      store = dir->path("mlrt.db");
      Session session(store);
      shared_run = session.tracking().create_run({}).run_id;
    }
    const bool good = tally.run("kill", i, dir->path(), kSecondsOfLoop,
                                [&] { KillLoop(store, shared_run, seed, counts).run(); });
    if (!good) dir.reset();
  }
  tally.report(
      "kill: " + std::to_string(count) + " loops, " + std::to_string(counts.kills) +
      " processes killed, " + std::to_string(counts.closes) + " closed, " +
      std::to_string(counts.actions) + " actions acknowledged; stopped " +
      std::to_string(counts.stops) + " times, " + std::to_string(counts.stopped_in_transaction) +
      " of them inside a transaction; slowest read " + std::to_string(counts.slowest_read_ms) +
      " ms, " + std::to_string(counts.late_reads) + " incomplete at first; " +
      std::to_string((mlrt::monotonic_ms() - start) / 1000) + " s");
  return tally.finish();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 7 && std::strcmp(argv[1], "--writer") == 0) return run_kill_writer(argv + 2);
  if (argc == 5 && std::strcmp(argv[1], "--reader") == 0) return run_kill_reader(argv + 2);
  return run_kill_test(mlrt::test::parse_crash_options(argc, argv));
}
