// Versions of registered models: making, finding and changing them.

#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "registry/registry.hpp"
#include "registry/registry_rows.hpp"
#include "store/database.hpp"
#include "tracking/logged_model_rows.hpp"
#include "tracking/rules.hpp"
#include "tracking/search_query.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kMaxSourceBytes = 65535;

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

LoggedModel registry_logged_model(Transaction& transaction, const std::string& model_id) {
  LoggedModel model = find_logged_model(transaction, model_id).record;
  if (model.lifecycle_stage == "active") return model;
  throw Error(ErrorCode::kNotFound, "Logged model with ID '" + model_id + "' not found.");
}

// What a version takes over from what its source names.
struct RegistryOrigin {
  std::string run_id, model_id, storage;
};

RegistryOrigin registry_origin(Transaction& transaction, const Registry::NewVersion& wanted) {
  RegistryOrigin origin{wanted.run_id, wanted.model_id, ""};
  if (is_models_uri(wanted.source)) {
    try {
      const ModelUri uri = parse_model_uri(wanted.source);
      if (!uri.model_id.empty()) {
        const LoggedModel model = registry_logged_model(transaction, uri.model_id);
        if (origin.run_id.empty()) origin.run_id = model.source_run_id;
        if (origin.model_id.empty()) origin.model_id = uri.model_id;
      } else {
        const ModelVersion version = find_version_by_uri(transaction, uri);
        if (origin.run_id.empty()) origin.run_id = version.run_id;
        if (origin.model_id.empty()) origin.model_id = version.model_id;
        Statement row = transaction.query(
            "SELECT iif(storage = '', source, storage) FROM model_versions JOIN registered_models "
            "USING (model) WHERE name = ? AND version = ?",
            version.name, version.version);
        if (row.step()) origin.storage = row.text(0);
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kInvalidParameter)
        throw;
      throw Error(error.code(), "Unable to fetch model from model URI source artifact location '" +
                                    wanted.source + "'. Error: " + error.message());
    }
  }
  if (origin.run_id.empty() && !origin.model_id.empty()) {
    origin.run_id = registry_logged_model(transaction, origin.model_id).source_run_id;
  }
  return origin;
}

void registry_put_alias(Transaction& transaction, std::int64_t model, const std::string& alias,
                        std::int64_t version, const std::string& user, std::int64_t now) {
  std::string before;
  {
    Statement row = transaction.query(
        "SELECT version FROM model_aliases WHERE model = ? AND alias = ?", model, alias);
    if (row.step()) before = std::to_string(row.integer(0));
  }
  const std::string after = std::to_string(version);
  if (before == after) return;
  transaction.run(
      "INSERT INTO model_aliases (model, alias, version) VALUES (?, ?, ?) ON CONFLICT (model, "
      "alias) DO UPDATE SET version = excluded.version",
      model, alias, version);
  write_registry_event(transaction, model,
                       {now, user, "set_alias", "", version, alias, before, after});
}

// Adds the version to the tag by which MLflow shows where a logged model is registered:
// [{"name": "taxi", "version": 1}].
void registry_link_logged_model(Transaction& transaction, const std::string& model_id,
                                const std::string& name, std::int64_t version) {
  constexpr char kTag[] = "mlflow.modelVersions";
  constexpr std::size_t kMaxBytes = 100000;
  std::int64_t model = 0;
  std::string value;
  {
    Statement row = transaction.query(
        "SELECT m.model, t.value FROM logged_models AS m LEFT JOIN logged_model_tags AS t ON "
        "t.model = m.model AND t.key = ? WHERE m.model_id = ?",
        kTag, model_id);
    if (!row.step()) return;
    model = row.integer(0);
    value = row.text(1);
  }
  const std::string entry = "{\"name\": " + Json(name).dump(-1, ' ', true) +
                            ", \"version\": " + std::to_string(version) + "}";
  if (value.size() > kMaxBytes) return;
  if (starts_with(value, "[{") && value.back() == ']') {
    value.back() = ',';
    value += " " + entry + "]";
  } else {
    value = "[" + entry + "]";
  }
  transaction.run("INSERT OR REPLACE INTO logged_model_tags (model, key, value) VALUES (?, ?, ?)",
                  model, kTag, value);
}

void registry_check_new_version(const Registry::NewVersion& wanted) {
  check_model_name(wanted.name);
  for (const Tag& tag : wanted.tags) check_registry_tag(tag);
  if (!wanted.alias.empty()) check_model_alias(wanted.alias);
  if (wanted.source.empty())
    throw Error(ErrorCode::kInvalidParameter, "Missing value for required parameter 'source'.");
  check_registry_text(wanted.source, "source", kMaxSourceBytes);
  if (!wanted.run_id.empty()) check_run_id(wanted.run_id);
  if (!wanted.model_id.empty()) check_logged_model_id(wanted.model_id);
  check_registry_text(wanted.run_link, "run_link", kMaxSourceBytes);
  check_registry_text(wanted.description, "description", kMaxDescriptionBytes);
}

}  // namespace

