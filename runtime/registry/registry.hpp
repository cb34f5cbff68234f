#ifndef MLRT_REGISTRY_REGISTRY_HPP_
#define MLRT_REGISTRY_REGISTRY_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "registry/registry_records.hpp"

namespace mlrt {

class Database;
class Transaction;

// Files that a version needs, put into place while it is registered.
class ModelFiles {
 public:
  virtual ~ModelFiles() = default;
  virtual void place() = 0;               // may throw: then nothing is registered
  virtual void take_back() noexcept = 0;  // after place(), if registering failed
};

// Named models, their versions, stages, aliases and tags, in a store, and who changed what. A cheap
// handle that can be copied; any thread may use it. A call returns when its change is committed;
// after an error nothing of the call has happened.
//
// Errors carry MLflow's words and codes: kNotFound that names what is missing and, for a model or
// alias, the nearest name there is; kInvalidParameter for a value against the rules (names: not
// empty, at most 500 bytes, no '/', ':' or control character; tags: keys of 250 and values of
// 100,000 characters; aliases: letters, digits, '_' and '-', at most 255, not "latest" and not "v"
// with digits; descriptions at most 1 MB, sources and links 64 KB); kAlreadyExists; and what a
// Transaction throws.
class Registry {
 public:
  // `artifact_root` is an absolute folder; copies of models that register_model made lie in its
  // folder "models", and are removed with the last version that needs them. Empty: files are not
  // looked after. `user` is who does what this handle is called for.
  explicit Registry(std::shared_ptr<Database> database, std::string artifact_root = "",
                    std::string user = "");

  // The same registry for another user.
  Registry acting_as(std::string user) const;

  // ---- registered models

  // Throws kAlreadyExists if the name is taken.
  RegisteredModel create_model(const std::string& name, const std::string& description = "",
                               const std::vector<Tag>& tags = {});
  RegisteredModel model(const std::string& name) const;
  // By name, unless order_by says otherwise. Prompts are left out unless the filter asks for them.
  SearchPage<RegisteredModel> search_models(const SearchQuery& query = {}) const;
  RegisteredModel rename_model(const std::string& name, const std::string& new_name);
  RegisteredModel update_model(const std::string& name, const std::string& description);
  // With all its versions, for good.
  // kConflict, with nothing changed, if it has versions and they are not to go with it.
  void delete_model(const std::string& name, bool with_versions = true);
  void set_model_tag(const std::string& name, const std::string& key, const std::string& value);
  // Fine if the model has no such tag.
  void delete_model_tag(const std::string& name, const std::string& key);

  // ---- versions

  struct NewVersion {
    std::string name;
    std::string source;
    std::string run_id = {};    // empty: that of the logged model or version that the source names
    std::string model_id = {};  // the same
    std::string run_link = {};
    std::string description = {};
    std::vector<Tag> tags = {};
    std::string alias = {};     // set in the same transaction, unless empty
    bool create_model = false;  // where there is none of that name, it is created; else kNotFound
    // Placed inside the transaction, while no other process registers anything; they must not use
    // the store. May be null.
    ModelFiles* files = nullptr;
  };
  // The next number: no number of a model is given twice, also after its version was deleted.
  // A source "models:/..." must name a version or logged model of this store. A logged model gets
  // the tag by which MLflow shows where it is registered.
  ModelVersion create_version(const NewVersion& version);
  ModelVersion version(const std::string& name, std::int64_t version) const;
  std::vector<ModelVersion> versions(const std::string& name) const;  // all, newest first
  ModelVersion latest_version(const std::string& name) const;         // of any stage
  // The newest of each of the stages that has one, by version; of all stages when `stages` is
  // empty.
  std::vector<ModelVersion> latest_versions(const std::string& name,
                                            const std::vector<std::string>& stages = {}) const;
  // The alias "latest", which can't be set, stands on the highest version.
  ModelVersion version_by_alias(const std::string& name, const std::string& alias) const;
  // By "models:/name/version", "/latest", "/<stage>" or "@alias". kInvalidParameter for another
  // URI.
  ModelVersion version_by_uri(const std::string& uri) const;
  // The last changed first, unless order_by says otherwise. Prompts are left out as above.
  SearchPage<ModelVersion> search_versions(const SearchQuery& query = {}) const;
  ModelVersion update_version(const std::string& name, std::int64_t version,
                              const std::string& description);
  // With its tags and aliases, for good.
  void delete_version(const std::string& name, std::int64_t version);
  void set_version_tag(const std::string& name, std::int64_t version, const std::string& key,
                       const std::string& value);
  // Fine if the version has no such tag.
  void delete_version_tag(const std::string& name, std::int64_t version, const std::string& key);

  // `archive_existing` moves the other versions of the stage, which must be Staging or Production,
  // to Archived.
  ModelVersion set_stage(const std::string& name, std::int64_t version, const std::string& stage,
                         bool archive_existing = false);
  // Moves the alias if it stands elsewhere.
  void set_alias(const std::string& name, const std::string& alias, std::int64_t version);
  // Returns the version that it stood on; 0, which is fine, if the model has no such alias. With an
  // `only_version` other than 0: kConflict if it stands on another one.
  std::int64_t delete_alias(const std::string& name, const std::string& alias,
                            std::int64_t only_version = 0);

  // ---- where from, who and when

  // Where the version's files are: its source or, where that is "models:/name/version", the source
  // of that one as it was when this was registered.
  std::string download_uri(const std::string& name, std::int64_t version) const;
  ModelLineage lineage(const std::string& name, std::int64_t version) const;
  // Models and versions that were created, renamed and deleted, stages and aliases: what happened
  // to the model `name`, under whatever names, and to models that were deleted under that name. The
  // newest first, at most `max_results` (0: all). kNotFound if there never was one.
  std::vector<RegistryEvent> history(const std::string& name, std::size_t max_results = 0) const;

  // Removes copies of models that no version needs, which an interrupted delete leaves behind;
  // returns their size.
  std::uint64_t collect_garbage(bool dry_run = false);

 private:
  // Removes those of the files in the artifact root's folder of models that no version needs.
  std::uint64_t remove_files(const std::vector<std::string>& names, bool dry_run);
  // Of a version that goes: the names of the copies that it used; then, that there may be no more
  // need of them.
  void note_files(const std::string& source, const std::string& storage,
                  std::vector<std::string>& files) const;
  void drop_files(const std::vector<std::string>& files) noexcept;

  std::shared_ptr<Database> database_;
  std::string artifact_root_;
  std::string user_;
};

}  // namespace mlrt

#endif  // MLRT_REGISTRY_REGISTRY_HPP_
