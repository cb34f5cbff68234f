#include "server/rest_call.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "server/rest_records.hpp"
#include "tracking/search_page.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kRestMaxUserBytes = 256;

HttpResponse rest_answer(RestContext& context, const RestRoute& route, const HttpRequest& http,
                         const PathParams& path) {
  if (route.writes && context.read_only) {
    throw Error(ErrorCode::kPermissionDenied, "this server is read-only: it was started that way");
  }
  HttpResponse response;
  response.content_type = "application/json";
  RestRequest request(http);
  RestWriter out(response.body);
  RestCall call{context, request, path, out};
  out.open('{');
  route.handler(call);
  out.close('}');
  return response;
}

// Who asks, for the history: nobody checks it before there are tokens.
std::string rest_caller(const HttpRequest& request) {
  const std::string_view given = trim(request.header("Authorization"));
  std::string user;
  if (to_lower(given.substr(0, 6)) == "basic " && decode_base64(trim(given.substr(6)), user)) {
    user.resize(std::min(user.size(), user.find(':')));
    const bool printable = std::none_of(user.begin(), user.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (printable && !trim(user).empty() && user.size() <= kRestMaxUserBytes && is_utf8(user)) {
      return user;
    }
  }
  return kRestNobody + request.remote_address;
}

}  // namespace

void add_rest_routes(Router& router, RestContext& context, const RestRoute* routes,
                     std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const RestRoute* route = &routes[i];
    for (const char* prefix : {"/api/2.0/mlflow", "/ajax-api/2.0/mlflow"}) {
      router.add(route->method, std::string(prefix) + route->path,
                 [&context, route](const HttpRequest& request, const PathParams& path) {
                   return rest_answer(context, *route, request, path);
                 });
    }
  }
}

SearchQuery rest_search_query(const RestRequest& request, std::int64_t otherwise) {
  const std::int64_t max_results = request.integer("max_results", otherwise);
  if (max_results < 1) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid value " + std::to_string(max_results) +
                    " for parameter 'max_results' supplied. It must be a positive integer");
  }
  SearchQuery query;
  query.filter = request.text("filter");
  query.order_by = request.texts("order_by");
  query.max_results = static_cast<std::size_t>(max_results);
  query.page_token = request.text("page_token");
  return query;
}

ViewType rest_view_type(const RestRequest& request, const char* field) {
  static const char* const kViews[] = {"ACTIVE_ONLY", "DELETED_ONLY", "ALL"};
  switch (request.choice(field, kViews, 3)) {
    case 1:
      return ViewType::kDeleted;
    case 2:
      return ViewType::kAll;
    default:
      return ViewType::kActive;
  }
}

Registry rest_registry(const RestCall& call) {
  return call.context.session.registry().acting_as(rest_caller(call.request.http()));
}

std::int64_t rest_version_number(const RestRequest& request) {
  const std::string text = request.text("version");
  long long version = 0;
  if (parse_int64(text, version)) return version;
  throw Error(ErrorCode::kInvalidParameter,
              "Parameter 'version' must be an integer, got '" + text.substr(0, 1000) + "'.");
}

}  // namespace mlrt
