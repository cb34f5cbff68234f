#ifndef MLRT_TRACKING_ARTIFACT_BATCH_HPP_
#define MLRT_TRACKING_ARTIFACT_BATCH_HPP_

// Internal: files on their way into an artifact folder, all or none of them.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/fs.hpp"

namespace mlrt {

class Database;

// The folder inside an artifact folder where files wait: ".mlrt-<16 hex digits>.tmp". What a crash
// left there is no artifact.
bool is_artifact_staging(const std::string& name);
std::string new_artifact_staging_name();

// What kills have left in the artifact folders of an experiment's runs and logged models: staging
// entries in which nothing has changed since `until_ms`. Returns what they take (or took, unless
// `dry_run`), without those in the runs' and models' folders `left_out`.
fs::TreeSize remove_artifact_staging(const std::string& experiment_folder, std::int64_t until_ms,
                                     bool dry_run, const std::set<std::string>& left_out = {});

// Files are first written, whole and synced, to a staging folder beside the places that they shall
// have; commit() then renames them there and records their SHA-256. After a commit() that threw the
// files that were there before are there again. A batch that is dropped leaves nothing but empty
// folders. For one thread.
class ArtifactBatch {
 public:
  // `folder` is the artifact folder of `owner`, made on demand.
  ArtifactBatch(std::shared_ptr<Database> database, std::string owner, std::string folder);
  ~ArtifactBatch();
  ArtifactBatch(const ArtifactBatch&) = delete;
  ArtifactBatch& operator=(const ArtifactBatch&) = delete;

  // `path` is where the file shall lie, below the folder. Throws kInvalidParameter for one that
  // leads out of it, kAlreadyExists for one where a folder is.
  void add_file(const std::string& local_file, const std::string& path);
  void add_bytes(std::string_view bytes, const std::string& path);
  // The same for a file that the caller writes, whole and synced, to the place that `reserve`
  // gives, before it reserves another one.
  std::string reserve(const std::string& path) { return next_place(path); }
  void add_written(const std::string& path, const std::string& staged, std::uint64_t size_bytes,
                   const std::string& sha256) {
    files_.push_back({path, staged, size_bytes, sha256});
  }
  void commit();

 private:
  struct File {
    std::string path;
    std::string staged;
    std::uint64_t size_bytes = 0;
    std::string sha256;
  };
  class Placement;

  std::string next_place(const std::string& path);
  void add_staged(const std::string& path, const std::string& staged);
  std::vector<File> forget_replaced();
  void remember(const std::vector<File>& files) noexcept;

  std::shared_ptr<Database> database_;
  std::string owner_, folder_, staging_;
  std::vector<File> files_;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_ARTIFACT_BATCH_HPP_
