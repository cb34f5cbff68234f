#ifndef MLRT_CLI_SIGNALS_HPP_
#define MLRT_CLI_SIGNALS_HPP_

#include <signal.h>

namespace mlrt {

// SIGINT and SIGTERM, held back in this thread and in those that it starts while this lives, so
// that one place waits for them.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Returns at the first signal; the next one has its usual effect.
  void wait();
  // True if a signal came within that time.
  bool wait_ms(int timeout_ms);
  // From now on a signal has its usual effect in this thread.
  void let_through();

 private:
  sigset_t signals_;
  sigset_t before_;
};

// While it lives, SIGINT and SIGTERM set the flag of core/interrupt.hpp, at which long work ends in
// an orderly way; the second signal ends the process. One at a time.
class InterruptSignals {
 public:
  InterruptSignals();
  ~InterruptSignals();
  InterruptSignals(const InterruptSignals&) = delete;
  InterruptSignals& operator=(const InterruptSignals&) = delete;

 private:
  struct sigaction previous_int_;
  struct sigaction previous_term_;
};

}  // namespace mlrt

#endif  // MLRT_CLI_SIGNALS_HPP_
