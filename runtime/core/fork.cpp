#include "core/fork.hpp"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <utility>
#include <vector>

#include "core/clock.hpp"

namespace mlrt {
namespace {

std::atomic<std::uint64_t> fork_generation{1};

// A participant that never lets go must not keep the process from forking for ever.
std::atomic<int> fork_patience_ms{30000};
constexpr long kForkPauseNs = 1000000;

}  // namespace

class ForkHandlers {
 public:
  // Never destroyed: a static object's destructor may still use a store.
  static ForkHandlers& instance() {
    static ForkHandlers* const handlers = new ForkHandlers;
    return *handlers;
  }

  void add(ForkParticipant* participant) {
    const std::lock_guard<std::mutex> lock(mutex_);
    participants_.push_back(participant);
  }
  void remove(ForkParticipant* participant) {
    const std::lock_guard<std::mutex> lock(mutex_);
    participants_.erase(std::find(participants_.begin(), participants_.end(), participant));
  }
  void begin_section() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++sections_;
  }
  void end_section() {
    const std::lock_guard<std::mutex> lock(mutex_);
    --sections_;
  }

 private:
  ForkHandlers() { pthread_atfork(before, after_in_parent, after_in_child); }

  static void before() {
    ForkHandlers& self = instance();
    const std::int64_t start_ms = monotonic_ms();
    for (;;) {
      self.mutex_.lock();
      const bool is_late = monotonic_ms() - start_ms >= fork_patience_ms;
      if ((self.sections_ == 0 || is_late) && (self.hold_all() || is_late)) return;
      // All or none: two participants may be locked by others in either order, and whoever has one
      // may be about to begin a section.
      self.let_go();
      self.mutex_.unlock();
      const timespec pause{0, kForkPauseNs};
      nanosleep(&pause, nullptr);
    }
  }
  static void after_in_parent() {
    instance().let_go();
    instance().mutex_.unlock();
  }
  static void after_in_child() {
    fork_generation.fetch_add(1);
    ForkHandlers& self = instance();
    for (ForkParticipant* participant : self.participants_)
      if (!participant->held_for_fork_) participant->was_torn();
    self.let_go();
    self.sections_ = 0;  // those threads are not here
    self.mutex_.unlock();
  }
  bool hold_all() noexcept {
    bool all = true;
    for (ForkParticipant* participant : participants_) {
      participant->held_for_fork_ = participant->try_hold();
      all = all && participant->held_for_fork_;
    }
    return all;
  }
  void let_go() noexcept {
    for (ForkParticipant* participant : participants_)
      if (std::exchange(participant->held_for_fork_, false)) participant->let_go();
  }

  std::mutex mutex_;  // held while the process forks; guards the rest
  std::vector<ForkParticipant*> participants_;
  int sections_ = 0;
};

std::uint64_t process_generation() { return fork_generation.load(std::memory_order_relaxed); }

void set_fork_patience_ms_for_tests(int patience_ms) { fork_patience_ms = patience_ms; }

void ForkParticipant::join_forks() { ForkHandlers::instance().add(this); }
void ForkParticipant::leave_forks() { ForkHandlers::instance().remove(this); }

NoForkSection::NoForkSection() { ForkHandlers::instance().begin_section(); }
NoForkSection::~NoForkSection() { ForkHandlers::instance().end_section(); }

}  // namespace mlrt
