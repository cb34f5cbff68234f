#include "registry/registry.hpp"

#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "store/database.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

constexpr char kVersionColumns[] =
    "SELECT version, source, run_id, description, creation_time FROM model_versions WHERE model = "
    "? ";

std::int64_t registry_find_model(Transaction& transaction, const std::string& name) {
  check_model_name(name);
  {
    Statement row = transaction.query("SELECT model FROM registered_models WHERE name = ?", name);
    if (row.step()) return row.integer(0);
  }
  std::vector<std::string> names;
  Statement row = transaction.query("SELECT name FROM registered_models ORDER BY name");
  while (row.step()) names.push_back(row.text(0));
  throw Error(ErrorCode::kNotFound,
              "Registered Model with name=" + name + " not found" + did_you_mean(name, names));
}

ModelVersion registry_read_version(const Statement& row, const std::string& name) {
  ModelVersion version;
  version.name = name;
  version.version = row.integer(0);
  version.source = row.text(1);
  version.run_id = row.text(2);
  version.description = row.text(3);
  version.creation_time_ms = row.integer(4);
  return version;
}

void registry_add_aliases(Transaction& transaction, std::int64_t model, ModelVersion& version) {
  Statement row = transaction.query(
      "SELECT alias FROM model_aliases WHERE model = ? AND version = ? ORDER BY alias", model,
      version.version);
  while (row.step()) version.aliases.push_back(row.text(0));
}

ModelVersion registry_find_version(Transaction& transaction, std::int64_t model,
                                   const std::string& name, std::int64_t number) {
  static const std::string sql = std::string(kVersionColumns) + "AND version = ?";
  ModelVersion version;
  {
    Statement row = transaction.query(sql, model, number);
    if (!row.step()) {
      throw Error(ErrorCode::kNotFound, "Model Version (name=" + name +
                                            ", version=" + std::to_string(number) + ") not found");
    }
    version = registry_read_version(row, name);
  }
  registry_add_aliases(transaction, model, version);
  return version;
}

void registry_put_alias(Transaction& transaction, std::int64_t model, const std::string& alias,
                        std::int64_t version) {
  transaction.run(
      "INSERT INTO model_aliases (model, alias, version) VALUES (?, ?, ?) ON CONFLICT (model, "
      "alias) DO UPDATE SET "
      "version = excluded.version",
      model, alias, version);
}

void registry_touch(Transaction& transaction, std::int64_t model, std::int64_t now) {
  transaction.run("UPDATE registered_models SET last_update_time = ? WHERE model = ?", now, model);
}

RegisteredModel registry_read_model(Transaction& transaction, std::int64_t id) {
  RegisteredModel model;
  {
    Statement row = transaction.query(
        "SELECT name, description, creation_time, last_update_time FROM registered_models WHERE "
        "model = ?",
        id);
    row.step();
    model.name = row.text(0);
    model.description = row.text(1);
    model.creation_time_ms = row.integer(2);
    model.last_update_time_ms = row.integer(3);
  }
  {
    static const std::string sql = std::string(kVersionColumns) + "ORDER BY version DESC";
    Statement row = transaction.query(sql, id);
    while (row.step()) model.versions.push_back(registry_read_version(row, model.name));
  }
  for (ModelVersion& version : model.versions) registry_add_aliases(transaction, id, version);
  return model;
}

// Undoes what a caller placed, unless all went well.
class RegistryPlacement {
 public:
  explicit RegistryPlacement(ModelFiles* files) : files_(files) {
    if (files_) files_->place();
  }
  ~RegistryPlacement() {
    if (files_) files_->take_back();
  }
  RegistryPlacement(const RegistryPlacement&) = delete;
  RegistryPlacement& operator=(const RegistryPlacement&) = delete;
  void keep() { files_ = nullptr; }

 private:
  ModelFiles* files_;
};

}  // namespace

Registry::Registry(std::shared_ptr<Database> database) : database_(std::move(database)) {}

