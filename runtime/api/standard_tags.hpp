#ifndef MLRT_API_STANDARD_TAGS_HPP_
#define MLRT_API_STANDARD_TAGS_HPP_

// Internal: what a run says about where it comes from.

#include <cstdint>
#include <string>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

// The name of the user who runs this process; "unknown" if the system does not tell.
std::string current_user();

// The commit that is checked out in the git working tree that holds `folder`, 40 or 64 hex digits;
// empty if there is none. Reads git's files itself; never throws for what they hold.
std::string git_commit_of(const std::string& folder);

// mlflow.user, mlflow.source.name, mlflow.source.type and, inside a git tree,
// mlflow.source.git.commit. `source_name` is the script or program; empty: the name this process
// was started by.
std::vector<Tag> standard_run_tags(const std::string& source_name);

// standard_run_tags for one run after another: files are read for at most one a second and source.
// Not thread-safe.
class RunSource {
 public:
  const std::vector<Tag>& tags(const std::string& source_name);

 private:
  std::string name_;
  std::vector<Tag> tags_;  // of `name_`; none: not read yet
  std::int64_t read_at_ms_ = 0;
};

}  // namespace mlrt

#endif  // MLRT_API_STANDARD_TAGS_HPP_
