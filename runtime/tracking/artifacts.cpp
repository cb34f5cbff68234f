#include "tracking/artifacts.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/hash.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "store/database.hpp"
#include "tracking/artifact_batch.hpp"
#include "tracking/artifact_upload.hpp"
#include "tracking/logged_model_rows.hpp"
#include "tracking/rules.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {

const char kLoggedModelPathTag[] = "mlrt.path";

// Where a path of an owner lies: in a folder of the owner itself, or of a logged model of the run.
struct ArtifactStore::Place {
  std::string owner;   // whose digests tell about it
  std::string folder;  // of that owner
  std::string path;    // below that folder; "" is the folder
  std::string shown;   // what the caller calls that folder: "" or "model"

  std::string on_disk() const { return path.empty() ? folder : fs::join(folder, path); }
};

namespace {

struct ArtifactDigest {
  std::uint64_t size_bytes = 0;
  std::string sha256;
};

using ArtifactDigests = std::map<std::string, ArtifactDigest>;

std::string artifact_join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

// "model/data" below "model" is "data"; "model" itself is "".
std::optional<std::string> artifact_path_below(const std::string& path, const std::string& folder) {
  if (folder.empty() || path == folder) return path == folder ? std::string() : path;
  if (!starts_with(path, folder + "/")) return std::nullopt;
  return path.substr(folder.size() + 1);
}

// Of the file `path` and of all files below it.
ArtifactDigests artifact_digests(Database& database, const std::string& owner,
                                 const std::string& path) {
  ArtifactDigests digests;
  Transaction transaction(database, Transaction::Mode::kReadStored);
  Statement row =
      path.empty()
          ? transaction.query("SELECT path, size, sha256 FROM artifacts WHERE owner = ?", owner)
          // '0' is the character after '/'.
          : transaction.query(
                "SELECT path, size, sha256 FROM artifacts WHERE owner = ? AND (path = ? OR (path > "
                "? AND path < ?))",
                owner, path, path + "/", path + "0");
  while (row.step()) {
    digests[row.text(0)] = {static_cast<std::uint64_t>(row.integer(1)), row.text(2)};
  }
  return digests;
}

// What lies below the folder as files; nothing if there is no such folder.
std::vector<std::string> artifact_files_below(const std::string& folder) {
  if (!fs::is_folder(folder)) return {};
  std::vector<std::string> files = fs::list_files_below(folder);
  // What is being written now, or was when a process was killed, is no artifact.
  const auto unfinished = [](const std::string& file) {
    const std::vector<std::string> names = split(file, '/');
    return is_artifact_staging(names.front()) ||
           std::any_of(names.begin(), names.end(), fs::is_temporary_name);
  };
  files.erase(std::remove_if(files.begin(), files.end(), unfinished), files.end());
  return files;
}

bool artifact_is_damaged(const std::string& place, const ArtifactDigest& digest) {
  if (!fs::is_file(place) || fs::file_size(place) != digest.size_bytes) return true;
  return sha256_hex(fs::MappedFile(place).bytes()) != digest.sha256;
}

}  // namespace

void check_artifact_root(const std::string& folder) {
  try {
    fs::make_folders(folder);
    const fs::AtomicWriter probe(fs::join(folder, "mlrt-probe"));
  } catch (const Error& error) {
    throw Error(error.code() == ErrorCode::kPermissionDenied ? error.code() : ErrorCode::kIo,
                "artifacts cannot be kept in " + quoted(folder, 300) + ": " + error.message(),
                error.detail());
  }
}

ArtifactStore::ArtifactStore(std::shared_ptr<Database> database, std::string artifact_root)
    : database_(std::move(database)), artifact_root_(std::move(artifact_root)) {}

std::string ArtifactStore::folder(const std::string& owner, bool must_be_active) const {
  if (!is_logged_model_id(owner)) {
    return TrackingStore(database_, artifact_root_).artifact_folder(owner, must_be_active);
  }
  Transaction transaction(*database_, Transaction::Mode::kReadStored);
  const LoggedModelRow row = find_logged_model(transaction, owner);
  if (must_be_active && row.record.lifecycle_stage != "active") {
    throw Error(ErrorCode::kInvalidParameter,
                "The logged model " + owner + " must be in the 'active' state. Current state is " +
                    row.record.lifecycle_stage + ".");
  }
  return logged_model_folder(row, artifact_root_);
}

std::vector<ArtifactStore::RunModel> ArtifactStore::models_of_run(const std::string& run_id) const {
  Transaction transaction(*database_, Transaction::Mode::kReadStored);
  Statement row = transaction.query(
      "SELECT coalesce(g.value, m.name), m.model_id FROM logged_models AS m "
      "LEFT JOIN logged_model_tags AS g ON g.model = m.model AND g.key = ? "
      "WHERE m.source_run_id = ? AND m.lifecycle_stage = 'active' AND m.status = 'READY' "
      "ORDER BY 1, m.creation_time DESC, m.model DESC",
      kLoggedModelPathTag, run_id);
  std::vector<RunModel> models;
  while (row.step()) {
    if (models.empty() || models.back().path != row.text(0)) {
      models.push_back({row.text(0), row.text(1), ""});
    }
  }
  for (RunModel& model : models) {
    model.folder =
        logged_model_folder(find_logged_model(transaction, model.model_id), artifact_root_);
  }
  return models;
}

