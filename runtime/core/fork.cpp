#include "core/fork.hpp"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <shared_mutex>
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
    std::lock_guard<std::shared_mutex> lock(*sections_);
    participants_.push_back(participant);
  }
  void remove(ForkParticipant* participant) {
    std::lock_guard<std::shared_mutex> lock(*sections_);
    participants_.erase(std::find(participants_.begin(), participants_.end(), participant));
  }

  std::shared_mutex& sections() { return *sections_; }

 private:
  ForkHandlers() { pthread_atfork(before, after_in_parent, after_in_child); }

  static void before() {
    ForkHandlers& self = instance();
    const std::int64_t start_ms = monotonic_ms();
    for (;;) {
      self.sections_->lock();
      if (self.hold_all() || monotonic_ms() - start_ms >= fork_patience_ms) return;
      // All or none: two participants may be locked by others in either order, and whoever has one
      // may be about to begin a section.
      self.let_go();
      self.sections_->unlock();
      const timespec pause{0, kForkPauseNs};
      nanosleep(&pause, nullptr);
    }
  }
  static void after_in_parent() {
    instance().let_go();
    instance().sections_->unlock();
  }
  static void after_in_child() {
    fork_generation.fetch_add(1);
    for (ForkParticipant* participant : instance().participants_)
      if (!participant->held_for_fork_) participant->was_torn();
    instance().let_go();
    // This thread has another number than the one that locked it: unlocking would go wrong.
    instance().sections_ = new std::shared_mutex;
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

  std::vector<ForkParticipant*> participants_;
  std::shared_mutex* sections_ = new std::shared_mutex;
};

std::uint64_t process_generation() { return fork_generation.load(std::memory_order_relaxed); }

void set_fork_patience_ms_for_tests(int patience_ms) { fork_patience_ms = patience_ms; }

void ForkParticipant::join_forks() { ForkHandlers::instance().add(this); }
void ForkParticipant::leave_forks() { ForkHandlers::instance().remove(this); }

NoForkSection::NoForkSection() { ForkHandlers::instance().sections().lock_shared(); }
NoForkSection::~NoForkSection() { ForkHandlers::instance().sections().unlock_shared(); }

}  // namespace mlrt
