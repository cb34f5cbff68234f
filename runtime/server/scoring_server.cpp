#include "server/scoring_server.hpp"

#include <string>
#include <utility>

#include "core/error.hpp"
#include "net/listener.hpp"
#include "server/host_rules.hpp"
#include "server/scoring_routes.hpp"

namespace mlrt {
namespace {

constexpr int kScoringMaxPort = 65535;
// JSON as values takes some twenty times the bytes of its text.
constexpr std::size_t kScoringMaxBodyBytes = std::size_t{16} << 20;
constexpr std::size_t kScoringMaxTotalBodyBytes = std::size_t{64} << 20;

ListenerOptions scoring_listener_options(const ServeOptions& options) {
  if (options.port < 0 || options.port > kScoringMaxPort) {
    throw Error(ErrorCode::kInvalidParameter,
                "the port " + std::to_string(options.port) +
                    " does not exist: one from 1 to 65535, or 0 for a free one");
  }
  ListenerOptions listener;
  listener.host = host_bare(options.host);
  listener.port = options.port;
  listener.max_body_bytes = kScoringMaxBodyBytes;
  listener.max_total_body_bytes = kScoringMaxTotalBodyBytes;
  return listener;
}

class ScoringServer final : public ScoringService {
 public:
  ScoringServer(std::shared_ptr<const Model> model, const ServeOptions& options)
      : host_(options.host),
        listener_(
            scoring_listener_options(options),
            make_scoring_router(std::move(model), HostRules(options.host, options.allowed_hosts))) {
    listener_.start();
    port_ = listener_.port();
  }

  std::string url() const override {
    const bool bare_ipv6 = host_.find(':') != std::string::npos && host_.front() != '[';
    return "http://" + (bare_ipv6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_);
  }
  int port() const override { return port_; }
  void stop() override { listener_.stop(); }

 private:
  std::string host_;
  Listener listener_;
  int port_ = 0;
};

}  // namespace

std::unique_ptr<ScoringService> make_scoring_server(std::shared_ptr<const Model> model,
                                                    const ServeOptions& options) {
  return std::make_unique<ScoringServer>(std::move(model), options);
}

}  // namespace mlrt
