#ifndef MLRT_CORE_TIMED_LOCK_HPP_
#define MLRT_CORE_TIMED_LOCK_HPP_

#include <chrono>
#include <mutex>

namespace mlrt {

// Internal: locks `mutex` within `time_ms`; false if it could not.
inline bool lock_within(std::timed_mutex& mutex, int time_ms) {
  const std::chrono::milliseconds time(time_ms);
#ifdef __SANITIZE_THREAD__
  // It does not see what is locked by the steady clock.
  return mutex.try_lock_until(std::chrono::system_clock::now() + time);
#else
  return mutex.try_lock_for(time);
#endif
}

}  // namespace mlrt

#endif  // MLRT_CORE_TIMED_LOCK_HPP_
