#include "server/tracking_server.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <tuple>
#include <vector>

#include "core/fs.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "net/client.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace {

using test::TempDir;

// Refuses DELETE, and remembers what it was told.
class TrackingTestHooks final : public ServerHooks {
 public:
  std::optional<HookRefusal> on_request(const HookRequest& request) override {
    last_path = request.path;
    if (request.method == "DELETE") return HookRefusal{418, "nothing is deleted here"};
    return std::nullopt;
  }
  void on_run_end(const RunRecord& run) override { ended.push_back(run.run_id); }
  void on_model_version(const ModelVersion& version) override {
    versions.push_back(version.name + "/" + std::to_string(version.version));
  }

  std::string last_path;
  std::vector<std::string> ended, versions;
};

struct TrackingTestRouter {
  explicit TrackingTestRouter(TrackingServerOptions options = {})
      : session(folder.path("mlrt.db")), router(make_tracking_router(session, options)) {}

  HttpResponse call(const char* method, const std::string& path, const std::string& body = "",
                    const HttpFields& headers = {}) {
    HttpRequest request;
    request.method = method;
    request.target = path;
    parse_http_target(request);
    request.headers = headers;
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    request.body = body;
    return router.handle(request);
  }

  TempDir folder;
  Session session;
  Router router;
};

std::string tracking_test_refusal(const TrackingServerOptions& options) {
  TempDir folder;
  try {
    TrackingServer server(Session(folder.path("mlrt.db")), options);
  } catch (const Error& error) {
    return std::string(error_info(error.code()).name) + ": " + error.message();
  }
  return "it serves";
}

}  // namespace

TEST_CASE("the server says that it is well, its version and what it can do") {
  TrackingTestRouter server;
  CHECK(server.call("GET", "/health").body == "OK");
  const HttpResponse front = server.call("GET", "/");
  CHECK(front.status == 200);
  CHECK(front.content_type == "text/plain; charset=utf-8");
  CHECK(front.body.find("/api/2.0/mlflow") != std::string::npos);
  CHECK(server.call("GET", "/version").status == 200);
  CHECK_FALSE(server.call("GET", "/version").body.empty());
  const HttpResponse info = server.call("GET", "/api/3.0/mlflow/server-info");
  CHECK(parse_json(info.body, "answer")["workspaces_enabled"] == false);
  const HttpResponse unknown = server.call("GET", "/api/2.0/mlflow/none");
  CHECK(unknown.status == 404);
  CHECK(parse_json(unknown.body, "answer")["error_code"] == "ENDPOINT_NOT_FOUND");
}

TEST_CASE("every route, and what is none, refuses a foreign Host and Origin") {
  TrackingTestRouter server;
  for (const Route& route : server.router.routes()) {
    for (const HttpFields& headers :
         {HttpFields{{"Host", "evil.example"}},
          HttpFields{{"Host", "127.0.0.1:5000"}, {"Origin", "http://evil.example"}}}) {
      HttpRequest request;
      request.method = route.method;
      request.path = route.pattern;
      request.headers = headers;
      CAPTURE(route.pattern);
      CHECK(server.router.handle(request).status == 403);
      if (const auto upload = server.router.begin_upload(request)) {
        CHECK(upload->refused());
        CHECK(upload->finish().status == 403);
      }
    }
  }
  CHECK(server.call("GET", "/none", "", {{"Host", "evil.example"}}).status == 403);
  CHECK(server.call("GET", "/health", "", {{"Host", "localhost:5000"}}).status == 200);
  CHECK(
      server
          .call("GET", "/health", "", {{"Host", "[::1]:5000"}, {"Origin", "http://localhost:5000"}})
          .status == 200);
}

