// The files of a run: TrackingStore's part that works on folders, not on the database.

#include <algorithm>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "tracking/rules.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {

void TrackingStore::log_artifact(const std::string& run_id, const std::string& local_file,
                                 const std::string& path) {
  if (!path.empty()) check_artifact_path(path);
  if (fs::is_folder(local_file)) {
    throw Error(ErrorCode::kInvalidParameter,
                quoted(local_file, 300) + " is a folder: an artifact is a file");
  }
  if (!fs::is_file(local_file)) {
    throw Error(ErrorCode::kNotFound,
                "there is no file " + quoted(local_file, 300) + " to log as an artifact");
  }
  const std::string name = fs::basename(local_file);
  check_artifact_path(name);
  std::string folder = artifact_folder(run_id, true);
  if (!path.empty()) folder = fs::join(folder, path);
  fs::make_folders(folder);
  fs::copy_file(local_file, fs::join(folder, name));
}

void TrackingStore::log_text(const std::string& run_id, const std::string& text,
                             const std::string& path) {
  check_artifact_path(path);
  const std::string file = fs::join(artifact_folder(run_id, true), path);
  fs::make_folders(fs::parent(file));
  fs::write_file(file, text);
}

std::vector<std::string> TrackingStore::list_artifacts(const std::string& run_id) const {
  const std::string folder = artifact_folder(run_id);
  if (!fs::is_folder(folder)) return {};
  std::vector<std::string> files = fs::list_files_below(folder);
  // What is being written now, or was when a process was killed, is no artifact.
  const auto unfinished = [](const std::string& file) {
    const std::vector<std::string> names = split(file, '/');
    return std::any_of(names.begin(), names.end(), fs::is_temporary_name);
  };
  files.erase(std::remove_if(files.begin(), files.end(), unfinished), files.end());
  return files;
}

std::string TrackingStore::artifact_file(const std::string& run_id, const std::string& path) const {
  check_artifact_path(path);
  const std::string place = fs::join(artifact_folder(run_id), path);
  if (!fs::exists(place)) {
    throw Error(ErrorCode::kNotFound, "the run " + run_id + " has no artifact " +
                                          quoted(path, 300) +
                                          did_you_mean(path, list_artifacts(run_id)));
  }
  return place;
}

}  // namespace mlrt
