#include "core/log.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/json.hpp"
#include "support/temp_dir.hpp"

namespace {

// What `act` writes to standard error.
template <typename Act>
std::string log_test_capture(Act act) {
  mlrt::test::TempDir folder;
  std::string path = folder.path("stderr");
  int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int saved = ::dup(STDERR_FILENO);
  REQUIRE(file >= 0);
  REQUIRE(saved >= 0);
  ::dup2(file, STDERR_FILENO);
  act();
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  ::close(file);
  mlrt::set_log(mlrt::LogLevel::kWarn, mlrt::LogFormat::kText);
  return mlrt::fs::read_file(path);
}

}  // namespace

TEST_CASE("a text log line has the time, the level, the message and the fields, on one line") {
  std::string line = log_test_capture([] {
    mlrt::log_warn("slow\nrequest", {{"path", "/ping"}, {"agent", "a b\n\"c\""}, {"empty", ""}});
  });
  REQUIRE(line.size() > 20);
  CHECK(line.substr(0, 2) == "20");
  CHECK(line.substr(4, 1) == "-");
  CHECK(line.substr(19) == " warn slow request path=/ping agent='a b\\x0a\"c\"' empty=''\n");
}

TEST_CASE("a JSON log line is one JSON object a line, whatever the message holds") {
  std::string lines = log_test_capture([] {
    mlrt::set_log(mlrt::LogLevel::kDebug, mlrt::LogFormat::kJson);
    mlrt::log_debug("one\n\"two\"", {{"key", "a\xFF\n"}});
    mlrt::log_error("second");
  });
  std::size_t end = lines.find('\n');
  REQUIRE(end != std::string::npos);
  CHECK(lines.find('\n', end + 1) == lines.size() - 1);
  mlrt::Json first = mlrt::parse_json(lines.substr(0, end), "line");
  CHECK(first["level"] == "debug");
  CHECK(first["message"] == "one\n\"two\"");
  CHECK(first["key"] == "a\xEF\xBF\xBD\n");
  CHECK(first["time_ms"].get<long long>() > 1600000000000);
  CHECK(mlrt::parse_json(lines.substr(end + 1), "line")["level"] == "error");
}

TEST_CASE("lines below the level are dropped, and all of them when the log is off") {
  std::string lines = log_test_capture([] {
    mlrt::log_debug("a");
    mlrt::log_info("b");
    mlrt::log_warn("c");
    mlrt::set_log(mlrt::LogLevel::kOff, mlrt::LogFormat::kText);
    mlrt::log_error("d");
    mlrt::log_line(mlrt::LogLevel::kOff, "e");
  });
  CHECK(lines.find(" warn c\n") != std::string::npos);
  CHECK(lines.find('\n') == lines.size() - 1);
}

TEST_CASE("logging leaves errno as it was, also when standard error cannot be written") {
  std::string lines = log_test_capture([] {
    int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ::dup2(full, STDERR_FILENO);
    ::close(full);
    errno = 1234;
    mlrt::log_warn("lost");
    CHECK(errno == 1234);
  });
  CHECK(lines.empty());
}

TEST_CASE("log levels are read by name") {
  CHECK(mlrt::parse_log_level("debug") == mlrt::LogLevel::kDebug);
  CHECK(mlrt::parse_log_level("off") == mlrt::LogLevel::kOff);
  CHECK_THROWS_WITH_AS(mlrt::parse_log_level("loud"),
                       "unknown log level 'loud': one of debug, info, warn, error, off",
                       mlrt::Error);
}
