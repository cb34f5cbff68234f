#ifndef MLRT_API_SCORING_SERVICE_HPP_
#define MLRT_API_SCORING_SERVICE_HPP_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/model.hpp"

namespace mlrt {

struct ServeOptions {
  std::string host = "127.0.0.1";
  int port = 0;                            // 0: a free one
  std::vector<std::string> allowed_hosts;  // names besides its own that a request's Host may have
};

// A server that answers scoring requests in background threads until it is stopped or destroyed.
class ScoringService {
 public:
  virtual ~ScoringService() = default;
  virtual std::string url() const = 0;  // "http://127.0.0.1:40123"
  virtual int port() const = 0;
  // Finishes the requests under way, then closes; stopping twice is fine.
  virtual void stop() = 0;
};

using ScoringServiceFactory = std::function<std::unique_ptr<ScoringService>(
    std::shared_ptr<const Model>, const ServeOptions&)>;

// What joins scripts and the server, which do not know each other: main registers the factory once,
// before any thread starts.
void set_scoring_service_factory(ScoringServiceFactory factory);

// Throws kConflict if no factory is registered (a program built without the server), kUnavailable
// for a port in use.
std::unique_ptr<ScoringService> start_scoring_service(std::shared_ptr<const Model> model,
                                                      const ServeOptions& options);

}  // namespace mlrt

#endif  // MLRT_API_SCORING_SERVICE_HPP_
