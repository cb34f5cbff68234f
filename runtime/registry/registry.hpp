#ifndef MLRT_REGISTRY_REGISTRY_HPP_
#define MLRT_REGISTRY_REGISTRY_HPP_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mlrt {

class Database;

struct ModelVersion {
  std::string name;
  std::int64_t version = 0;  // 1, 2, ...
  std::string
      source;  // where its files are: an absolute path of a bundle or folder, or runs:/id/path
  std::string run_id;  // empty if unknown
  std::string description;
  std::int64_t creation_time_ms = 0;
  std::vector<std::string> aliases;  // sorted
};

struct RegisteredModel {
  std::string name;
  std::string description;
  std::int64_t creation_time_ms = 0;
  std::int64_t last_update_time_ms = 0;
  std::vector<ModelVersion> versions;  // newest first
};

// Files that a version needs, put into place while it is registered.
class ModelFiles {
 public:
  virtual ~ModelFiles() = default;
  virtual void place() = 0;               // may throw: then nothing is registered
  virtual void take_back() noexcept = 0;  // after place(), if registering failed
};

// Named models, their versions and aliases, in a store. Any thread may use it; errors and atomicity
// as in TrackingStore. Names: not empty, at most 500 bytes, no '/', ':' or control character.
// Aliases: MLflow's rules (letters, digits, '_' and '-', at most 255, not "latest" and not "v" with
// digits).
class Registry {
 public:
  explicit Registry(std::shared_ptr<Database> database);

  // Adds the next version (1 for a new model, which is created on demand), with an alias in the
  // same transaction when `alias` is not empty. `files` (may be null) are placed inside that
  // transaction, while no other process registers anything; they must not use the store.
  ModelVersion register_version(const std::string& name, const std::string& source,
                                const std::string& run_id = "", const std::string& alias = "",
                                const std::string& description = "", ModelFiles* files = nullptr);

  std::vector<RegisteredModel> list_models() const;  // by name
  // These throw kNotFound that names what is missing and, for a model or alias, the nearest name
  // there is.
  RegisteredModel model(const std::string& name) const;
  ModelVersion version(const std::string& name, std::int64_t version) const;
  ModelVersion latest_version(const std::string& name) const;
  ModelVersion version_by_alias(const std::string& name, const std::string& alias) const;

  // Moves the alias if it stands elsewhere.
  void set_alias(const std::string& name, const std::string& alias, std::int64_t version);
  // Fine if the model has no such alias.
  void delete_alias(const std::string& name, const std::string& alias);

 private:
  std::shared_ptr<Database> database_;
};

}  // namespace mlrt

#endif  // MLRT_REGISTRY_REGISTRY_HPP_
