#ifndef MLRT_CORE_SIGNAL_MASK_HPP_
#define MLRT_CORE_SIGNAL_MASK_HPP_

#include <signal.h>

namespace mlrt {

// Internal: while one exists, the calling thread gets no signal, and neither do the threads that it
// starts: signals are the program's own business, in the threads that it made.
class SignalMask {
 public:
  SignalMask() {
    sigset_t all;
    sigfillset(&all);
    // These come from the thread's own faults; held back they would end the process unseen.
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalMask() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalMask(const SignalMask&) = delete;
  SignalMask& operator=(const SignalMask&) = delete;

 private:
  sigset_t before_;
};

}  // namespace mlrt

#endif  // MLRT_CORE_SIGNAL_MASK_HPP_
