#ifndef MLRT_REGISTRY_MODEL_URI_HPP_
#define MLRT_REGISTRY_MODEL_URI_HPP_

#include <cstdint>
#include <string>

namespace mlrt {

// "models:/..." taken apart. Exactly one of the fields beside `name` is set; `name` is empty with
// `model_id` only.
struct ModelUri {
  std::string name;
  std::int64_t version = 0;  // models:/name/3
  std::string stage;         // models:/name/Production: the canonical stage
  std::string alias;         // models:/name@champion
  std::string model_id;      // models:/m-<32 hex digits>
  bool latest = false;       // models:/name/latest, in any case
};

bool is_models_uri(const std::string& uri);  // begins with "models:/"

// Throws kInvalidParameter that lists the forms there are.
ModelUri parse_model_uri(const std::string& uri);

}  // namespace mlrt

#endif  // MLRT_REGISTRY_MODEL_URI_HPP_
