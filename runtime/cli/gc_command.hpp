#ifndef MLRT_CLI_GC_COMMAND_HPP_
#define MLRT_CLI_GC_COMMAND_HPP_

#include <cstdint>
#include <string>

#include "cli/arguments.hpp"

namespace mlrt {

struct GcOptions {
  std::string older_than;  // "30d", "12h", "90m", "10s", "2w"; empty: all that was deleted
  bool dry_run = false;
  bool compact = false;  // write the database's file anew, without its free space
  bool json = false;
};

// Milliseconds of "30d" and the like. Throws kUsage for another form.
std::int64_t read_age_ms(const std::string& text);

// Really deletes what was deleted, and prints what that was. Throws what
// TrackingStore::collect_garbage and Session::compact throw; kUsage for both flags at once.
void run_gc(const GlobalOptions& global, const GcOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_GC_COMMAND_HPP_
