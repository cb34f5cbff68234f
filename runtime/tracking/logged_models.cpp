#include "tracking/logged_models.hpp"

#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/ids.hpp"
#include "core/text.hpp"
#include "store/database.hpp"
#include "tracking/logged_model_rows.hpp"
#include "tracking/rules.hpp"
#include "tracking/search_query.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kMaxLoggedModelText = 500;

constexpr char kLoggedModelColumns[] =
    "SELECT m.model, m.model_id, m.experiment, m.name, m.model_type, m.source_run_id, m.status, "
    "m.lifecycle_stage, m.creation_time, m.last_update_time, m.artifact_location, "
    "e.artifact_location FROM logged_models AS m JOIN experiments AS e ON e.experiment = "
    "m.experiment ";

std::optional<std::string> logged_model_optional(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.text(column);
}

LoggedModelRow logged_model_read(const Statement& row) {
  LoggedModelRow found;
  found.model = row.integer(0);
  found.record.model_id = row.text(1);
  found.experiment = row.integer(2);
  found.record.experiment_id = std::to_string(found.experiment);
  found.record.name = row.text(3);
  found.record.model_type = row.text(4);
  found.record.source_run_id = row.text(5);
  found.record.status = parse_logged_model_status(row.text(6));
  found.record.lifecycle_stage = row.text(7);
  found.record.creation_time_ms = row.integer(8);
  found.record.last_update_time_ms = row.integer(9);
  found.location = logged_model_optional(row, 10);
  found.experiment_location = logged_model_optional(row, 11);
  return found;
}

[[noreturn]] void logged_model_absent(const std::string& model_id) {
  throw Error(ErrorCode::kNotFound, "Logged model with ID '" + model_id + "' not found.");
}

LoggedModelRow logged_model_find_active(Transaction& transaction, const std::string& model_id) {
  LoggedModelRow row = find_logged_model(transaction, model_id);
  if (row.record.lifecycle_stage != "active") logged_model_absent(model_id);
  return row;
}

// Fills in what hangs on a model.
LoggedModel logged_model_full(Transaction& transaction, LoggedModelRow row,
                              const std::string& root) {
  LoggedModel& record = row.record;
  record.artifact_folder = logged_model_folder(row, root);
  {
    Statement rows = transaction.query(
        "SELECT key, value FROM logged_model_params WHERE model = ? ORDER BY key", row.model);
    while (rows.step()) record.params.push_back({rows.text(0), rows.text(1)});
  }
  {
    Statement rows = transaction.query(
        "SELECT key, value FROM logged_model_tags WHERE model = ? ORDER BY key", row.model);
    while (rows.step()) record.tags.push_back({rows.text(0), rows.text(1)});
  }
  {
    Statement rows = transaction.query(
        "SELECT k.name, x.value, x.timestamp, x.step, x.dataset_name, x.dataset_digest, r.run_id "
        "FROM logged_model_metrics AS x JOIN metric_keys AS k USING (metric_key) JOIN runs AS r "
        "USING (run) WHERE x.model = ? ORDER BY k.name, x.run, x.dataset_name, x.dataset_digest",
        row.model);
    while (rows.step()) {
      record.metrics.push_back({rows.text(0), rows.real(1), rows.integer(2), rows.integer(3),
                                record.model_id, rows.text(4), rows.text(5)});
      record.metric_runs.push_back(rows.text(6));
    }
  }
  return std::move(record);
}

void logged_model_write_params(Transaction& transaction, const LoggedModelRow& row,
                               const std::vector<Param>& params) {
  for (const Param& param : params) {
    {
      Statement found =
          transaction.query("SELECT value FROM logged_model_params WHERE model = ? AND key = ?",
                            row.model, param.key);
      if (found.step()) {
        if (found.text(0) == param.value) continue;
        throw Error(ErrorCode::kInvalidParameter,
                    "Changing param values is not allowed. Param with key='" + param.key +
                        "' was already logged with value='" + found.text(0) + "' for model ID='" +
                        row.record.model_id + "'. Attempted logging new value '" + param.value +
                        "'.");
      }
    }
    transaction.run("INSERT INTO logged_model_params (model, key, value) VALUES (?, ?, ?)",
                    row.model, param.key, param.value);
  }
}

void logged_model_write_tags(Transaction& transaction, const LoggedModelRow& row,
                             const std::vector<Tag>& tags) {
  for (const Tag& tag : tags) {
    transaction.run(
        "INSERT INTO logged_model_tags (model, key, value) VALUES (?, ?, ?) ON CONFLICT (model, "
        "key) DO UPDATE SET value = excluded.value",
        row.model, tag.key, tag.value);
  }
}

