#include "api/session.hpp"

#include <cstdlib>
#include <utility>

#include "api/session_state.hpp"
#include "bundle/bundle.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "store/database.hpp"
#include "tracking/logged_model_rows.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

constexpr std::string_view kModelsPrefix = "models:/";
constexpr std::string_view kRunsPrefix = "runs:/";

std::string session_store_path(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  const char* variable = std::getenv("MLRT_STORE");
  return variable && *variable ? variable : "mlrt.db";
}

Durability session_durability(const SessionOptions& options) {
  if (options.durability) return *options.durability;
  const char* variable = std::getenv("MLRT_DURABILITY");
  if (variable == nullptr || *variable == '\0') return Durability::kProcess;
  try {
    return parse_durability(variable);
  } catch (const Error& error) {
    throw Error(error.code(), "the environment's MLRT_DURABILITY: " + error.message());
  }
}

// "data/mlrt.db" has its artifacts in "data/mlrt-artifacts".
std::string session_artifact_root(const SessionOptions& options, const std::string& store) {
  if (!options.artifact_root.empty()) return fs::absolute(options.artifact_root);
  const std::string name = fs::basename(store);
  std::string stem = name.substr(0, name.size() - fs::extension(name).size());
  if (stem.empty()) stem = name;
  return fs::join(fs::parent(store), stem + "-artifacts");
}

std::string session_experiment_id(TrackingStore& tracking, const std::string& name) {
  if (auto found = tracking.experiment_by_name(name)) return found->id;
  try {
    return tracking.create_experiment(name);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kAlreadyExists) throw;
  }
  // Another process was faster.
  auto found = tracking.experiment_by_name(name);
  if (!found) throw Error(ErrorCode::kConflict, "the experiment " + quoted(name) + " vanished");
  return found->id;
}

// "file://", "s3://", "modells:/": something with a scheme, not a path.
bool session_has_scheme(const std::string& uri) {
  const std::size_t colon = uri.find(":/");
  if (colon == std::string::npos || colon == 0) return false;
  return uri.substr(0, colon).find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") ==
         std::string::npos;
}

