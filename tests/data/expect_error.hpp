#ifndef MLRT_TESTS_DATA_EXPECT_ERROR_HPP_
#define MLRT_TESTS_DATA_EXPECT_ERROR_HPP_

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "core/error.hpp"

namespace mlrt {
namespace test {

// The message of the Error that `call` throws, whose code must be `code`; "" if it throws none.
template <class Call>
std::string message_of(Call&& call, ErrorCode code = ErrorCode::kInvalidParameter) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.message();
  }
  return {};
}

// True if `call` ends well or with an Error; anything else it throws ends the test.
template <class Call>
bool ends_cleanly(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return !error.message().empty();
  }
  return true;
}

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_DATA_EXPECT_ERROR_HPP_
