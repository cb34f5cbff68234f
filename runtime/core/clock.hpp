#ifndef MLRT_CORE_CLOCK_HPP_
#define MLRT_CORE_CLOCK_HPP_

#include <cstdint>
#include <string>

namespace mlrt {

// Milliseconds since 1970-01-01 UTC by the system's clock, which may jump.
std::int64_t now_ms();

// Milliseconds of a clock that never jumps back; only differences mean something.
std::int64_t monotonic_ms();

// `ms` since 1970 as "2026-11-20 21:22:23" in UTC.
std::string format_time_ms(std::int64_t ms);

}  // namespace mlrt

#endif  // MLRT_CORE_CLOCK_HPP_
