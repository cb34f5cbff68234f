#ifndef MLRT_SERVER_REST_CALL_HPP_
#define MLRT_SERVER_REST_CALL_HPP_

// Internal: what the handlers of the MLflow protocol share.

#include <cstddef>
#include <cstdint>
#include <string>

#include "net/router.hpp"
#include "server/mlflow_routes.hpp"
#include "server/rest_request.hpp"
#include "server/rest_writer.hpp"

namespace mlrt {

// One call under way. The handler checks the request's fields first, then writes the members of the
// answer, an object that is opened and closed around it.
struct RestCall {
  RestContext& context;
  RestRequest& request;
  const PathParams& path;
  RestWriter& out;

  TrackingStore& tracking() const { return context.session.tracking(); }
};

struct RestRoute {
  const char* method;
  const char* path;  // below "/api/2.0/mlflow"
  void (*handler)(RestCall& call);
  bool writes;  // refused when the context is read-only
};

// Adds each route below /api/2.0/mlflow and /ajax-api/2.0/mlflow. `routes` must outlive the router.
void add_rest_routes(Router& router, RestContext& context, const RestRoute* routes,
                     std::size_t count);

// The registry for the one who asks.
Registry rest_registry(const RestCall& call);
// The field "version" of a request. Throws kInvalidParameter with MLflow's words for what is no
// whole number.
std::int64_t rest_version_number(const RestRequest& request);

void add_experiment_routes(Router& router, RestContext& context);
void add_run_routes(Router& router, RestContext& context);
void add_run_logging_routes(Router& router, RestContext& context);
void add_run_link_routes(Router& router, RestContext& context);
void add_metric_routes(Router& router, RestContext& context);
void add_logged_model_routes(Router& router, RestContext& context);
void add_registered_model_routes(Router& router, RestContext& context);
void add_model_version_routes(Router& router, RestContext& context);

// The filter, order_by, max_results and page_token of a search, from fields of these names.
// An absent max_results is `otherwise`. Throws kInvalidParameter with MLflow's words for one below
// 1.
SearchQuery rest_search_query(const RestRequest& request, std::int64_t otherwise);
// ACTIVE_ONLY (also when it is absent), DELETED_ONLY or ALL.
ViewType rest_view_type(const RestRequest& request, const char* field);

}  // namespace mlrt

#endif  // MLRT_SERVER_REST_CALL_HPP_
