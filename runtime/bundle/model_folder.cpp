// The model folder, MLflow's form of a model on disk: the other side of what a bundle holds.

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "bundle/bundle.hpp"
#include "bundle/manifest.hpp"
#include "bundle/names.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kFolderPathShown = 4096;

std::string model_folder_name(const std::string& path) { return quoted(path, kFolderPathShown); }

class ModelFolder final : public FileSet {
 public:
  explicit ModelFolder(std::string root)
      : root_(std::move(root)), names_(fs::list_files_below(root_)) {
    // Left by an unzipped bundle. Files in a folder may be edited, so it says nothing about them
    // now, and a bundle that is made of the folder gets its own.
    names_.erase(std::remove(names_.begin(), names_.end(), kManifestName), names_.end());
    std::sort(names_.begin(), names_.end());
    if (contains(kMlmodelName)) return;
    const std::string nested = find_nested_mlmodel(names_);
    throw Error(ErrorCode::kNotFound,
                model_folder_name(root_) + " is not a model folder: no MLmodel at its root" +
                    (nested.empty() ? std::string() : " (found " + quoted(nested, 200) + ")"));
  }

  std::vector<std::string> names() const override { return names_; }

  bool contains(const std::string& name) const override {
    return std::binary_search(names_.begin(), names_.end(), name);
  }

  std::string_view read(const std::string& name) const override {
    if (!contains(name)) {
      throw Error(ErrorCode::kNotFound,
                  model_folder_name(root_) + " has no file " + quoted(name, 200));
    }
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = mapped_.find(name);
    if (found == mapped_.end()) {
      found = mapped_.emplace(name, fs::MappedFile(fs::join(root_, name))).first;
    }
    return found->second.bytes();
  }

 private:
  std::string root_;
  std::vector<std::string> names_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, fs::MappedFile> mapped_;
};

// A folder that is removed with all that is in it unless it was kept.
class TemporaryModelFolder {
 public:
  explicit TemporaryModelFolder(std::string path) : path_(std::move(path)) {
    try {
      fs::make_folders(path_);
    } catch (const Error&) {
      remove();
      throw;
    }
  }
  ~TemporaryModelFolder() {
    if (!kept_) remove();
  }
  TemporaryModelFolder(const TemporaryModelFolder&) = delete;
  TemporaryModelFolder& operator=(const TemporaryModelFolder&) = delete;

  const std::string& path() const { return path_; }
  void keep() { kept_ = true; }

 private:
  void remove() {
    try {
      fs::remove_tree(path_);
    } catch (const Error& error) {
      // The error that brought us here is the one to tell.
      log_warn("a temporary folder was left behind", {{"path", path_}, {"error", error.message()}});
    }
  }

  std::string path_;
  bool kept_ = false;
};

}  // namespace

std::shared_ptr<const FileSet> open_model_folder(const std::string& path) {
  return std::make_shared<ModelFolder>(path);
}

void write_model_folder(const std::string& folder, const FileSet& files) {
  std::string target = folder;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  const std::string name = fs::basename(target);
  const auto refuse = [&](ErrorCode code, const std::string& why) {
    throw Error(code, "cannot write the model folder " + model_folder_name(folder) + ": " + why);
  };
  if (name.empty() || name == "." || name == ".." || name == "/") {
    refuse(ErrorCode::kInvalidParameter, "give it a name of its own");
  }
  const std::string parent = fs::parent(target);
  if (!fs::is_folder(parent)) {
    refuse(ErrorCode::kNotFound, "there is no folder " + model_folder_name(parent));
  }
  if (fs::exists(target)) {
    if (!fs::is_folder(target)) refuse(ErrorCode::kAlreadyExists, "a file has that name");
    if (!fs::list(target).empty()) refuse(ErrorCode::kAlreadyExists, "it is not empty");
  }
  const std::vector<std::string> names = files.names();
  for (const std::string& file : names) {
    const std::string problem = find_name_problem(file);
    if (!problem.empty()) refuse(ErrorCode::kInvalidParameter, problem);
  }
  const std::string collision = find_names_collision({names.begin(), names.end()});
  if (!collision.empty()) refuse(ErrorCode::kInvalidParameter, collision);

  TemporaryModelFolder temporary(
      fs::join(parent, "." + name.substr(0, 200) + "." + random_hex(8) + ".tmp"));
  for (const std::string& file : names) {
    const std::string path = fs::join(temporary.path(), file);
    fs::make_folders(fs::parent(path));
    fs::write_file(path, files.read(file));
  }
  fs::rename(temporary.path(), target);
  temporary.keep();
}

}  // namespace mlrt
