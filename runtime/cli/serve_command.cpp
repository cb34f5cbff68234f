#include "cli/serve_command.hpp"

#include <memory>

#include "api/scoring_service.hpp"
#include "api/session.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "server/host_rules.hpp"

namespace mlrt {
namespace {

std::shared_ptr<const Model> load_served_model(const GlobalOptions& global,
                                               const std::string& uri) {
  // A path needs no store; what has a scheme, even a mistyped one, is the session's to judge.
  const bool has_scheme = uri.find(":/") != std::string::npos || starts_with(uri, "models:") ||
                          starts_with(uri, "runs:");
  if (!has_scheme || fs::exists(uri)) return load_model(uri);
  SessionOptions session_options;
  session_options.store = global.store;
  session_options.must_exist = true;
  return Session(session_options).load_model(uri);
}

}  // namespace

void run_serve(const GlobalOptions& global, const ServeCommandOptions& options) {
  StopSignals signals;
  ServeOptions serve;
  serve.host = options.host;
  serve.port = options.port;
  serve.allowed_hosts = options.allowed_hosts;
  const std::unique_ptr<ScoringService> service =
      start_scoring_service(load_served_model(global, options.model), serve);
  if (!is_loopback_host(options.host)) {
    print_warning("other machines can reach " + service->url() +
                  ", and there is no authentication");
  }
  print_out("mlrt: serving " + options.model + " at " + service->url() + " (Ctrl-C stops)\n");
  signals.wait();
  service->stop();
}

}  // namespace mlrt
