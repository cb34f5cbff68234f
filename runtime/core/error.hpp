#ifndef MLRT_CORE_ERROR_HPP_
#define MLRT_CORE_ERROR_HPP_

#include <exception>
#include <string>

namespace mlrt {

// What went wrong, in the words of the MLflow protocol where it has one. The table in error.cpp
// gives each code its MLflow error code, HTTP status and process exit code, so that they cannot
// drift apart.
enum class ErrorCode {
  kBadRequest,        // the request cannot be understood
  kInvalidParameter,  // understood, but a value is wrong
  kAlreadyExists,     // a name is taken
  kNotFound,          // the named thing does not exist
  kEndpointNotFound,  // no such route
  kMethodNotAllowed,  // the route exists, the method does not
  kUnsupportedMedia,  // a content type that is not accepted
  kTooLarge,          // beyond a stated limit
  kTooManyRequests,   // beyond the connection cap
  kTimeout,           // the peer was too slow
  kPermissionDenied,  // the system or a rule refuses it
  kConflict,          // the state changed underneath, or does not allow it
  kDataCorrupt,       // stored bytes are not what was written
  kUnavailable,       // busy; the same call may work later
  kIo,                // the system failed to read or write
  kUsage,             // a command line that is not understood
  kScript,            // a script failed
  kInterrupted,       // the user asked to stop (Ctrl-C)
  kInternal,          // a defect of mlrt
};

struct ErrorInfo {
  ErrorCode code;
  const char* name;         // for people and Lua: "not_found"
  const char* mlflow_code;  // for the wire: "RESOURCE_DOES_NOT_EXIST"
  int http_status;
  int exit_code;
};

// The row of `code`; never fails.
const ErrorInfo& error_info(ErrorCode code);

// The one exception type. `message` is for the user and says what was wrong, where, and what would
// be right; `detail` (SQL, a system error, a path) goes to the log only.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, std::string detail = {});

  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_;
  std::string detail_;
};

}  // namespace mlrt

#endif  // MLRT_CORE_ERROR_HPP_
