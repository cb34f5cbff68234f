#include <algorithm>
#include <iterator>

#include "core/error.hpp"
#include "core/text.hpp"
#include "server/rest_call.hpp"
#include "server/rest_records.hpp"

namespace mlrt {
namespace {

LoggedModels& rest_logged_models(const RestCall& call) {
  return call.context.session.logged_models();
}

void rest_write_logged_model_answer(RestCall& call, const LoggedModel& model) {
  call.out.name("model");
  rest_write_logged_model(call.out, call.context, model);
}

void rest_create_logged_model(RestCall& call) {
  static constexpr RestField kFields[] = {
      {"experiment_id", RestType::kText, true}, {"name", RestType::kText},
      {"model_type", RestType::kText},          {"source_run_id", RestType::kText},
      {"params", RestType::kObjects},           {"tags", RestType::kObjects},
  };
  call.request.check(kFields);
  LoggedModels::NewModel model;
  model.experiment_id = call.request.text("experiment_id");
  model.name = call.request.text("name");
  model.model_type = call.request.text("model_type");
  model.source_run_id = call.request.text("source_run_id");
  model.params = call.request.params("params");
  model.tags = call.request.tags("tags");
  rest_write_logged_model_answer(call, rest_logged_models(call).create(model));
}

void rest_get_logged_model(RestCall& call) {
  const std::string* allow = call.request.http().query_value("allow_deleted");
  const bool allow_deleted = allow != nullptr && to_lower(*allow) == "true";
  rest_write_logged_model_answer(
      call, rest_logged_models(call).get(call.path.at("model_id"), allow_deleted));
}

void rest_finalize_logged_model(RestCall& call) {
  static constexpr RestField kFields[] = {{"model_id", RestType::kText, true},
                                          {"status", RestType::kChoice, true}};
  static const char* const kStatuses[] = {"LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY",
                                          "LOGGED_MODEL_UPLOAD_FAILED"};
  static constexpr LoggedModelStatus kValues[] = {
      LoggedModelStatus::kPending, LoggedModelStatus::kReady, LoggedModelStatus::kFailed};
  call.request.check(kFields);
  const int status = call.request.choice("status", kStatuses, 3);
  rest_write_logged_model_answer(
      call, rest_logged_models(call).finalize(call.path.at("model_id"), kValues[status]));
}

void rest_delete_logged_model(RestCall& call) {
  rest_logged_models(call).remove(call.path.at("model_id"));
}

void rest_set_logged_model_tags(RestCall& call) {
  static constexpr RestField kFields[] = {{"tags", RestType::kObjects}};
  call.request.check(kFields);
  rest_logged_models(call).set_tags(call.path.at("model_id"), call.request.tags("tags"));
}

void rest_delete_logged_model_tag(RestCall& call) {
  rest_logged_models(call).delete_tag(call.path.at("model_id"), call.path.at("key"));
}

void rest_log_logged_model_params(RestCall& call) {
  static constexpr RestField kFields[] = {{"model_id", RestType::kText, true},
                                          {"params", RestType::kObjects}};
  call.request.check(kFields);
  rest_logged_models(call).log_params(call.path.at("model_id"), call.request.params("params"));
}

LoggedModels::Order rest_logged_model_order(const RestRequest& request, std::uint32_t object,
                                            std::size_t number) {
  const std::string path = rest_element("order_by", number);
  LoggedModels::Order order;
  order.field_name = request.member_text(object, "field_name", path);
  order.dataset_name = request.member_text(object, "dataset_name", path);
  order.dataset_digest = request.member_text(object, "dataset_digest", path);
  const std::uint32_t ascending = request.document().member(object, "ascending");
  if (ascending == RestDocument::kNone) return order;
  switch (request.document().at(ascending).kind) {
    case RestNode::Kind::kNull:
    case RestNode::Kind::kTrue:
      return order;
    case RestNode::Kind::kFalse:
      order.ascending = false;
      return order;
    default:
      request.refuse(path + ".ascending", ascending);
  }
}

void rest_search_logged_models(RestCall& call) {
  constexpr std::int64_t kDefaultResults = 50, kMostResults = 50000;
  static constexpr RestField kFields[] = {
      {"experiment_ids", RestType::kTexts, true}, {"filter", RestType::kText},
      {"datasets", RestType::kObjects},           {"max_results", RestType::kInteger},
      {"order_by", RestType::kObjects},           {"page_token", RestType::kText},
  };
  call.request.check(kFields);
  std::int64_t max_results = call.request.integer("max_results", kDefaultResults);
  if (max_results == 0) max_results = kDefaultResults;
  if (max_results < 0) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid value " + std::to_string(max_results) +
                    " for parameter 'max_results' supplied. It must be a positive integer");
  }
  SearchQuery query;
  query.filter = call.request.text("filter");
  // MLflow has no bound here, so a page beyond ours is one of several, not an error.
  query.max_results = static_cast<std::size_t>(std::min(max_results, kMostResults));
  query.page_token = call.request.text("page_token");
  std::vector<LoggedModels::Order> orders;
  for (const std::uint32_t object : call.request.objects("order_by")) {
    orders.push_back(rest_logged_model_order(call.request, object, orders.size()));
  }
  std::vector<LoggedModels::Dataset> datasets;
  for (const std::uint32_t object : call.request.objects("datasets")) {
    const std::string path = rest_element("datasets", datasets.size());
    datasets.push_back({call.request.member_text(object, "dataset_name", path),
                        call.request.member_text(object, "dataset_digest", path)});
  }
  const std::vector<std::string> experiments = call.request.texts("experiment_ids");
  if (experiments.empty()) return;  // to the store these are all
  const SearchPage<LoggedModel> page =
      rest_logged_models(call).search(experiments, query, orders, datasets);
  if (!page.items.empty()) {
    call.out.open("models", '[');
    for (const LoggedModel& model : page.items) {
      rest_write_logged_model(call.out, call.context, model);
    }
    call.out.close(']');
  }
  call.out.optional("next_page_token", page.next_page_token);
}

constexpr RestRoute kRestLoggedModelRoutes[] = {
    {"POST", "/logged-models", rest_create_logged_model, true},
    {"POST", "/logged-models/search", rest_search_logged_models, false},
    {"GET", "/logged-models/{model_id}", rest_get_logged_model, false},
    {"PATCH", "/logged-models/{model_id}", rest_finalize_logged_model, true},
    {"DELETE", "/logged-models/{model_id}", rest_delete_logged_model, true},
    {"PATCH", "/logged-models/{model_id}/tags", rest_set_logged_model_tags, true},
    {"DELETE", "/logged-models/{model_id}/tags/{key}", rest_delete_logged_model_tag, true},
    {"POST", "/logged-models/{model_id}/params", rest_log_logged_model_params, true},
};

}  // namespace

void add_logged_model_routes(Router& router, RestContext& context) {
  add_rest_routes(router, context, kRestLoggedModelRoutes, std::size(kRestLoggedModelRoutes));
}

}  // namespace mlrt
