#include <iterator>

#include "core/error.hpp"
#include "server/rest_call.hpp"
#include "server/rest_records.hpp"

namespace mlrt {
namespace {

constexpr RestField kRestModelName[] = {{"name", RestType::kText, true}};

void rest_write_registered_answer(RestCall& call, const RegisteredModel& model) {
  call.out.name("registered_model");
  rest_write_registered_model(call.out, model);
}

void rest_create_registered_model(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"tags", RestType::kObjects},
                                          {"description", RestType::kText}};
  call.request.check(kFields);
  rest_write_registered_answer(
      call,
      rest_registry(call).create_model(call.request.text("name"), call.request.text("description"),
                                       call.request.tags("tags")));
}

void rest_get_registered_model(RestCall& call) {
  call.request.check(kRestModelName);
  rest_write_registered_answer(call, rest_registry(call).model(call.request.text("name")));
}

void rest_update_registered_model(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"description", RestType::kText}};
  call.request.check(kFields);
  rest_write_registered_answer(call,
                               rest_registry(call).update_model(call.request.text("name"),
                                                                call.request.text("description")));
}

void rest_rename_registered_model(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"new_name", RestType::kText, true}};
  call.request.check(kFields);
  rest_write_registered_answer(call, rest_registry(call).rename_model(
                                         call.request.text("name"), call.request.text("new_name")));
}

void rest_delete_registered_model(RestCall& call) {
  call.request.check(kRestModelName);
  rest_registry(call).delete_model(call.request.text("name"));
}

void rest_search_registered_models(RestCall& call) {
  static constexpr RestField kFields[] = {{"filter", RestType::kText},
                                          {"max_results", RestType::kInteger, false, 1000},
                                          {"order_by", RestType::kTexts},
                                          {"page_token", RestType::kText}};
  call.request.check(kFields);
  const SearchPage<RegisteredModel> page =
      rest_registry(call).search_models(rest_search_query(call.request, 100));
  if (!page.items.empty()) {
    call.out.open("registered_models", '[');
    for (const RegisteredModel& model : page.items) rest_write_registered_model(call.out, model);
    call.out.close(']');
  }
  call.out.optional("next_page_token", page.next_page_token);
}

void rest_get_latest_versions(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"stages", RestType::kTexts}};
  call.request.check(kFields);
  const std::vector<ModelVersion> versions =
      rest_registry(call).latest_versions(call.request.text("name"), call.request.texts("stages"));
  if (versions.empty()) return;
  call.out.open("model_versions", '[');
  for (const ModelVersion& version : versions) rest_write_model_version(call.out, version);
  call.out.close(']');
}

void rest_set_registered_model_tag(RestCall& call) {
  static constexpr RestField kFields[] = {
      {"name", RestType::kText, true}, {"key", RestType::kText, true}, {"value", RestType::kText}};
  call.request.check(kFields);
  rest_registry(call).set_model_tag(call.request.text("name"), call.request.text("key"),
                                    call.request.text("value"));
}

void rest_delete_registered_model_tag(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"key", RestType::kText, true}};
  call.request.check(kFields);
  rest_registry(call).delete_model_tag(call.request.text("name"), call.request.text("key"));
}

void rest_set_alias(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"alias", RestType::kText, true},
                                          {"version", RestType::kText, true}};
  call.request.check(kFields);
  rest_registry(call).set_alias(call.request.text("name"), call.request.text("alias"),
                                rest_version_number(call.request));
}

constexpr RestField kRestAlias[] = {{"name", RestType::kText, true},
                                    {"alias", RestType::kText, true}};

void rest_delete_alias(RestCall& call) {
  call.request.check(kRestAlias);
  rest_registry(call).delete_alias(call.request.text("name"), call.request.text("alias"));
}

void rest_get_version_by_alias(RestCall& call) {
  call.request.check(kRestAlias);
  const std::string name = call.request.text("name"), alias = call.request.text("alias");
  ModelVersion version;
  try {
    version = rest_registry(call).version_by_alias(name, alias);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    rest_registry(call).model(name);  // says so, if it is the model that is not there
    // Clients of MLflow know an alias that is not there by this code.
    throw Error(ErrorCode::kInvalidParameter, "Registered model alias " + alias + " not found.",
                error.message());
  }
  call.out.name("model_version");
  rest_write_model_version(call.out, version);
}

constexpr RestRoute kRestRegisteredModelRoutes[] = {
    {"POST", "/registered-models/create", rest_create_registered_model, true},
    {"GET", "/registered-models/get", rest_get_registered_model, false},
    {"PATCH", "/registered-models/update", rest_update_registered_model, true},
    {"POST", "/registered-models/rename", rest_rename_registered_model, true},
    {"DELETE", "/registered-models/delete", rest_delete_registered_model, true},
    {"GET", "/registered-models/search", rest_search_registered_models, false},
    {"POST", "/registered-models/get-latest-versions", rest_get_latest_versions, false},
    {"GET", "/registered-models/get-latest-versions", rest_get_latest_versions, false},
    {"POST", "/registered-models/set-tag", rest_set_registered_model_tag, true},
    {"DELETE", "/registered-models/delete-tag", rest_delete_registered_model_tag, true},
    {"POST", "/registered-models/alias", rest_set_alias, true},
    {"DELETE", "/registered-models/alias", rest_delete_alias, true},
    {"GET", "/registered-models/alias", rest_get_version_by_alias, false},
};

}  // namespace

void add_registered_model_routes(Router& router, RestContext& context) {
  add_rest_routes(router, context, kRestRegisteredModelRoutes,
                  std::size(kRestRegisteredModelRoutes));
}

}  // namespace mlrt
