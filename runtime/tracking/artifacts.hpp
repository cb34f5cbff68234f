#ifndef MLRT_TRACKING_ARTIFACTS_HPP_
#define MLRT_TRACKING_ARTIFACTS_HPP_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/file_set.hpp"

namespace mlrt {

class ArtifactUpload;
class Database;

// Makes the folder, which an artifact root is to be, and a file in it for a moment. Throws what the
// system says to that.
void check_artifact_root(const std::string& folder);

// One file or folder of an artifact listing.
struct ArtifactInfo {
  std::string path;  // relative with '/'
  bool is_folder = false;
  std::uint64_t size_bytes = 0;  // 0 for a folder
  std::string sha256;  // 64 hex digits; empty for a folder and for what was not logged by mlrt
};

// The tag of a logged model that says below which path of its run it appears, where that is not its
// name.
extern const char kLoggedModelPathTag[];

// The files of runs and logged models: <root>/<experiment>/<run>/artifacts/... and
// <root>/<experiment>/models/<model id>/artifacts/..., as MLflow lays them out. `owner` is a run id
// or a logged model's id ("m-" and 32 hex digits). Paths are relative with '/'; one that would
// leave the folder is refused ("Invalid path"). The SHA-256 of each file is kept in the store.
//
// A run shows the logged models that it made (those that are READY) as folders among its artifacts,
// as MLflow 3's client does, so that clients who know no logged models find them below the run too;
// the files themselves lie in the model's folder only. What the run itself has under the same path
// comes first.
//
// Any thread may use it. Writing is all or nothing: after an error no file has changed, folders
// made for it may stay, empty. A file that is there is replaced. kNotFound for an unknown owner.
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
  // Every file of the set, below `path`.
  void log_files(const std::string& owner, const FileSet& files, const std::string& path = "");

  // A file whose bytes come in pieces: see artifact_upload.hpp.
  std::unique_ptr<ArtifactUpload> begin_upload(const std::string& owner,
                                               const std::string& path) const;

  // What lies directly in the folder `path` (MLflow's listing), by name; all files below it when
  // `recursive`. Nothing for a file, and for what is not there.
  std::vector<ArtifactInfo> list(const std::string& owner, const std::string& path = "",
                                 bool recursive = false) const;
  // The place of an artifact (file or folder) on disk; of "", the owner's folder. Throws kNotFound
  // that names it.
  std::string locate(const std::string& owner, const std::string& path) const;
  // The SHA-256 that was recorded for the file `path`; empty when none was, or the file has another
  // size than it had. Throws kNotFound.
  std::string sha256(const std::string& owner, const std::string& path) const;
  // Copies a file or folder (everything, for "") to `local_folder` (made on demand), below the path
  // that it has here; returns where it lies now. Throws kDataCorrupt for a file that is not what
  // was logged; those before it have been copied.
  std::string download(const std::string& owner, const std::string& path,
                       const std::string& local_folder) const;
  // Removes a file, or a folder with all in it. Throws kNotFound; kConflict for a logged model,
  // which is removed as such.
  void remove(const std::string& owner, const std::string& path);
  // Files whose bytes are no longer those that were logged, or that are gone; by path. Reads all.
  std::vector<std::string> damaged(const std::string& owner) const;
  // The folder of `owner`, which need not exist yet. kInvalidParameter if it must be active and is
  // deleted.
  std::string folder(const std::string& owner, bool must_be_active = false) const;

  // A logged model that a run shows, and where.
  struct RunModel {
    std::string path;  // "model"
    std::string model_id;
    std::string folder;  // absolute
  };
  // By path; of several under one path the newest.
  std::vector<RunModel> models_of_run(const std::string& run_id) const;

 private:
  struct Place;
  std::optional<Place> find_model(const std::string& owner, const std::string& path) const;
  Place find(const std::string& owner, const std::string& path) const;
  [[noreturn]] void refuse_absent(const std::string& owner, const std::string& path) const;
  void list_place(const Place& place, const std::string& path, bool recursive,
                  std::vector<ArtifactInfo>& found) const;

  std::shared_ptr<Database> database_;
  std::string artifact_root_;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_ARTIFACTS_HPP_
