#include "tracking/tracking_store.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "store/database.hpp"
#include "tracking/metric_journal.hpp"
#include "tracking/rules.hpp"
#include "tracking/search_query.hpp"
#include "tracking/tracking_rows.hpp"

namespace mlrt {
namespace {

bool tracking_is_final(RunStatus status) {
  return status != RunStatus::kRunning && status != RunStatus::kScheduled;
}

void tracking_set_status(Transaction& transaction, std::int64_t run, RunStatus status,
                         std::int64_t end_time_ms) {
  std::optional<std::int64_t> end;
  if (tracking_is_final(status)) end = end_time_ms == 0 ? now_ms() : end_time_ms;
  transaction.run("UPDATE runs SET status = ?, end_time = ? WHERE run = ?", run_status_name(status),
                  end, run);
}

}  // namespace

TrackingStore::TrackingStore(std::shared_ptr<Database> database, std::string artifact_root)
    : database_(std::move(database)),
      artifact_root_(std::move(artifact_root)),
      journal_(&MetricJournal::of(*database_)) {}

RunRecord TrackingStore::create_run(const NewRun& run) {
  const std::int64_t experiment = parse_experiment_id(run.experiment_id);
  std::map<std::string, std::string> tags;
  for (std::size_t i = 0; i < run.tags.size(); ++i) {
    const Tag tag = checked_tag(run.tags[i], "tags[" + std::to_string(i) + "]");
    tags[tag.key] = tag.value;
  }
  std::string& name = tags[kRunNameTag];
  if (!run.name.empty() && !name.empty() && run.name != name) {
    throw Error(ErrorCode::kInvalidParameter,
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
                "different values (run_name='" +
                    run.name + "', mlflow.runName='" + name + "').");
  }
  if (!run.name.empty()) name = run.name;
  if (name.empty()) name = random_run_name();
  check_run_name(name);

  TrackingRunRow created;
  RunRecord& record = created.record;
  record.run_id = new_run_id();
  record.name = name;
  record.experiment_id = std::to_string(experiment);
  record.lifecycle_stage = "active";
  const auto tagged_user = tags.find(kUserTag);
  record.user = !run.user.empty()           ? checked_tag({kUserTag, run.user}, "").value
                : tagged_user != tags.end() ? tagged_user->second
                                            : std::string();
  record.start_time_ms = run.start_time_ms == 0 ? now_ms() : run.start_time_ms;
  for (const auto& [key, value] : tags) record.tags.push_back({key, value});

  Transaction transaction(*database_, Transaction::Mode::kWrite);
  created.experiment = experiment;
  created.experiment_location = require_active_experiment(transaction, experiment);
  created.run = transaction.insert(
      "INSERT INTO runs (run_id, experiment, name, user, status, start_time) VALUES (?, ?, ?, ?, "
      "'RUNNING', ?) RETURNING run",
      record.run_id, experiment, record.name, record.user, record.start_time_ms);
  for (const Tag& tag : record.tags) {
    transaction.run("INSERT INTO tags (run, key, value) VALUES (?, ?, ?)", created.run, tag.key,
                    tag.value);
  }
  transaction.commit();
  record.artifact_folder = run_artifact_folder(created, artifact_root_);
  return std::move(record);
}

RunRecord TrackingStore::run(const std::string& run_id) const {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return full_run_record(transaction, find_run_row(transaction, run_id), artifact_root_);
}

std::vector<RunRecord> TrackingStore::list_runs(const std::vector<std::string>& experiment_ids,
                                                std::size_t max_results) const {
  struct Row {
    std::int64_t run, start_time;
    std::string run_id;
  };
  std::vector<std::int64_t> experiments;
  for (const std::string& id : experiment_ids) experiments.push_back(parse_experiment_id(id));
  std::sort(experiments.begin(), experiments.end());
  experiments.erase(std::unique(experiments.begin(), experiments.end()), experiments.end());
  const std::int64_t limit = static_cast<std::int64_t>(std::min<std::size_t>(
      max_results, static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max())));

