#ifndef MLRT_SERVER_MLFLOW_ROUTES_HPP_
#define MLRT_SERVER_MLFLOW_ROUTES_HPP_

#include <functional>
#include <string>

#include "api/session.hpp"
#include "net/router.hpp"

namespace mlrt {

// What the routes of the MLflow protocol work on. It must outlive the router; the functions are
// called from many threads at once and must not throw.
struct RestContext {
  Session session;
  bool read_only = false;  // refuses every call that would change the store: kPermissionDenied

  // The URI under which clients find the files that lie in `folder` (absolute, of a run, an
  // experiment or a logged model): "mlflow-artifacts:/1/<run id>/artifacts". Absent: the folder.
  std::function<std::string(const std::string& folder)> artifact_uri;
  // The folder behind a URI that artifact_uri made, and anything else as it is. Absent: as it is.
  std::function<std::string(const std::string& uri)> artifact_folder;

  // Told after the change is in the store.
  std::function<void(const RunRecord& run)> on_run_end;  // a run's status became a final one
  std::function<void(const ModelVersion& version)> on_model_version;  // a version was created
};

// Adds the routes of MLflow's tracking and model registry REST API below /api/2.0/mlflow and
// /ajax-api/2.0/mlflow: experiments, runs, metrics, data sets, logged models, registered models,
// model versions and aliases; not those that read or write files (artifact_routes.hpp). Answers are
// MLflow's, errors {"error_code", "message"} with its codes and words. Throws kInternal when the
// router has one of them already.
void add_mlflow_routes(Router& router, RestContext& context);

}  // namespace mlrt

#endif  // MLRT_SERVER_MLFLOW_ROUTES_HPP_
