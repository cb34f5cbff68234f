#ifndef MLRT_SERVER_REST_MODEL_SOURCE_HPP_
#define MLRT_SERVER_REST_MODEL_SOURCE_HPP_

// Internal: which sources a model version may have that is created over the network, and where its
// files are.

#include <cstdint>
#include <optional>
#include <string>

#include "server/mlflow_routes.hpp"

namespace mlrt {

// Where the files of a new version are said to be. A version makes its source readable to whoever
// may read the registry, so a request can name only what lies in the artifacts of a run or logged
// model that it names too, as MLflow has it.
struct RestModelSource {
  std::string source;
  std::optional<std::string> run_id, model_id;  // as given
};

// The source as it is to be stored: a version or alias that "models:/..." names becomes that
// version's number; anything else stays. Throws kInvalidParameter with MLflow's words for a source
// that is not contained in what the ids name, or leads out of it; kNotFound for a model that is not
// there.
std::string check_rest_model_source(const RestContext& context, const RestModelSource& source);

// The bundle or folder of a version, a path that begins with the session's artifact root if it lies
// below it, however its source spells it. A bundle is named by its content: one of that name below
// the root is as good as that of the source, should the store have been copied. Throws as
// Session::resolve_model does.
std::string served_model_path(const Session& session, const std::string& name,
                              std::int64_t version);

}  // namespace mlrt

#endif  // MLRT_SERVER_REST_MODEL_SOURCE_HPP_
