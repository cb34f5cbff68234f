#ifndef MLRT_CLI_MODELS_COMMAND_HPP_
#define MLRT_CLI_MODELS_COMMAND_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "api/session.hpp"
#include "cli/arguments.hpp"
#include "cli/listing.hpp"

namespace mlrt {

// The commands on registered models. A model is named by its name, a version as in a models:/ URI,
// with or without that prefix: NAME/3, NAME/latest, NAME/Production, NAME@champion. All throw
// kNotFound for a store, model or version that does not exist, and what Session and Registry throw.

// A model, or a version of it.
struct ModelWord {
  std::string name;
  std::int64_t version = 0;  // 0: the model as a whole
};
// Throws kUsage for a word that is the name of a model with an '@' and an alias of another model.
ModelWord read_model_word(const Registry& registry, const std::string& word);
// Where only a model's name will do: without the prefix.
std::string read_model_name(const std::string& word);
// The same where only a version will do. Throws kUsage for a model's name.
ModelVersion read_version_word(const Registry& registry, const std::string& word);

struct ModelsSearchOptions {
  std::string filter;
  std::vector<std::string> order_by;
  bool versions = false;  // search versions, not models
  std::size_t max_results = 50000;
  OutputFlags output;
};
// Prints the models that match with their versions, newest first, or the versions that match, as a
// table or CSV with a row a version, or JSON.
void run_models_search(const GlobalOptions& global, const ModelsSearchOptions& options);

// A model with its tags and versions, or a version with all that it comes from.
void run_models_show(const GlobalOptions& global, const std::string& model,
                     const OutputFlags& output);

struct ModelsHistoryOptions {
  std::string name;
  std::size_t max_results = 1000;
  OutputFlags output;
};
// Who changed what and when, the newest first.
void run_models_history(const GlobalOptions& global, const ModelsHistoryOptions& options);

struct ModelsRegisterOptions {
  std::string source, name, alias, run, description;
  std::vector<std::string> tags;  // "key=value"
};
// Registers the next version; creates the store and the model on demand.
void run_models_register(const GlobalOptions& global, const ModelsRegisterOptions& options);

void run_models_rename(const GlobalOptions& global, const std::string& name,
                       const std::string& new_name);
// Sets the description of a model or version.
void run_models_describe(const GlobalOptions& global, const std::string& model,
                         const std::string& text);

struct ModelsAliasOptions {
  std::string model, alias;
  bool remove = false;
};
void run_models_alias(const GlobalOptions& global, const ModelsAliasOptions& options);

struct ModelsStageOptions {
  std::string model, stage;
  bool archive_existing = false;
};
void run_models_stage(const GlobalOptions& global, const ModelsStageOptions& options);

struct ModelsTagOptions {
  std::string model;
  std::vector<std::string> tags;     // "key=value"
  std::vector<std::string> removed;  // keys
};
// Throws kUsage if there is nothing to set or remove.
void run_models_tag(const GlobalOptions& global, const ModelsTagOptions& options);

struct ModelsDeleteOptions {
  std::string model;
  bool all_versions = false;
};
// Throws kConflict for a model that has versions, unless all of them are to go.
void run_models_delete(const GlobalOptions& global, const ModelsDeleteOptions& options);

}  // namespace mlrt

#endif  // MLRT_CLI_MODELS_COMMAND_HPP_
