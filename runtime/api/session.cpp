#include "api/session.hpp"

#include <cstdlib>
#include <utility>

#include "api/session_state.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "store/database.hpp"

namespace mlrt {
namespace {

constexpr char kSessionRootSetting[] = "artifact_root";  // relative to the store's folder

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

// What the store keeps; else "data/mlrt.db" has its artifacts in "data/mlrt-artifacts".
std::string session_kept_root(Database& database) {
  const std::string folder = fs::parent(database.path());
  std::string kept;
  {
    Transaction transaction(database, Transaction::Mode::kReadStored);
    Statement row =
        transaction.query("SELECT value FROM settings WHERE name = ?", kSessionRootSetting);
    if (row.step()) kept = row.text(0);
  }
  if (starts_with(kept, "/")) return kept;
  if (!kept.empty()) return fs::absolute(fs::join(folder, kept));
  const std::string name = fs::basename(database.path());
  std::string stem = name.substr(0, name.size() - fs::extension(name).size());
  if (stem.empty()) stem = name;
  return fs::join(folder, stem + "-artifacts");
}

std::string session_artifact_root(const SessionOptions& options, Database& database) {
  const std::string kept = session_kept_root(database);
  if (options.artifact_root.empty()) return kept;
  std::string root = fs::absolute(options.artifact_root);
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  if (root == kept || !options.keep_artifact_root || database.read_only()) return root;
  check_artifact_root(root);
  // Below the store's folder it moves with the store.
  const std::string folder = fs::parent(database.path());
  std::string value = root;
  if (root == folder) value = ".";
  if (starts_with(root, folder + "/")) value.erase(0, folder.size() + 1);
  Transaction transaction(database, Transaction::Mode::kWrite);
  transaction.run(
      "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = "
      "excluded.value",
      kSessionRootSetting, value);
  transaction.commit();
  if (fs::exists(kept))
    log_warn("the store has other artifacts from now on, those it had stay where they are",
             {{"artifacts", root}, {"before", kept}});
  return root;
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
  state_ =
      std::make_shared<SessionState>(store, database, session_artifact_root(options, *database));
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

}  // namespace mlrt
