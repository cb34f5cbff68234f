#include "tracking/tracking_store.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/ids.hpp"
#include "store/database.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

const char kRunNameTag[] = "mlflow.runName";
const char kUserTag[] = "mlflow.user";

// A row of runs, and what of its experiment its folder depends on.
struct TrackingRunRow {
  std::int64_t run = 0;
  std::int64_t experiment = 0;
  std::optional<std::string> location, experiment_location;
  RunRecord record;
};

constexpr char kRunColumns[] =
    "SELECT run, run_id, runs.name, experiment, user, status, start_time, end_time, "
    "runs.lifecycle_stage, "
    "runs.artifact_location, experiments.artifact_location FROM runs JOIN experiments USING "
    "(experiment) ";

std::optional<std::string> tracking_optional_text(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.text(column);
}

TrackingRunRow tracking_read_run(const Statement& row) {
  TrackingRunRow found;
  found.run = row.integer(0);
  found.record.run_id = row.text(1);
  found.record.name = row.text(2);
  found.experiment = row.integer(3);
  found.record.experiment_id = std::to_string(found.experiment);
  found.record.user = row.text(4);
  found.record.status = parse_run_status(row.text(5));
  found.record.start_time_ms = row.integer(6);
  found.record.end_time_ms = row.integer(7);
  found.record.lifecycle_stage = row.text(8);
  found.location = tracking_optional_text(row, 9);
  found.experiment_location = tracking_optional_text(row, 10);
  return found;
}

TrackingRunRow tracking_find_run(Transaction& transaction, const std::string& run_id) {
  static const std::string sql = std::string(kRunColumns) + "WHERE run_id = ?";
  Statement row = transaction.query(sql, run_id);
  if (!row.step()) throw Error(ErrorCode::kNotFound, "Run with id=" + run_id + " not found");
  return tracking_read_run(row);
}

TrackingRunRow tracking_find_active_run(Transaction& transaction, const std::string& run_id) {
  TrackingRunRow row = tracking_find_run(transaction, run_id);
  if (row.record.lifecycle_stage != "active") {
    throw Error(ErrorCode::kInvalidParameter,
                "The run " + run_id + " must be in the 'active' state. Current state is " +
                    row.record.lifecycle_stage + ".");
  }
  return row;
}

std::string tracking_experiment_folder(const std::string& root, std::int64_t experiment,
                                       const std::optional<std::string>& location) {
  return location ? *location : fs::join(root, std::to_string(experiment));
}

std::string tracking_run_folder(const std::string& root, const TrackingRunRow& row) {
  if (row.location) return *row.location;
  const std::string experiment =
      tracking_experiment_folder(root, row.experiment, row.experiment_location);
  return fs::join(fs::join(experiment, row.record.run_id), "artifacts");
}

// Fills in what hangs on a run.
RunRecord tracking_full_record(Transaction& transaction, TrackingRunRow row,
                               const std::string& root) {
  RunRecord& record = row.record;
  record.artifact_folder = tracking_run_folder(root, row);
  {
    Statement rows =
        transaction.query("SELECT key, value FROM params WHERE run = ? ORDER BY key", row.run);
    while (rows.step()) record.params.push_back({rows.text(0), rows.text(1)});
  }
  {
    Statement rows =
        transaction.query("SELECT key, value FROM tags WHERE run = ? ORDER BY key", row.run);
    while (rows.step()) record.tags.push_back({rows.text(0), rows.text(1)});
  }
  {
    Statement rows = transaction.query(
        "SELECT name, value, timestamp, step FROM latest_metrics JOIN metric_keys USING "
        "(metric_key) WHERE run = ? "
        "ORDER BY name",
        row.run);
    while (rows.step())
      record.metrics.push_back({rows.text(0), rows.real(1), rows.integer(2), rows.integer(3)});
  }
  {
    Statement rows = transaction.query(
        "SELECT name, digest, source_type, source, schema, profile, context FROM inputs JOIN "
        "datasets USING (dataset) "
        "WHERE run = ? ORDER BY name, digest, context",
        row.run);
    while (rows.step()) {
      record.inputs.push_back({rows.text(0), rows.text(1), rows.text(2), rows.text(3), rows.text(4),
                               rows.text(5), rows.text(6)});
    }
  }
  return std::move(record);
}

