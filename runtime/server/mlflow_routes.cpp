#include "server/mlflow_routes.hpp"

#include "server/rest_call.hpp"

namespace mlrt {

void add_mlflow_routes(Router& router, RestContext& context) {
  add_experiment_routes(router, context);
  add_run_routes(router, context);
  add_run_logging_routes(router, context);
  add_run_link_routes(router, context);
  add_metric_routes(router, context);
  add_logged_model_routes(router, context);
  add_registered_model_routes(router, context);
  add_model_version_routes(router, context);
}

}  // namespace mlrt
