#include <set>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "store/database.hpp"
#include "tracking/logged_model_rows.hpp"
#include "tracking/metric_blocks.hpp"
#include "tracking/metric_journal.hpp"
#include "tracking/rules.hpp"
#include "tracking/tracking_rows.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {
namespace {

constexpr char kDatasetContextTag[] = "mlflow.data.context";

void tracking_write_params(Transaction& transaction, const TrackingRunRow& row,
                           const std::vector<Param>& params) {
  for (const Param& param : params) {
    if (transaction.run_changes(
            "INSERT INTO params (run, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row.run,
            param.key, param.value)) {
      continue;
    }
    std::string old;
    {
      Statement found = transaction.query("SELECT value FROM params WHERE run = ? AND key = ?",
                                          row.run, param.key);
      if (found.step()) old = found.text(0);
    }
    if (old != param.value) {
      throw Error(ErrorCode::kInvalidParameter,
                  "Changing param values is not allowed. Param with key='" + param.key +
                      "' was already logged with value='" + old + "' for run ID='" +
                      row.record.run_id + "'. Attempted logging new value '" + param.value + "'.");
    }
  }
}

void tracking_write_metrics(Transaction& transaction, const TrackingRunRow& row,
                            std::vector<Metric> metrics) {
  const std::int64_t now = now_ms();
  std::vector<MetricRecord> records;
  records.reserve(metrics.size());
  std::set<std::string_view> models;
  for (Metric& metric : metrics) {
    if (metric.timestamp_ms == 0) metric.timestamp_ms = now;
    // Only a model that is there can have metrics: a mistyped id would lose them.
    if (!metric.model_id.empty() && models.insert(metric.model_id).second)
      find_logged_model(transaction, metric.model_id);
    records.push_back({&metric, transaction.next_sequence()});
  }
  add_metrics(transaction, row.run, transaction.writer_id(), records);
}

// Everything is checked before the store is asked for anything.
void tracking_log(Database& database, MetricJournal& journal, const std::string& run_id,
                  const std::vector<Metric>& metrics, const std::vector<Param>& params,
                  const std::vector<Tag>& tags, bool numbered) {
  check_run_id(run_id);
  check_metrics(metrics, numbered);
  std::vector<Param> kept_params;
  kept_params.reserve(params.size());
  for (const Param& param : params) {
    kept_params.push_back(checked_param(
        param, numbered ? "params[" + std::to_string(kept_params.size()) + "]" : std::string()));
  }
  const std::vector<Tag> kept_tags = checked_tags(tags, numbered);
  check_unique_params(kept_params);

  if (params.empty() && tags.empty()) {
    journal.log(*journal.open_run(run_id), metrics);
    return;
  }
  // All or nothing takes one transaction.
  Transaction transaction(database, Transaction::Mode::kWrite);
  const TrackingRunRow row = find_active_run_row(transaction, run_id);
  tracking_write_params(transaction, row, kept_params);
  tracking_write_metrics(transaction, row, metrics);
  write_run_tags(transaction, row.run, kept_tags);
  transaction.commit();
}

// MLflow has the context among the tags.
DatasetInput tracking_checked_input(const DatasetInput& input) {
  DatasetInput checked = input;
  checked.tags.clear();
  for (const Tag& tag : input.tags) {
    if (tag.key != kDatasetContextTag) {
      checked.tags.push_back(tag);
    } else if (checked.context.empty()) {
      checked.context = tag.value;
    }
  }
  check_dataset(checked);
  return checked;
}

void tracking_write_input(Transaction& transaction, const TrackingRunRow& row,
                          const DatasetInput& input) {
  // A data set is known by name and digest: what it was described as first stays.
  transaction.run(
      "INSERT OR IGNORE INTO datasets (experiment, name, digest, source_type, source, schema, "
      "profile) VALUES (?, ?, ?, ?, ?, ?, ?)",
      row.experiment, input.name, input.digest, input.source_type, input.source, input.schema,
      input.profile);
  std::int64_t dataset = 0;
  {
    Statement found = transaction.query(
        "SELECT dataset FROM datasets WHERE experiment = ? AND name = ? AND digest = ?",
        row.experiment, input.name, input.digest);
    if (found.step()) dataset = found.integer(0);
  }
  const std::int64_t is_new = transaction.insert(
      "INSERT OR IGNORE INTO inputs (run, dataset, context) VALUES (?, ?, ?) RETURNING 1", row.run,
      dataset, input.context);
  if (is_new == 0) return;
  for (const Tag& tag : input.tags) {
    transaction.run(
        "INSERT INTO input_tags (run, dataset, context, key, value) VALUES (?, ?, ?, ?, ?) ON "
        "CONFLICT DO UPDATE SET value = excluded.value",
        row.run, dataset, input.context, tag.key, tag.value);
  }
}

}  // namespace

