#ifndef MLRT_API_STANDARD_TAGS_HPP_
#define MLRT_API_STANDARD_TAGS_HPP_

// Internal: what a run says about where it comes from.

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

}  // namespace mlrt

#endif  // MLRT_API_STANDARD_TAGS_HPP_
