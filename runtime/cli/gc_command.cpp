#include "cli/gc_command.hpp"

#include <cstddef>

#include "cli/listing.hpp"
#include "cli/run_output.hpp"
#include "cli/store_access.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr long long kMostAgeUnits = 1000000;

std::string counted(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

std::int64_t read_age_ms(const std::string& text) {
  struct Unit {
    char letter;
    std::int64_t ms;
  };
  static constexpr Unit kUnits[] = {
      {'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
  long long count = 0;
  if (!text.empty() && parse_int64(std::string_view(text).substr(0, text.size() - 1), count) &&
      count >= 0 && count <= kMostAgeUnits) {
    for (const Unit& unit : kUnits) {
      if (text.back() == unit.letter) return count * unit.ms;
    }
  }
  throw Error(
      ErrorCode::kUsage,
      "an age is a whole number and one of s, m, h, d, w, such as 30d, not " + quoted(text));
}

void run_gc(const GlobalOptions& global, const GcOptions& options) {
  const std::int64_t age_ms = options.older_than.empty() ? 0 : read_age_ms(options.older_than);
  if (options.compact && options.dry_run)
    throw Error(ErrorCode::kUsage, "--compact goes without --dry-run");
  const Session session = open_store(global);
  TrackingStore::Garbage found = session.tracking().collect_garbage(age_ms, options.dry_run);
  found.artifact_bytes += session.registry().collect_garbage(options.dry_run);
  const std::uint64_t given_back = options.compact ? session.compact() : 0;
  if (options.json) {
    OrderedJson out;
    out["dry_run"] = options.dry_run;
    out["experiments"] = found.experiments;
    out["runs"] = found.runs;
    out["logged_models"] = found.logged_models;
    out["kept"] = found.kept;
    out["artifact_bytes"] = found.artifact_bytes;
    if (options.compact) out["database_bytes"] = given_back;
    print_out(json_text(out));
    return;
  }
  print_out(std::string(options.dry_run ? "would delete for good: " : "deleted for good: ") +
            counted(found.experiments, "experiment") + ", " + counted(found.runs, "run") + ", " +
            counted(found.logged_models, "logged model") + ", " + size_text(found.artifact_bytes) +
            " of artifacts" +
            (options.compact ? ", " + size_text(given_back) + " of the database" : "") + "\n");
  if (found.kept == 0) return;
  print_out("kept " + counted(found.kept, "deleted run or logged model") +
            ": registered models have their files there\n");
}

}  // namespace mlrt
