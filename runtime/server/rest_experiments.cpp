#include <iterator>

#include "core/error.hpp"
#include "server/rest_call.hpp"
#include "server/rest_records.hpp"

namespace mlrt {
namespace {

constexpr RestField kRestExperimentId[] = {{"experiment_id", RestType::kText, true}};

void rest_create_experiment(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"artifact_location", RestType::kText},
                                          {"tags", RestType::kObjects}};
  call.request.check(kFields);
  std::string location = call.request.text("artifact_location");
  if (call.context.artifact_folder) location = call.context.artifact_folder(location);
  call.out.member("experiment_id",
                  call.tracking().create_experiment(call.request.text("name"), location,
                                                    call.request.tags("tags")));
}

void rest_get_experiment(RestCall& call) {
  call.request.check(kRestExperimentId);
  const Experiment experiment = call.tracking().experiment(call.request.text("experiment_id"));
  call.out.name("experiment");
  rest_write_experiment(call.out, call.context, experiment);
}

void rest_get_experiment_by_name(RestCall& call) {
  static constexpr RestField kFields[] = {{"experiment_name", RestType::kText, true}};
  call.request.check(kFields);
  const std::string name = call.request.text("experiment_name");
  const std::optional<Experiment> experiment = call.tracking().experiment_by_name(name);
  if (!experiment) {
    throw Error(ErrorCode::kNotFound, "Could not find experiment with name '" + name + "'");
  }
  call.out.name("experiment");
  rest_write_experiment(call.out, call.context, *experiment);
}

void rest_delete_experiment(RestCall& call) {
  call.request.check(kRestExperimentId);
  call.tracking().delete_experiment(call.request.text("experiment_id"));
}

void rest_restore_experiment(RestCall& call) {
  call.request.check(kRestExperimentId);
  call.tracking().restore_experiment(call.request.text("experiment_id"));
}

void rest_update_experiment(RestCall& call) {
  static constexpr RestField kFields[] = {{"experiment_id", RestType::kText, true},
                                          {"new_name", RestType::kText, true}};
  call.request.check(kFields);
  call.tracking().rename_experiment(call.request.text("experiment_id"),
                                    call.request.text("new_name"));
}

void rest_search_experiments(RestCall& call) {
  static constexpr RestField kFields[] = {
      {"view_type", RestType::kChoice}, {"max_results", RestType::kInteger},
      {"order_by", RestType::kTexts},   {"filter", RestType::kText},
      {"page_token", RestType::kText},
  };
  call.request.check(kFields);
  SearchQuery query = rest_search_query(call.request, 0);
  query.view = rest_view_type(call.request, "view_type");
  const SearchPage<Experiment> page = call.tracking().search_experiments(query);
  if (!page.items.empty()) {
    call.out.open("experiments", '[');
    for (const Experiment& experiment : page.items) {
      rest_write_experiment(call.out, call.context, experiment);
    }
    call.out.close(']');
  }
  call.out.optional("next_page_token", page.next_page_token);
}

void rest_set_experiment_tag(RestCall& call) {
  static constexpr RestField kFields[] = {{"experiment_id", RestType::kText, true},
                                          {"key", RestType::kText, true},
                                          {"value", RestType::kText}};
  call.request.check(kFields);
  call.tracking().set_experiment_tag(call.request.text("experiment_id"), call.request.text("key"),
                                     call.request.text("value"));
}

void rest_delete_experiment_tag(RestCall& call) {
  static constexpr RestField kFields[] = {{"experiment_id", RestType::kText, true},
                                          {"key", RestType::kText, true}};
  call.request.check(kFields);
  call.tracking().delete_experiment_tag(call.request.text("experiment_id"),
                                        call.request.text("key"));
}

void rest_search_datasets(RestCall& call) {
  constexpr std::size_t kMostExperiments = 20;
  static constexpr RestField kFields[] = {{"experiment_ids", RestType::kTexts}};
  call.request.check(kFields);
  const std::vector<std::string> ids = call.request.texts("experiment_ids");
  if (ids.empty()) {
    throw Error(ErrorCode::kInvalidParameter,
                "SearchDatasets request must specify at least one experiment_id.");
  }
  if (ids.size() > kMostExperiments) {
    throw Error(ErrorCode::kInvalidParameter,
                "SearchDatasets request cannot specify more than 20 experiment_ids. Received " +
                    std::to_string(ids.size()) + " experiment_ids.");
  }
  const std::vector<DatasetSummary> found = call.tracking().search_datasets(ids);
  if (found.empty()) return;
  call.out.open("dataset_summaries", '[');
  for (const DatasetSummary& summary : found) {
    call.out.open('{');
    call.out.member("experiment_id", summary.experiment_id);
    call.out.member("name", summary.name);
    call.out.member("digest", summary.digest);
    call.out.optional("context", summary.context);
    call.out.close('}');
  }
  call.out.close(']');
}

constexpr RestRoute kRestExperimentRoutes[] = {
    {"POST", "/experiments/create", rest_create_experiment, true},
    {"GET", "/experiments/get", rest_get_experiment, false},
    {"GET", "/experiments/get-by-name", rest_get_experiment_by_name, false},
    {"POST", "/experiments/delete", rest_delete_experiment, true},
    {"POST", "/experiments/restore", rest_restore_experiment, true},
    {"POST", "/experiments/update", rest_update_experiment, true},
    {"POST", "/experiments/search", rest_search_experiments, false},
    {"GET", "/experiments/search", rest_search_experiments, false},
    {"POST", "/experiments/set-experiment-tag", rest_set_experiment_tag, true},
    {"POST", "/experiments/delete-experiment-tag", rest_delete_experiment_tag, true},
    {"POST", "/experiments/search-datasets", rest_search_datasets, false},
};

}  // namespace

void add_experiment_routes(Router& router, RestContext& context) {
  add_rest_routes(router, context, kRestExperimentRoutes, std::size(kRestExperimentRoutes));
}

}  // namespace mlrt