ModelVersion Registry::create_version(const NewVersion& wanted) {
  registry_check_new_version(wanted);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  // Files are placed while no other process can register anything, so that taking them back after a
  // failure can't pull them from under another version.
  RegistryPlacement placement(wanted.files);
  const std::int64_t now = now_ms();
  const RegistryOrigin origin = registry_origin(transaction, wanted);
  if (wanted.create_model &&
      !transaction.query("SELECT 1 FROM registered_models WHERE name = ?", wanted.name).step()) {
    const std::int64_t created = insert_model_row(transaction, wanted.name, "", now);
    write_registry_event(transaction, created, {now, user_, "create_model", "", 0, "", "", ""});
  }
  const std::int64_t model = find_model_row(transaction, wanted.name);
  touch_model_row(transaction, model, now);
  const std::int64_t number = transaction.insert(
      "INSERT INTO model_versions (model, version, source, storage, run_id, model_id, run_link, "
      "description, user, creation_time, last_update_time) SELECT model, 1 + "
      "max(last_deleted_version, (SELECT coalesce(max(v.version), 0) FROM model_versions AS v "
      "WHERE v.model = m.model)), ?, ?, ?, ?, ?, ?, ?, ?, ? FROM registered_models AS m WHERE "
      "model = ? RETURNING version",
      wanted.source, origin.storage, origin.run_id, origin.model_id, wanted.run_link,
      wanted.description, user_, now, now, model);
  for (const Tag& tag : wanted.tags) {
    transaction.run(
        "INSERT OR REPLACE INTO model_version_tags (model, version, key, value) VALUES (?, ?, ?, "
        "?)",
        model, number, tag.key, tag.value);
  }
  write_registry_event(transaction, model, {now, user_, "create_version", "", number, "", "", ""});
  if (!origin.model_id.empty()) {
    registry_link_logged_model(transaction, origin.model_id, wanted.name, number);
  }
  if (!wanted.alias.empty()) {
    registry_put_alias(transaction, model, wanted.alias, number, user_, now);
  }
  ModelVersion version = find_version_row(transaction, model, wanted.name, number);
  transaction.commit();
  placement.keep();
  return version;
}

ModelVersion Registry::version(const std::string& name, std::int64_t version) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return find_version_row(transaction, find_model_row(transaction, name), name, version);
}

std::vector<ModelVersion> Registry::versions(const std::string& name) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return version_rows(transaction, find_model_row(transaction, name));
}

ModelVersion Registry::latest_version(const std::string& name) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  ModelUri uri;
  uri.name = name;
  uri.latest = true;
  return find_version_by_uri(transaction, uri);
}

std::vector<ModelVersion> Registry::latest_versions(const std::string& name,
                                                    const std::vector<std::string>& stages) const {
  std::vector<std::string> wanted;
  for (const std::string& stage : stages) wanted.push_back(canonical_stage(stage));
  Transaction transaction(*database_, Transaction::Mode::kRead);
  std::vector<ModelVersion> found;
  for (ModelVersion& version :
       latest_version_rows(transaction, find_model_row(transaction, name))) {
    bool fits = wanted.empty();
    for (const std::string& stage : wanted) fits = fits || stage == version.stage;
    if (fits) found.push_back(std::move(version));
  }
  return found;
}

ModelVersion Registry::version_by_alias(const std::string& name, const std::string& alias) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return find_version_by_alias(transaction, name, alias);
}

ModelVersion Registry::version_by_uri(const std::string& uri) const {
  const ModelUri parsed = parse_model_uri(uri);
  if (!parsed.model_id.empty()) {
    throw Error(ErrorCode::kInvalidParameter,
                quoted(uri, 300) + " names a logged model, not a version of a registered one");
  }
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return find_version_by_uri(transaction, parsed);
}

SearchPage<ModelVersion> Registry::search_versions(const SearchQuery& query) const {
  SearchScope scope;
  scope.target = SearchTarget::kModelVersions;
  Transaction transaction(*database_, Transaction::Mode::kRead);
  const SearchRows rows = search_store(transaction, scope, query);
  SearchPage<ModelVersion> page;
  page.next_page_token = rows.next_page_token;
  for (const SearchRow& row : rows.rows) {
    page.items.push_back(find_version_row(transaction, row.row, "", row.version));
  }
  return page;
}

ModelVersion Registry::update_version(const std::string& name, std::int64_t version,
                                      const std::string& description) {
  check_registry_text(description, "description", kMaxDescriptionBytes);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = find_model_row(transaction, name);
  find_version_row(transaction, model, name, version);
  transaction.run(
      "UPDATE model_versions SET description = ?, last_update_time = ? WHERE model = ? AND version "
      "= ?",
      description, now_ms(), model, version);
  ModelVersion updated = find_version_row(transaction, model, name, version);
  transaction.commit();
  return updated;
}

