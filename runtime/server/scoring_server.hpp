#ifndef MLRT_SERVER_SCORING_SERVER_HPP_
#define MLRT_SERVER_SCORING_SERVER_HPP_

#include <memory>

#include "api/scoring_service.hpp"
#include "model/model.hpp"

namespace mlrt {

// Starts a server with the routes of make_scoring_router. It has no authentication: on a host other
// than loopback, everybody who reaches the port may ask. Throws kUnavailable for a port in use and
// kInvalidParameter for a host or port that cannot be.
std::unique_ptr<ScoringService> make_scoring_server(std::shared_ptr<const Model> model,
                                                    const ServeOptions& options);

}  // namespace mlrt

#endif  // MLRT_SERVER_SCORING_SERVER_HPP_