Experiment tracking_read_experiment(const Statement& row, const std::string& root) {
  Experiment experiment;
  experiment.id = std::to_string(row.integer(0));
  experiment.name = row.text(1);
  experiment.artifact_location =
      tracking_experiment_folder(root, row.integer(0), tracking_optional_text(row, 2));
  experiment.lifecycle_stage = row.text(3);
  experiment.creation_time_ms = row.integer(4);
  experiment.last_update_time_ms = row.integer(5);
  return experiment;
}

constexpr char kExperimentColumns[] =
    "SELECT experiment, name, artifact_location, lifecycle_stage, creation_time, last_update_time "
    "FROM experiments ";

void tracking_write_params(Transaction& transaction, const TrackingRunRow& row,
                           const std::vector<Param>& params) {
  for (const Param& param : params) {
    std::optional<std::string> old;
    {
      Statement found = transaction.query("SELECT value FROM params WHERE run = ? AND key = ?",
                                          row.run, param.key);
      if (found.step()) old = found.text(0);
    }
    if (!old) {
      transaction.run("INSERT INTO params (run, key, value) VALUES (?, ?, ?)", row.run, param.key,
                      param.value);
    } else if (*old != param.value) {
      throw Error(ErrorCode::kInvalidParameter,
                  "Changing param values is not allowed. Param with key='" + param.key +
                      "' was already logged with value='" + *old + "' for run ID='" +
                      row.record.run_id + "'. Attempted logging new value '" + param.value + "'.");
    }
  }
}

void tracking_write_tags(Transaction& transaction, const TrackingRunRow& row,
                         const std::vector<Tag>& tags) {
  for (const Tag& tag : tags) {
    transaction.run(
        "INSERT INTO tags (run, key, value) VALUES (?, ?, ?) ON CONFLICT (run, key) DO UPDATE SET "
        "value = "
        "excluded.value",
        row.run, tag.key, tag.value);
    if (tag.key == kRunNameTag) {
      check_run_name(tag.value);
      transaction.run("UPDATE runs SET name = ? WHERE run = ?", tag.value, row.run);
    }
  }
}

std::int64_t tracking_intern(Transaction& transaction, const char* select, const char* insert,
                             const std::string& text) {
  {
    Statement found = transaction.query(select, text);
    if (found.step()) return found.integer(0);
  }
  return transaction.insert(insert, text);
}

void tracking_write_metrics(Transaction& transaction, const TrackingRunRow& row,
                            const std::vector<Metric>& metrics, const std::string& writer_id) {
  if (metrics.empty()) return;
  const std::int64_t now = now_ms();
  const std::int64_t writer =
      tracking_intern(transaction, "SELECT writer FROM writers WHERE writer_id = ?",
                      "INSERT INTO writers (writer_id) VALUES (?) RETURNING writer", writer_id);
  std::map<std::string, std::int64_t> keys;
  for (const Metric& metric : metrics) {
    auto [known, is_new] = keys.emplace(metric.key, 0);
    if (is_new) {
      known->second = tracking_intern(
          transaction, "SELECT metric_key FROM metric_keys WHERE name = ?",
          "INSERT INTO metric_keys (name) VALUES (?) RETURNING metric_key", metric.key);
    }
    const std::int64_t timestamp = metric.timestamp_ms == 0 ? now : metric.timestamp_ms;
    transaction.run(
        "INSERT INTO metrics (run, metric_key, writer, seq, step, timestamp, value) VALUES (?, ?, "
        "?, ?, ?, ?, ?)",
        row.run, known->second, writer, transaction.next_sequence(), metric.step, timestamp,
        metric.value);
    // MLflow's rule: the greatest (step, timestamp, value). A NaN, which is NULL here, is below all
    // values, so that the order of arrival does not matter.
    transaction.run(
        "INSERT INTO latest_metrics (run, metric_key, step, timestamp, value) VALUES (?, ?, ?, ?, "
        "?) "
        "ON CONFLICT (run, metric_key) DO UPDATE SET step = excluded.step, timestamp = "
        "excluded.timestamp, "
        "value = excluded.value WHERE excluded.step > step OR (excluded.step = step AND "
        "(excluded.timestamp > timestamp OR (excluded.timestamp = timestamp AND "
        "(value IS NULL OR excluded.value > value))))",
        row.run, known->second, metric.step, timestamp, metric.value);
  }
}

