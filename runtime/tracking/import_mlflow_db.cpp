#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"
#include "store/schema.hpp"
#include "tracking/foreign_database.hpp"
#include "tracking/import_sources.hpp"

namespace mlrt {
namespace {

// A metric's place in MLflow's table, which a logged model's metric repeats.
using MlflowPoint = std::tuple<std::string, std::string, std::int64_t, std::int64_t>;

// One database of MLflow, any revision: columns that came later are absent in older ones.
class MlflowDatabaseImport {
 public:
  MlflowDatabaseImport(ImportSink& sink, ForeignDatabase& source) : sink_(sink), source_(source) {}

  void run() {
    std::uint64_t total = 0;
    for (const char* table : {"runs", "params", "tags", "metrics"})
      total += source_.row_count(table);
    sink_.set_total(total);
    read_experiments();
    read_runs();
    read_params();
    read_tags();
    read_logged_models();
    read_metrics();
    read_inputs();
    read_registered_models();
    if (const std::uint64_t traces = source_.row_count("trace_info"); traces > 0) {
      sink_.problem("trace_info", std::to_string(traces) + " traces are left out: mlrt keeps none");
    }
    for (const auto& unknown : rows_of_unknown_runs_) {
      sink_.problem(unknown.first.first, std::to_string(unknown.second) + " rows of the run " +
                                             quoted(unknown.first.second) +
                                             ", which was not imported, are left out");
    }
  }

 private:
  void step() { sink_.advance(++done_); }

  // Whether the run was taken; counts what is lost where it was not.
  bool known_run(const char* table, const std::string& run_id) {
    if (sink_.has_run(run_id)) return true;
    if (rows_of_unknown_runs_.size() < 1000) ++rows_of_unknown_runs_[{table, run_id}];
    return false;
  }

  void read_experiments() {
    std::unordered_map<std::string, std::vector<Tag>> tags;
    auto tag = source_.rows("experiment_tags", {"t:experiment_id", "t:key", "t:value"});
    while (tag.next()) {
      tags[tag.text_or_empty(0)].push_back({tag.text_or_empty(1), tag.text_or_empty(2)});
    }
    auto row =
        source_.rows("experiments", {"i:experiment_id", "t:name", "t:lifecycle_stage",
                                     "i:creation_time", "i:last_update_time", "t:workspace"});
    while (row.next()) {
      const auto id = row.integer(0);
      if (!id) {
        sink_.problem(row.place(), "the experiment has no id");
        continue;
      }
      ImportedExperiment experiment;
      experiment.place = row.place();
      experiment.record.id = std::to_string(*id);
      experiment.record.name = row.text_or_empty(1);
      experiment.record.lifecycle_stage = row.text_or_empty(2);
      experiment.record.creation_time_ms = row.integer_or_zero(3);
      experiment.record.last_update_time_ms = row.integer_or_zero(4);
      experiment.record.tags = std::move(tags[experiment.record.id]);
      const std::string workspace = row.text_or_empty(5);
      // A name is unique within its workspace only.
      if (!workspace.empty() && workspace != "default") {
        experiment.record.name = workspace + "/" + experiment.record.name;
      }
      sink_.add_experiment(experiment);
    }
  }

  void read_runs() {
    auto row = source_.rows(
        "runs", {"t:run_uuid", "t:name", "t:experiment_id", "t:user_id", "t:status", "i:start_time",
                 "i:end_time", "t:lifecycle_stage", "i:deleted_time", "t:artifact_uri"});
    std::vector<std::pair<std::string, std::string>> artifacts;
    while (row.next()) {
      step();
      ImportedRun run;
      run.place = row.place();
      run.record.run_id = row.text_or_empty(0);
      run.record.name = row.text_or_empty(1);
      run.record.experiment_id = row.text_or_empty(2);
      run.record.user = row.text_or_empty(3);
      try {
        run.record.status = parse_run_status(row.text_or_empty(4));
      } catch (const Error&) {
        sink_.problem(run.place, "the run's status " + quoted(row.text_or_empty(4)) +
                                     " is none of MLflow's; it is taken for FAILED");
        run.record.status = RunStatus::kFailed;
      }
      run.record.start_time_ms = row.integer_or_zero(5);
      run.record.end_time_ms = row.integer_or_zero(6);
      run.record.lifecycle_stage = row.text_or_empty(7);
      run.deleted_time_ms = row.integer_or_zero(8);
      if (sink_.add_run(run)) artifacts.emplace_back(run.record.run_id, row.text_or_empty(9));
    }
    for (const auto& owner : artifacts) copy_artifacts(owner.first, owner.second);
  }