std::vector<Param> logged_model_checked(const std::vector<Param>& params) {
  std::vector<Param> checked;
  for (std::size_t i = 0; i < params.size(); ++i) {
    checked.push_back(checked_param(params[i], "params[" + std::to_string(i) + "]"));
  }
  check_unique_params(checked);
  return checked;
}

std::vector<Tag> logged_model_checked(const std::vector<Tag>& tags) {
  std::vector<Tag> checked;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    checked.push_back(checked_tag(tags[i], "tags[" + std::to_string(i) + "]"));
  }
  return checked;
}

void logged_model_check_text(const std::string& text, const char* what) {
  if (!is_utf8(text)) {
    throw Error(ErrorCode::kInvalidParameter,
                std::string("'") + what + "' is not valid UTF-8: " + quoted(text));
  }
  if (text.size() > kMaxLoggedModelText) {
    throw Error(ErrorCode::kInvalidParameter, std::string("'") + what +
                                                  "' exceeds the maximum length of " +
                                                  std::to_string(kMaxLoggedModelText) + " bytes");
  }
}

void logged_model_check_active_experiment(Transaction& transaction, std::int64_t experiment) {
  Statement found =
      transaction.query("SELECT lifecycle_stage FROM experiments WHERE experiment = ?", experiment);
  if (!found.step()) {
    throw Error(ErrorCode::kNotFound,
                "No Experiment with id=" + std::to_string(experiment) + " exists");
  }
  if (found.text(0) == "active") return;
  throw Error(ErrorCode::kInvalidParameter,
              "The experiment " + std::to_string(experiment) +
                  " must be in the 'active' state. Current state is " + found.text(0) + ".");
}

}  // namespace

void check_logged_model_name(const std::string& name) {
  const bool bad = name.empty() || name.find_first_of("/:.%\"'") != std::string::npos ||
                   name.find_first_of(std::string_view("\\#\0", 3)) != std::string::npos;
  if (bad) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid model name (" + quoted(name, 300) +
                    ") provided. Model name must be a non-empty string and cannot contain the "
                    "following characters: ('/', ':', '.', '%', '\"', \"'\", '\\\\', '#')");
  }
  logged_model_check_text(name, "name");
}

bool is_logged_model_id(std::string_view id) {
  return id.size() == 34 && starts_with(id, "m-") &&
         id.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
}

LoggedModelRow find_logged_model(Transaction& transaction, const std::string& model_id) {
  static const std::string sql = std::string(kLoggedModelColumns) + "WHERE m.model_id = ?";
  Statement row = transaction.query(sql, model_id);
  if (!row.step()) logged_model_absent(model_id);
  return logged_model_read(row);
}

std::string logged_model_folder(const LoggedModelRow& row, const std::string& artifact_root) {
  if (row.location) return *row.location;
  const std::string experiment = row.experiment_location
                                     ? *row.experiment_location
                                     : fs::join(artifact_root, row.record.experiment_id);
  return fs::join(experiment, "models/" + row.record.model_id + "/artifacts");
}

LoggedModels::LoggedModels(std::shared_ptr<Database> database, std::string artifact_root)
    : database_(std::move(database)), artifact_root_(std::move(artifact_root)) {}

LoggedModel LoggedModels::create(const NewModel& model) {
  const std::int64_t experiment = parse_experiment_id(model.experiment_id);
  const std::string name = model.name.empty() ? random_run_name() : model.name;
  check_logged_model_name(name);
  logged_model_check_text(model.model_type, "model_type");
  if (!model.source_run_id.empty()) check_run_id(model.source_run_id);
  const std::vector<Param> params = logged_model_checked(model.params);
  const std::vector<Tag> tags = logged_model_checked(model.tags);
  const std::string model_id = "m-" + random_hex(16);
  const std::int64_t now = now_ms();

  Transaction transaction(*database_, Transaction::Mode::kWrite);
  logged_model_check_active_experiment(transaction, experiment);
  transaction.run(
      "INSERT INTO logged_models (model_id, experiment, name, model_type, source_run_id, status, "
      "creation_time, last_update_time) VALUES (?, ?, ?, nullif(?, ''), nullif(?, ''), 'PENDING', "
      "?, ?)",
      model_id, experiment, name, model.model_type, model.source_run_id, now, now);
  LoggedModelRow row = find_logged_model(transaction, model_id);
  logged_model_write_params(transaction, row, params);
  logged_model_write_tags(transaction, row, tags);
  LoggedModel record = logged_model_full(transaction, std::move(row), artifact_root_);
  transaction.commit();
  return record;
}