struct TrackingBatch {
  std::vector<Metric> metrics;
  std::vector<Param> params;
  std::vector<Tag> tags;
};

// Everything is checked before the store is asked for anything.
void tracking_log(Database& database, const std::string& run_id, const TrackingBatch& batch,
                  bool numbered) {
  check_run_id(run_id);
  const auto path = [numbered](const char* list, std::size_t i) {
    return numbered ? std::string(list) + "[" + std::to_string(i) + "]" : std::string();
  };
  for (std::size_t i = 0; i < batch.metrics.size(); ++i)
    check_metric(batch.metrics[i], path("metrics", i));
  std::vector<Param> params;
  for (std::size_t i = 0; i < batch.params.size(); ++i) {
    params.push_back(checked_param(batch.params[i], path("params", i)));
  }
  std::vector<Tag> tags;
  for (std::size_t i = 0; i < batch.tags.size(); ++i)
    tags.push_back(checked_tag(batch.tags[i], path("tags", i)));
  check_unique_params(params);

  Transaction transaction(database, Transaction::Mode::kWrite);
  const TrackingRunRow row = tracking_find_active_run(transaction, run_id);
  tracking_write_params(transaction, row, params);
  tracking_write_metrics(transaction, row, batch.metrics, database.writer_id());
  tracking_write_tags(transaction, row, tags);
  transaction.commit();
}

}  // namespace

TrackingStore::TrackingStore(std::shared_ptr<Database> database, std::string artifact_root)
    : database_(std::move(database)), artifact_root_(std::move(artifact_root)) {}

// ---- experiments ----

std::string TrackingStore::create_experiment(const std::string& name) {
  check_experiment_name(name);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  {
    Statement found = transaction.query("SELECT 1 FROM experiments WHERE name = ?", name);
    if (found.step())
      throw Error(ErrorCode::kAlreadyExists, "Experiment(name=" + name + ") already exists.");
  }
  const std::int64_t now = now_ms();
  const std::int64_t id = transaction.insert(
      "INSERT INTO experiments (name, creation_time, last_update_time) VALUES (?, ?, ?) RETURNING "
      "experiment",
      name, now, now);
  transaction.commit();
  return std::to_string(id);
}

Experiment TrackingStore::experiment(const std::string& id) const {
  const std::int64_t number = parse_experiment_id(id);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  static const std::string sql = std::string(kExperimentColumns) + "WHERE experiment = ?";
  Statement row = transaction.query(sql, number);
  if (!row.step()) {
    throw Error(ErrorCode::kNotFound,
                "No Experiment with id=" + std::to_string(number) + " exists");
  }
  return tracking_read_experiment(row, artifact_root_);
}

std::optional<Experiment> TrackingStore::experiment_by_name(const std::string& name) const {
  check_experiment_name(name);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  static const std::string sql = std::string(kExperimentColumns) + "WHERE name = ?";
  Statement row = transaction.query(sql, name);
  if (!row.step()) return std::nullopt;
  return tracking_read_experiment(row, artifact_root_);
}

std::vector<Experiment> TrackingStore::list_experiments() const {
  Transaction transaction(*database_, Transaction::Mode::kRead);
  static const std::string sql =
      std::string(kExperimentColumns) + "WHERE lifecycle_stage = 'active' ORDER BY experiment";
  Statement row = transaction.query(sql);
  std::vector<Experiment> experiments;
  while (row.step()) experiments.push_back(tracking_read_experiment(row, artifact_root_));
  return experiments;
}

