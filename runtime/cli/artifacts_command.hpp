#ifndef MLRT_CLI_ARTIFACTS_COMMAND_HPP_
#define MLRT_CLI_ARTIFACTS_COMMAND_HPP_

#include <string>

#include "cli/arguments.hpp"
#include "cli/listing.hpp"

namespace mlrt {

// The commands on artifacts. Their owner is a run (its id or a unique beginning of it), a logged
// model ("m-..."), or both owner and path are given as "runs:/ID/PATH". All throw kNotFound for a
// store, owner, file or artifact that does not exist, and what Session and ArtifactStore throw.

struct ArtifactsOptions {
  std::string owner;
  std::string path;   // of the artifact, or the folder for it
  std::string local;  // log: a file or folder; download: the folder for it
  bool recursive = false;
  OutputFlags output;
};

void run_artifacts_log(const GlobalOptions& global, const ArtifactsOptions& options);
void run_artifacts_list(const GlobalOptions& global, const ArtifactsOptions& options);
// Prints where the file or folder lies now.
void run_artifacts_download(const GlobalOptions& global, const ArtifactsOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_ARTIFACTS_COMMAND_HPP_