  void copy_artifacts(const std::string& owner, const std::string& uri) {
    if (const auto folder = sink_.artifact_source(owner, uri)) sink_.add_artifacts(owner, *folder);
  }

  void read_params() {
    auto row = source_.rows("params", {"t:run_uuid", "t:key", "t:value"});
    while (row.next()) {
      step();
      const std::string run_id = row.text_or_empty(0);
      if (!known_run("params", run_id)) continue;
      sink_.add_params(run_id, row.place(), {{row.text_or_empty(1), row.text_or_empty(2)}});
    }
  }

  void read_tags() {
    auto row = source_.rows("tags", {"t:run_uuid", "t:key", "t:value"});
    while (row.next()) {
      step();
      const std::string run_id = row.text_or_empty(0);
      if (!known_run("tags", run_id)) continue;
      sink_.add_tags(run_id, row.place(), {{row.text_or_empty(1), row.text_or_empty(2)}});
    }
  }

  // MLflow keeps infinities as the greatest doubles.
  static double value_of(const std::optional<double>& stored, bool is_nan) {
    if (!stored || is_nan) return std::numeric_limits<double>::quiet_NaN();
    if (*stored >= std::numeric_limits<double>::max()) return HUGE_VAL;
    if (*stored <= std::numeric_limits<double>::lowest()) return -HUGE_VAL;
    return *stored;
  }

  void read_metrics() {
    // A metric of a logged model stands in the run's table as well; it is one and the same.
    std::map<MlflowPoint, std::vector<Metric>> linked;
    auto link =
        source_.rows("logged_model_metrics",
                     {"t:model_id", "t:metric_name", "i:metric_timestamp_ms", "i:metric_step",
                      "r:metric_value", "t:run_id", "t:dataset_name", "t:dataset_digest"});
    while (link.next()) {
      Metric metric;
      metric.model_id = link.text_or_empty(0);
      metric.key = link.text_or_empty(1);
      metric.timestamp_ms = link.integer_or_zero(2);
      metric.step = link.integer_or_zero(3);
      metric.value = value_of(link.real(4), false);
      metric.dataset_name = link.text_or_empty(6);
      metric.dataset_digest = link.text_or_empty(7);
      const std::string run_id = link.text_or_empty(5);
      if (!known_run("logged_model_metrics", run_id)) continue;
      linked[{run_id, metric.key, metric.timestamp_ms, metric.step}].push_back(metric);
      sink_.add_metric(run_id, link.place(), std::move(metric));
    }
    const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    auto row = source_.rows(
        "metrics", {"t:run_uuid", "t:key", "r:value", "i:timestamp", "i:step", "i:is_nan"});
    while (row.next()) {
      step();
      const std::string run_id = row.text_or_empty(0);
      if (!known_run("metrics", run_id)) continue;
      Metric metric;
      metric.key = row.text_or_empty(1);
      if (!row.real(2) && row.integer_or_zero(5) == 0) {
        sink_.problem(row.place(), "the value of the metric " + quoted(metric.key) +
                                       " of the run " + run_id + " is no number");
        continue;
      }
      metric.value = value_of(row.real(2), row.integer_or_zero(5) != 0);
      metric.timestamp_ms = row.integer_or_zero(3);
      metric.step = row.integer_or_zero(4);
      if (!linked.empty()) {
        bool is_linked = false;
        const auto found = linked.find({run_id, metric.key, metric.timestamp_ms, metric.step});
        if (found != linked.end()) {
          for (const Metric& other : found->second) is_linked |= same(other.value, metric.value);
        }
        if (is_linked) continue;
      }
      sink_.add_metric(run_id, row.place(), std::move(metric));
    }
  }