TEST_CASE("hooks see requests, may refuse them, and are told of ended runs and new versions") {
  TrackingServerOptions options;
  const auto hooks = std::make_shared<TrackingTestHooks>();
  options.hooks = hooks;
  TrackingTestRouter server(options);
  const HttpResponse refused = server.call("DELETE", "/api/2.0/mlflow/registered-models/delete");
  CHECK(refused.status == 418);
  CHECK(parse_json(refused.body, "answer")["message"] == "nothing is deleted here");
  CHECK(hooks->last_path == "/api/2.0/mlflow/registered-models/delete");
  CHECK(server.call("GET", "/health", "", {{"Host", "evil.example"}}).status == 403);
  CHECK(hooks->last_path != "/health");
  const HttpResponse created =
      server.call("POST", "/api/2.0/mlflow/runs/create", R"({"experiment_id": "0"})");
  REQUIRE(created.status == 200);
  const std::string run_id =
      parse_json(created.body, "answer")["run"]["info"]["run_id"].get<std::string>();
  CHECK(hooks->ended.empty());
  CHECK(server
            .call("POST", "/api/2.0/mlflow/runs/update",
                  R"({"status": "FINISHED", "run_id": ")" + run_id + "\"}")
            .status == 200);
  CHECK(hooks->ended == std::vector<std::string>{run_id});
  CHECK(
      server.call("POST", "/api/2.0/mlflow/registered-models/create", R"({"name": "m"})").status ==
      200);
  CHECK(server
            .call("POST", "/api/2.0/mlflow/model-versions/create",
                  R"({"name": "m", "source": "mlflow-artifacts:/0/)" + run_id +
                      R"(/artifacts/model", "run_id": ")" + run_id + "\"}")
            .status == 200);
  CHECK(hooks->versions == std::vector<std::string>{"m/1"});
}

TEST_CASE("a server that others could reach is refused, and so is a port that is none") {
  TrackingServerOptions options;
  options.port = 0;
  for (const char* host : {"0.0.0.0", "::", "192.168.1.5", "example.org"}) {
    CAPTURE(host);
    options.host = host;
    const std::string text = tracking_test_refusal(options);
    CHECK(text.find("invalid_parameter: the server cannot listen on") == 0);
    CHECK(text.find("no authentication") != std::string::npos);
  }
  options.host = "127.0.0.1";
  options.port = 70000;
  CHECK(tracking_test_refusal(options).find("the port 70000 does not exist") != std::string::npos);
}

TEST_CASE("a full disk is 507, which clients do not try again") {
  set_log(LogLevel::kOff, LogFormat::kText);
  TrackingTestRouter server;
  Run run = server.session.start_run("r");
  const std::string path =
      "/api/2.0/mlflow-artifacts/artifacts/0/" + run.id() + "/artifacts/a/b.bin";
  fs::set_fault_hook([](fs::Op op, const std::string& file) {
    return op == fs::Op::kWrite && file.find("mlrt-artifacts") != std::string::npos ? ENOSPC : 0;
  });
  const HttpResponse full = server.call("PUT", path, "bytes");
  fs::set_fault_hook(nullptr);
  set_log(LogLevel::kWarn, LogFormat::kText);
  CHECK(full.status == 507);
  CHECK(full.body.find("disk is full") != std::string::npos);
  CHECK(full.body.find(server.folder.path()) == std::string::npos);
  CHECK(server.session.artifacts().list(run.id()).empty());
  CHECK(server.call("PUT", path, "bytes").status == 200);
}

TEST_CASE("too many open files are 503, for the same request may work later") {
  set_log(LogLevel::kOff, LogFormat::kText);
  TrackingTestRouter server;
  Run run = server.session.start_run("r");
  const std::string path = "/api/2.0/mlflow-artifacts/artifacts/0/" + run.id() + "/artifacts/a.bin";
  fs::set_fault_hook([](fs::Op op, const std::string& file) {
    return op == fs::Op::kOpen && file.find("mlrt-artifacts") != std::string::npos ? EMFILE : 0;
  });
  const HttpResponse busy = server.call("PUT", path, "bytes");
  fs::set_fault_hook(nullptr);
  set_log(LogLevel::kWarn, LogFormat::kText);
  CHECK(busy.status == 503);
  CHECK(busy.body.find("TEMPORARILY_UNAVAILABLE") != std::string::npos);
  CHECK(server.call("PUT", path, "bytes").status == 200);
}

