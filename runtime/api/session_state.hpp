#ifndef MLRT_API_SESSION_STATE_HPP_
#define MLRT_API_SESSION_STATE_HPP_

// Internal: what the handles of one session share.

#include <memory>
#include <mutex>
#include <string>

#include "model/model.hpp"
#include "registry/registry.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {

struct SessionState {
  SessionState(std::string store_path, const std::shared_ptr<Database>& database,
               const std::string& artifact_root)
      : store(std::move(store_path)), tracking(database, artifact_root), registry(database) {}

  const std::string store;
  TrackingStore tracking;
  Registry registry;

  std::mutex mutex;  // guards what follows
  std::string experiment_id = "0";
};

// Writes `model` as a model folder at the artifact `path` of an active run; returns its URI.
std::string log_model_folder(const TrackingStore& tracking, const std::string& run_id,
                             const Model& model, const std::string& path);

}  // namespace mlrt

#endif  // MLRT_API_SESSION_STATE_HPP_