ModelVersion Registry::register_version(const std::string& name, const std::string& source,
                                        const std::string& run_id, const std::string& alias,
                                        const std::string& description, ModelFiles* files) {
  check_model_name(name);
  if (!alias.empty()) check_model_alias(alias);
  if (source.empty())
    throw Error(ErrorCode::kInvalidParameter, "Missing value for required parameter 'source'.");
  if (!run_id.empty()) check_run_id(run_id);
  if (!is_utf8(description))
    throw Error(ErrorCode::kInvalidParameter, "'description' is not valid UTF-8");

  Transaction transaction(*database_, Transaction::Mode::kWrite);
  // Files are placed while no other process can register anything, so that taking them back after a
  // failure can't pull them from under another version.
  RegistryPlacement placement(files);
  const std::int64_t now = now_ms();
  transaction.run(
      "INSERT INTO registered_models (name, creation_time, last_update_time) VALUES (?, ?, ?) "
      "ON CONFLICT (name) DO UPDATE SET last_update_time = excluded.last_update_time",
      name, now, now);
  const std::int64_t model = registry_find_model(transaction, name);
  const std::int64_t number = transaction.insert(
      "INSERT INTO model_versions (model, version, source, run_id, description, creation_time, "
      "last_update_time) "
      "SELECT ?, coalesce(max(version), 0) + 1, ?, ?, ?, ?, ? FROM model_versions WHERE model = ? "
      "RETURNING version",
      model, source, run_id, description, now, now, model);
  if (!alias.empty()) registry_put_alias(transaction, model, alias, number);
  ModelVersion version = registry_find_version(transaction, model, name, number);
  transaction.commit();
  placement.keep();
  return version;
}

std::vector<RegisteredModel> Registry::list_models() const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  std::vector<std::int64_t> ids;
  {
    Statement row = transaction.query("SELECT model FROM registered_models ORDER BY name");
    while (row.step()) ids.push_back(row.integer(0));
  }
  std::vector<RegisteredModel> models;
  for (std::int64_t id : ids) models.push_back(registry_read_model(transaction, id));
  return models;
}

RegisteredModel Registry::model(const std::string& name) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return registry_read_model(transaction, registry_find_model(transaction, name));
}

ModelVersion Registry::version(const std::string& name, std::int64_t version) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return registry_find_version(transaction, registry_find_model(transaction, name), name, version);
}

ModelVersion Registry::latest_version(const std::string& name) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  const std::int64_t model = registry_find_model(transaction, name);
  std::int64_t number = 0;
  {
    Statement row = transaction.query(
        "SELECT coalesce(max(version), 0) FROM model_versions WHERE model = ?", model);
    row.step();
    number = row.integer(0);
  }
  if (number == 0)
    throw Error(ErrorCode::kNotFound, "Latest version not found for model " + name + ".");
  return registry_find_version(transaction, model, name, number);
}

ModelVersion Registry::version_by_alias(const std::string& name, const std::string& alias) const {
  check_model_alias(alias);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  const std::int64_t model = registry_find_model(transaction, name);
  std::int64_t number = 0;
  {
    Statement row = transaction.query(
        "SELECT version FROM model_aliases WHERE model = ? AND alias = ?", model, alias);
    if (row.step()) number = row.integer(0);
  }
  if (number == 0) {
    std::vector<std::string> aliases;
    Statement row =
        transaction.query("SELECT alias FROM model_aliases WHERE model = ? ORDER BY alias", model);
    while (row.step()) aliases.push_back(row.text(0));
    throw Error(ErrorCode::kNotFound, "Registered model alias " + alias + " not found for model " +
                                          name + did_you_mean(alias, aliases));
  }
  return registry_find_version(transaction, model, name, number);
}

void Registry::set_alias(const std::string& name, const std::string& alias, std::int64_t version) {
  check_model_alias(alias);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = registry_find_model(transaction, name);
  registry_find_version(transaction, model, name, version);
  registry_put_alias(transaction, model, alias, version);
  registry_touch(transaction, model, now_ms());
  transaction.commit();
}

void Registry::delete_alias(const std::string& name, const std::string& alias) {
  check_model_alias(alias);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = registry_find_model(transaction, name);
  transaction.run("DELETE FROM model_aliases WHERE model = ? AND alias = ?", model, alias);
  registry_touch(transaction, model, now_ms());
  transaction.commit();
}

}  // namespace mlrt
