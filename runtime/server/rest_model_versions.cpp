#include <algorithm>
#include <iterator>

#include "core/error.hpp"
#include "core/text.hpp"
#include "server/rest_call.hpp"
#include "server/rest_model_source.hpp"
#include "server/rest_records.hpp"

namespace mlrt {
namespace {

constexpr RestField kRestVersion[] = {{"name", RestType::kText, true},
                                      {"version", RestType::kText, true}};

void rest_write_version_answer(RestCall& call, const ModelVersion& version) {
  call.out.name("model_version");
  rest_write_model_version(call.out, version);
}

std::optional<std::string> rest_optional_text(const RestRequest& request, const char* name) {
  if (!request.has(name)) return std::nullopt;
  return request.text(name);
}

void rest_create_model_version(RestCall& call) {
  static constexpr RestField kFields[] = {
      {"name", RestType::kText, true}, {"source", RestType::kText, true},
      {"run_id", RestType::kText},     {"tags", RestType::kObjects},
      {"run_link", RestType::kText},   {"description", RestType::kText},
      {"model_id", RestType::kText},
  };
  call.request.check(kFields);
  Registry::NewVersion wanted;
  wanted.name = call.request.text("name");
  wanted.source = check_rest_model_source(
      call.context, {call.request.text("source"), rest_optional_text(call.request, "run_id"),
                     rest_optional_text(call.request, "model_id")});
  wanted.run_id = call.request.text("run_id");
  wanted.model_id = call.request.text("model_id");
  wanted.run_link = call.request.text("run_link");
  wanted.description = call.request.text("description");
  wanted.tags = call.request.tags("tags");
  const ModelVersion version = rest_registry(call).create_version(wanted);
  rest_write_version_answer(call, version);
  if (call.context.on_model_version) call.context.on_model_version(version);
}

void rest_get_model_version(RestCall& call) {
  call.request.check(kRestVersion);
  rest_write_version_answer(call, rest_registry(call).version(call.request.text("name"),
                                                              rest_version_number(call.request)));
}

void rest_update_model_version(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"version", RestType::kText, true},
                                          {"description", RestType::kText}};
  call.request.check(kFields);
  rest_write_version_answer(call, rest_registry(call).update_version(
                                      call.request.text("name"), rest_version_number(call.request),
                                      call.request.text("description")));
}

void rest_transition_stage(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"version", RestType::kText, true},
                                          {"stage", RestType::kText, true},
                                          {"archive_existing_versions", RestType::kFlag}};
  call.request.check(kFields);
  rest_write_version_answer(
      call, rest_registry(call).set_stage(
                call.request.text("name"), rest_version_number(call.request),
                call.request.text("stage"), call.request.flag("archive_existing_versions")));
}

void rest_delete_model_version(RestCall& call) {
  call.request.check(kRestVersion);
  rest_registry(call).delete_version(call.request.text("name"), rest_version_number(call.request));
}

// Where the files of a version are to lie that has none yet; "" for what is not of this store.
std::string rest_planned_model_path(const RestCall& call, const std::string& source) {
  if (starts_with(source, "/")) return source;
  try {
    if (starts_with(source, "models:/")) {
      return call.context.session.logged_models().get(source.substr(8)).artifact_folder;
    }
    const std::size_t slash = std::min(source.find('/', 6), source.size());
    return call.tracking().artifact_folder(source.substr(6, slash - 6)) + source.substr(slash);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kInvalidParameter) throw;
    return {};
  }
}

void rest_get_download_uri(RestCall& call) {
  call.request.check(kRestVersion);
  const std::string name = call.request.text("name");
  const std::int64_t version = rest_version_number(call.request);
  std::string uri = rest_registry(call).download_uri(name, version);
  // Clients are told where the files are, not which run or model has them.
  if (starts_with(uri, "/") || starts_with(uri, "models:/") || starts_with(uri, "runs:/")) {
    std::string path;
    try {
      path = served_model_path(call.context.session, name, version);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kInvalidParameter) {
        throw;
      }
      path = rest_planned_model_path(call, uri);
    }
    if (!path.empty()) uri = rest_artifact_uri(call.context, path);
  }
  call.out.member("artifact_uri", uri);
}

void rest_search_model_versions(RestCall& call) {
  static constexpr RestField kFields[] = {{"filter", RestType::kText},
                                          {"max_results", RestType::kInteger, false, 200000},
                                          {"order_by", RestType::kTexts},
                                          {"page_token", RestType::kText}};
  call.request.check(kFields);
  const std::int64_t max_results = call.request.integer("max_results", 200000);
  if (max_results < 1) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid value for max_results. It must be a positive integer, but got " +
                    std::to_string(max_results));
  }
  const SearchPage<ModelVersion> page =
      rest_registry(call).search_versions(rest_search_query(call.request, 200000));
  if (!page.items.empty()) {
    call.out.open("model_versions", '[');
    for (const ModelVersion& version : page.items) rest_write_model_version(call.out, version);
    call.out.close(']');
  }
  call.out.optional("next_page_token", page.next_page_token);
}

void rest_set_model_version_tag(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"version", RestType::kText, true},
                                          {"key", RestType::kText, true},
                                          {"value", RestType::kText}};
  call.request.check(kFields);
  rest_registry(call).set_version_tag(call.request.text("name"), rest_version_number(call.request),
                                      call.request.text("key"), call.request.text("value"));
}

void rest_delete_model_version_tag(RestCall& call) {
  static constexpr RestField kFields[] = {{"name", RestType::kText, true},
                                          {"version", RestType::kText, true},
                                          {"key", RestType::kText, true}};
  call.request.check(kFields);
  rest_registry(call).delete_version_tag(
      call.request.text("name"), rest_version_number(call.request), call.request.text("key"));
}

constexpr RestRoute kRestModelVersionRoutes[] = {
    {"POST", "/model-versions/create", rest_create_model_version, true},
    {"GET", "/model-versions/get", rest_get_model_version, false},
    {"PATCH", "/model-versions/update", rest_update_model_version, true},
    {"POST", "/model-versions/transition-stage", rest_transition_stage, true},
    {"DELETE", "/model-versions/delete", rest_delete_model_version, true},
    {"GET", "/model-versions/get-download-uri", rest_get_download_uri, false},
    {"GET", "/model-versions/search", rest_search_model_versions, false},
    {"POST", "/model-versions/set-tag", rest_set_model_version_tag, true},
    {"DELETE", "/model-versions/delete-tag", rest_delete_model_version_tag, true},
};

}  // namespace

void add_model_version_routes(Router& router, RestContext& context) {
  add_rest_routes(router, context, kRestModelVersionRoutes, std::size(kRestModelVersionRoutes));
}

}  // namespace mlrt
