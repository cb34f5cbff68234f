#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/hash.hpp"
#include "core/ids.hpp"
#include "core/interrupt.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "store/connection.hpp"
#include "store/database.hpp"
#include "tracking/exchange.hpp"
#include "tracking/logged_model_rows.hpp"
#include "tracking/metric_blocks.hpp"
#include "tracking/mlflow_schema.hpp"

namespace mlrt {
namespace {

constexpr int kExportBusyTimeoutMs = 1000;

// MLflow's columns hold neither infinities nor NaNs.
double export_number(double value) {
  if (std::isnan(value)) return 0;
  if (value == HUGE_VAL) return std::numeric_limits<double>::max();
  if (value == -HUGE_VAL) return std::numeric_limits<double>::lowest();
  return value;
}

// MLflow's ids of rows that have none here: the same content gives the same id.
std::string export_row_id(const std::vector<std::string>& parts) {
  return sha256_hex(join(parts, "\n")).substr(0, 32);
}

std::optional<std::string> export_optional(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

class MlflowExport {
 public:
  MlflowExport(const TrackingStore& store, Database& source, StoreConnection& target)
      : store_(store), source_(source), target_(target) {}

  void run() {
    target_.execute("BEGIN");
    for (const char* const* tables = kMlflowTables; *tables; ++tables) target_.execute(*tables);
    insert("INSERT INTO alembic_version VALUES (?)", std::string(kMlflowRevision));
    for (std::int64_t id : integers("SELECT experiment FROM experiments ORDER BY experiment")) {
      write_experiment(std::to_string(id));
    }
    // A run and all that hangs on it is one state; a model's metrics need model and run.
    std::vector<std::pair<std::string, std::optional<std::int64_t>>> runs;
    {
      Transaction reading(source_, Transaction::Mode::kRead);
      Statement row = reading.query("SELECT run_id, deleted_time FROM runs ORDER BY run");
      while (row.step()) {
        runs.emplace_back(row.text(0), row.is_null(1)
                                           ? std::nullopt
                                           : std::optional<std::int64_t>(row.integer(1)));
      }
    }
    write_logged_models();
    for (const auto& run : runs) write_run(run.first, run.second);
    write_registered_models();
    target_.execute("COMMIT");
  }

 private:
  template <typename... Values>
  void insert(std::string_view sql, const Values&... values) {
    target_.prepare(sql).bind_all(values...).run();
  }

  std::vector<std::int64_t> integers(std::string_view sql) {
    Transaction reading(source_, Transaction::Mode::kRead);
    Statement row = reading.query(sql);
    std::vector<std::int64_t> found;
    while (row.step()) found.push_back(row.integer(0));
    return found;
  }

  void write_experiment(const std::string& id) {
    const Experiment experiment = store_.experiment(id);
    insert(
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, "
        "creation_time, last_update_time) VALUES (?, ?, ?, ?, ?, ?)",
        std::stoll(id), experiment.name, experiment.artifact_location, experiment.lifecycle_stage,
        experiment.creation_time_ms, experiment.last_update_time_ms);
    for (const Tag& tag : experiment.tags) {
      insert("INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)", tag.key,
             tag.value, std::stoll(id));
    }
  }

  void write_run(const std::string& run_id, std::optional<std::int64_t> deleted_time) {
    check_interrupt();
    const RunRecord run = store_.run(run_id);
    const std::int64_t experiment = std::stoll(run.experiment_id);
    std::optional<std::int64_t> end_time;
    if (run.end_time_ms != 0) end_time = run.end_time_ms;
    insert(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, "
        "status, start_time, end_time, source_version, lifecycle_stage, artifact_uri, "
        "experiment_id, deleted_time) VALUES (?, ?, 'UNKNOWN', '', '', ?, ?, ?, ?, '', ?, ?, ?, "
        "?)",
        run_id, run.name, run.user, run_status_name(run.status), run.start_time_ms, end_time,
        run.lifecycle_stage, run.artifact_folder, experiment, deleted_time);
    for (const Param& param : run.params) {
      insert("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", param.key, param.value,
             run_id);
    }
    for (const Tag& tag : run.tags) {
      insert("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", tag.key, tag.value,
             run_id);
    }
    for (const Metric& latest : run.metrics) {
      insert(
          "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, "
          "?, ?, ?, ?, ?)",
          latest.key, export_number(latest.value), latest.timestamp_ms, latest.step,
          std::isnan(latest.value), run_id);
      write_history(run_id, experiment, latest.key);
    }
    for (const DatasetInput& input : run.inputs) write_input(run_id, experiment, input);
    for (const RunOutput& output : run.outputs) {
      insert(
          "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, "
          "destination_id, step) VALUES (?, 'RUN_OUTPUT', ?, 'MODEL_OUTPUT', ?, ?)",
          export_row_id({"output", run_id, output.model_id}), run_id, output.model_id, output.step);
    }
    for (const std::string& model_id : run.model_inputs) {
      insert(
          "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, "
          "destination_id) VALUES (?, 'RUN_INPUT', ?, 'MODEL_INPUT', ?)",
          export_row_id({"model input", run_id, model_id}), run_id, model_id);
    }
  }

  void write_history(const std::string& run_id, std::int64_t experiment, const std::string& key) {
    for (const Metric& metric : store_.metric_history(run_id, key)) {
      const double value = export_number(metric.value);
      // Two values that are the same for MLflow (infinity and the greatest double).
      insert(
          "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, "
          "?, ?, ?) ON CONFLICT DO NOTHING",
          metric.key, value, metric.timestamp_ms, run_id, metric.step, std::isnan(metric.value));
      if (metric.model_id.empty()) continue;
      // Of a model that is not in this store there is no row to hang it on.
      insert(
          "INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, "
          "metric_step, metric_value, experiment_id, run_id, dataset_uuid, dataset_name, "
          "dataset_digest) SELECT ?, ?, ?, ?, ?, ?, ?, NULL, ?, ? WHERE EXISTS (SELECT 1 FROM "
          "logged_models WHERE model_id = ?) ON CONFLICT DO NOTHING",
          metric.model_id, metric.key, metric.timestamp_ms, metric.step, value, experiment, run_id,
          export_optional(metric.dataset_name), export_optional(metric.dataset_digest),
          metric.model_id);
    }
  }

  void write_input(const std::string& run_id, std::int64_t experiment, const DatasetInput& input) {
    const std::string dataset =
        export_row_id({"dataset", std::to_string(experiment), input.name, input.digest});
    insert(
        "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, "
        "dataset_source, dataset_schema, dataset_profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON "
        "CONFLICT DO NOTHING",
        dataset, experiment, input.name, input.digest, input.source_type, input.source,
        export_optional(input.schema), export_optional(input.profile));
    // MLflow has a data set once a run: of two contexts the first is kept.
    const std::string id = export_row_id({"input", run_id, dataset});
    insert(
        "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, "
        "destination_id) VALUES (?, 'DATASET', ?, 'RUN', ?) ON CONFLICT DO NOTHING",
        id, dataset, run_id);
    const auto tag = [&](const std::string& name, const std::string& value) {
      insert(
          "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?) ON CONFLICT DO "
          "NOTHING",
          id, name, value);
    };
    if (!input.context.empty()) tag("mlflow.data.context", input.context);
    for (const Tag& one : input.tags) tag(one.key, one.value);
  }

  void write_logged_models() {
    std::vector<std::string> ids;
    {
      Transaction reading(source_, Transaction::Mode::kRead);
      Statement row = reading.query("SELECT model_id FROM logged_models ORDER BY model");
      while (row.step()) ids.push_back(row.text(0));
    }
    for (const std::string& id : ids) {
      check_interrupt();
      Transaction reading(source_, Transaction::Mode::kRead);
      const LoggedModelRow row = find_logged_model(reading, id);
      const LoggedModel& model = row.record;
      const std::int64_t experiment = std::stoll(model.experiment_id);
      const int status = model.status == LoggedModelStatus::kReady    ? 2
                         : model.status == LoggedModelStatus::kFailed ? 3
                                                                      : 1;
      insert(
          "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, "
          "creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage, "
          "model_type, source_run_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          id, experiment, model.name, logged_model_folder(row, store_.artifact_root()),
          model.creation_time_ms, model.last_update_time_ms, status, model.lifecycle_stage,
          export_optional(model.model_type), export_optional(model.source_run_id));
      Statement param =
          reading.query("SELECT key, value FROM logged_model_params WHERE model = ?", row.model);
      while (param.step()) {
        insert(
            "INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value) "
            "VALUES (?, ?, ?, ?)",
            id, experiment, param.text(0), param.text(1));
      }
      Statement tag =
          reading.query("SELECT key, value FROM logged_model_tags WHERE model = ?", row.model);
      while (tag.step()) {
        insert(
            "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value) VALUES "
            "(?, ?, ?, ?)",
            id, experiment, tag.text(0), tag.text(1));
      }
    }
  }

  void write_registered_models() {
    Transaction reading(source_, Transaction::Mode::kRead);
    Statement model = reading.query(
        "SELECT name, creation_time, last_update_time, description FROM registered_models");
    while (model.step()) {
      insert(
          "INSERT INTO registered_models (name, creation_time, last_updated_time, description) "
          "VALUES (?, ?, ?, ?)",
          model.text(0), model.integer(1), model.integer(2), export_optional(model.text(3)));
    }
    Statement version = reading.query(
        "SELECT name, version, v.creation_time, v.last_update_time, v.description, source, run_id, "
        "stage, run_link, user, storage FROM model_versions AS v JOIN registered_models AS m USING "
        "(model) "
        // The highest number that was deleted, which MLflow is not to give again either.
        "UNION ALL SELECT name, last_deleted_version, last_update_time, last_update_time, '', "
        "'REDACTED-SOURCE-PATH', 'REDACTED-RUN-ID', 'Deleted_Internal', 'REDACTED-RUN-LINK', '', "
        "'' "
        "FROM registered_models AS m WHERE last_deleted_version > 0 AND NOT EXISTS (SELECT 1 FROM "
        "model_versions AS v WHERE v.model = m.model AND v.version = m.last_deleted_version)");
    while (version.step()) {
      insert(
          "INSERT INTO model_versions (name, version, creation_time, last_updated_time, "
          "description, source, run_id, current_stage, run_link, user_id, storage_location, "
          "status) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'READY')",
          version.text(0), version.integer(1), version.integer(2), version.integer(3),
          export_optional(version.text(4)), version.text(5), export_optional(version.text(6)),
          version.text(7), export_optional(version.text(8)), export_optional(version.text(9)),
          export_optional(version.text(10)));
    }
    Statement alias = reading.query(
        "SELECT name, alias, version FROM model_aliases JOIN registered_models USING (model)");
    while (alias.step()) {
      insert("INSERT INTO registered_model_aliases (name, alias, version) VALUES (?, ?, ?)",
             alias.text(0), alias.text(1), alias.integer(2));
    }
    Statement tag = reading.query(
        "SELECT name, key, value FROM registered_model_tags JOIN registered_models USING (model)");
    while (tag.step()) {
      insert("INSERT INTO registered_model_tags (name, key, value) VALUES (?, ?, ?)", tag.text(0),
             tag.text(1), tag.text(2));
    }
    Statement version_tag = reading.query(
        "SELECT name, version, key, value FROM model_version_tags JOIN registered_models USING "
        "(model)");
    while (version_tag.step()) {
      insert("INSERT INTO model_version_tags (name, version, key, value) VALUES (?, ?, ?, ?)",
             version_tag.text(0), version_tag.integer(1), version_tag.text(2), version_tag.text(3));
    }
  }

  const TrackingStore& store_;
  Database& source_;
  StoreConnection& target_;
};

// A file under way; removed unless it is put into its place.
class ExportFile {
 public:
  explicit ExportFile(std::string path) : path_(std::move(path)) {}
  ~ExportFile() {
    for (const char* suffix : {"", "-journal"}) {
      try {
        fs::remove_file(path_ + suffix);
      } catch (const Error& error) {
        log_warn("a temporary file was left behind",
                 {{"path", path_ + suffix}, {"error", error.message()}});
      }
    }
  }
  ExportFile(const ExportFile&) = delete;
  ExportFile& operator=(const ExportFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

std::string export_mlflow(const TrackingStore& store, const std::shared_ptr<Database>& database,
                          const std::string& path) {
  if (fs::exists(path)) {
    throw Error(ErrorCode::kAlreadyExists,
                "cannot export to " + quoted(path, 300) + ": it is there already");
  }
  const std::string target = fs::absolute(path);
  if (!fs::is_folder(fs::parent(target))) {
    throw Error(ErrorCode::kNotFound, "cannot export to " + quoted(path, 300) +
                                          ": there is no folder " +
                                          quoted(fs::parent(target), 300));
  }
  const ExportFile file(target + ".mlrt-" + random_hex(8) + ".tmp");
  {
    StoreConnection connection(file.path(), path, StoreOpenMode::kReadWrite, kExportBusyTimeoutMs);
    // Nobody sees the file before it is whole, so it needs no journal.
    connection.execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL");
    MlflowExport(store, *database, connection).run();
  }
  if (fs::exists(target)) {
    throw Error(ErrorCode::kAlreadyExists,
                "cannot export to " + quoted(path, 300) + ": it is there already");
  }
  fs::rename(file.path(), target);
  fs::sync_folder(fs::parent(target));
  return kMlflowRevision;
}

}  // namespace mlrt
