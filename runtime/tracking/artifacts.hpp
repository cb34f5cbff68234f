#ifndef MLRT_TRACKING_ARTIFACTS_HPP_
#define MLRT_TRACKING_ARTIFACTS_HPP_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mlrt {

class Database;

// One file or folder of an artifact listing.
struct ArtifactInfo {
  std::string path;  // relative with '/'
  bool is_folder = false;
  std::uint64_t size_bytes = 0;  // 0 for a folder
  std::string sha256;  // 64 hex digits; empty for a folder and for what was not logged by mlrt
};

// The files of runs and logged models: <root>/<experiment>/<run>/artifacts/... and
// <root>/<experiment>/models/<model id>/artifacts/..., as MLflow lays them out. `owner` is a run id
// or a logged model's id ("m-..."). Paths are relative with '/'; one that would leave the folder is
// refused
// ("Invalid path"). A file that is there is replaced. The SHA-256 of each file is kept in the
// store. Any thread may use it; after an error no file has changed, folders made for it may stay,
// empty.
class ArtifactStore {
 public:
  ArtifactStore(std::shared_ptr<Database> database, std::string artifact_root);

  // The file keeps its own name, in the folder `path` ("": at the top), as in MLflow.
  void log_file(const std::string& owner, const std::string& local_file,
                const std::string& path = "");
  // All files below `local_folder`, below `path`; links are refused.
  void log_folder(const std::string& owner, const std::string& local_folder,
                  const std::string& path = "");
  // `path` is the file.
  void log_bytes(const std::string& owner, const std::string& bytes, const std::string& path);

  // What lies directly in the folder `path` (MLflow's listing), by name; all files below it when
  // `recursive`.
  std::vector<ArtifactInfo> list(const std::string& owner, const std::string& path = "",
                                 bool recursive = false) const;
  // The place of an artifact (file or folder) on disk. Throws kNotFound that names it.
  std::string locate(const std::string& owner, const std::string& path) const;
  // Copies a file or folder to `local_folder` (made on demand); returns where it lies now.
  std::string download(const std::string& owner, const std::string& path,
                       const std::string& local_folder) const;
  void remove(const std::string& owner, const std::string& path);
  // Files whose bytes are no longer those that were logged, or that are gone.
  std::vector<std::string> damaged(const std::string& owner) const;
  // The folder of `owner`, which need not exist yet. kInvalidParameter if it must be active and is
  // deleted.
  std::string folder(const std::string& owner, bool must_be_active = false) const;

 private:
  std::shared_ptr<Database> database_;
  std::string artifact_root_;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_ARTIFACTS_HPP_
