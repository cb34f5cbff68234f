#ifndef MLRT_API_SESSION_STATE_HPP_
#define MLRT_API_SESSION_STATE_HPP_

// Internal: what the handles of one session share.

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "api/standard_tags.hpp"
#include "model/model.hpp"
#include "registry/registry.hpp"
#include "tracking/artifacts.hpp"
#include "tracking/logged_models.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {

struct SessionState {
  SessionState(std::string store_path, const std::shared_ptr<Database>& opened,
               const std::string& artifact_root)
      : store(std::move(store_path)),
        database(opened),
        tracking(opened, artifact_root),
        artifacts(opened, artifact_root),
        logged_models(opened, artifact_root),
        registry(opened, artifact_root, current_user()) {}

  const std::string store;
  const std::shared_ptr<Database> database;
  TrackingStore tracking;
  ArtifactStore artifacts;
  LoggedModels logged_models;
  Registry registry;

  std::mutex tables_mutex;  // held while rows are added to a logged table

  std::mutex mutex;  // guards what follows
  std::string experiment_id = "0";
  RunSource source;
};

// What Run::log_model does; also for autologging, which knows a run by its id only.
struct RunModelLog {
  std::string path = "model";
  std::vector<Param> params;  // of the logged model
};
struct LoggedRunModel {
  std::string uri;       // "runs:/<run id>/<path>"
  std::string model_id;  // "m-..."
};
LoggedRunModel log_model_of_run(TrackingStore& tracking, ArtifactStore& artifacts,
                                LoggedModels& logged_models, const std::string& run_id,
                                const Model& model, const RunModelLog& log);

}  // namespace mlrt

#endif  // MLRT_API_SESSION_STATE_HPP_
