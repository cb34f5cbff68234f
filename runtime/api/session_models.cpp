// Models by their names: registering, resolving and loading them.

#include <algorithm>
#include <utility>

#include "api/session.hpp"
#include "api/session_state.hpp"
#include "bundle/bundle.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/ids.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "core/yaml.hpp"
#include "model/flavors.hpp"
#include "registry/model_uri.hpp"
#include "registry/registry_rows.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

constexpr std::string_view kRunsPrefix = "runs:/";
constexpr std::string_view kProxiedPrefix = "mlflow-artifacts:";
// Versions that name versions: so many steps are gone.
constexpr int kMaxVersionLinks = 8;

// "file://", "s3://", "modells:/": something with a scheme, not a path.
bool session_has_scheme(const std::string& uri) {
  const std::size_t colon = uri.find(":/");
  if (colon == std::string::npos || colon == 0) return false;
  return uri.substr(0, colon).find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") ==
         std::string::npos;
}

[[noreturn]] void session_refuse_uri(const std::string& uri) {
  throw Error(ErrorCode::kInvalidParameter,
              quoted(uri, 300) +
                  " names no model: it must be models:/<name>/<version>, models:/<name>/latest, "
                  "models:/<name>/<stage>, models:/<name>@<alias>, models:/m-<id>, runs:/<run "
                  "id>/<path>, or the path of a bundle "
                  "or model folder");
}

// "runs:/<id>/<path>" as (id, path).
std::pair<std::string, std::string> session_split_run_uri(const std::string& uri) {
  const std::string rest = uri.substr(kRunsPrefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == 0 || slash == std::string::npos || slash + 1 == rest.size()) session_refuse_uri(uri);
  return {rest.substr(0, slash), rest.substr(slash + 1)};
}

std::string session_resolve_run(const SessionState& state, const std::string& uri) {
  const auto [run_id, path] = session_split_run_uri(uri);
  return state.artifacts.locate(run_id, path);
}

std::string session_resolve_logged_model(const SessionState& state, const std::string& model_id) {
  const LoggedModel model = state.logged_models.get(model_id);
  if (fs::exists(model.artifact_folder)) return model.artifact_folder;
  throw Error(ErrorCode::kNotFound,
              "the logged model " + model_id + " (" + logged_model_status_name(model.status) +
                  ") has no files: there is no " + quoted(model.artifact_folder, 300));
}

std::string session_models_folder(const SessionState& state) {
  return registry_models_folder(state.tracking.artifact_root());
}

// What artifact_uri of a tracking server with proxied artifacts leads to:
// "mlflow-artifacts:/<experiment>/<run id>/artifacts/<path>" or
// "mlflow-artifacts:/<experiment>/models/<model id>/artifacts/<path>"; a host may stand before it.
// Empty if it is neither.
std::string session_resolve_proxied(const SessionState& state, const std::string& uri) {
  std::string path = uri.substr(kProxiedPrefix.size());
  if (starts_with(path, "//")) path = path.substr(std::min(path.size(), path.find('/', 2)));
  std::vector<std::string> parts = split(path, '/');
  parts.erase(std::remove(parts.begin(), parts.end(), ""), parts.end());
  const std::size_t owner = parts.size() > 2 && parts[1] == "models" ? 2 : 1;
  if (parts.size() < owner + 2 || parts[owner + 1] != "artifacts") return {};
  const std::string id = parts[owner];
  parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(owner) + 2);
  return state.artifacts.locate(id, join(parts, "/"));
}

// The same for a folder of this machine that is not where it was, by the ids in its path.
std::string session_resolve_moved(const SessionState& state, const ModelVersion& version,
                                  const std::string& path) {
  const std::string copy = fs::join(session_models_folder(state), fs::basename(path));
  if (fs::exists(copy)) return copy;  // copies are named by their content
  for (const std::string& owner : {version.model_id, version.run_id}) {
    const std::string folder = "/" + owner + "/artifacts";
    const std::size_t at = owner.empty() ? std::string::npos : path.rfind(folder);
    if (at == std::string::npos) continue;
    const std::string rest = path.substr(at + folder.size());
    if (rest.empty() || rest[0] == '/') {
      return state.artifacts.locate(owner, rest.empty() ? "" : rest.substr(1));
    }
  }
  return {};
}

