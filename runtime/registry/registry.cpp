#include "registry/registry.hpp"

#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "registry/registry_rows.hpp"
#include "store/database.hpp"
#include "tracking/rules.hpp"
#include "tracking/search_query.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kMaxRegistryUserBytes = 256;

bool registry_is_prompt(const std::vector<Tag>& tags) {
  for (const Tag& tag : tags) {
    if (tag.key == kPromptTag) return true;
  }
  return false;
}

[[noreturn]] void registry_name_taken(Transaction& transaction, const std::string& name,
                                      bool wants_prompt) {
  bool has_prompt = false;
  {
    Statement row = transaction.query(
        "SELECT 1 FROM registered_model_tags JOIN registered_models USING (model) WHERE name = ? "
        "AND key = ?",
        name, kPromptTag);
    has_prompt = row.step();
  }
  const auto entity = [](bool prompt, bool title) {
    return std::string(prompt ? (title ? "Prompt" : "prompt")
                              : (title ? "Registered Model" : "registered model"));
  };
  if (has_prompt == wants_prompt) {
    throw Error(ErrorCode::kAlreadyExists,
                entity(wants_prompt, true) + " (name=" + name + ") already exists.");
  }
  throw Error(ErrorCode::kAlreadyExists,
              "Tried to create a " + entity(wants_prompt, false) + " with name '" + name +
                  "', but the name is already taken by a " + entity(has_prompt, false) +
                  ". MLflow does not allow creating a model and a prompt with the same name.");
}

bool registry_has_name(Transaction& transaction, const std::string& name) {
  return transaction.query("SELECT 1 FROM registered_models WHERE name = ?", name).step();
}

}  // namespace

Registry::Registry(std::shared_ptr<Database> database, std::string artifact_root, std::string user)
    : database_(std::move(database)),
      artifact_root_(std::move(artifact_root)),
      user_(std::move(user)) {}

Registry Registry::acting_as(std::string user) const {
  check_registry_text(user, "user", kMaxRegistryUserBytes);
  return Registry(database_, artifact_root_, std::move(user));
}

RegisteredModel Registry::create_model(const std::string& name, const std::string& description,
                                       const std::vector<Tag>& tags) {
  check_model_name(name);
  for (const Tag& tag : tags) check_registry_tag(tag);
  check_registry_text(description, "description", kMaxDescriptionBytes);

  Transaction transaction(*database_, Transaction::Mode::kWrite);
  if (registry_has_name(transaction, name)) {
    registry_name_taken(transaction, name, registry_is_prompt(tags));
  }
  const std::int64_t now = now_ms();
  const std::int64_t model = insert_model_row(transaction, name, description, now);
  for (const Tag& tag : tags) {
    transaction.run(
        "INSERT OR REPLACE INTO registered_model_tags (model, key, value) VALUES (?, ?, ?)", model,
        tag.key, tag.value);
  }
  write_registry_event(transaction, model, {now, user_, "create_model", "", 0, "", "", ""});
  RegisteredModel created = read_model_row(transaction, model);
  transaction.commit();
  return created;
}

RegisteredModel Registry::model(const std::string& name) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return read_model_row(transaction, find_model_row(transaction, name));
}

SearchPage<RegisteredModel> Registry::search_models(const SearchQuery& query) const {
  SearchScope scope;
  scope.target = SearchTarget::kRegisteredModels;
  Transaction transaction(*database_, Transaction::Mode::kRead);
  const SearchRows rows = search_store(transaction, scope, query);
  SearchPage<RegisteredModel> page;
  page.next_page_token = rows.next_page_token;
  for (const SearchRow& row : rows.rows) page.items.push_back(read_model_row(transaction, row.row));
  return page;
}

RegisteredModel Registry::rename_model(const std::string& name, const std::string& new_name) {
  if (trim(new_name).empty()) {
    throw Error(ErrorCode::kInvalidParameter, "Missing value for required parameter 'new_name'.");
  }
  check_model_name(new_name);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = find_model_row(transaction, name);
  const std::int64_t now = now_ms();
  if (name != new_name) {
    if (registry_has_name(transaction, new_name)) {
      throw Error(ErrorCode::kAlreadyExists,
                  "Registered Model (name=" + new_name + ") already exists.");
    }
    write_registry_event(transaction, model,
                         {now, user_, "rename_model", "", 0, "", name, new_name});
  }
  transaction.run("UPDATE registered_models SET name = ?, last_update_time = ? WHERE model = ?",
                  new_name, now, model);
  transaction.run("UPDATE model_versions SET last_update_time = ? WHERE model = ?", now, model);
  RegisteredModel renamed = read_model_row(transaction, model);
  transaction.commit();
  return renamed;
}

RegisteredModel Registry::update_model(const std::string& name, const std::string& description) {
  check_registry_text(description, "description", kMaxDescriptionBytes);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const std::int64_t model = find_model_row(transaction, name);
  transaction.run(
      "UPDATE registered_models SET description = ?, last_update_time = ? WHERE model = ?",
      description, now_ms(), model);
  RegisteredModel updated = read_model_row(transaction, model);
  transaction.commit();
  return updated;
}

void Registry::delete_model(const std::string& name, bool with_versions) {
  std::vector<std::string> files;
  {
    Transaction transaction(*database_, Transaction::Mode::kWrite);
    const std::int64_t model = find_model_row(transaction, name);
    {
      Statement row =
          transaction.query("SELECT source, storage FROM model_versions WHERE model = ?", model);
      while (row.step()) {
        if (!with_versions) {
          throw Error(ErrorCode::kConflict,
                      "the model " + quoted(name, 300) + " has versions, which would go with it");
        }
        note_files(row.text(0), row.text(1), files);
      }
    }
    write_registry_event(transaction, model, {now_ms(), user_, "delete_model", "", 0, "", "", ""});
    transaction.run("DELETE FROM registered_models WHERE model = ?", model);
    transaction.commit();
  }
  drop_files(files);
}

void Registry::set_model_tag(const std::string& name, const std::string& key,
                             const std::string& value) {
  check_model_name(name);
  check_registry_tag({key, value});
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  transaction.run(
      "INSERT OR REPLACE INTO registered_model_tags (model, key, value) VALUES (?, ?, ?)",
      find_model_row(transaction, name), key, value);
  transaction.commit();
}

void Registry::delete_model_tag(const std::string& name, const std::string& key) {
  check_model_name(name);
  check_key(key, "key");
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  transaction.run("DELETE FROM registered_model_tags WHERE model = ? AND key = ?",
                  find_model_row(transaction, name), key);
  transaction.commit();
}

}  // namespace mlrt
