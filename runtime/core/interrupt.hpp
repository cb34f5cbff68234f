#ifndef MLRT_CORE_INTERRUPT_HPP_
#define MLRT_CORE_INTERRUPT_HPP_

namespace mlrt {

// Whether someone asked this process to stop. Long loops call check_interrupt() once a round, so
// that Ctrl-C ends them in an orderly way.

// Marks the request; async-signal-safe.
void request_interrupt() noexcept;
bool interrupt_requested() noexcept;
void clear_interrupt() noexcept;

// Throws kInterrupted if an interrupt was requested; the request stays until it is cleared.
void check_interrupt();

}  // namespace mlrt

#endif  // MLRT_CORE_INTERRUPT_HPP_
