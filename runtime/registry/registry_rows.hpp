#ifndef MLRT_REGISTRY_REGISTRY_ROWS_HPP_
#define MLRT_REGISTRY_REGISTRY_ROWS_HPP_

// Internal: registered models and versions as they stand in the store.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "registry/model_uri.hpp"
#include "registry/registry_records.hpp"

namespace mlrt {

class Transaction;

// The folder below the artifact root where copies of registered models lie.
std::string registry_models_folder(const std::string& artifact_root);

// The row's number. Throws kNotFound, with the nearest name.
std::int64_t find_model_row(Transaction& transaction, const std::string& name);
// Throws kNotFound.
ModelVersion find_version_row(Transaction& transaction, std::int64_t model, const std::string& name,
                              std::int64_t version);
std::vector<ModelVersion> version_rows(Transaction& transaction,
                                       std::int64_t model);  // newest first
RegisteredModel read_model_row(Transaction& transaction, std::int64_t model);
std::vector<ModelVersion> latest_version_rows(Transaction& transaction, std::int64_t model);
// The highest version of the stage, of all when it is empty; 0 if there is none.
std::int64_t newest_version(Transaction& transaction, std::int64_t model, const std::string& stage);
// The version that the URI names, which is not that of a logged model. Throws kNotFound.
ModelVersion find_version_by_uri(Transaction& transaction, const ModelUri& uri);
ModelVersion find_version_by_alias(Transaction& transaction, const std::string& name,
                                   const std::string& alias);

// Adds a model; its number was no other's before.
std::int64_t insert_model_row(Transaction& transaction, const std::string& name,
                              const std::string& description, std::int64_t now);
void touch_model_row(Transaction& transaction, std::int64_t model, std::int64_t now);

// Throw kInvalidParameter.
void check_registry_text(const std::string& text, const char* what, std::size_t max_bytes);
constexpr std::size_t kMaxDescriptionBytes = std::size_t{1} << 20;

// Adds to the history. Its name is the model's.
void write_registry_event(Transaction& transaction, std::int64_t model, const RegistryEvent& event);

}  // namespace mlrt

#endif  // MLRT_REGISTRY_REGISTRY_ROWS_HPP_
