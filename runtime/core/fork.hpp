#ifndef MLRT_CORE_FORK_HPP_
#define MLRT_CORE_FORK_HPP_

#include <cstdint>

namespace mlrt {

// Internal: what a fork() must not tear apart. A child has only the thread that forked: a lock that
// another thread held would stay locked in it for ever.

// Counts the forks that led to this process: what was made under another number belongs to the
// parent. Unlike getpid() it costs no system call.
std::uint64_t process_generation();

constexpr int kForkLockMs = 20;

// Something with locks of its own. While a process forks, all of them are held, unless another
// thread keeps some for half a minute: a fork must come at last.
class ForkParticipant {
 public:
  virtual ~ForkParticipant() = default;

 protected:
  // Called once the object is whole, and before it begins to end.
  void join_forks();
  void leave_forks();

 private:
  friend class ForkHandlers;
  // Takes the locks, each within kForkLockMs; false, with none taken, if another thread has one.
  virtual bool try_hold() noexcept = 0;
  // In the parent and in the child, if try_hold() did.
  virtual void let_go() noexcept = 0;
  // In the child, if it did not: what the locks guard may be half changed, and the locks are those
  // of a thread that is not there.
  virtual void was_torn() noexcept = 0;
  bool held_for_fork_ = false;
};

// For how long a fork waits for participants that other threads keep. For tests.
void set_fork_patience_ms_for_tests(int patience_ms);

// No fork happens while one exists: for work inside a library that has locks of its own.
class NoForkSection {
 public:
  NoForkSection();
  ~NoForkSection();
  NoForkSection(const NoForkSection&) = delete;
  NoForkSection& operator=(const NoForkSection&) = delete;
};

}  // namespace mlrt

#endif  // MLRT_CORE_FORK_HPP_