  Transaction transaction(*database_, Transaction::Mode::kRead);
  std::vector<Row> rows;
  const auto collect = [&rows](Statement statement) {
    while (statement.step())
      rows.push_back({statement.integer(0), statement.integer(1), statement.text(2)});
  };
  if (experiment_ids.empty()) {
    collect(transaction.query(
        "SELECT run, start_time, run_id FROM runs WHERE lifecycle_stage = 'active' ORDER BY "
        "start_time DESC, run_id LIMIT ?",
        limit));
  } else {
    for (std::int64_t experiment : experiments) {
      collect(transaction.query(
          "SELECT run, start_time, run_id FROM runs WHERE experiment = ? AND lifecycle_stage = "
          "'active' ORDER BY start_time DESC, run_id LIMIT ?",
          experiment, limit));
    }
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
      if (a.start_time != b.start_time) return a.start_time > b.start_time;
      return a.run_id < b.run_id;
    });
    if (rows.size() > max_results) rows.erase(rows.begin() + limit, rows.end());
  }
  std::vector<RunRecord> records;
  records.reserve(rows.size());
  for (const Row& row : rows) {
    records.push_back(
        full_run_record(transaction, find_run_row(transaction, row.run), artifact_root_));
  }
  return records;
}

SearchPage<RunRecord> TrackingStore::search_runs(const std::vector<std::string>& experiment_ids,
                                                 const SearchQuery& query) const {
  SearchScope scope;
  scope.target = SearchTarget::kRuns;
  scope.artifact_root = artifact_root_;
  std::vector<std::int64_t> experiments;
  for (const std::string& id : experiment_ids) experiments.push_back(parse_experiment_id(id));

  Transaction transaction(*database_, Transaction::Mode::kRead);
  bool all = false;
  if (experiment_ids.empty()) {
    all = true;  // unless there is a deleted one, whose runs are left out
    Statement row = transaction.query("SELECT experiment, lifecycle_stage FROM experiments");
    while (row.step()) {
      if (row.text(1) == "active") {
        experiments.push_back(row.integer(0));
      } else {
        all = false;
      }
    }
  }
  std::sort(experiments.begin(), experiments.end());
  experiments.erase(std::unique(experiments.begin(), experiments.end()), experiments.end());
  if (!all) scope.experiments = std::move(experiments);
  SearchPage<RunRecord> page;
  const SearchRows found = search_store(transaction, scope, query);
  page.items.reserve(found.rows.size());
  for (const SearchRow& row : found.rows) {
    page.items.push_back(
        full_run_record(transaction, find_run_row(transaction, row.row), artifact_root_));
  }
  page.next_page_token = found.next_page_token;
  return page;
}

RunRecord TrackingStore::update_run(const std::string& run_id, const RunUpdate& update) {
  check_run_id(run_id);
  if (update.end_time_ms < 0) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid value " + std::to_string(update.end_time_ms) +
                    " for parameter 'end_time' supplied: it must not be negative");
  }
  // An empty name means none, as in MLflow.
  const bool renames = update.name && !update.name->empty();
  if (renames) check_run_name(*update.name);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = find_active_run_row(transaction, run_id);
  if (update.status) {
    tracking_set_status(transaction, row.run, *update.status, update.end_time_ms);
  } else if (update.end_time_ms != 0) {
    transaction.run("UPDATE runs SET end_time = ? WHERE run = ?", update.end_time_ms, row.run);
  }
  if (renames) write_run_tags(transaction, row.run, {{kRunNameTag, *update.name}});
  RunRecord record =
      full_run_record(transaction, find_run_row(transaction, row.run), artifact_root_);
  transaction.commit();
  return record;
}

void TrackingStore::end_run(const std::string& run_id, RunStatus status, std::int64_t end_time_ms) {
  check_run_id(run_id);
  if (!tracking_is_final(status)) {
    throw Error(
        ErrorCode::kInvalidParameter,
        std::string("a run ends as FINISHED, FAILED or KILLED, not as ") + run_status_name(status));
  }
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = find_active_run_row(transaction, run_id);
  tracking_set_status(transaction, row.run, status, end_time_ms);
  transaction.commit();
}

void TrackingStore::delete_run(const std::string& run_id) {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = find_run_row(transaction, run_id);
  // Deleting again does not make it younger for collect_garbage.
  transaction.run(
      "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE run = ? AND "
      "lifecycle_stage = 'active'",
      now_ms(), row.run);
  transaction.commit();
  journal_->forget_run(run_id);
}

void TrackingStore::restore_run(const std::string& run_id) {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = find_run_row(transaction, run_id);
  transaction.run("UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE run = ?",
                  row.run);
  transaction.commit();
}

std::string TrackingStore::artifact_folder(const std::string& run_id, bool must_be_active) const {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kReadStored);
  const TrackingRunRow row =
      must_be_active ? find_active_run_row(transaction, run_id) : find_run_row(transaction, run_id);
  return run_artifact_folder(row, artifact_root_);
}

}  // namespace mlrt
