#ifndef MLRT_CLI_LIMITS_COMMAND_HPP_
#define MLRT_CLI_LIMITS_COMMAND_HPP_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/arguments.hpp"
#include "core/json.hpp"
#include "tracking/retention.hpp"

namespace mlrt {

struct LimitsOptions {
  // 0: none; nothing: as it is.
  std::optional<std::uint64_t> quota_bytes;
  std::optional<std::int64_t> retention_days;
  std::optional<std::size_t> keep_points;
  bool off = false;    // neither quota nor retention
  bool apply = false;  // now, to the end
  bool json = false;
};

// Bytes of "2GB", "1.5 MB", "4096". Throws kUsage that names `option`.
std::uint64_t read_size_bytes(const std::string& option, const std::string& text);

// Sets what is given of the store's limits, and prints all. Throws kUsage, and what
// Session::set_limits and apply_limits throw; kInterrupted.
void run_limits(const GlobalOptions& global, const LimitsOptions& options);

// How they are shown, here and by `doctor`.
OrderedJson limits_json(const StoreLimitsState& state);
std::string limits_sentence(const StoreLimitsState& state);

}  // namespace mlrt

#endif  // MLRT_CLI_LIMITS_COMMAND_HPP_