  void read_inputs() {
    std::unordered_map<std::string, DatasetInput> datasets;
    auto dataset =
        source_.rows("datasets", {"t:dataset_uuid", "t:name", "t:digest", "t:dataset_source_type",
                                  "t:dataset_source", "t:dataset_schema", "t:dataset_profile"});
    while (dataset.next()) {
      DatasetInput input;
      input.name = dataset.text_or_empty(1);
      input.digest = dataset.text_or_empty(2);
      input.source_type = dataset.text_or_empty(3);
      input.source = dataset.text_or_empty(4);
      input.schema = dataset.text_or_empty(5);
      input.profile = dataset.text_or_empty(6);
      datasets[dataset.text_or_empty(0)] = std::move(input);
    }
    std::unordered_map<std::string, std::vector<Tag>> tags;
    auto tag = source_.rows("input_tags", {"t:input_uuid", "t:name", "t:value"});
    while (tag.next()) {
      tags[tag.text_or_empty(0)].push_back({tag.text_or_empty(1), tag.text_or_empty(2)});
    }
    auto row = source_.rows("inputs", {"t:input_uuid", "t:source_type", "t:source_id",
                                       "t:destination_type", "t:destination_id", "i:step"});
    while (row.next()) {
      const std::string kind = row.text_or_empty(1) + ">" + row.text_or_empty(3);
      if (kind == "RUN_OUTPUT>MODEL_OUTPUT") {
        if (!known_run("inputs", row.text_or_empty(2))) continue;
        sink_.add_outputs(row.text_or_empty(2), row.place(),
                          {{row.text_or_empty(4), row.integer_or_zero(5)}});
      } else if (kind == "RUN_INPUT>MODEL_INPUT") {
        if (!known_run("inputs", row.text_or_empty(2))) continue;
        sink_.add_model_input(row.text_or_empty(2), row.place(), row.text_or_empty(4));
      } else if (kind == "DATASET>RUN") {
        if (!known_run("inputs", row.text_or_empty(4))) continue;
        const auto found = datasets.find(row.text_or_empty(2));
        if (found == datasets.end()) {
          sink_.problem(row.place(), "the data set " + quoted(row.text_or_empty(2)) +
                                         " of the run is not in the table datasets");
          continue;
        }
        DatasetInput input = found->second;
        for (const Tag& one : tags[row.text_or_empty(0)]) {
          if (one.key == "mlflow.data.context") {
            input.context = one.value;
          } else {
            input.tags.push_back(one);
          }
        }
        sink_.add_inputs(row.text_or_empty(4), row.place(), {input});
      }
    }
  }

  void read_logged_models() {
    std::unordered_map<std::string, std::vector<Param>> params;
    auto param =
        source_.rows("logged_model_params", {"t:model_id", "t:param_key", "t:param_value"});
    while (param.next()) {
      params[param.text_or_empty(0)].push_back({param.text_or_empty(1), param.text_or_empty(2)});
    }
    std::unordered_map<std::string, std::vector<Tag>> tags;
    auto tag = source_.rows("logged_model_tags", {"t:model_id", "t:tag_key", "t:tag_value"});
    while (tag.next()) {
      tags[tag.text_or_empty(0)].push_back({tag.text_or_empty(1), tag.text_or_empty(2)});
    }
    auto row =
        source_.rows("logged_models",
                     {"t:model_id", "t:experiment_id", "t:name", "t:model_type", "t:source_run_id",
                      "i:status", "t:lifecycle_stage", "i:creation_timestamp_ms",
                      "i:last_updated_timestamp_ms", "t:artifact_location"});
    while (row.next()) {
      ImportedLoggedModel model;
      model.place = row.place();
      model.record.model_id = row.text_or_empty(0);
      model.record.experiment_id = row.text_or_empty(1);
      model.record.name = row.text_or_empty(2);
      model.record.model_type = row.text_or_empty(3);
      model.record.source_run_id = row.text_or_empty(4);
      model.record.status = logged_model_status_of_number(row.integer_or_zero(5));
      model.record.lifecycle_stage = row.text_or_empty(6);
      model.record.creation_time_ms = row.integer_or_zero(7);
      model.record.last_update_time_ms = row.integer_or_zero(8);
      model.record.params = std::move(params[model.record.model_id]);
      model.record.tags = std::move(tags[model.record.model_id]);
      if (sink_.add_logged_model(model))
        copy_artifacts(model.record.model_id, row.text_or_empty(9));
    }
  }