// ---- runs ----

RunRecord TrackingStore::create_run(const NewRun& run) {
  const std::int64_t experiment = parse_experiment_id(run.experiment_id);
  std::vector<Tag> tags;
  std::string tagged_name, tagged_user;
  for (std::size_t i = 0; i < run.tags.size(); ++i) {
    tags.push_back(checked_tag(run.tags[i], "tags[" + std::to_string(i) + "]"));
    if (tags.back().key == kRunNameTag) tagged_name = tags.back().value;
    if (tags.back().key == kUserTag) tagged_user = tags.back().value;
  }
  if (!run.name.empty() && !tagged_name.empty() && run.name != tagged_name) {
    throw Error(ErrorCode::kInvalidParameter,
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
                "different values (run_name='" +
                    run.name + "', mlflow.runName='" + tagged_name + "').");
  }
  std::string name = !run.name.empty() ? run.name : tagged_name;
  if (name.empty()) name = random_run_name();
  check_run_name(name);
  const Tag user = checked_tag({kUserTag, run.user.empty() ? tagged_user : run.user}, "");
  tags.push_back({kRunNameTag, name});
  const std::string run_id = new_run_id();
  const std::int64_t start = run.start_time_ms == 0 ? now_ms() : run.start_time_ms;

  Transaction transaction(*database_, Transaction::Mode::kWrite);
  {
    Statement found = transaction.query(
        "SELECT lifecycle_stage FROM experiments WHERE experiment = ?", experiment);
    if (!found.step()) {
      throw Error(ErrorCode::kNotFound,
                  "No Experiment with id=" + std::to_string(experiment) + " exists");
    }
    if (found.text(0) != "active") {
      throw Error(ErrorCode::kInvalidParameter,
                  "The experiment " + std::to_string(experiment) +
                      " must be in the 'active' state. Current state is " + found.text(0) + ".");
    }
  }
  transaction.run(
      "INSERT INTO runs (run_id, experiment, name, user, status, start_time) VALUES (?, ?, ?, ?, "
      "'RUNNING', ?)",
      run_id, experiment, name, user.value, start);
  tracking_write_tags(transaction, tracking_find_run(transaction, run_id), tags);
  RunRecord record =
      tracking_full_record(transaction, tracking_find_run(transaction, run_id), artifact_root_);
  transaction.commit();
  return record;
}

RunRecord TrackingStore::run(const std::string& run_id) const {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return tracking_full_record(transaction, tracking_find_run(transaction, run_id), artifact_root_);
}

std::vector<RunRecord> TrackingStore::list_runs(const std::vector<std::string>& experiment_ids,
                                                std::size_t max_results) const {
  std::vector<std::int64_t> experiments;
  for (const std::string& id : experiment_ids) experiments.push_back(parse_experiment_id(id));
  std::sort(experiments.begin(), experiments.end());
  experiments.erase(std::unique(experiments.begin(), experiments.end()), experiments.end());
  const std::int64_t limit = static_cast<std::int64_t>(std::min<std::size_t>(
      max_results, static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max())));

  Transaction transaction(*database_, Transaction::Mode::kRead);
  std::vector<TrackingRunRow> rows;
  const auto collect = [&rows](Statement statement) {
    while (statement.step()) rows.push_back(tracking_read_run(statement));
  };
  if (experiment_ids.empty()) {
    static const std::string sql =
        std::string(kRunColumns) +
        "WHERE runs.lifecycle_stage = 'active' ORDER BY start_time DESC, run_id LIMIT ?";
    collect(transaction.query(sql, limit));
  } else {
    static const std::string sql = std::string(kRunColumns) +
                                   "WHERE experiment = ? AND runs.lifecycle_stage = 'active' ORDER "
                                   "BY start_time DESC, run_id LIMIT ?";
    for (std::int64_t experiment : experiments) collect(transaction.query(sql, experiment, limit));
    std::sort(rows.begin(), rows.end(), [](const TrackingRunRow& a, const TrackingRunRow& b) {
      if (a.record.start_time_ms != b.record.start_time_ms)
        return a.record.start_time_ms > b.record.start_time_ms;
      return a.record.run_id < b.record.run_id;
    });
    if (rows.size() > max_results) rows.erase(rows.begin() + limit, rows.end());
  }
  std::vector<RunRecord> records;
  records.reserve(rows.size());
  for (TrackingRunRow& row : rows) {
    records.push_back(tracking_full_record(transaction, std::move(row), artifact_root_));
  }
  return records;
}

