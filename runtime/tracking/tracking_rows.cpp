#include "tracking/tracking_rows.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "store/database.hpp"
#include "tracking/rules.hpp"

namespace mlrt {

const char kRunNameTag[] = "mlflow.runName";
const char kUserTag[] = "mlflow.user";

namespace {

constexpr char kTrackingRunColumns[] =
    "SELECT run, run_id, runs.name, experiment, user, status, start_time, end_time, "
    "runs.lifecycle_stage, runs.artifact_location, experiments.artifact_location FROM runs JOIN "
    "experiments USING (experiment) ";

constexpr char kTrackingExperimentColumns[] =
    "SELECT experiment, name, artifact_location, lifecycle_stage, creation_time, last_update_time "
    "FROM experiments ";

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

void tracking_read_metrics(Transaction& transaction, std::int64_t run, RunRecord& record) {
  Statement rows = transaction.query(
      "SELECT name, value, timestamp, step, model_id, dataset_name, dataset_digest FROM "
      "latest_metrics JOIN metric_keys USING (metric_key) JOIN metric_links USING (link) WHERE run "
      "= ? ORDER BY name",
      run);
  while (rows.step()) {
    record.metrics.push_back({rows.text(0), rows.real(1), rows.integer(2), rows.integer(3),
                              rows.text(4), rows.text(5), rows.text(6)});
  }
}

void tracking_read_inputs(Transaction& transaction, std::int64_t run, RunRecord& record) {
  std::vector<std::int64_t> datasets;
  {
    Statement rows = transaction.query(
        "SELECT name, digest, source_type, source, schema, profile, context, dataset FROM inputs "
        "JOIN datasets USING (dataset) WHERE run = ? ORDER BY name, digest, context",
        run);
    while (rows.step()) {
      record.inputs.push_back({rows.text(0),
                               rows.text(1),
                               rows.text(2),
                               rows.text(3),
                               rows.text(4),
                               rows.text(5),
                               rows.text(6),
                               {}});
      datasets.push_back(rows.integer(7));
    }
  }
  for (std::size_t i = 0; i < datasets.size(); ++i) {
    DatasetInput& input = record.inputs[i];
    Statement rows = transaction.query(
        "SELECT key, value FROM input_tags WHERE run = ? AND dataset = ? AND context = ? ORDER BY "
        "key",
        run, datasets[i], input.context);
    while (rows.step()) input.tags.push_back({rows.text(0), rows.text(1)});
  }
}

Experiment tracking_read_experiment(Transaction& transaction, const Statement& row,
                                    const std::string& artifact_root) {
  Experiment experiment;
  experiment.id = std::to_string(row.integer(0));
  experiment.name = row.text(1);
  experiment.artifact_location =
      experiment_artifact_folder(row.integer(0), tracking_optional_text(row, 2), artifact_root);
  experiment.lifecycle_stage = row.text(3);
  experiment.creation_time_ms = row.integer(4);
  experiment.last_update_time_ms = row.integer(5);
  Statement tag = transaction.query(
      "SELECT key, value FROM experiment_tags WHERE experiment = ? ORDER BY key", row.integer(0));
  while (tag.step()) experiment.tags.push_back({tag.text(0), tag.text(1)});
  return experiment;
}

[[noreturn]] void tracking_no_experiment(std::int64_t experiment) {
  throw Error(ErrorCode::kNotFound,
              "No Experiment with id=" + std::to_string(experiment) + " exists");
}

}  // namespace

TrackingRunRow find_run_row(Transaction& transaction, const std::string& run_id) {
  static const std::string sql = std::string(kTrackingRunColumns) + "WHERE run_id = ?";
  Statement row = transaction.query(sql, run_id);
  if (!row.step()) throw Error(ErrorCode::kNotFound, "Run with id=" + run_id + " not found");
  return tracking_read_run(row);
}

TrackingRunRow find_run_row(Transaction& transaction, std::int64_t run) {
  static const std::string sql = std::string(kTrackingRunColumns) + "WHERE run = ?";
  Statement row = transaction.query(sql, run);
  if (!row.step()) {
    throw Error(ErrorCode::kNotFound, "a run is not in the store any more",
                "run " + std::to_string(run));
  }
  return tracking_read_run(row);
}

TrackingRunRow find_active_run_row(Transaction& transaction, const std::string& run_id) {
  TrackingRunRow row = find_run_row(transaction, run_id);
  if (row.record.lifecycle_stage != "active") {
    throw Error(ErrorCode::kInvalidParameter,
                "The run " + run_id + " must be in the 'active' state. Current state is " +
                    row.record.lifecycle_stage + ".");
  }
  return row;
}

std::string experiment_artifact_folder(std::int64_t experiment,
                                       const std::optional<std::string>& location,
                                       const std::string& artifact_root) {
  return location ? *location : fs::join(artifact_root, std::to_string(experiment));
}

std::string run_artifact_folder(const TrackingRunRow& row, const std::string& artifact_root) {
  if (row.location) return *row.location;
  const std::string experiment =
      experiment_artifact_folder(row.experiment, row.experiment_location, artifact_root);
  return fs::join(fs::join(experiment, row.record.run_id), "artifacts");
}

void read_run_tags(Transaction& transaction, std::int64_t run, RunRecord& record) {
  Statement rows = transaction.query("SELECT key, value FROM tags WHERE run = ? ORDER BY key", run);
  while (rows.step()) record.tags.push_back({rows.text(0), rows.text(1)});
}

RunRecord full_run_record(Transaction& transaction, TrackingRunRow row,
                          const std::string& artifact_root) {
  RunRecord& record = row.record;
  record.artifact_folder = run_artifact_folder(row, artifact_root);
  {
    Statement rows =
        transaction.query("SELECT key, value FROM params WHERE run = ? ORDER BY key", row.run);
    while (rows.step()) record.params.push_back({rows.text(0), rows.text(1)});
  }
  read_run_tags(transaction, row.run, record);
  tracking_read_metrics(transaction, row.run, record);
  tracking_read_inputs(transaction, row.run, record);
  {
    Statement rows = transaction.query(
        "SELECT model_id, step FROM outputs WHERE run = ? ORDER BY step, model_id", row.run);
    while (rows.step()) record.outputs.push_back({rows.text(0), rows.integer(1)});
  }
  {
    Statement rows = transaction.query(
        "SELECT model_id FROM model_inputs WHERE run = ? ORDER BY model_id", row.run);
    while (rows.step()) record.model_inputs.push_back(rows.text(0));
  }
  return std::move(record);
}

Experiment find_experiment_row(Transaction& transaction, std::int64_t experiment,
                               const std::string& artifact_root) {
  static const std::string sql = std::string(kTrackingExperimentColumns) + "WHERE experiment = ?";
  Statement row = transaction.query(sql, experiment);
  if (!row.step()) tracking_no_experiment(experiment);
  return tracking_read_experiment(transaction, row, artifact_root);
}

std::optional<Experiment> find_experiment_row(Transaction& transaction, const std::string& name,
                                              const std::string& artifact_root) {
  static const std::string sql = std::string(kTrackingExperimentColumns) + "WHERE name = ?";
  Statement row = transaction.query(sql, name);
  if (!row.step()) return std::nullopt;
  return tracking_read_experiment(transaction, row, artifact_root);
}

std::optional<std::string> require_active_experiment(Transaction& transaction,
                                                     std::int64_t experiment) {
  Statement found = transaction.query(
      "SELECT lifecycle_stage, artifact_location FROM experiments WHERE experiment = ?",
      experiment);
  if (!found.step()) tracking_no_experiment(experiment);
  if (found.text(0) == "active") return tracking_optional_text(found, 1);
  throw Error(ErrorCode::kInvalidParameter,
              "The experiment " + std::to_string(experiment) +
                  " must be in the 'active' state. Current state is " + found.text(0) + ".");
}

void write_run_tags(Transaction& transaction, std::int64_t run, const std::vector<Tag>& tags) {
  for (const Tag& tag : tags) {
    transaction.run(
        "INSERT INTO tags (run, key, value) VALUES (?, ?, ?) ON CONFLICT (run, key) DO UPDATE SET "
        "value = excluded.value",
        run, tag.key, tag.value);
    if (tag.key != kRunNameTag) continue;
    check_run_name(tag.value);
    transaction.run("UPDATE runs SET name = ?1 WHERE run = ?2 AND name <> ?1", tag.value, run);
  }
}

std::vector<Tag> checked_tags(const std::vector<Tag>& tags, bool numbered) {
  std::vector<Tag> checked;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    checked.push_back(checked_tag(tags[i], numbered ? "tags[" + std::to_string(i) + "]" : ""));
  }
  return checked;
}

}  // namespace mlrt