  void read_registered_models() {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> aliases;
    auto alias = source_.rows("registered_model_aliases", {"t:name", "t:version", "t:alias"});
    while (alias.next()) {
      aliases[{alias.text_or_empty(0), alias.text_or_empty(1)}].push_back(alias.text_or_empty(2));
    }
    std::map<std::pair<std::string, std::string>, std::vector<Tag>> tags;  // "": the model's own
    auto tag = source_.rows("registered_model_tags", {"t:name", "t:key", "t:value"});
    while (tag.next()) {
      tags[{tag.text_or_empty(0), ""}].push_back({tag.text_or_empty(1), tag.text_or_empty(2)});
    }
    auto version_tag =
        source_.rows("model_version_tags", {"t:name", "t:version", "t:key", "t:value"});
    while (version_tag.next()) {
      tags[{version_tag.text_or_empty(0), version_tag.text_or_empty(1)}].push_back(
          {version_tag.text_or_empty(2), version_tag.text_or_empty(3)});
    }
    std::unordered_map<std::string, std::vector<ImportedVersion>> versions;
    auto version = source_.rows("model_versions",
                                {"t:name", "i:version", "t:source", "t:run_id", "t:description",
                                 "i:creation_time", "i:last_updated_time", "t:current_stage",
                                 "t:run_link", "t:user_id", "t:storage_location"});
    while (version.next()) {
      ImportedVersion one;
      // MLflow keeps deleted versions as empty shells.
      one.deleted = version.text_or_empty(7) == "Deleted_Internal";
      one.stage = version.text_or_empty(7);
      one.run_link = version.text_or_empty(8);
      one.user = version.text_or_empty(9);
      one.storage = version.text_or_empty(10);
      one.place = version.place();
      one.version = version.integer_or_zero(1);
      one.source = version.text_or_empty(2);
      one.run_id = version.text_or_empty(3);
      one.description = version.text_or_empty(4);
      one.creation_time_ms = version.integer_or_zero(5);
      one.last_update_time_ms = version.integer_or_zero(6);
      one.aliases = aliases[{version.text_or_empty(0), std::to_string(one.version)}];
      one.tags = tags[{version.text_or_empty(0), std::to_string(one.version)}];
      versions[version.text_or_empty(0)].push_back(std::move(one));
    }
    auto row = source_.rows("registered_models",
                            {"t:name", "t:description", "i:creation_time", "i:last_updated_time"});
    while (row.next()) {
      ImportedModel model;
      model.place = row.place();
      model.name = row.text_or_empty(0);
      model.description = row.text_or_empty(1);
      model.creation_time_ms = row.integer_or_zero(2);
      model.last_update_time_ms = row.integer_or_zero(3);
      model.versions = std::move(versions[model.name]);
      versions.erase(model.name);
      model.tags = tags[{model.name, ""}];
      sink_.add_registered_model(model);
    }
    for (const auto& left : versions) {
      sink_.problem("model_versions", std::to_string(left.second.size()) + " versions of " +
                                          quoted(left.first) +
                                          ", which is no registered model, are left out");
    }
  }

  ImportSink& sink_;
  ForeignDatabase& source_;
  std::uint64_t done_ = 0;
  std::map<std::pair<std::string, std::string>, std::uint64_t> rows_of_unknown_runs_;
};

}  // namespace

LoggedModelStatus logged_model_status_of_number(std::int64_t number) {
  return number == 2   ? LoggedModelStatus::kReady
         : number == 3 ? LoggedModelStatus::kFailed
                       : LoggedModelStatus::kPending;
}

void import_mlflow_database(ImportSink& sink, const std::string& path, ImportReport& report) {
  ForeignDatabase source(path, &report.problems);
  if (source.application_id() == kStoreApplicationId) {
    throw Error(ErrorCode::kInvalidParameter,
                quoted(path, 300) +
                    " is a store of mlrt; what can be imported is an MLflow database, an mlruns "
                    "folder or TensorBoard event files");
  }
  if (!source.has_table("experiments") || !source.has_table("runs") ||
      !source.has_column("runs", "run_uuid")) {
    throw Error(report.problems.empty() ? ErrorCode::kInvalidParameter : ErrorCode::kDataCorrupt,
                quoted(path, 300) +
                    (report.problems.empty()
                         ? " is a SQLite database, but not one of MLflow: it has no table "
                           "'experiments' and 'runs' as MLflow's has"
                         : " is damaged: its tables 'experiments' and 'runs' cannot be read"));
  }
  MlflowDatabaseImport(sink, source).run();
}

}  // namespace mlrt
