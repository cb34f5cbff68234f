#include "registry/registry_rows.hpp"

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "store/database.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

// So many names are looked at for the nearest one.
constexpr char kRegistryNames[] = "SELECT name FROM registered_models ORDER BY name LIMIT 1000";

constexpr char kVersionColumns[] =
    "SELECT m.name, v.version, v.source, v.run_id, v.model_id, v.run_link, v.description, v.user, "
    "v.stage, v.creation_time, v.last_update_time FROM model_versions AS v JOIN registered_models "
    "AS m ON m.model = v.model WHERE v.model = ? ";

ModelVersion registry_read_version(const Statement& row) {
  ModelVersion version;
  version.name = row.text(0);
  version.version = row.integer(1);
  version.source = row.text(2);
  version.run_id = row.text(3);
  version.model_id = row.text(4);
  version.run_link = row.text(5);
  version.description = row.text(6);
  version.user = row.text(7);
  version.stage = row.text(8);
  version.creation_time_ms = row.integer(9);
  version.last_update_time_ms = row.integer(10);
  return version;
}

// Aliases and tags.
void registry_complete_version(Transaction& transaction, std::int64_t model,
                               ModelVersion& version) {
  {
    Statement row = transaction.query(
        "SELECT alias FROM model_aliases WHERE model = ? AND version = ? ORDER BY alias", model,
        version.version);
    while (row.step()) version.aliases.push_back(row.text(0));
  }
  Statement row = transaction.query(
      "SELECT key, value FROM model_version_tags WHERE model = ? AND version = ? ORDER BY key",
      model, version.version);
  while (row.step()) version.tags.push_back({row.text(0), row.text(1)});
}

std::vector<ModelVersion> registry_read_versions(Transaction& transaction, std::int64_t model,
                                                 const std::string& sql) {
  std::vector<ModelVersion> versions;
  {
    Statement row = transaction.query(sql, model);
    while (row.step()) versions.push_back(registry_read_version(row));
  }
  for (ModelVersion& version : versions) registry_complete_version(transaction, model, version);
  return versions;
}

}  // namespace

std::string registry_models_folder(const std::string& artifact_root) {
  return fs::join(artifact_root, "models");
}

std::int64_t find_model_row(Transaction& transaction, const std::string& name) {
  check_model_name(name);
  {
    Statement row = transaction.query("SELECT model FROM registered_models WHERE name = ?", name);
    if (row.step()) return row.integer(0);
  }
  std::vector<std::string> names;
  Statement row = transaction.query(kRegistryNames);
  while (row.step()) names.push_back(row.text(0));
  throw Error(ErrorCode::kNotFound,
              "Registered Model with name=" + name + " not found" + did_you_mean(name, names));
}

ModelVersion find_version_row(Transaction& transaction, std::int64_t model, const std::string& name,
                              std::int64_t version) {
  static const std::string sql = std::string(kVersionColumns) + "AND v.version = ?";
  ModelVersion found;
  {
    Statement row = transaction.query(sql, model, version);
    if (!row.step()) {
      throw Error(ErrorCode::kNotFound, "Model Version (name=" + name +
                                            ", version=" + std::to_string(version) + ") not found");
    }
    found = registry_read_version(row);
  }
  registry_complete_version(transaction, model, found);
  return found;
}

std::vector<ModelVersion> version_rows(Transaction& transaction, std::int64_t model) {
  static const std::string sql = std::string(kVersionColumns) + "ORDER BY v.version DESC";
  return registry_read_versions(transaction, model, sql);
}

std::vector<ModelVersion> latest_version_rows(Transaction& transaction, std::int64_t model) {
  static const std::string sql =
      std::string(kVersionColumns) +
      "AND v.version IN (SELECT max(l.version) FROM model_versions AS l WHERE l.model = v.model "
      "GROUP BY l.stage) ORDER BY v.version";
  return registry_read_versions(transaction, model, sql);
}

std::int64_t newest_version(Transaction& transaction, std::int64_t model,
                            const std::string& stage) {
  Statement row = transaction.query(
      "SELECT coalesce(max(version), 0) FROM model_versions WHERE model = ?1 AND (?2 = '' OR stage "
      "= ?2)",
      model, stage);
  return row.step() ? row.integer(0) : 0;
}

