#include "cli/signals.hpp"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "core/clock.hpp"
#include "core/interrupt.hpp"

namespace mlrt {
namespace {

void note_stop_signal(int) { request_interrupt(); }

}  // namespace

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

StopSignals::~StopSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void StopSignals::wait() {
  int which = 0;
  while (sigwait(&signals_, &which) != 0) {
  }
  let_through();
}

void StopSignals::let_through() { pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr); }

bool StopSignals::wait_ms(int timeout_ms) {
  const std::int64_t end_ms = monotonic_ms() + timeout_ms;
  for (;;) {
    const std::int64_t left_ms = end_ms - monotonic_ms();
    if (left_ms <= 0) return false;
    timespec left = {};
    left.tv_sec = static_cast<time_t>(left_ms / 1000);
    left.tv_nsec = static_cast<long>(left_ms % 1000) * 1000000;
    if (sigtimedwait(&signals_, nullptr, &left) > 0) return true;
    if (errno != EINTR) return false;
  }
}

InterruptSignals::InterruptSignals() {
  clear_interrupt();
  struct sigaction action = {};
  action.sa_handler = note_stop_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, &previous_int_);
  sigaction(SIGTERM, &action, &previous_term_);
}

InterruptSignals::~InterruptSignals() {
  sigaction(SIGINT, &previous_int_, nullptr);
  sigaction(SIGTERM, &previous_term_, nullptr);
  clear_interrupt();
}

}  // namespace mlrt
