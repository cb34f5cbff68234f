#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "store/database.hpp"
#include "tracking/metric_journal.hpp"
#include "tracking/rules.hpp"
#include "tracking/search_query.hpp"
#include "tracking/tracking_rows.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {
namespace {

// A name is taken by deleted experiments too.
void experiment_check_name_free(Transaction& transaction, const std::string& name,
                                std::int64_t but_for) {
  Statement found = transaction.query("SELECT experiment FROM experiments WHERE name = ?", name);
  if (!found.step() || found.integer(0) == but_for) return;
  throw Error(ErrorCode::kAlreadyExists, "Experiment(name=" + name + ") already exists.");
}

void experiment_write_tag(Transaction& transaction, std::int64_t experiment, const Tag& tag) {
  transaction.run(
      "INSERT INTO experiment_tags (experiment, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
      "SET value = excluded.value",
      experiment, tag.key, tag.value);
}

// Throws kNotFound unless the experiment is there and in that stage.
void experiment_require_stage(Transaction& transaction, std::int64_t experiment,
                              const char* stage) {
  Statement found = transaction.query(
      "SELECT 1 FROM experiments WHERE experiment = ? AND lifecycle_stage = ?", experiment, stage);
  if (found.step()) return;
  throw Error(ErrorCode::kNotFound,
              "No Experiment with id=" + std::to_string(experiment) + " exists");
}

}  // namespace

std::string TrackingStore::create_experiment(const std::string& name,
                                             const std::string& artifact_location,
                                             const std::vector<Tag>& tags) {
  check_experiment_name(name);
  std::optional<std::string> location;
  if (!artifact_location.empty()) location = checked_artifact_location(artifact_location);
  for (const Tag& tag : tags) check_experiment_tag(tag);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  experiment_check_name_free(transaction, name, -1);
  const std::int64_t now = now_ms();
  const std::int64_t id = transaction.insert(
      "INSERT INTO experiments (name, artifact_location, creation_time, last_update_time) VALUES "
      "(?, ?, ?, ?) RETURNING experiment",
      name, location, now, now);
  for (const Tag& tag : tags) experiment_write_tag(transaction, id, tag);
  transaction.commit();
  return std::to_string(id);
}

Experiment TrackingStore::experiment(const std::string& id) const {
  const std::int64_t number = parse_experiment_id(id);
  Transaction transaction(*database_, Transaction::Mode::kReadStored);
  return find_experiment_row(transaction, number, artifact_root_);
}

std::optional<Experiment> TrackingStore::experiment_by_name(const std::string& name) const {
  check_experiment_name(name);
  Transaction transaction(*database_, Transaction::Mode::kReadStored);
  return find_experiment_row(transaction, name, artifact_root_);
}

std::vector<Experiment> TrackingStore::list_experiments() const {
  Transaction transaction(*database_, Transaction::Mode::kReadStored);
  std::vector<Experiment> experiments;
  Statement row = transaction.query(
      "SELECT experiment FROM experiments WHERE lifecycle_stage = 'active' ORDER BY experiment");
  while (row.step())
    experiments.push_back(find_experiment_row(transaction, row.integer(0), artifact_root_));
  return experiments;
}

SearchPage<Experiment> TrackingStore::search_experiments(const SearchQuery& query) const {
  SearchScope scope;
  scope.target = SearchTarget::kExperiments;
  Transaction transaction(*database_, Transaction::Mode::kReadStored);
  const SearchRows found = search_store(transaction, scope, query);
  SearchPage<Experiment> page;
  for (const SearchRow& row : found.rows)
    page.items.push_back(find_experiment_row(transaction, row.row, artifact_root_));
  page.next_page_token = found.next_page_token;
  return page;
}

void TrackingStore::rename_experiment(const std::string& id, const std::string& name) {
  const std::int64_t number = parse_experiment_id(id);
  check_experiment_name(name);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  if (find_experiment_row(transaction, number, artifact_root_).lifecycle_stage != "active") {
    throw Error(ErrorCode::kInvalidParameter, "Cannot rename a non-active experiment.");
  }
  experiment_check_name_free(transaction, name, number);
  transaction.run("UPDATE experiments SET name = ?, last_update_time = ? WHERE experiment = ?",
                  name, now_ms(), number);
  transaction.commit();
}

void TrackingStore::delete_experiment(const std::string& id) {
  const std::int64_t number = parse_experiment_id(id);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  experiment_require_stage(transaction, number, "active");
  const std::int64_t now = now_ms();
  transaction.run(
      "UPDATE experiments SET lifecycle_stage = 'deleted', deleted_time = ?, last_update_time = ? "
      "WHERE experiment = ?",
      now, now, number);
  transaction.run(
      "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE experiment = ? AND "
      "lifecycle_stage = 'active'",
      now, number);
  transaction.commit();
  journal_->forget_all_runs();
}

void TrackingStore::restore_experiment(const std::string& id) {
  const std::int64_t number = parse_experiment_id(id);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  experiment_require_stage(transaction, number, "deleted");
  transaction.run(
      "UPDATE experiments SET lifecycle_stage = 'active', deleted_time = NULL, last_update_time = "
      "? WHERE experiment = ?",
      now_ms(), number);
  transaction.run(
      "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE experiment = ? AND "
      "lifecycle_stage = 'deleted'",
      number);
  transaction.commit();
}

void TrackingStore::set_experiment_tag(const std::string& id, const std::string& key,
                                       const std::string& value) {
  const std::int64_t number = parse_experiment_id(id);
  check_experiment_tag({key, value});
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  require_active_experiment(transaction, number);
  experiment_write_tag(transaction, number, {key, value});
  transaction.commit();
}

void TrackingStore::delete_experiment_tag(const std::string& id, const std::string& key) {
  const std::int64_t number = parse_experiment_id(id);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  require_active_experiment(transaction, number);
  const std::int64_t found = transaction.insert(
      "DELETE FROM experiment_tags WHERE experiment = ? AND key = ? RETURNING 1", number, key);
  if (found == 0) {
    throw Error(ErrorCode::kNotFound, "No tag with name: " + key + " in experiment with id " + id);
  }
  transaction.commit();
}

}  // namespace mlrt