void TrackingStore::log_params(const std::string& run_id, const std::vector<Param>& params) {
  tracking_log(*database_, *journal_, run_id, {}, params, {}, params.size() > 1);
}

void TrackingStore::log_metrics(const std::string& run_id, const std::vector<Metric>& metrics) {
  tracking_log(*database_, *journal_, run_id, metrics, {}, {}, metrics.size() > 1);
}

std::shared_ptr<RunMetrics> TrackingStore::open_metrics(const std::string& run_id, bool is_active) {
  check_run_id(run_id);
  return is_active ? journal_->adopt_run(run_id) : journal_->open_run(run_id);
}

void TrackingStore::log_metric(RunMetrics& run, std::string_view key, double value,
                               std::int64_t step, std::int64_t timestamp_ms) {
  journal_->log(run, key, value, step, timestamp_ms);
}

void TrackingStore::log_metrics(RunMetrics& run, const std::vector<Metric>& metrics) {
  check_metrics(metrics, metrics.size() > 1);
  journal_->log(run, metrics);
}

void TrackingStore::set_tags(const std::string& run_id, const std::vector<Tag>& tags) {
  tracking_log(*database_, *journal_, run_id, {}, {}, tags, tags.size() > 1);
}

void TrackingStore::log_batch(const std::string& run_id, const std::vector<Metric>& metrics,
                              const std::vector<Param>& params, const std::vector<Tag>& tags) {
  check_batch_limits(metrics.size(), params.size(), tags.size());
  tracking_log(*database_, *journal_, run_id, metrics, params, tags, true);
}

void TrackingStore::delete_tag(const std::string& run_id, const std::string& key) {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = find_active_run_row(transaction, run_id);
  const std::int64_t found =
      transaction.insert("DELETE FROM tags WHERE run = ? AND key = ? RETURNING 1", row.run, key);
  if (found == 0) {
    throw Error(ErrorCode::kNotFound, "No tag with name: " + key + " in run with id " + run_id);
  }
  transaction.commit();
}

void TrackingStore::log_inputs(const std::string& run_id, const std::vector<DatasetInput>& inputs) {
  check_run_id(run_id);
  std::vector<DatasetInput> checked;
  for (const DatasetInput& input : inputs) checked.push_back(tracking_checked_input(input));
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = find_active_run_row(transaction, run_id);
  for (const DatasetInput& input : checked) tracking_write_input(transaction, row, input);
  transaction.commit();
}

void TrackingStore::log_outputs(const std::string& run_id, const std::vector<RunOutput>& outputs) {
  check_run_id(run_id);
  for (const RunOutput& output : outputs) check_logged_model_id(output.model_id);
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  const TrackingRunRow row = find_active_run_row(transaction, run_id);
  for (const RunOutput& output : outputs) {
    transaction.run(
        "INSERT INTO outputs (run, model_id, step) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET step "
        "= excluded.step",
        row.run, output.model_id, output.step);
  }
  transaction.commit();
}

void TrackingStore::bring_in_metrics() const { journal_->before_read(); }

std::vector<Metric> TrackingStore::metric_history(const std::string& run_id, const std::string& key,
                                                  std::size_t offset, std::size_t limit) const {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return read_metric_history(transaction, find_run_row(transaction, run_id).run, key, 0, offset,
                             limit);
}

std::vector<Metric> TrackingStore::sampled_history(const std::string& run_id,
                                                   const std::string& key,
                                                   std::size_t max_points) const {
  check_run_id(run_id);
  Transaction transaction(*database_, Transaction::Mode::kRead);
  return read_metric_history(transaction, find_run_row(transaction, run_id).run, key,
                             max_points == 0 ? 1 : max_points);
}

}  // namespace mlrt