void TrackingStore::end_run(const std::string& run_id, RunStatus status, std::int64_t end_time_ms) {
  check_run_id(run_id);
  if (status == RunStatus::kRunning || status == RunStatus::kScheduled) {
    throw Error(
        ErrorCode::kInvalidParameter,
        std::string("a run ends as FINISHED, FAILED or KILLED, not as ") + run_status_name(status));
  }
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = tracking_find_active_run(transaction, run_id);
  transaction.run("UPDATE runs SET status = ?, end_time = ? WHERE run = ?", run_status_name(status),
                  end_time_ms == 0 ? now_ms() : end_time_ms, row.run);
  transaction.commit();
}

// ---- logging ----

void TrackingStore::log_params(const std::string& run_id, const std::vector<Param>& params) {
  tracking_log(*database_, run_id, {{}, params, {}}, params.size() > 1);
}

void TrackingStore::log_metrics(const std::string& run_id, const std::vector<Metric>& metrics) {
  tracking_log(*database_, run_id, {metrics, {}, {}}, metrics.size() > 1);
}

void TrackingStore::set_tags(const std::string& run_id, const std::vector<Tag>& tags) {
  tracking_log(*database_, run_id, {{}, {}, tags}, tags.size() > 1);
}

void TrackingStore::log_batch(const std::string& run_id, const std::vector<Metric>& metrics,
                              const std::vector<Param>& params, const std::vector<Tag>& tags) {
  check_batch_limits(metrics.size(), params.size(), tags.size());
  tracking_log(*database_, run_id, {metrics, params, tags}, true);
}

void TrackingStore::log_inputs(const std::string& run_id, const std::vector<DatasetInput>& inputs) {
  check_run_id(run_id);
  for (const DatasetInput& input : inputs) check_dataset(input);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = tracking_find_active_run(transaction, run_id);
  for (const DatasetInput& input : inputs) {
    // A data set is known by name and digest: what it was described as first stays.
    transaction.run(
        "INSERT OR IGNORE INTO datasets (experiment, name, digest, source_type, source, schema, "
        "profile) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        row.experiment, input.name, input.digest, input.source_type, input.source, input.schema,
        input.profile);
    transaction.run(
        "INSERT OR IGNORE INTO inputs (run, dataset, context) SELECT ?, dataset, ? FROM datasets "
        "WHERE experiment = ? "
        "AND name = ? AND digest = ?",
        row.run, input.context, row.experiment, input.name, input.digest);
  }
  transaction.commit();
}

std::vector<Metric> TrackingStore::metric_history(const std::string& run_id,
                                                  const std::string& key) const {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  const TrackingRunRow row = tracking_find_run(transaction, run_id);
  Statement rows = transaction.query(
      "SELECT DISTINCT value, timestamp, step FROM metrics WHERE run = ? AND metric_key = (SELECT "
      "metric_key FROM "
      "metric_keys WHERE name = ?) ORDER BY timestamp, step, value",
      row.run, key);
  std::vector<Metric> history;
  while (rows.step()) history.push_back({key, rows.real(0), rows.integer(1), rows.integer(2)});
  return history;
}

std::string TrackingStore::artifact_folder(const std::string& run_id, bool must_be_active) const {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  const TrackingRunRow row = must_be_active ? tracking_find_active_run(transaction, run_id)
                                            : tracking_find_run(transaction, run_id);
  return tracking_run_folder(artifact_root_, row);
}

}  // namespace mlrt
