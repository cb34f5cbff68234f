#ifndef MLRT_REGISTRY_REGISTRY_RECORDS_HPP_
#define MLRT_REGISTRY_REGISTRY_RECORDS_HPP_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tracking/records.hpp"

namespace mlrt {

// What the registry holds, as plain values. Times are milliseconds since 1970 UTC.

// The tag by which MLflow tells its prompts from registered models.
extern const char kPromptTag[];  // "mlflow.prompt.is_prompt"

// The stages as MLflow writes them: "None", "Staging", "Production", "Archived". Any case is taken;
// throws kInvalidParameter with MLflow's words for another one.
std::string canonical_stage(std::string_view stage);
bool is_stage(std::string_view text);

struct ModelVersion {
  std::string name;
  std::int64_t version = 0;  // 1, 2, ...
  // Where its files are, as it was given: an absolute path of a bundle or folder, "runs:/id/path",
  // "models:/m-id", "models:/name/version", or an "mlflow-artifacts:" URI.
  std::string source;
  std::string run_id;    // empty if unknown
  std::string model_id;  // the logged model; empty if there is none
  std::string run_link;  // empty if none was given
  std::string description;
  std::string user;            // who registered it; empty if unknown
  std::string stage = "None";  // a canonical one
  std::int64_t creation_time_ms = 0;
  std::int64_t last_update_time_ms = 0;
  std::vector<std::string> aliases;  // sorted
  std::vector<Tag> tags;             // by key
};
// A version's status is READY: there is none before its files are in place.

struct ModelAlias {
  std::string alias;
  std::int64_t version = 0;
};

struct RegisteredModel {
  std::string name;
  std::string description;
  std::int64_t creation_time_ms = 0;
  std::int64_t last_update_time_ms = 0;
  std::vector<Tag> tags;                      // by key
  std::vector<ModelAlias> aliases;            // by alias
  std::vector<ModelVersion> latest_versions;  // the newest of each stage that has one, by version
};

// Something that was done to a registered model.
struct RegistryEvent {
  std::int64_t time_ms = 0;
  std::string user;          // who did it; empty if unknown
  std::string action;        // the name of Registry's method: "set_stage", "delete_version", ...
  std::string name;          // the model's name then
  std::int64_t version = 0;  // 0: it concerns the model as a whole
  std::string alias;         // of set_alias and delete_alias
  // What changed: the stage, the version of an alias ("" where it stood on none), or the name.
  std::string before, after;
};

// Where a version comes from. What is not in this store is empty.
struct ModelLineage {
  ModelVersion version;
  std::string run_name, run_status, experiment_id;  // of version.run_id
  std::string model_name, model_status;             // of version.model_id
  // What the run used; `schema` and `profile` are left empty.
  std::vector<DatasetInput> datasets;
};

}  // namespace mlrt

#endif  // MLRT_REGISTRY_REGISTRY_RECORDS_HPP_