LoggedModel LoggedModels::get(const std::string& model_id, bool allow_deleted) const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return logged_model_full(transaction,
                           allow_deleted ? find_logged_model(transaction, model_id)
                                         : logged_model_find_active(transaction, model_id),
                           artifact_root_);
}

SearchPage<LoggedModel> LoggedModels::search(const std::vector<std::string>& experiment_ids,
                                             const SearchQuery& query) const {
  return search(experiment_ids, query, {}, {});
}

SearchPage<LoggedModel> LoggedModels::search(const std::vector<std::string>& experiment_ids,
                                             const SearchQuery& query,
                                             const std::vector<Order>& orders,
                                             const std::vector<Dataset>& datasets) const {
  SearchScope scope;
  scope.target = SearchTarget::kLoggedModels;
  scope.artifact_root = artifact_root_;
  for (const Order& order : orders) {
    scope.order_by.push_back(logged_model_order(order.field_name, order.ascending,
                                                order.dataset_name, order.dataset_digest));
  }
  for (const Dataset& dataset : datasets) {
    scope.datasets.push_back({dataset.name, std::nullopt});
    if (!dataset.digest.empty()) scope.datasets.back().digest = dataset.digest;
  }
  if (!experiment_ids.empty()) {
    scope.experiments.emplace();
    for (const std::string& id : experiment_ids) {
      scope.experiments->push_back(parse_experiment_id(id));
    }
  }
  static const std::string sql = std::string(kLoggedModelColumns) + "WHERE m.model = ?";
  Transaction transaction(*database_, Transaction::Mode::kRead);
  const SearchRows rows = search_store(transaction, scope, query);
  SearchPage<LoggedModel> page;
  page.next_page_token = rows.next_page_token;
  for (const SearchRow& found : rows.rows) {
    LoggedModelRow row;
    {
      Statement statement = transaction.query(sql, found.row);
      if (!statement.step()) continue;
      row = logged_model_read(statement);
    }
    page.items.push_back(logged_model_full(transaction, std::move(row), artifact_root_));
  }
  return page;
}

LoggedModel LoggedModels::finalize(const std::string& model_id, LoggedModelStatus status) {
  if (status == LoggedModelStatus::kPending) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid model status: PENDING. A logged model ends as READY or FAILED.");
  }
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const LoggedModelRow row = logged_model_find_active(transaction, model_id);
  transaction.run("UPDATE logged_models SET status = ?, last_update_time = ? WHERE model = ?",
                  logged_model_status_name(status), now_ms(), row.model);
  LoggedModel record = logged_model_full(
      transaction, logged_model_find_active(transaction, model_id), artifact_root_);
  transaction.commit();
  return record;
}

void LoggedModels::log_params(const std::string& model_id, const std::vector<Param>& params) {
  const std::vector<Param> checked = logged_model_checked(params);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const LoggedModelRow row = logged_model_find_active(transaction, model_id);
  logged_model_write_params(transaction, row, checked);
  transaction.commit();
}

void LoggedModels::set_tags(const std::string& model_id, const std::vector<Tag>& tags) {
  const std::vector<Tag> checked = logged_model_checked(tags);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const LoggedModelRow row = logged_model_find_active(transaction, model_id);
  logged_model_write_tags(transaction, row, checked);
  transaction.commit();
}

void LoggedModels::delete_tag(const std::string& model_id, const std::string& key) {
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const LoggedModelRow row = logged_model_find_active(transaction, model_id);
  {
    Statement found = transaction.query(
        "SELECT 1 FROM logged_model_tags WHERE model = ? AND key = ?", row.model, key);
    if (!found.step()) {
      throw Error(ErrorCode::kNotFound, "No tag with key " + quoted(key, 300) +
                                            " found for model with ID '" + model_id + "'.");
    }
  }
  transaction.run("DELETE FROM logged_model_tags WHERE model = ? AND key = ?", row.model, key);
  transaction.commit();
}

void LoggedModels::remove(const std::string& model_id) {
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const LoggedModelRow row = logged_model_find_active(transaction, model_id);
  const std::int64_t now = now_ms();
  transaction.run(
      "UPDATE logged_models SET lifecycle_stage = 'deleted', deleted_time = ?, last_update_time = "
      "? "
      "WHERE model = ?",
      now, now, row.model);
  transaction.commit();
}

void LoggedModels::restore(const std::string& model_id) {
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const LoggedModelRow row = find_logged_model(transaction, model_id);
  logged_model_check_active_experiment(transaction, row.experiment);
  transaction.run(
      "UPDATE logged_models SET lifecycle_stage = 'active', deleted_time = NULL, last_update_time "
      "= "
      "? WHERE model = ?",
      now_ms(), row.model);
  transaction.commit();
}

}  // namespace mlrt
