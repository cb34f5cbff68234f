#include "core/error.hpp"

#include <utility>

namespace mlrt {
namespace {

// A permanent failure is never a 5xx: clients retry those, and would wait minutes for the same
// answer.
constexpr ErrorInfo kErrorTable[] = {
    {ErrorCode::kBadRequest, "bad_request", "BAD_REQUEST", 400, 1},
    {ErrorCode::kInvalidParameter, "invalid_parameter", "INVALID_PARAMETER_VALUE", 400, 1},
    {ErrorCode::kAlreadyExists, "already_exists", "RESOURCE_ALREADY_EXISTS", 400, 1},
    {ErrorCode::kNotFound, "not_found", "RESOURCE_DOES_NOT_EXIST", 404, 3},
    {ErrorCode::kEndpointNotFound, "endpoint_not_found", "ENDPOINT_NOT_FOUND", 404, 3},
    {ErrorCode::kMethodNotAllowed, "method_not_allowed", "BAD_REQUEST", 405, 1},
    {ErrorCode::kUnsupportedMedia, "unsupported_media", "BAD_REQUEST", 415, 1},
    {ErrorCode::kTooLarge, "too_large", "INVALID_PARAMETER_VALUE", 413, 1},
    {ErrorCode::kTooManyRequests, "too_many_requests", "REQUEST_LIMIT_EXCEEDED", 429, 6},
    {ErrorCode::kTimeout, "timeout", "DEADLINE_EXCEEDED", 408, 6},
    {ErrorCode::kPermissionDenied, "permission_denied", "PERMISSION_DENIED", 403, 5},
    {ErrorCode::kConflict, "conflict", "RESOURCE_CONFLICT", 409, 1},
    {ErrorCode::kDataCorrupt, "data_corrupt", "INVALID_PARAMETER_VALUE", 400, 4},
    {ErrorCode::kUnavailable, "unavailable", "TEMPORARILY_UNAVAILABLE", 503, 6},
    {ErrorCode::kIo, "io", "INTERNAL_ERROR", 500, 5},
    {ErrorCode::kUsage, "usage", "BAD_REQUEST", 400, 2},
    {ErrorCode::kScript, "script", "BAD_REQUEST", 400, 1},
    {ErrorCode::kInterrupted, "interrupted", "INTERNAL_ERROR", 503, 130},
    {ErrorCode::kInternal, "internal", "INTERNAL_ERROR", 500, 70},
};

}  // namespace

const ErrorInfo& error_info(ErrorCode code) {
  for (const ErrorInfo& info : kErrorTable) {
    if (info.code == code) return info;
  }
  return kErrorTable[sizeof(kErrorTable) / sizeof(kErrorTable[0]) - 1];
}

Error::Error(ErrorCode code, std::string message, std::string detail)
    : code_(code), message_(std::move(message)), detail_(std::move(detail)) {}

}  // namespace mlrt