void Registry::delete_version(const std::string& name, std::int64_t version) {
  std::vector<std::string> files;
  {
    Transaction transaction(*database_, Transaction::Mode::kWrite);
    const std::int64_t model = find_model_row(transaction, name);
    const ModelVersion found = find_version_row(transaction, model, name, version);
    {
      Statement row = transaction.query(
          "SELECT source, storage FROM model_versions WHERE model = ? AND version = ?", model,
          version);
      if (row.step()) note_files(row.text(0), row.text(1), files);
    }
    const std::int64_t now = now_ms();
    for (const std::string& alias : found.aliases) {  // they go with it
      write_registry_event(
          transaction, model,
          {now, user_, "delete_alias", "", version, alias, std::to_string(version), ""});
    }
    transaction.run("DELETE FROM model_versions WHERE model = ? AND version = ?", model, version);
    transaction.run(
        "UPDATE registered_models SET last_update_time = ?, last_deleted_version = "
        "max(last_deleted_version, ?) WHERE model = ?",
        now, version, model);
    write_registry_event(transaction, model,
                         {now, user_, "delete_version", "", version, "", found.stage, ""});
    transaction.commit();
  }
  drop_files(files);
}

void Registry::set_version_tag(const std::string& name, std::int64_t version,
                               const std::string& key, const std::string& value) {
  check_model_name(name);
  check_registry_tag({key, value});
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = find_model_row(transaction, name);
  find_version_row(transaction, model, name, version);
  transaction.run(
      "INSERT OR REPLACE INTO model_version_tags (model, version, key, value) VALUES (?, ?, ?, ?)",
      model, version, key, value);
  transaction.commit();
}

void Registry::delete_version_tag(const std::string& name, std::int64_t version,
                                  const std::string& key) {
  check_model_name(name);
  check_key(key, "key");
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = find_model_row(transaction, name);
  find_version_row(transaction, model, name, version);
  transaction.run("DELETE FROM model_version_tags WHERE model = ? AND version = ? AND key = ?",
                  model, version, key);
  transaction.commit();
}

ModelVersion Registry::set_stage(const std::string& name, std::int64_t version,
                                 const std::string& stage, bool archive_existing) {
  const std::string wanted = canonical_stage(stage);
  if (archive_existing && wanted != "Staging" && wanted != "Production") {
    throw Error(ErrorCode::kInvalidParameter,
                "Model version transition cannot archive existing model versions because '" +
                    wanted +
                    "' is not an Active stage. Valid stages are ['Staging', "
                    "'Production']");
  }
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = find_model_row(transaction, name);
  const std::string before = find_version_row(transaction, model, name, version).stage;
  const std::int64_t now = now_ms();
  const auto move = [&](std::int64_t which, const std::string& from, const std::string& to) {
    transaction.run(
        "UPDATE model_versions SET stage = ?, last_update_time = ? WHERE model = ? AND version = ?",
        to, now, model, which);
    if (from == to) return;
    write_registry_event(transaction, model, {now, user_, "set_stage", "", which, "", from, to});
  };
  if (archive_existing) {
    std::vector<std::int64_t> others;
    {
      Statement row = transaction.query(
          "SELECT version FROM model_versions WHERE model = ? AND stage = ? AND version <> ? ORDER "
          "BY version",
          model, wanted, version);
      while (row.step()) others.push_back(row.integer(0));
    }
    for (const std::int64_t other : others) move(other, wanted, "Archived");
  }
  move(version, before, wanted);
  touch_model_row(transaction, model, now);
  ModelVersion moved = find_version_row(transaction, model, name, version);
  transaction.commit();
  return moved;
}

void Registry::set_alias(const std::string& name, const std::string& alias, std::int64_t version) {
  check_model_name(name);
  check_model_alias(alias);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = find_model_row(transaction, name);
  find_version_row(transaction, model, name, version);
  registry_put_alias(transaction, model, alias, version, user_, now_ms());
  transaction.commit();
}

std::int64_t Registry::delete_alias(const std::string& name, const std::string& alias,
                                    std::int64_t only_version) {
  check_model_name(name);
  check_model_alias_name(alias);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = find_model_row(transaction, name);
  std::int64_t version = 0;
  {
    Statement row = transaction.query(
        "SELECT version FROM model_aliases WHERE model = ? AND alias = ?", model, alias);
    if (row.step()) version = row.integer(0);
  }
  if (version == 0) return 0;
  if (only_version != 0 && version != only_version) {
    throw Error(ErrorCode::kConflict, "the alias " + quoted(alias) + " of " + quoted(name, 300) +
                                          " stands on version " + std::to_string(version) +
                                          ", not on version " + std::to_string(only_version));
  }
  transaction.run("DELETE FROM model_aliases WHERE model = ? AND alias = ?", model, alias);
  write_registry_event(
      transaction, model,
      {now_ms(), user_, "delete_alias", "", version, alias, std::to_string(version), ""});
  transaction.commit();
  return version;
}

}  // namespace mlrt
