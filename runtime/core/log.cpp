#include "core/log.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

std::atomic<LogLevel> log_level_now{LogLevel::kWarn};
std::atomic<LogFormat> log_format_now{LogFormat::kText};

const char* const kLogLevelNames[] = {"debug", "info", "warn", "error", "off"};

const char* log_level_name(LogLevel level) { return kLogLevelNames[static_cast<int>(level)]; }

// Text lines are for people: a value with blanks or controls is quoted so that the line stays one.
std::string log_text_value(std::string_view value) {
  bool plain = !value.empty();
  for (char c : value)
    plain = plain && static_cast<unsigned char>(c) > 0x20 && c != '"' && c != '\'';
  return plain ? std::string(value) : quoted(value, 400);
}

std::string log_text_line(LogLevel level, std::string_view message, LogFields fields) {
  std::string line = format_time_ms(now_ms()) + " " + log_level_name(level) + " ";
  for (char c : message) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  for (const auto& field : fields)
    line += std::string(" ") + field.first + "=" + log_text_value(field.second);
  return line;
}

std::string log_json_line(LogLevel level, std::string_view message, LogFields fields) {
  Json line = {
      {"time_ms", now_ms()}, {"level", log_level_name(level)}, {"message", std::string(message)}};
  for (const auto& field : fields) line[field.first] = std::string(field.second);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void log_line(LogLevel level, std::string_view message, LogFields fields) {
  if (level < log_level_now.load(std::memory_order_relaxed) || level >= LogLevel::kOff) return;
  int saved_errno = errno;  // a caller may log before it looks at what failed
  try {
    bool json = log_format_now.load(std::memory_order_relaxed) == LogFormat::kJson;
    std::string line =
        json ? log_json_line(level, message, fields) : log_text_line(level, message, fields);
    line += '\n';
    ssize_t written = 0;
    do {
      written = ::write(STDERR_FILENO, line.data(), line.size());
    } while (written < 0 && errno == EINTR);
  } catch (const std::exception&) {
    // A log that cannot be written has nowhere to complain to.
  }
  errno = saved_errno;
}

void set_log(LogLevel level, LogFormat format) {
  log_level_now.store(level, std::memory_order_relaxed);
  log_format_now.store(format, std::memory_order_relaxed);
}

LogLevel parse_log_level(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(LogLevel::kOff); ++i) {
    if (name == kLogLevelNames[i]) return static_cast<LogLevel>(i);
  }
  throw Error(ErrorCode::kInvalidParameter,
              "unknown log level " + quoted(name) + ": one of debug, info, warn, error, off");
}

}  // namespace mlrt
