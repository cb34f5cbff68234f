#ifndef MLRT_TESTS_SERVER_REST_TESTING_HPP_
#define MLRT_TESTS_SERVER_REST_TESTING_HPP_

#include <string>

#include "api/session.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "server/artifact_routes.hpp"
#include "server/mlflow_routes.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace test {

struct RestAnswer {
  int status = 0;
  std::string text;
  Json json;  // null when the text is none

  std::string code() const { return json.value("error_code", ""); }
  std::string message() const { return json.value("message", ""); }
};

// The routes on an empty store, without a socket.
class RestServer {
 public:
  RestServer()
      : context{Session(session_options(folder_.path())), false, {}, {}, {}, {}},
        root(context.session.tracking().artifact_root()) {
    context.artifact_uri = [this](const std::string& folder) {
      return artifact_uri_of_folder(root, folder);
    };
    context.artifact_folder = [this](const std::string& uri) {
      return artifact_folder_of_uri(root, uri);
    };
    add_mlflow_routes(router, context);
  }
  RestServer(const RestServer&) = delete;
  RestServer& operator=(const RestServer&) = delete;

  RestAnswer send(HttpRequest request) const {
    HttpResponse response;
    try {
      parse_http_target(request);
      response = router.handle(request);
    } catch (const Error& error) {
      response = router.error_response(error, request);
    }
    RestAnswer answer{response.status, response.body, nullptr};
    if (response.content_type == "application/json") {
      answer.json = parse_json(response.body, "the answer");
    }
    return answer;
  }

  // `path` is below /api/2.0/mlflow.
  RestAnswer call(const std::string& method, const std::string& path, const std::string& body = "",
                  const std::string& prefix = "/api/2.0/mlflow") const {
    HttpRequest request;
    request.method = method;
    request.target = prefix + path;
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    request.body = body;
    return send(request);
  }
  RestAnswer post(const std::string& path, const Json& body) const {
    return call("POST", path, body.dump());
  }
  RestAnswer get(const std::string& path) const { return call("GET", path); }

  std::string create_experiment(const std::string& name) const {
    return post("/experiments/create", {{"name", name}}).json["experiment_id"];
  }
  std::string create_run(const std::string& experiment_id) const {
    return post("/runs/create", {{"experiment_id", experiment_id}, {"start_time", 5}})
        .json["run"]["info"]["run_id"];
  }

  static SessionOptions session_options(const std::string& folder) {
    SessionOptions options;
    options.store = folder + "/mlrt.db";
    return options;
  }

 private:
  TempDir folder_;

 public:
  RestContext context;
  std::string root;
  Router router;
};

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_SERVER_REST_TESTING_HPP_