std::string session_version_name(const ModelVersion& version) {
  return "version " + std::to_string(version.version) + " of the model " + quoted(version.name);
}

std::string session_resolve_version(const SessionState& state, const ModelVersion& version,
                                    int depth = 0) {
  std::string uri = state.registry.download_uri(version.name, version.version);
  std::string found;
  if (starts_with(uri, kRunsPrefix)) {
    try {
      return session_resolve_run(state, uri);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      // The run may be deleted for good while its logged model is not.
      if (!version.model_id.empty()) return session_resolve_logged_model(state, version.model_id);
      throw Error(error.code(), session_version_name(version) + ": " + error.message());
    }
  }
  if (is_models_uri(uri)) {
    const ModelUri parsed = parse_model_uri(uri);
    if (!parsed.model_id.empty()) return session_resolve_logged_model(state, parsed.model_id);
    if (depth < kMaxVersionLinks) {
      return session_resolve_version(state, state.registry.version_by_uri(uri), depth + 1);
    }
  } else if (starts_with(uri, kProxiedPrefix)) {
    found = session_resolve_proxied(state, uri);
  } else {
    if (starts_with(uri, "file:/")) uri = checked_artifact_location(uri);
    found = fs::exists(uri) ? uri : session_resolve_moved(state, version, uri);
  }
  if (!found.empty()) return found;
  const bool elsewhere = session_has_scheme(uri) && !starts_with(uri, kProxiedPrefix);
  throw Error(ErrorCode::kNotFound,
              "the files of " + session_version_name(version) +
                  (elsewhere ? " cannot be read here: mlrt reads files of this machine, not "
                             : " are gone: there is no ") +
                  quoted(uri, 300));
}

// A bundle under a temporary name, which gets its name once the version is being registered.
class SessionModelCopy final : public ModelFiles {
 public:
  explicit SessionModelCopy(std::string folder)
      : folder_(std::move(folder)), temporary_(fs::join(folder_, "." + random_hex(8) + ".tmp")) {}
  ~SessionModelCopy() override {
    if (!renamed_) remove(temporary_);
  }

  const std::string& temporary() const { return temporary_; }
  const std::string& target() const { return target_; }
  void set_digest(const std::string& digest) { target_ = fs::join(folder_, digest + ".mlrt"); }

  void place() override {
    existed_ = fs::exists(target_);
    // Also where it exists: the bytes are the same, unless the disk has spoilt them.
    fs::rename(temporary_, target_);
    renamed_ = true;
  }
  void take_back() noexcept override {
    if (!existed_) remove(target_);
  }

 private:
  static void remove(const std::string& path) noexcept {
    try {
      fs::remove_file(path);
    } catch (const std::exception& error) {
      log_warn("a file was left behind", {{"path", path}, {"error", error.what()}});
    }
  }

  std::string folder_, temporary_, target_;
  bool existed_ = false;  // the target, before
  bool renamed_ = false;
};

// Loads what mlrt can score. MLflow has many more flavors, whose models are registered as they are.
void session_check_model(const FileSet& files) {
  // A FileSet of ours has an MLmodel, see open_model_files.
  const Json mlmodel = parse_yaml(files.read("MLmodel"), "MLmodel");
  const Json& flavors = json_object(mlmodel, "flavors", "MLmodel");
  if (flavors.empty()) {
    throw Error(ErrorCode::kInvalidParameter,
                "MLmodel: 'flavors' is empty: nothing says how the model is loaded");
  }
  for (const auto& item : flavors.items()) {
    if (find_flavor(item.key()) == nullptr) continue;
    Model::load(files);
    return;
  }
}

// A model's own faults are told by its files' names: which model it is, only the caller knows.
// What is only to be registered is checked, and null returned.
std::shared_ptr<const Model> session_load_files(const std::string& path, const FileSet& files,
                                                bool to_register = false) {
  try {
    if (!to_register) return Model::load(files);
    session_check_model(files);
    return nullptr;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidParameter) throw;
    throw Error(error.code(), quoted(path, 300) + ": " + error.message(), error.detail());
  }
}

// The files at `path`, a bundle's with sound checksums.
std::shared_ptr<const FileSet> session_sound_files(const std::string& path) {
  const std::shared_ptr<const FileSet> files = open_model_files(path);
  if (const auto bundle = std::dynamic_pointer_cast<const Bundle>(files)) bundle->verify();
  return files;
}