// ---- writing ----

void ArtifactStore::log_file(const std::string& owner, const std::string& local_file,
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
  const std::string place = artifact_join(path, fs::basename(local_file));
  check_artifact_path(place);
  ArtifactBatch batch(database_, owner, folder(owner, true));
  batch.add_file(local_file, place);
  batch.commit();
}

void ArtifactStore::log_folder(const std::string& owner, const std::string& local_folder,
                               const std::string& path) {
  if (!path.empty()) check_artifact_path(path);
  if (!fs::is_folder(local_folder)) {
    throw Error(fs::exists(local_folder) ? ErrorCode::kInvalidParameter : ErrorCode::kNotFound,
                "there is no folder " + quoted(local_folder, 300) + " to log as artifacts");
  }
  // Listed before anything is written: it may hold the artifact folder.
  const std::vector<std::string> files = fs::list_files_below(local_folder);
  for (const std::string& file : files) check_artifact_path(artifact_join(path, file));
  ArtifactBatch batch(database_, owner, folder(owner, true));
  for (const std::string& file : files) {
    batch.add_file(fs::join(local_folder, file), artifact_join(path, file));
  }
  batch.commit();
}

void ArtifactStore::log_bytes(const std::string& owner, const std::string& bytes,
                              const std::string& path) {
  check_artifact_path(path);
  ArtifactBatch batch(database_, owner, folder(owner, true));
  batch.add_bytes(bytes, path);
  batch.commit();
}

void ArtifactStore::log_files(const std::string& owner, const FileSet& files,
                              const std::string& path) {
  if (!path.empty()) check_artifact_path(path);
  ArtifactBatch batch(database_, owner, folder(owner, true));
  for (const std::string& name : files.names()) {
    batch.add_bytes(files.read(name), artifact_join(path, name));
  }
  batch.commit();
}

std::unique_ptr<ArtifactUpload> ArtifactStore::begin_upload(const std::string& owner,
                                                            const std::string& path) const {
  check_artifact_path(path);
  return std::make_unique<ArtifactUpload>(database_, owner, folder(owner, true), path);
}

void ArtifactStore::remove(const std::string& owner, const std::string& path) {
  check_artifact_path(path);
  const std::string own = folder(owner, true);
  const std::string place = fs::join(own, path);
  if (!fs::exists(place)) {
    if (const auto model = find_model(owner, path)) {
      if (fs::exists(model->on_disk())) {
        throw Error(ErrorCode::kConflict, "the artifact " + quoted(path, 300) +
                                              " belongs to the logged model " + model->owner +
                                              ": delete that");
      }
    }
    refuse_absent(owner, path);
  }
  const std::string gone = fs::join(own, new_artifact_staging_name());
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  // Out of the way by one rename, which can be undone; the removal itself could stop half-way.
  fs::rename(place, gone);
  try {
    transaction.run(
        "DELETE FROM artifacts WHERE owner = ? AND (path = ? OR (path > ? AND path < ?))", owner,
        path, path + "/", path + "0");
    transaction.commit();
  } catch (const std::exception&) {
    fs::rename(gone, place);
    throw;
  }
  try {
    fs::remove_tree(gone);
  } catch (const Error& error) {
    log_warn("a removed artifact still takes space", {{"path", gone}, {"error", error.message()}});
  }
}

// ---- reading ----

// A run's logged model that `path` is, or is inside of.
std::optional<ArtifactStore::Place> ArtifactStore::find_model(const std::string& owner,
                                                              const std::string& path) const {
  if (path.empty() || is_logged_model_id(owner)) return std::nullopt;
  for (const RunModel& model : models_of_run(owner)) {
    if (const auto below = artifact_path_below(path, model.path)) {
      return Place{model.model_id, model.folder, *below, model.path};
    }
  }
  return std::nullopt;
}

ArtifactStore::Place ArtifactStore::find(const std::string& owner, const std::string& path) const {
  if (!path.empty()) check_artifact_path(path);
  Place place{owner, folder(owner), path, ""};
  if (path.empty()) return place;
  const std::string first = path.substr(0, path.find('/'));
  const bool own = !is_artifact_staging(first) && fs::exists(place.on_disk());
  if (own && (!fs::is_folder(place.on_disk()) || fs::is_file(fs::join(place.on_disk(), "MLmodel"))))
    return place;
  if (auto model = find_model(owner, path)) {
    // A folder of the model's name, to which more was logged by hand, does not hide the model.
    if ((!own || model->path.empty()) && fs::exists(model->on_disk())) return *model;
  }
  if (!own) refuse_absent(owner, path);
  return place;
}

