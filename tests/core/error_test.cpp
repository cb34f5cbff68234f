#include "core/error.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace {

constexpr int kErrorTestCodes = static_cast<int>(mlrt::ErrorCode::kInternal) + 1;

}  // namespace

TEST_CASE("every error code has a row of its own in the table") {
  std::set<std::string> names;
  for (int i = 0; i < kErrorTestCodes; ++i) {
    auto code = static_cast<mlrt::ErrorCode>(i);
    const mlrt::ErrorInfo& info = mlrt::error_info(code);
    CAPTURE(i);
    CHECK(info.code == code);  // a code without a row would get that of kInternal
    CHECK(names.insert(info.name).second);
    CHECK(std::string(info.mlflow_code).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") ==
          std::string::npos);
    CHECK(info.http_status >= 400);
    CHECK(info.http_status < 600);
    CHECK(info.exit_code >= 1);
    // 126 and above are the shell's: 130 is how it reports a process that Ctrl-C ended.
    CHECK(
        (info.exit_code < 126 || (code == mlrt::ErrorCode::kInterrupted && info.exit_code == 130)));
  }
}

TEST_CASE("only failures that a retry may cure, or that are the system's, have a 5xx status") {
  for (int i = 0; i < kErrorTestCodes; ++i) {
    const mlrt::ErrorInfo& info = mlrt::error_info(static_cast<mlrt::ErrorCode>(i));
    bool may_be_5xx =
        info.code == mlrt::ErrorCode::kUnavailable || info.code == mlrt::ErrorCode::kIo ||
        info.code == mlrt::ErrorCode::kInterrupted || info.code == mlrt::ErrorCode::kInternal;
    CAPTURE(std::string(info.name));
    CHECK((info.http_status >= 500) == may_be_5xx);
  }
}

TEST_CASE("a code outside of the table is treated as an internal error") {
  CHECK(mlrt::error_info(static_cast<mlrt::ErrorCode>(999)).code == mlrt::ErrorCode::kInternal);
}

TEST_CASE("an error carries its code, message and detail, and what() is the message alone") {
  mlrt::Error error(mlrt::ErrorCode::kNotFound, "no run 'x'", "SELECT 1");
  CHECK(error.code() == mlrt::ErrorCode::kNotFound);
  CHECK(error.message() == "no run 'x'");
  CHECK(error.detail() == "SELECT 1");
  CHECK(std::string(error.what()) == "no run 'x'");
  CHECK(std::string(mlrt::error_info(error.code()).mlflow_code) == "RESOURCE_DOES_NOT_EXIST");
}
