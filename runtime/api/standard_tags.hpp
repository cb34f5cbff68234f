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

// The same for one folder after another: what was read last is read again once one of git's files
// has changed. Not thread-safe.
class GitCommit {
 public:
  std::string of(const std::string& folder);

 private:
  struct File {
    std::string path;
    std::int64_t modified_ms;
  };
  bool is_as_read() const;

  std::string folder_, commit_;
  std::vector<File> files_;  // that the commit was read from; none: nothing is known
};

// What a run says of where it comes from. Not thread-safe.
class RunSource {
 public:
  // mlflow.user, mlflow.source.name, mlflow.source.type and, inside a git tree,
  // mlflow.source.git.commit. `source_name` is the script or program; empty: the name this process
  // was started by.
  std::vector<Tag> tags(const std::string& source_name);

 private:
  GitCommit commit_;
};

}  // namespace mlrt

#endif  // MLRT_API_STANDARD_TAGS_HPP_
