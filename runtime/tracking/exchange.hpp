#ifndef MLRT_TRACKING_EXCHANGE_HPP_
#define MLRT_TRACKING_EXCHANGE_HPP_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tracking/tracking_store.hpp"

namespace mlrt {

// What an import brought in, and what it could not read.
struct ImportReport {
  std::size_t experiments = 0, runs = 0, params = 0, tags = 0, metrics = 0, inputs = 0;
  std::size_t logged_models = 0, registered_models = 0, model_versions = 0,
              artifacts = 0;  // new ones
  std::vector<std::string>
      problems;  // "mlruns/1/abc/metrics/loss:3: ...", what was left out and why
};

struct ImportOptions {
  std::string experiment;      // for TensorBoard files: the experiment's name; empty: "tensorboard"
  bool copy_artifacts = true;  // files that the source's paths lead to, where they are at hand
  // Called now and then with what is done and what there is to do (0: unknown).
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

// Imports from what `path` is: an MLflow SQLite database, an mlruns/ folder, a TensorBoard event
// file or a folder of such. Ids and times are kept. Every imported metric takes its identity from a
// hash of its content, so importing a source again, when it has grown, adds only what is new. What
// is sound is imported, what is not is listed; the source is never changed. Throws kNotFound,
// kInvalidParameter for something that is none of these, kDataCorrupt for a database of which
// nothing can be read.
ImportReport import_tracking(TrackingStore& store, const std::shared_ptr<Database>& database,
                             const std::string& path, const ImportOptions& options = {});

// Writes the store as an MLflow SQLite database that `mlflow ui --backend-store-uri sqlite:///FILE`
// opens. `path` must not exist. Returns the schema revision (Alembic) of MLflow that was written.
std::string export_mlflow(const TrackingStore& store, const std::shared_ptr<Database>& database,
                          const std::string& path);

}  // namespace mlrt

#endif  // MLRT_TRACKING_EXCHANGE_HPP_
