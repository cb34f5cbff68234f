#ifndef MLRT_SERVER_TRACKING_SERVER_HPP_
#define MLRT_SERVER_TRACKING_SERVER_HPP_

#include <memory>
#include <string>
#include <vector>

#include "api/server_hooks.hpp"
#include "api/session.hpp"
#include "net/router.hpp"

namespace mlrt {

struct TrackingServerOptions {
  std::string host = "127.0.0.1";          // a loopback address
  int port = 5000;                         // 0: a free one
  bool read_only = false;                  // refuses what would change the store: 403
  std::vector<std::string> allowed_hosts;  // names besides its own that a request's Host may have
  std::shared_ptr<ServerHooks> hooks;      // may be null
};

// Throws kInvalidParameter for a host that others could reach, a port that does not exist and an
// allowed host that is none.
void check_tracking_server_options(const TrackingServerOptions& options);

// All routes of the server, on the session's store: those of mlflow_routes.hpp and
// artifact_routes.hpp; /health ("OK") and /version as plain text; /api/3.0/mlflow/server-info.
// Every request, for a route or not, must have a Host and an Origin that are the server's
// (HostRules), then passes the hook on_request. A full disk is 507, which clients do not retry.
Router make_tracking_router(const Session& session, const TrackingServerOptions& options);

// MLflow's tracking server and model registry over HTTP, in threads of its own. Without
// authentication it serves this machine only.
class TrackingServer {
 public:
  // Binds and serves. Throws as check_tracking_server_options does, and kUnavailable for a port in
  // use.
  TrackingServer(const Session& session, const TrackingServerOptions& options);
  ~TrackingServer();  // stops
  TrackingServer(const TrackingServer&) = delete;
  TrackingServer& operator=(const TrackingServer&) = delete;

  std::string url() const;  // "http://127.0.0.1:5000"
  int port() const;
  // Finishes the requests under way, then closes; stopping twice is fine.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlrt

#endif  // MLRT_SERVER_TRACKING_SERVER_HPP_
