#include "cli/serve_command.hpp"

#include <memory>

#include "api/scoring_service.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "cli/store_access.hpp"
#include "net/listener.hpp"
#include "server/host_rules.hpp"

namespace mlrt {

void run_serve(const GlobalOptions& global, const ServeCommandOptions& options) {
  StopSignals signals;
  raise_descriptor_limit();
  ServeOptions serve;
  serve.host = options.host;
  serve.port = options.port;
  serve.allowed_hosts = options.allowed_hosts;
  const std::unique_ptr<ScoringService> service =
      start_scoring_service(load_named_model(global, options.model), serve);
  if (!is_loopback_host(options.host)) {
    print_warning("other machines can reach " + service->url() +
                  ", and there is no authentication");
  }
  print_out("mlrt: serving " + options.model + " at " + service->url() + " (Ctrl-C stops)\n");
  signals.wait();
  service->stop();
}

}  // namespace mlrt