void ArtifactStore::refuse_absent(const std::string& owner, const std::string& path) const {
  std::vector<std::string> known;
  try {
    for (const ArtifactInfo& info : list(owner, "", true)) known.push_back(info.path);
  } catch (const Error&) {
    // What cannot be listed, a symbolic link in the folder for one, only costs the suggestion.
  }
  throw Error(ErrorCode::kNotFound, (is_logged_model_id(owner) ? "the logged model " : "the run ") +
                                        owner + " has no artifact " + quoted(path, 300) +
                                        did_you_mean(path, known));
}

std::string ArtifactStore::locate(const std::string& owner, const std::string& path) const {
  return find(owner, path).on_disk();
}

std::string ArtifactStore::sha256(const std::string& owner, const std::string& path) const {
  const Place place = find(owner, path);
  const ArtifactDigests digests = artifact_digests(*database_, place.owner, place.path);
  const auto digest = digests.find(place.path);
  const bool same =
      digest != digests.end() && fs::file_size(place.on_disk()) == digest->second.size_bytes;
  return same ? digest->second.sha256 : std::string();
}

void ArtifactStore::list_place(const Place& place, const std::string& path, bool recursive,
                               std::vector<ArtifactInfo>& found) const {
  const std::string folder = place.on_disk();
  if (!fs::is_folder(folder)) return;
  const ArtifactDigests digests = artifact_digests(*database_, place.owner, place.path);
  const auto add_file = [&](const std::string& name) {
    ArtifactInfo info;
    info.path = artifact_join(path, name);
    info.size_bytes = fs::file_size(fs::join(folder, name));
    const auto digest = digests.find(artifact_join(place.path, name));
    // A file of another size has been replaced by someone else.
    if (digest != digests.end() && digest->second.size_bytes == info.size_bytes) {
      info.sha256 = digest->second.sha256;
    }
    found.push_back(std::move(info));
  };
  if (recursive) {
    for (const std::string& name : artifact_files_below(folder)) add_file(name);
    return;
  }
  for (const std::string& name : fs::list(folder)) {
    if ((place.path.empty() && is_artifact_staging(name)) || fs::is_temporary_name(name)) continue;
    if (fs::is_folder(fs::join(folder, name))) {
      found.push_back({artifact_join(path, name), true, 0, ""});
    } else if (fs::is_file(fs::join(folder, name))) {
      add_file(name);
    }
  }
}

std::vector<ArtifactInfo> ArtifactStore::list(const std::string& owner, const std::string& path,
                                              bool recursive) const {
  if (!path.empty()) check_artifact_path(path);
  std::vector<ArtifactInfo> found;
  list_place({owner, folder(owner), path, ""}, path, recursive, found);
  if (!is_logged_model_id(owner)) {
    for (const RunModel& model : models_of_run(owner)) {
      if (const auto inside = artifact_path_below(path, model.path)) {
        list_place({model.model_id, model.folder, *inside, model.path}, path, recursive, found);
      } else if (const auto below = artifact_path_below(model.path, path)) {
        // The model lies below what is listed.
        if (!fs::is_folder(model.folder)) continue;
        if (recursive) {
          list_place({model.model_id, model.folder, "", model.path}, model.path, true, found);
        } else {
          found.push_back({artifact_join(path, below->substr(0, below->find('/'))), true, 0, ""});
        }
      }
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const ArtifactInfo& a, const ArtifactInfo& b) { return a.path < b.path; });
  found.erase(
      std::unique(found.begin(), found.end(),
                  [](const ArtifactInfo& a, const ArtifactInfo& b) { return a.path == b.path; }),
      found.end());
  return found;
}

std::string ArtifactStore::download(const std::string& owner, const std::string& path,
                                    const std::string& local_folder) const {
  const std::string to = path.empty() ? local_folder : fs::join(local_folder, path);
  const auto copy = [&](const std::string& file) {
    const Place place = find(owner, file);
    const ArtifactDigests digests = artifact_digests(*database_, place.owner, place.path);
    const auto digest = digests.find(place.path);
    if (digest != digests.end() && artifact_is_damaged(place.on_disk(), digest->second)) {
      throw Error(ErrorCode::kDataCorrupt,
                  "the artifact " + quoted(file, 300) + " of " + owner +
                      " is damaged: its bytes are not those that were "
                      "logged",
                  place.on_disk());
    }
    const std::string target = fs::join(local_folder, file);
    fs::make_folders(fs::parent(target));
    fs::copy_file(place.on_disk(), target);
  };
  if (!path.empty() && fs::is_file(locate(owner, path))) {
    copy(path);
    return to;
  }
  locate(owner, path);
  fs::make_folders(to);
  for (const ArtifactInfo& info : list(owner, path, true)) copy(info.path);
  return to;
}

std::vector<std::string> ArtifactStore::damaged(const std::string& owner) const {
  const std::string own = folder(owner);
  std::vector<std::string> found;
  for (const auto& [path, digest] : artifact_digests(*database_, owner, "")) {
    if (artifact_is_damaged(fs::join(own, path), digest)) found.push_back(path);
  }
  return found;
}

}  // namespace mlrt
