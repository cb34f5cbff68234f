#include "cli/serve_command.hpp"

#include <pthread.h>
#include <signal.h>

#include <memory>

#include "api/scoring_service.hpp"
#include "api/session.hpp"
#include "cli/output.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "server/host_rules.hpp"

namespace mlrt {
namespace {

// SIGINT and SIGTERM, held back in this thread and in those that it starts, so that one place waits
// for them.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~StopSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Returns at the first signal; the next one has its usual effect.
  void wait() {
    int which = 0;
    while (sigwait(&signals_, &which) != 0) {
    }
    pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
  }

 private:
  sigset_t signals_;
  sigset_t before_;
};

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