// Packs or copies the model at `path`, after having checked it.
void session_copy_model(const std::string& path, SessionModelCopy& copy) {
  if (fs::is_folder(path)) {
    const auto files = open_model_folder(path);
    session_load_files(path, *files, true);
    copy.set_digest(write_bundle(copy.temporary(), *files));
    return;
  }
  const auto bundle = Bundle::open(path);
  bundle->verify();
  session_load_files(path, *bundle, true);
  fs::copy_file(path, copy.temporary());
  const std::string digest = Bundle::open(copy.temporary())->digest();
  if (digest != bundle->digest()) {
    throw Error(ErrorCode::kConflict, quoted(path, 300) + " changed while it was being copied");
  }
  copy.set_digest(digest);
}

}  // namespace

ModelVersion Session::register_model(const std::string& source, const std::string& name,
                                     const std::string& alias, const std::string& run_id,
                                     const std::string& description, const std::vector<Tag>& tags) {
  check_model_name(name);
  if (!alias.empty()) check_model_alias(alias);
  if (!run_id.empty()) state_->tracking.artifact_folder(run_id);  // throws if there is no such run
  Registry::NewVersion version;
  version.name = name;
  version.source = source;
  version.run_id = run_id;
  version.description = description;
  version.tags = tags;
  version.alias = alias;
  version.create_model = true;
  if (is_models_uri(source) || starts_with(source, kRunsPrefix)) {
    const std::string files = resolve_model(source);
    session_load_files(files, *session_sound_files(files), true);
    if (starts_with(source, kRunsPrefix)) {
      const std::string of_run = session_split_run_uri(source).first;
      if (run_id.empty()) version.run_id = of_run;
      for (const ArtifactStore::RunModel& model : state_->artifacts.models_of_run(of_run)) {
        if (model.folder != files) continue;
        // By its own name, as MLflow does: it may outlive the run.
        version.model_id = model.model_id;
        version.source = "models:/" + model.model_id;
      }
    } else if (parse_model_uri(source).model_id.empty()) {
      // By its number: aliases and stages move.
      const ModelVersion of = state_->registry.version_by_uri(source);
      version.source = "models:/" + of.name + "/" + std::to_string(of.version);
    }
    return state_->registry.create_version(version);
  }
  if (starts_with(source, "models:") || starts_with(source, "runs:")) session_refuse_uri(source);
  if (session_has_scheme(source)) {
    throw Error(ErrorCode::kInvalidParameter,
                quoted(source, 300) +
                    " cannot be registered: give the path of a bundle or model folder, "
                    "runs:/<run id>/<path>, models:/m-<id> or models:/<name>/<version>");
  }
  if (!fs::exists(source)) {
    throw Error(ErrorCode::kNotFound, "there is no model at " + quoted(source, 300));
  }
  const std::string folder = session_models_folder(*state_);
  fs::make_folders(folder);
  SessionModelCopy copy(folder);
  session_copy_model(source, copy);
  version.source = copy.target();
  version.files = &copy;
  return state_->registry.create_version(version);
}

std::string Session::resolve_model(const std::string& uri) const {
  if (is_models_uri(uri)) {
    const ModelUri parsed = parse_model_uri(uri);
    return parsed.model_id.empty()
               ? session_resolve_version(*state_, state_->registry.version_by_uri(uri))
               : session_resolve_logged_model(*state_, parsed.model_id);
  }
  if (starts_with(uri, kRunsPrefix)) return session_resolve_run(*state_, uri);
  if (uri.empty() || session_has_scheme(uri) || starts_with(uri, "models:") ||
      starts_with(uri, "runs:")) {
    session_refuse_uri(uri);
  }
  if (!fs::exists(uri))
    throw Error(ErrorCode::kNotFound, "there is no model at " + quoted(uri, 300));
  return uri;
}

std::shared_ptr<const Model> Session::load_model(const std::string& uri) const {
  return mlrt::load_model(resolve_model(uri));
}

std::shared_ptr<const Model> load_model(const std::string& path) {
  return session_load_files(path, *session_sound_files(path));
}

std::string save_model(const Model& model, const std::string& path) {
  return write_bundle(path, model.save());
}

}  // namespace mlrt
