#ifndef MLRT_SERVER_REST_RECORDS_HPP_
#define MLRT_SERVER_REST_RECORDS_HPP_

// Internal: records as MLflow's server writes them. Each writes one object.

#include <string>

#include "registry/registry_records.hpp"
#include "server/mlflow_routes.hpp"
#include "server/rest_writer.hpp"
#include "tracking/records.hpp"

namespace mlrt {

// Before the address of a caller who gives no name, in the registry's history.
constexpr char kRestNobody[] = "REST ";

// Where clients find the files of `folder`.
std::string rest_artifact_uri(const RestContext& context, const std::string& folder);

void rest_write_experiment(RestWriter& out, const RestContext& context,
                           const Experiment& experiment);
void rest_write_run_info(RestWriter& out, const RestContext& context, const RunRecord& run);
void rest_write_run(RestWriter& out, const RestContext& context, const RunRecord& run);
// `run_id` may be empty: then it is left out.
void rest_write_metric(RestWriter& out, const Metric& metric, const std::string& run_id);
void rest_write_logged_model(RestWriter& out, const RestContext& context, const LoggedModel& model);
void rest_write_model_version(RestWriter& out, const ModelVersion& version);
void rest_write_registered_model(RestWriter& out, const RegisteredModel& model);

// A member "tags" (or another name) with objects of "key" and "value"; nothing for an empty list.
void rest_write_tags(RestWriter& out, const char* name, const std::vector<Tag>& tags);

}  // namespace mlrt

#endif  // MLRT_SERVER_REST_RECORDS_HPP_
