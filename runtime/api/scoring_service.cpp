#include "api/scoring_service.hpp"

#include <utility>

#include "core/error.hpp"

namespace mlrt {
namespace {

ScoringServiceFactory& scoring_service_factory() {
  static ScoringServiceFactory factory;
  return factory;
}

}  // namespace

void set_scoring_service_factory(ScoringServiceFactory factory) {
  scoring_service_factory() = std::move(factory);
}

std::unique_ptr<ScoringService> start_scoring_service(std::shared_ptr<const Model> model,
                                                      const ServeOptions& options) {
  if (!scoring_service_factory()) {
    throw Error(ErrorCode::kConflict, "this program was built without the scoring server");
  }
  return scoring_service_factory()(std::move(model), options);
}

}  // namespace mlrt