RegisteredModel read_model_row(Transaction& transaction, std::int64_t model) {
  RegisteredModel found;
  {
    Statement row = transaction.query(
        "SELECT name, description, creation_time, last_update_time FROM registered_models WHERE "
        "model = ?",
        model);
    row.step();
    found.name = row.text(0);
    found.description = row.text(1);
    found.creation_time_ms = row.integer(2);
    found.last_update_time_ms = row.integer(3);
  }
  {
    Statement row = transaction.query(
        "SELECT key, value FROM registered_model_tags WHERE model = ? ORDER BY key", model);
    while (row.step()) found.tags.push_back({row.text(0), row.text(1)});
  }
  {
    Statement row = transaction.query(
        "SELECT alias, version FROM model_aliases WHERE model = ? ORDER BY alias", model);
    while (row.step()) found.aliases.push_back({row.text(0), row.integer(1)});
  }
  found.latest_versions = latest_version_rows(transaction, model);
  return found;
}

ModelVersion find_version_by_alias(Transaction& transaction, const std::string& name,
                                   const std::string& alias) {
  check_model_alias_name(alias);
  const std::int64_t model = find_model_row(transaction, name);
  if (to_lower(alias) == "latest") {
    return find_version_by_uri(transaction, {name, 0, "", "", "", true});
  }
  std::int64_t number = 0;
  {
    Statement row = transaction.query(
        "SELECT version FROM model_aliases WHERE model = ? AND alias = ?", model, alias);
    if (row.step()) number = row.integer(0);
  }
  if (number > 0) return find_version_row(transaction, model, name, number);
  std::vector<std::string> aliases;
  Statement row =
      transaction.query("SELECT alias FROM model_aliases WHERE model = ? LIMIT 1000", model);
  while (row.step()) aliases.push_back(row.text(0));
  throw Error(ErrorCode::kNotFound, "Registered model alias " + alias + " not found for model " +
                                        name + did_you_mean(alias, aliases));
}

ModelVersion find_version_by_uri(Transaction& transaction, const ModelUri& uri) {
  if (!uri.alias.empty()) return find_version_by_alias(transaction, uri.name, uri.alias);
  const std::int64_t model = find_model_row(transaction, uri.name);
  const std::int64_t number =
      uri.version > 0 ? uri.version : newest_version(transaction, model, uri.stage);
  if (number > 0) return find_version_row(transaction, model, uri.name, number);
  throw Error(ErrorCode::kNotFound, uri.latest
                                        ? "Latest version not found for model " + uri.name + "."
                                        : "No versions of model with name '" + uri.name +
                                              "' and stage '" + uri.stage + "' found");
}

std::int64_t insert_model_row(Transaction& transaction, const std::string& name,
                              const std::string& description, std::int64_t now) {
  // Above the numbers that the history knows of, so that it never mixes two models.
  return transaction.insert(
      "INSERT INTO registered_models (model, name, description, creation_time, last_update_time) "
      "VALUES (1 + max((SELECT coalesce(max(model), 0) FROM registered_models), "
      "(SELECT coalesce(max(model), 0) FROM registry_history)), ?, ?, ?, ?) RETURNING model",
      name, description, now, now);
}

void touch_model_row(Transaction& transaction, std::int64_t model, std::int64_t now) {
  transaction.run("UPDATE registered_models SET last_update_time = ? WHERE model = ?", now, model);
}

void check_registry_text(const std::string& text, const char* what, std::size_t max_bytes) {
  if (!is_utf8(text)) {
    throw Error(ErrorCode::kInvalidParameter, "'" + std::string(what) + "' is not valid UTF-8");
  }
  if (text.size() > max_bytes) {
    throw Error(ErrorCode::kInvalidParameter, "'" + std::string(what) +
                                                  "' exceeds the maximum length of " +
                                                  std::to_string(max_bytes) + " bytes");
  }
}

void write_registry_event(Transaction& transaction, std::int64_t model,
                          const RegistryEvent& event) {
  transaction.run(
      "INSERT INTO registry_history (model, name, version, time, user, action, alias, old_value, "
      "new_value) SELECT model, name, ?, ?, ?, ?, ?, ?, ? FROM registered_models WHERE model = ?",
      event.version, event.time_ms, event.user, event.action, event.alias, event.before,
      event.after, model);
}

}  // namespace mlrt
