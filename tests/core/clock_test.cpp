#include "core/clock.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

TEST_CASE("times are written in UTC, and rounded down to the second before 1970 as well") {
  struct Case {
    std::int64_t ms;
    const char* text;
  };
  const Case cases[] = {{0, "1970-01-01 00:00:00"},
                        {999, "1970-01-01 00:00:00"},
                        {1000, "1970-01-01 00:00:01"},
                        {-1, "1969-12-31 23:59:59"},
                        {-1000, "1969-12-31 23:59:59"},
                        {-1001, "1969-12-31 23:59:58"},
                        {951782399000, "2000-02-28 23:59:59"},
                        {951782400000, "2000-02-29 00:00:00"},
                        {1795209743123, "2026-11-20 21:22:23"}};
  for (const Case& c : cases) CHECK(mlrt::format_time_ms(c.ms) == c.text);
}

TEST_CASE("the extremes of a time are written without a crash") {
  CHECK_FALSE(mlrt::format_time_ms(std::numeric_limits<std::int64_t>::max()).empty());
  CHECK_FALSE(mlrt::format_time_ms(std::numeric_limits<std::int64_t>::min()).empty());
}

TEST_CASE("the wall clock is in milliseconds and the monotonic one never goes back") {
  CHECK(mlrt::now_ms() > 1600000000000);   // 2020
  CHECK(mlrt::now_ms() < 16000000000000);  // 2477: microseconds would be beyond
  std::int64_t last = mlrt::monotonic_ms();
  for (int i = 0; i < 1000; ++i) {
    std::int64_t now = mlrt::monotonic_ms();
    REQUIRE(now >= last);
    last = now;
  }
}