TEST_CASE("a server on a port of its own answers until it is stopped") {
  TempDir folder;
  TrackingServerOptions options;
  options.port = 0;
  TrackingServer server(Session(folder.path("mlrt.db")), options);
  CHECK(server.url() == "http://127.0.0.1:" + std::to_string(server.port()));
  CHECK(http_request("GET", server.url() + "/health").body == "OK");
  CHECK(http_request("POST", server.url() + "/api/2.0/mlflow/experiments/search",
                     {{"Content-Type", "application/json"}}, R"({"max_results": 5})")
            .status == 200);
  std::string filter = "run_id%20IN%20('0'";
  for (int i = 0; i < 800; ++i) filter += ",%27" + std::string(32, 'a') + "%27";
  CHECK(http_request("GET",
                     server.url() + "/api/2.0/mlflow/model-versions/search?filter=" + filter + ")")
            .status == 200);
  server.stop();
  CHECK_THROWS_AS(http_request("GET", server.url() + "/health"), Error);
  server.stop();
}

TEST_CASE("what the system refuses is told without the server's paths") {
  set_log(LogLevel::kOff, LogFormat::kText);
  TrackingTestRouter server;
  Run run = server.session.start_run("r");
  const std::string path = "/api/2.0/mlflow-artifacts/artifacts/0/" + run.id() + "/artifacts/a/b";
  for (const auto& [op, error, status] :
       {std::tuple{fs::Op::kMakeFolder, EACCES, 403}, std::tuple{fs::Op::kRename, EIO, 500},
        std::tuple{fs::Op::kMakeFolder, ENAMETOOLONG, 400}}) {
    fs::set_fault_hook([fault = op, number = error](fs::Op at, const std::string& file) {
      return at == fault && file.find("mlrt-artifacts") != std::string::npos ? number : 0;
    });
    const HttpResponse answer = server.call("PUT", path, "bytes");
    fs::set_fault_hook(nullptr);
    CHECK(answer.status == status);
    CHECK_MESSAGE(answer.body.find(server.folder.path()) == std::string::npos, answer.body);
    CHECK(answer.body.find("mlflow-artifacts:") != std::string::npos);
  }
  set_log(LogLevel::kWarn, LogFormat::kText);
}

TEST_CASE("what is wrong with the store is told without its place") {
  set_log(LogLevel::kOff, LogFormat::kText);
  TrackingTestRouter server;
  fs::rename(server.folder.path("mlrt.db"), server.folder.path("moved.db"));
  const HttpResponse answer =
      server.call("POST", "/api/2.0/mlflow/runs/create", R"({"experiment_id": "0"})");
  set_log(LogLevel::kWarn, LogFormat::kText);
  CHECK(answer.status == 500);
  CHECK_MESSAGE(answer.body.find("the store 'mlrt.db' was moved") != std::string::npos,
                answer.body);
  CHECK(answer.body.find(server.folder.path()) == std::string::npos);
}

TEST_CASE("a host in brackets is listened on, and two Origins are one too many") {
  TempDir folder;
  TrackingServerOptions options;
  options.port = 0;
  options.host = "[127.0.0.1]";
  TrackingServer server(Session(folder.path("mlrt.db")), options);
  const std::string url = "http://127.0.0.1:" + std::to_string(server.port()) + "/health";
  CHECK(http_request("GET", url, {{"Origin", "http://localhost"}}).body == "OK");
  CHECK(http_request("GET", url, {{"Origin", "http://localhost"}, {"Origin", "http://localhost"}})
            .status == 400);
}

}  // namespace mlrt