[[noreturn]] void session_refuse_uri(const std::string& uri) {
  throw Error(
      ErrorCode::kInvalidParameter,
      quoted(uri, 300) +
          " names no model: it must be models:/<name>/<version>, models:/<name>/latest, "
          "models:/<name>@<alias>, models:/m-<id>, runs:/<run id>/<path>, or the path of a bundle "
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

// "models:/m-<32 hex digits>" as the id; "" for another URI.
std::string session_logged_model_id(const std::string& uri) {
  if (!starts_with(uri, kModelsPrefix)) return {};
  std::string id = uri.substr(kModelsPrefix.size());
  return is_logged_model_id(id) ? id : std::string();
}

std::string session_resolve_logged_model(const SessionState& state, const std::string& model_id) {
  const LoggedModel model = state.logged_models.get(model_id);
  if (fs::exists(model.artifact_folder)) return model.artifact_folder;
  throw Error(ErrorCode::kNotFound,
              "the logged model " + model_id + " (" + logged_model_status_name(model.status) +
                  ") has no files: there is no " + quoted(model.artifact_folder, 300));
}

ModelVersion session_find_version(const SessionState& state, const std::string& uri) {
  const std::string rest = uri.substr(kModelsPrefix.size());
  const std::size_t slash = rest.find('/');
  if (slash != std::string::npos) {
    const std::string name = rest.substr(0, slash);
    const std::string version = rest.substr(slash + 1);
    if (name.empty()) session_refuse_uri(uri);
    if (version == "latest") return state.registry.latest_version(name);
    long long number = 0;
    if (!parse_int64(version, number) || number < 1) session_refuse_uri(uri);
    return state.registry.version(name, number);
  }
  const std::size_t at = rest.rfind('@');
  if (at == std::string::npos || at == 0 || at + 1 == rest.size()) session_refuse_uri(uri);
  return state.registry.version_by_alias(rest.substr(0, at), rest.substr(at + 1));
}

std::string session_models_folder(const SessionState& state) {
  return fs::join(state.tracking.artifact_root(), "models");
}

std::string session_resolve_version(const SessionState& state, const ModelVersion& version) {
  if (starts_with(version.source, kRunsPrefix)) return session_resolve_run(state, version.source);
  const std::string logged = session_logged_model_id(version.source);
  if (!logged.empty()) return session_resolve_logged_model(state, logged);
  if (fs::exists(version.source)) return version.source;
  // The store may have been moved with its artifacts; copies are named by their content.
  std::string moved = fs::join(session_models_folder(state), fs::basename(version.source));
  if (fs::exists(moved)) return moved;
  throw Error(ErrorCode::kNotFound, "the files of version " + std::to_string(version.version) +
                                        " of the model " + quoted(version.name) +
                                        " are gone: there is no " + quoted(version.source, 300));
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

// A model's own faults are told by its files' names: which model it is, only the caller knows.
std::shared_ptr<const Model> session_load_files(const std::string& path, const FileSet& files) {
  try {
    return Model::load(files);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidParameter) throw;
    throw Error(error.code(), quoted(path, 300) + ": " + error.message(), error.detail());
  }
}

// Packs or copies the model at `path`, after having loaded it.
void session_copy_model(const std::string& path, SessionModelCopy& copy) {
  if (fs::is_folder(path)) {
    const auto files = open_model_folder(path);
    session_load_files(path, *files);
    copy.set_digest(write_bundle(copy.temporary(), *files));
    return;
  }
  const auto bundle = Bundle::open(path);
  bundle->verify();
  session_load_files(path, *bundle);
  fs::copy_file(path, copy.temporary());
  const std::string digest = Bundle::open(copy.temporary())->digest();
  if (digest != bundle->digest()) {
    throw Error(ErrorCode::kConflict, quoted(path, 300) + " changed while it was being copied");
  }
  copy.set_digest(digest);
}

}  // namespace

Durability parse_durability(std::string_view word) {
  if (word == "process") return Durability::kProcess;
  if (word == "power") return Durability::kPower;
  throw Error(ErrorCode::kInvalidParameter,
              "the durability of a store is process or power, not " + quoted(word));
}

const char* durability_name(Durability durability) {
  return durability == Durability::kPower ? "power" : "process";
}

Session::Session(const SessionOptions& options) {
  const std::string store = session_store_path(options.store);
  DatabaseOptions database_options;
  database_options.must_exist = options.must_exist;
  database_options.busy_timeout_ms = options.busy_timeout_ms;
  database_options.durability = session_durability(options);
  database_options.backlog_bytes = options.backlog_bytes;
  const std::shared_ptr<Database> database = Database::open(store, database_options);
  state_ = std::make_shared<SessionState>(store, database,
                                          session_artifact_root(options, database->path()));
}

Session::Session(const std::string& store)
    : Session([&store] {
        SessionOptions options;
        options.store = store;
        return options;
      }()) {}

const std::string& Session::store() const { return state_->store; }
Durability Session::durability() const { return state_->database->options().durability; }
TrackingStore& Session::tracking() const { return state_->tracking; }
ArtifactStore& Session::artifacts() const { return state_->artifacts; }
LoggedModels& Session::logged_models() const { return state_->logged_models; }
Registry& Session::registry() const { return state_->registry; }

ImportReport Session::import_tracking(const std::string& path, const ImportOptions& options) const {
  return mlrt::import_tracking(state_->tracking, state_->database, path, options);
}

std::string Session::export_mlflow(const std::string& path) const {
  return mlrt::export_mlflow(state_->tracking, state_->database, path);
}

StoreLimitsState Session::limits() const {
  Transaction transaction(*state_->database, Transaction::Mode::kReadStored);
  return read_store_limits_state(transaction);
}

void Session::set_limits(const StoreLimits& limits) const {
  Transaction transaction(*state_->database, Transaction::Mode::kWrite);
  write_store_limits(transaction, limits);
  transaction.commit();
}

bool Session::apply_limits() const {
  { const Transaction what_was_just_logged_too(*state_->database, Transaction::Mode::kRead); }
  return apply_store_limits(*state_->database);
}

std::uint64_t Session::compact() const { return compact_store(*state_->database); }

void Session::set_experiment(const std::string& name) {
  const std::string id = session_experiment_id(state_->tracking, name);
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->experiment_id = id;
}

Run Session::start_run(const RunOptions& options) {
  TrackingStore::NewRun run;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    run.experiment_id = state_->experiment_id;
    run.tags = state_->source.tags(options.source_name);
  }
  if (!options.experiment.empty())
    run.experiment_id = session_experiment_id(state_->tracking, options.experiment);
  run.name = options.name;
  if (!options.parent_run_id.empty()) {
    state_->tracking.artifact_folder(options.parent_run_id);  // throws if there is no such run
    run.tags.push_back({"mlflow.parentRunId", options.parent_run_id});
  }
  run.tags.insert(run.tags.end(), options.tags.begin(), options.tags.end());
  return Run(state_, state_->tracking.create_run(run));
}

