#include "server/tracking_server.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "net/listener.hpp"
#include "server/artifact_routes.hpp"
#include "server/host_rules.hpp"
#include "server/mlflow_routes.hpp"

namespace mlrt {
namespace {

constexpr int kTrackingMaxPort = 65535;
constexpr int kTrackingInsufficientStorage = 507;
// A batch at MLflow's limits, with parameters of 6000 four-byte characters written as escapes,
// stays far below it. What may be larger, artifacts, is streamed.
constexpr std::size_t kTrackingMaxBodyBytes = std::size_t{32} << 20;
constexpr std::size_t kTrackingMaxTotalBodyBytes = std::size_t{128} << 20;
// MLflow's client searches by GET with filters that list hundreds of ids.
constexpr std::size_t kTrackingMaxTargetBytes = std::size_t{64} << 10;

ListenerOptions tracking_listener_options(const TrackingServerOptions& options) {
  check_tracking_server_options(options);
  ListenerOptions listener;
  listener.host = host_bare(options.host);
  listener.port = options.port;
  listener.max_body_bytes = kTrackingMaxBodyBytes;
  listener.max_total_body_bytes = kTrackingMaxTotalBodyBytes;
  listener.max_target_bytes = kTrackingMaxTargetBytes;
  return listener;
}

// What stands in a message in place of what.
using TrackingWords = std::vector<std::pair<std::string, std::string>>;

// Clients know artifacts by their place below the root, and the store by its name; where they are
// on this machine is not for them.
TrackingWords tracking_hidden_paths(const Session& session) {
  const std::string& store = session.store();
  TrackingWords words = {{session.tracking().artifact_root(), "mlflow-artifacts:"},
                         {store, fs::basename(store)}};
  for (const std::string& path : {fs::absolute(store), fs::real_path(store)}) {
    const std::string folder = fs::parent(path);
    if (starts_with(folder, "/") && folder.size() > 1) words.emplace_back(folder + "/", "");
  }
  return words;
}

// What clients said themselves, which is refused, is quoted as it was.
HttpResponse tracking_error_response(const Error& error, const TrackingWords& hidden) {
  if (!fs::is_disk_full(error)) {
    const bool said = error.code() == ErrorCode::kInvalidParameter && error.detail().empty();
    std::string message = error.message();
    for (const auto& [path, shown] : hidden) {
      for (std::size_t at = 0; !said && (at = message.find(path, at)) != std::string::npos;) {
        message.replace(at, path.size(), shown);
        at += shown.size();
      }
    }
    return error_json_response(Error(error.code(), std::move(message), error.detail()));
  }
  HttpResponse response =
      error_json_response(Error(error.code(), "the server's disk is full; nothing was written"));
  // Clients try a 500 again and again, which would not help.
  response.status = kTrackingInsufficientStorage;
  return response;
}

std::optional<HttpResponse> tracking_ask_hook(ServerHooks& hooks, const HttpRequest& request) {
  const auto refusal = hooks.on_request(
      {request.method, request.path, request.query, request.headers, request.remote_address});
  if (!refusal) return std::nullopt;
  HttpResponse response =
      error_json_response(Error(ErrorCode::kPermissionDenied, refusal->message));
  response.status = refusal->status;
  return response;
}

constexpr char kTrackingFrontPage[] =
    "mlrt tracking server " MLRT_VERSION
    "\n\n"
    "This is the API of an MLflow tracking server and model registry; it has no web pages.\n"
    "The API is below /api/2.0/mlflow, artifacts are below /api/2.0/mlflow-artifacts.\n"
    "From Python: mlflow.set_tracking_uri(\"<this address>\"), or set MLFLOW_TRACKING_URI.\n"
    "GET /health answers OK, GET /version the version.\n";

HttpHandler tracking_text_handler(std::string text, const char* type = "text/html; charset=utf-8") {
  return [text = std::move(text), type](const HttpRequest&, const PathParams&) {
    HttpResponse response;
    response.content_type = type;
    response.body = text;
    return response;
  };
}

// What MLflow 3.10 and later ask first.
HttpResponse tracking_server_info(const HttpRequest&, const PathParams&) {
  HttpResponse response;
  response.content_type = "application/json";
  response.body =
      "{\"store_type\": \"SqlStore\", \"workspaces_enabled\": false, \"trace_archival_enabled\": "
      "false, \"multipart_uploads_enabled\": false, \"multipart_downloads_enabled\": false, "
      "\"features_enabled\": {\"gateway\": false}}";
  return response;
}

}  // namespace

void check_tracking_server_options(const TrackingServerOptions& options) {
  if (options.port < 0 || options.port > kTrackingMaxPort) {
    throw Error(ErrorCode::kInvalidParameter,
                "the port " + std::to_string(options.port) +
                    " does not exist: one from 1 to 65535, or 0 for a free one");
  }
  if (!is_loopback_host(options.host)) {
    throw Error(ErrorCode::kInvalidParameter,
                "the server cannot listen on " + quoted(options.host) +
                    ": it has no authentication yet, so only this machine may reach it; use "
                    "127.0.0.1, ::1 or localhost, and an SSH tunnel (ssh -L) from other machines");
  }
  HostRules(options.host, options.allowed_hosts);
}

Router make_tracking_router(const Session& session, const TrackingServerOptions& options) {
  Router router;
  const std::string root = session.tracking().artifact_root();
  const auto context =
      std::make_shared<RestContext>(RestContext{session, options.read_only, {}, {}, {}, {}});
  context->artifact_uri = [root](const std::string& folder) {
    return artifact_uri_of_folder(root, folder);
  };
  context->artifact_folder = [root](const std::string& uri) {
    return artifact_folder_of_uri(root, uri);
  };
  const std::shared_ptr<ServerHooks> hooks = options.hooks;
  if (hooks) {
    context->on_run_end = [hooks](const RunRecord& run) { hooks->on_run_end(run); };
    context->on_model_version = [hooks](const ModelVersion& version) {
      hooks->on_model_version(version);
    };
  }
  add_mlflow_routes(router, *context);
  add_artifact_routes(router, session, options.read_only);
  router.add("GET", "/", tracking_text_handler(kTrackingFrontPage, "text/plain; charset=utf-8"));
  router.add("GET", "/health", tracking_text_handler("OK"));
  router.add("GET", "/version", tracking_text_handler(MLRT_VERSION));
  router.add("GET", "/api/3.0/mlflow/server-info", tracking_server_info);
  router.add("GET", "/ajax-api/3.0/mlflow/server-info", tracking_server_info);
  // The filter lives as long as the router, and so does the context that the routes refer to.
  router.set_filter([rules = HostRules(options.host, options.allowed_hosts), hooks,
                     context](const HttpRequest& request) -> std::optional<HttpResponse> {
    rules.check(request);
    return hooks ? tracking_ask_hook(*hooks, request) : std::nullopt;
  });
  router.set_error_handler(
      [hidden = tracking_hidden_paths(session)](const Error& error, const HttpRequest&) {
        return tracking_error_response(error, hidden);
      });
  return router;
}

struct TrackingServer::State {
  State(const Session& session, const TrackingServerOptions& options)
      : host(options.host),
        listener(tracking_listener_options(options), make_tracking_router(session, options)) {}

  std::string host;
  Listener listener;
};

TrackingServer::TrackingServer(const Session& session, const TrackingServerOptions& options)
    : state_(std::make_unique<State>(session, options)) {
  state_->listener.start();
}

TrackingServer::~TrackingServer() = default;

std::string TrackingServer::url() const {
  const std::string& host = state_->host;
  const bool bare_ipv6 = host.find(':') != std::string::npos && host.front() != '[';
  return "http://" + (bare_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port());
}

int TrackingServer::port() const { return state_->listener.port(); }

void TrackingServer::stop() { state_->listener.stop(); }

}  // namespace mlrt
