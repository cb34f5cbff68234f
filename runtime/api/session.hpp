#ifndef MLRT_API_SESSION_HPP_
#define MLRT_API_SESSION_HPP_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/run.hpp"
#include "model/model.hpp"
#include "registry/registry.hpp"
#include "store/durability.hpp"
#include "tracking/artifacts.hpp"
#include "tracking/exchange.hpp"
#include "tracking/logged_models.hpp"
#include "tracking/retention.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {

struct SessionOptions {
  std::string store;  // the SQLite file; empty: $MLRT_STORE, else "mlrt.db"
  // The folder of the artifacts, made on demand. The store keeps it, as a path below its own folder
  // where it is there, for all who open it later. One that is new to the store must be usable: kIo
  // or kPermissionDenied. Empty: what the store keeps, else beside it: "mlrt.db" has
  // "mlrt-artifacts".
  std::string artifact_root;
  bool keep_artifact_root = true;  // false: artifact_root holds for this session only
  bool must_exist = false;         // do not create the store
  int busy_timeout_ms = 10000;     // how long a call waits for other processes that hold the store
  std::optional<Durability> durability;  // empty: $MLRT_DURABILITY, else kProcess
  // How much logged metrics may take beside the store before they are in it; at the bound,
  // log_metric slows down to the speed at which they come in. At least 1 MiB.
  std::uint64_t backlog_bytes = 256u << 20;
};

// "process" or "power". Throws kInvalidParameter for another word.
Durability parse_durability(std::string_view word);
const char* durability_name(Durability durability);

struct RunOptions {
  std::string name;        // empty: one is made up
  std::string experiment;  // a name, created on demand; empty: the session's, at first "Default"
  std::vector<Tag>
      tags;  // besides the standard ones (mlflow.runName, mlflow.user, mlflow.source.name, ...)
  std::string parent_run_id;  // empty: no parent
  std::string source_name;    // the script or program; empty: the executable's name
};

// A store that is open: what a program or script begins with. A cheap handle to shared state; any
// thread may use it. The store is opened (and created) by the constructor, which throws kIo or
// kPermissionDenied for a path that cannot be used, kDataCorrupt for a file that is not an mlrt
// store, kUnavailable for one that others hold locked, kNotFound when it must exist and does not.
class Session {
 public:
  explicit Session(const SessionOptions& options = {});
  explicit Session(const std::string& store);

  const std::string& store() const;
  Durability durability() const;
  TrackingStore& tracking() const;
  ArtifactStore& artifacts() const;
  LoggedModels& logged_models() const;
  Registry& registry() const;

  // See tracking/exchange.hpp.
  ImportReport import_tracking(const std::string& path, const ImportOptions& options = {}) const;
  std::string export_mlflow(const std::string& path) const;

  // What the store may grow to, and how far that is applied: see tracking/retention.hpp. The limits
  // are applied in the background while a program logs to the store; apply_limits() does a bounded
  // step (some 30 ms) of it at once and returns true if there may be more to do.
  StoreLimitsState limits() const;
  void set_limits(const StoreLimits& limits) const;
  bool apply_limits() const;
  // Gives free space of the database's file back to the disk: the file is written anew, which needs
  // as much space again while it lasts and holds up others who write. Returns how many bytes
  // smaller the file became. Throws kUnavailable, kIo.
  std::uint64_t compact() const;

  void set_experiment(const std::string& name);  // for runs started later; created on demand
  Run start_run(const RunOptions& options = {});
  Run start_run(const std::string& name);
  // Opens a run that exists, ended or not, for more logging: it is RUNNING again. Throws kNotFound,
  // and kInvalidParameter for a deleted one.
  Run resume_run(const std::string& run_id);

  // Registers a model under `name`, which is created on demand. `source` is a bundle file or model
  // folder, which is copied below the artifact root (so that moving the original breaks nothing),
  // or "runs:/<id>/<path>", "models:/m-<id>" (a logged model) or "models:/<name>/<version>" (or
  // latest, a stage, @alias), which stay where they are. The model is checked first: what is
  // broken is not registered. One of flavors that mlrt cannot score only needs an MLmodel that can
  // be read, and sound checksums in a bundle. A copy is a bundle named by its SHA-256, so the same
  // model is kept once. After an error nothing is registered and no copy is left.
  ModelVersion register_model(const std::string& source, const std::string& name,
                              const std::string& alias = "", const std::string& run_id = "",
                              const std::string& description = "",
                              const std::vector<Tag>& tags = {});

  // The file or folder that `uri` names: "models:/<name>/<version>", "models:/<name>/latest",
  // "models:/<name>/<stage>", "models:/<name>@<alias>", "models:/m-<id>" (a logged model's folder),
  // "runs:/<id>/<path>" (of the run itself, else of a logged model that it made), or a path. Throws
  // kInvalidParameter for another form, kNotFound that names what is missing.
  std::string resolve_model(const std::string& uri) const;
  std::shared_ptr<const Model> load_model(const std::string& uri) const;

 private:
  std::shared_ptr<SessionState> state_;
};

// A model from a bundle file or a model folder, without a store. A bundle's checksums are verified
// first.
std::shared_ptr<const Model> load_model(const std::string& path);

// Writes `model` as a bundle, atomically; returns the bundle's SHA-256.
std::string save_model(const Model& model, const std::string& path);

}  // namespace mlrt

#endif  // MLRT_API_SESSION_HPP_
