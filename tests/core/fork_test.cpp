#include "core/fork.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

using mlrt::NoForkSection;

namespace {

class TestParticipant final : public mlrt::ForkParticipant {
 public:
  TestParticipant() { join_forks(); }
  ~TestParticipant() override { leave_forks(); }
  std::mutex mutex;
  std::atomic<int> held{0}, let_go_of{0}, torn{0};

 private:
  bool try_hold() noexcept override {
    if (!mutex.try_lock()) return false;
    ++held;
    return true;
  }
  void let_go() noexcept override {
    ++let_go_of;
    mutex.unlock();
  }
  void was_torn() noexcept override { ++torn; }
};

// The exit code of a child that runs `act` there, which returns it.
template <typename Act>
int fork_test_child(Act act) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(act());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The thread sanitizer complains in a child about the threads that its parent had.
#ifdef __SANITIZE_THREAD__
constexpr bool kForkTestThreads = false;
#else
constexpr bool kForkTestThreads = true;
#endif

void fork_test_sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

}  // namespace

TEST_CASE("each child of a fork has another generation, and its parent keeps its own") {
  const TestParticipant participant;
  const std::uint64_t own = mlrt::process_generation();
  CHECK(fork_test_child([own] {
          if (mlrt::process_generation() != own + 1) return 1;
          const int grandchild =
              fork_test_child([own] { return mlrt::process_generation() == own + 2 ? 0 : 2; });
          return mlrt::process_generation() == own + 1 ? grandchild : 3;
        }) == 0);
  CHECK(mlrt::process_generation() == own);
}

TEST_CASE("a fork holds all participants, and parent and child let go of each once") {
  TestParticipant one, two;
  CHECK(fork_test_child([&] {
          const bool once = one.held == 1 && two.held == 1 && one.let_go_of == 1 &&
                            two.let_go_of == 1 && one.torn == 0 && two.torn == 0;
          return once && one.mutex.try_lock() && two.mutex.try_lock() ? 0 : 1;
        }) == 0);
  CHECK(one.held == 1);
  CHECK(two.let_go_of == 1);
  CHECK(one.mutex.try_lock());
  one.mutex.unlock();
  { const TestParticipant gone; }
  CHECK(fork_test_child([] { return 0; }) == 0);
  CHECK(one.let_go_of == 2);
}

TEST_CASE("a fork waits for a participant that another thread has") {
  if (!kForkTestThreads) return;
  TestParticipant participant, other;
  std::atomic<bool> has_it{false};
  std::thread holder([&] {
    const std::lock_guard<std::mutex> lock(participant.mutex);
    has_it = true;
    fork_test_sleep_ms(30);
    has_it = false;
  });
  while (!has_it) std::this_thread::yield();
  CHECK(fork_test_child([&] { return !has_it && participant.mutex.try_lock() ? 0 : 1; }) == 0);
  holder.join();
  CHECK(other.held == other.let_go_of);
  CHECK(participant.torn == 0);
}

TEST_CASE("a participant that is kept for too long is torn in the child, and only there") {
  if (!kForkTestThreads) return;
  TestParticipant participant, other;
  std::atomic<bool> has_it{false}, stop{false};
  std::thread holder([&] {
    const std::lock_guard<std::mutex> lock(participant.mutex);
    has_it = true;
    while (!stop) fork_test_sleep_ms(1);
  });
  while (!has_it) std::this_thread::yield();
  mlrt::set_fork_patience_ms_for_tests(10);
  CHECK(fork_test_child([&] {
          const bool right = participant.torn == 1 && participant.let_go_of == 0 &&
                             other.torn == 0 && other.held == other.let_go_of;
          return right && other.mutex.try_lock() ? 0 : 1;
        }) == 0);
  mlrt::set_fork_patience_ms_for_tests(30000);
  stop = true;
  holder.join();
  CHECK(participant.torn == 0);
  CHECK(fork_test_child([&] { return participant.torn == 0 && participant.held == 1 ? 0 : 1; }) ==
        0);
}

TEST_CASE("no fork happens in a section, and sections go on after a fork in parent and child") {
  if (!kForkTestThreads) return;
  std::atomic<bool> inside{false}, begun{false};
  std::thread worker([&] {
    const NoForkSection section;
    inside = begun = true;
    fork_test_sleep_ms(30);
    inside = false;
  });
  while (!begun) std::this_thread::yield();
  CHECK(fork_test_child([&] {
          const NoForkSection section;
          return inside ? 1 : 0;
        }) == 0);
  worker.join();
  const NoForkSection section;
}

TEST_CASE("a thread that has a participant and waits to begin a section does not stop a fork") {
  if (!kForkTestThreads) return;
  TestParticipant participant;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const std::lock_guard<std::mutex> lock(participant.mutex);
        const NoForkSection section;
      }
    });
  }
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    CHECK(fork_test_child([&] { return participant.mutex.try_lock() ? 0 : 1; }) == 0);
  }
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(participant.torn == 0);
}