Run Session::start_run(const std::string& name) {
  RunOptions options;
  options.name = name;
  return start_run(options);
}

Run Session::resume_run(const std::string& run_id) {
  TrackingStore::RunUpdate update;
  update.status = RunStatus::kRunning;
  return Run(state_, state_->tracking.update_run(run_id, update));
}

ModelVersion Session::register_model(const std::string& source, const std::string& name,
                                     const std::string& alias, const std::string& run_id) {
  check_model_name(name);
  if (!alias.empty()) check_model_alias(alias);
  if (!run_id.empty()) state_->tracking.artifact_folder(run_id);  // throws if there is no such run
  if (starts_with(source, kRunsPrefix)) {
    mlrt::load_model(session_resolve_run(*state_, source));
    const std::string of_run = session_split_run_uri(source).first;
    return state_->registry.register_version(name, source, run_id.empty() ? of_run : run_id, alias);
  }
  const std::string logged = session_logged_model_id(source);
  if (!logged.empty()) {
    mlrt::load_model(session_resolve_logged_model(*state_, logged));
    const std::string of_run = state_->logged_models.get(logged).source_run_id;
    return state_->registry.register_version(name, source, run_id.empty() ? of_run : run_id, alias);
  }
  if (session_has_scheme(source)) {
    throw Error(ErrorCode::kInvalidParameter,
                quoted(source, 300) +
                    " cannot be registered: give the path of a bundle or model folder, "
                    "runs:/<run id>/<path> or models:/m-<id>");
  }
  if (!fs::exists(source)) {
    throw Error(ErrorCode::kNotFound, "there is no model at " + quoted(source, 300));
  }
  const std::string folder = session_models_folder(*state_);
  fs::make_folders(folder);
  SessionModelCopy copy(folder);
  session_copy_model(source, copy);
  return state_->registry.register_version(name, copy.target(), run_id, alias, "", &copy);
}

std::string Session::resolve_model(const std::string& uri) const {
  const std::string logged = session_logged_model_id(uri);
  if (!logged.empty()) return session_resolve_logged_model(*state_, logged);
  if (starts_with(uri, kModelsPrefix))
    return session_resolve_version(*state_, session_find_version(*state_, uri));
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
  const std::shared_ptr<const FileSet> files = open_model_files(path);
  if (const auto bundle = std::dynamic_pointer_cast<const Bundle>(files)) bundle->verify();
  return session_load_files(path, *files);
}

std::string save_model(const Model& model, const std::string& path) {
  return write_bundle(path, model.save());
}

}  // namespace mlrt
