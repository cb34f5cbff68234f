#ifndef MLRT_CORE_LOG_HPP_
#define MLRT_CORE_LOG_HPP_

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace mlrt {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat { kText, kJson };

using LogFields = std::initializer_list<std::pair<const char*, std::string_view>>;

// One line on standard error: "2026-11-20 21:22:23 warn message key=value" or, as JSON lines,
// {"time_ms":..., "level":"warn", "message":..., key: value}. A line is written by one call, so
// lines of several threads and processes do not mix. Safe from any thread; never throws. The values
// are only looked at, so naming what failed takes no memory where there may be none.
void log_line(LogLevel level, std::string_view message, LogFields fields = {});

inline void log_debug(std::string_view message, LogFields f = {}) {
  log_line(LogLevel::kDebug, message, f);
}
inline void log_info(std::string_view message, LogFields f = {}) {
  log_line(LogLevel::kInfo, message, f);
}
inline void log_warn(std::string_view message, LogFields f = {}) {
  log_line(LogLevel::kWarn, message, f);
}
inline void log_error(std::string_view message, LogFields f = {}) {
  log_line(LogLevel::kError, message, f);
}

// For the whole process; lines below `level` are dropped. The default is kWarn and kText.
void set_log(LogLevel level, LogFormat format);

// "debug", "info", "warn", "error", "off"; throws kInvalidParameter for another word.
LogLevel parse_log_level(std::string_view name);

}  // namespace mlrt

#endif  // MLRT_CORE_LOG_HPP_
