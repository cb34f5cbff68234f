#include "tracking/import_sink.hpp"

#include <algorithm>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "tracking/artifact_batch.hpp"
#include "tracking/logged_model_rows.hpp"
#include "tracking/metric_blocks.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

// A transaction holds the store's lock, so it is to be short; each costs a sync.
constexpr std::size_t kSinkRowsPerTransaction = 20000;
constexpr std::size_t kSinkWaitingMetrics = 100000;
constexpr std::size_t kSinkMaxProblems = 1000;
constexpr std::size_t kSinkMaxLinkBytes = 2000;  // 500 characters

// Runs a check of rules.hpp; its refusal is a problem of the source, not an error.
template <typename Check>
bool sink_accepts(ImportSink& sink, const std::string& place, const Check& check) {
  try {
    check();
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidParameter) throw;
    sink.problem(place, error.message());
    return false;
  }
}

std::string sink_percent_decoded(const std::string& text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
        digit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// The local path that a URI names; "" if it names none. `scheme` gets what stands before "://".
std::string sink_local_path(const std::string& uri, std::string& scheme) {
  const std::size_t colon = uri.find(":/");
  if (colon == std::string::npos || colon == 0) return uri;
  scheme = uri.substr(0, colon);
  if (scheme != "file") return std::string();
  std::string path = uri.substr(colon + 1);
  if (starts_with(path, "///")) path = path.substr(2);
  if (starts_with(path, "//")) return std::string();  // another host's
  return sink_percent_decoded(path);
}

}  // namespace

ImportSink::ImportSink(std::shared_ptr<Database> database, std::string artifact_root,
                       const ImportOptions& options, ImportReport& report)
    : database_(std::move(database)),
      artifact_root_(std::move(artifact_root)),
      options_(options),
      report_(report) {}

void ImportSink::problem(const std::string& place, const std::string& what) {
  if (report_.problems.size() > kSinkMaxProblems) return;
  report_.problems.push_back(report_.problems.size() == kSinkMaxProblems
                                 ? "and more, which are not listed"
                                 : place + ": " + what);
}

void ImportSink::advance(std::uint64_t done) {
  if (done - shown_ < 1000) return;
  shown_ = done;
  check_interrupt();
  if (options_.progress) options_.progress(done, total_);
}

Transaction& ImportSink::transaction() {
  if (!transaction_) transaction_.emplace(*database_, Transaction::Mode::kWrite);
  return *transaction_;
}

void ImportSink::wrote(std::size_t rows) {
  written_ += rows;
  if (written_ >= kSinkRowsPerTransaction) commit();
}

void ImportSink::commit() {
  if (transaction_) transaction_->commit();
  transaction_.reset();
  written_ = 0;
}

void ImportSink::finish() {
  flush_metrics();
  commit();
  for (const auto& remote : remote_) {
    problem(remote.first, "the artifacts of " + std::to_string(remote.second) +
                              " runs or models lie there and were not copied");
  }
  if (options_.progress && total_ > 0) options_.progress(total_, total_);
}

// ---- experiments ----

bool ImportSink::has_experiment(const std::string& source_id) const {
  return experiments_.count(source_id) != 0;
}

bool ImportSink::add_experiment(const ImportedExperiment& experiment) {
  const Experiment& record = experiment.record;
  std::int64_t id = 0;
  const bool sound = sink_accepts(*this, experiment.place, [&] {
    id = parse_experiment_id(record.id);
    check_experiment_name(record.name);
  });
  if (!sound) return false;
  std::optional<std::int64_t> found;
  bool id_is_free = true;
  {
    Statement row =
        transaction().query("SELECT experiment FROM experiments WHERE name = ?", record.name);
    if (row.step()) found = row.integer(0);
  }
  {
    Statement row =
        transaction().query("SELECT creation_time FROM experiments WHERE experiment = ?", id);
    if (row.step()) {
      id_is_free = false;
      // Renamed here or there since it was imported.
      if (!found && id != 0 && row.integer(0) == record.creation_time_ms) found = id;
    }
  }
  if (!found) {
    const bool deleted = record.lifecycle_stage == "deleted";
    std::optional<std::int64_t> wanted, deleted_time;
    if (id_is_free && id > 0) wanted = id;
    if (deleted) deleted_time = record.last_update_time_ms;
    found = transaction().insert(
        "INSERT INTO experiments (experiment, name, lifecycle_stage, creation_time, "
        "last_update_time, deleted_time) VALUES (?, ?, ?, ?, ?, ?) RETURNING experiment",
        wanted, record.name, deleted ? "deleted" : "active", record.creation_time_ms,
        record.last_update_time_ms, deleted_time);
    ++report_.experiments;
  }
  experiments_[record.id] = *found;
  for (const Tag& tag : record.tags) {
    Tag checked;
    if (!sink_accepts(*this, experiment.place, [&] { checked = checked_tag(tag, ""); })) continue;
    add_pair("experiment_tags", "experiment", *found, checked, nullptr);
  }
  wrote(1 + record.tags.size());
  return true;
}

// Adds one row of (number, key, value), unless the key is there: then `other`, if given, gets the
// value that stands there.
bool ImportSink::add_pair(const char* table, const char* column, std::int64_t row, const Tag& pair,
                          std::string* other) {
  const std::string name(table), number(column);
  Statement added = transaction().query("INSERT INTO " + name + " (" + number +
                                            ", key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING "
                                            "RETURNING 1",
                                        row, pair.key, pair.value);
  if (added.step()) {
    added.run();
    return true;
  }
  if (other) {
    Statement found = transaction().query(
        "SELECT value FROM " + name + " WHERE " + number + " = ? AND key = ?", row, pair.key);
    if (found.step()) *other = found.text(0);
  }
  return false;
}

// ---- runs ----

bool ImportSink::add_run(const ImportedRun& run) {
  const RunRecord& record = run.record;
  const auto experiment = experiments_.find(record.experiment_id);
  const bool sound = sink_accepts(*this, run.place, [&] {
    check_run_id(record.run_id);
    if (!record.name.empty()) check_run_name(record.name);
    if (!is_utf8(record.user)) throw Error(ErrorCode::kInvalidParameter, "the user is not UTF-8");
    if (experiment == experiments_.end()) {
      throw Error(ErrorCode::kInvalidParameter,
                  "the run " + record.run_id + " is of the experiment " +
                      quoted(record.experiment_id) + ", which was not imported");
    }
  });
  if (!sound) return false;
  std::optional<std::int64_t> end_time;
  if (record.end_time_ms != 0) end_time = record.end_time_ms;
  {
    Statement row = transaction().query(
        "SELECT run, experiment, coalesce(end_time, 0) FROM runs WHERE run_id = ?", record.run_id);
    if (row.step()) {
      RunState state;
      state.row = row.integer(0);
      state.experiment = row.integer(1);
      const bool went_on = record.end_time_ms > row.integer(2);
      runs_[record.run_id] = state;
      if (!went_on) return true;
    }
  }
  if (has_run(record.run_id)) {
    transaction().run("UPDATE runs SET status = ?, end_time = ? WHERE run = ?",
                      run_status_name(record.status), end_time, runs_[record.run_id].row);
    wrote(1);
    return true;
  }
  const bool deleted = record.lifecycle_stage == "deleted";
  std::optional<std::int64_t> deleted_time;
  if (deleted) deleted_time = run.deleted_time_ms != 0 ? run.deleted_time_ms : now_ms();
  RunState state;
  state.experiment = experiment->second;
  state.row = transaction().insert(
      "INSERT INTO runs (run_id, experiment, name, user, status, start_time, end_time, "
      "lifecycle_stage, deleted_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING run",
      record.run_id, state.experiment, record.name, record.user, run_status_name(record.status),
      record.start_time_ms, end_time, deleted ? "deleted" : "active", deleted_time);
  runs_[record.run_id] = state;
  ++report_.runs;
  wrote(1);
  return true;
}

void ImportSink::add_params(const std::string& run_id, const std::string& place,
                            const std::vector<Param>& params) {
  const std::int64_t run = runs_.at(run_id).row;
  for (const Param& param : params) {
    Param checked;
    if (!sink_accepts(*this, place, [&] { checked = checked_param(param, ""); })) continue;
    std::string other = checked.value;
    if (add_pair("params", "run", run, {checked.key, checked.value}, &other)) {
      ++report_.params;
    } else if (other != checked.value) {
      problem(place, "the parameter " + quoted(checked.key) + " of the run " + run_id + " is " +
                         quoted(other) + " in the store and " + quoted(checked.value) +
                         " in the source; it stays as it is");
    }
  }
  wrote(params.size());
}

void ImportSink::add_tags(const std::string& run_id, const std::string& place,
                          const std::vector<Tag>& tags) {
  const std::int64_t run = runs_.at(run_id).row;
  for (const Tag& tag : tags) {
    Tag checked;
    if (!sink_accepts(*this, place, [&] { checked = checked_tag(tag, ""); })) continue;
    if (!add_pair("tags", "run", run, checked, nullptr)) continue;
    ++report_.tags;
    // MLflow 1 had the name in the tag only.
    if (checked.key == "mlflow.runName" &&
        sink_accepts(*this, place, [&] { check_run_name(checked.value); })) {
      transaction().run("UPDATE runs SET name = ? WHERE run = ? AND name = ''", checked.value, run);
    }
  }
  wrote(tags.size());
}

std::int64_t ImportSink::dataset_row(std::int64_t experiment, const DatasetInput& input) {
  transaction().run(
      "INSERT INTO datasets (experiment, name, digest, source_type, source, schema, profile) "
      "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      experiment, input.name, input.digest, input.source_type, input.source, input.schema,
      input.profile);
  Statement row = transaction().query(
      "SELECT dataset FROM datasets WHERE experiment = ? AND name = ? AND digest = ?", experiment,
      input.name, input.digest);
  row.step();
  return row.integer(0);
}

void ImportSink::add_inputs(const std::string& run_id, const std::string& place,
                            const std::vector<DatasetInput>& inputs) {
  const RunState run = runs_.at(run_id);
  for (const DatasetInput& input : inputs) {
    if (!sink_accepts(*this, place, [&] { check_dataset(input); })) continue;
    const std::int64_t dataset = dataset_row(run.experiment, input);
    {
      Statement added = transaction().query(
          "INSERT INTO inputs (run, dataset, context) VALUES (?, ?, ?) ON CONFLICT DO NOTHING "
          "RETURNING 1",
          run.row, dataset, input.context);
      if (added.step()) ++report_.inputs;
      added.run();
    }
    for (const Tag& tag : input.tags) {
      if (!is_utf8(tag.key) || !is_utf8(tag.value)) {
        problem(place, "a tag of the data set " + quoted(input.name) + " is not UTF-8");
        continue;
      }
      transaction().run(
          "INSERT INTO input_tags (run, dataset, context, key, value) VALUES (?, ?, ?, ?, ?) ON "
          "CONFLICT DO NOTHING",
          run.row, dataset, input.context, tag.key, tag.value);
    }
  }
  wrote(2 * inputs.size());
}

void ImportSink::add_outputs(const std::string& run_id, const std::string& place,
                             const std::vector<RunOutput>& outputs) {
  for (const RunOutput& output : outputs) {
    if (!is_logged_model_id(output.model_id)) {
      problem(place, quoted(output.model_id) + " is no id of a logged model");
      continue;
    }
    transaction().run(
        "INSERT INTO outputs (run, model_id, step) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        runs_.at(run_id).row, output.model_id, output.step);
  }
  wrote(outputs.size());
}

void ImportSink::add_model_input(const std::string& run_id, const std::string& place,
                                 const std::string& model_id) {
  if (!is_logged_model_id(model_id)) {
    problem(place, quoted(model_id) + " is no id of a logged model");
    return;
  }
  transaction().run("INSERT INTO model_inputs (run, model_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    runs_.at(run_id).row, model_id);
  wrote(1);
}

void ImportSink::add_metric(const std::string& run_id, const std::string& place, Metric metric) {
  const bool sound = sink_accepts(*this, place, [&] {
    check_metric(metric, "");
    for (const std::string* text :
         {&metric.model_id, &metric.dataset_name, &metric.dataset_digest}) {
      if (!is_utf8(*text) || text->size() > kSinkMaxLinkBytes) {
        throw Error(ErrorCode::kInvalidParameter,
                    "the model or data set of the metric " + quoted(metric.key) +
                        " is no text of at most " + std::to_string(kSinkMaxLinkBytes) + " bytes");
      }
    }
  });
  if (!sound) return;
  metrics_[run_id].push_back(std::move(metric));
  if (++waiting_metrics_ >= kSinkWaitingMetrics) flush_metrics();
}

void ImportSink::flush_metrics() {
  for (auto& waiting : metrics_) {
    const std::int64_t run = runs_.at(waiting.first).row;
    std::stable_sort(waiting.second.begin(), waiting.second.end(),
                     [](const Metric& a, const Metric& b) { return a.key < b.key; });
    for (auto first = waiting.second.begin(); first != waiting.second.end();) {
      const auto last = std::find_if(first, waiting.second.end(),
                                     [&](const Metric& other) { return other.key != first->key; });
      std::vector<Metric> points(std::make_move_iterator(first), std::make_move_iterator(last));
      thinned_.take_out(transaction(), run, points);
      report_.metrics += add_imported_metrics(transaction(), run, points);
      wrote(points.size());
      check_interrupt();
      first = last;
    }
  }
  metrics_.clear();
  waiting_metrics_ = 0;
}

// ---- models ----

bool ImportSink::add_logged_model(const ImportedLoggedModel& model) {
  const LoggedModel& record = model.record;
  const auto experiment = experiments_.find(record.experiment_id);
  const bool sound = sink_accepts(*this, model.place, [&] {
    if (!is_logged_model_id(record.model_id)) {
      throw Error(ErrorCode::kInvalidParameter,
                  quoted(record.model_id) + " is no id of a logged model");
    }
    for (const std::string* text : {&record.name, &record.model_type}) {
      if (!is_utf8(*text) || text->size() > kSinkMaxLinkBytes) {
        throw Error(ErrorCode::kInvalidParameter,
                    "the name or type of the logged model is no text");
      }
    }
    if (!record.source_run_id.empty()) check_run_id(record.source_run_id);
    if (experiment == experiments_.end()) {
      throw Error(ErrorCode::kInvalidParameter,
                  "the logged model " + record.model_id + " is of the experiment " +
                      quoted(record.experiment_id) + ", which was not imported");
    }
  });
  if (!sound) return false;
  std::optional<std::string> model_type, source_run_id;
  if (!record.model_type.empty()) model_type = record.model_type;
  if (!record.source_run_id.empty()) source_run_id = record.source_run_id;
  const bool deleted = record.lifecycle_stage == "deleted";
  std::optional<std::int64_t> deleted_time;
  if (deleted) deleted_time = record.last_update_time_ms;
  {
    Statement added = transaction().query(
        "INSERT INTO logged_models (model_id, experiment, name, model_type, source_run_id, status, "
        "creation_time, last_update_time, lifecycle_stage, deleted_time) VALUES (?, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1",
        record.model_id, experiment->second, record.name, model_type, source_run_id,
        logged_model_status_name(record.status), record.creation_time_ms,
        record.last_update_time_ms, deleted ? "deleted" : "active", deleted_time);
    if (added.step()) ++report_.logged_models;
    added.run();
  }
  transaction().run(
      "UPDATE logged_models SET status = ?, last_update_time = ? WHERE model_id = ? AND status = "
      "'PENDING' AND last_update_time < ?",
      logged_model_status_name(record.status), record.last_update_time_ms, record.model_id,
      record.last_update_time_ms);
  const std::int64_t row = find_logged_model(transaction(), record.model_id).model;
  for (const Param& param : record.params) {
    Param checked;
    if (!sink_accepts(*this, model.place, [&] { checked = checked_param(param, ""); })) continue;
    std::string other = checked.value;
    add_pair("logged_model_params", "model", row, {checked.key, checked.value}, &other);
    if (other != checked.value) {
      problem(model.place, "the parameter " + quoted(checked.key) + " of the logged model " +
                               record.model_id + " is " + quoted(other) + " in the store and " +
                               quoted(checked.value) + " in the source; it stays as it is");
    }
  }
  for (const Tag& tag : record.tags) {
    Tag checked;
    if (!sink_accepts(*this, model.place, [&] { checked = checked_tag(tag, ""); })) continue;
    add_pair("logged_model_tags", "model", row, checked, nullptr);
  }
  logged_models_.insert(record.model_id);
  wrote(1 + record.params.size() + record.tags.size());
  return true;
}

void ImportSink::add_registered_model(const ImportedModel& model) {
  const bool sound = sink_accepts(*this, model.place, [&] {
    check_model_name(model.name);
    if (!is_utf8(model.description)) {
      throw Error(ErrorCode::kInvalidParameter, "the description of the model is not UTF-8");
    }
  });
  if (!sound) return;
  {
    Statement added = transaction().query(
        // The number is no other's, nor one's that the registry's history knows.
        "INSERT INTO registered_models (model, name, description, creation_time, last_update_time) "
        "VALUES (1 + max((SELECT coalesce(max(model), 0) FROM registered_models), (SELECT "
        "coalesce(max(model), 0) FROM registry_history)), ?, ?, ?, ?) ON CONFLICT DO NOTHING "
        "RETURNING 1",
        model.name, model.description, model.creation_time_ms, model.last_update_time_ms);
    if (added.step()) ++report_.registered_models;
    added.run();
  }
  std::int64_t row = 0;
  {
    Statement found =
        transaction().query("SELECT model FROM registered_models WHERE name = ?", model.name);
    found.step();
    row = found.integer(0);
  }
  for (const Tag& tag : model.tags) {
    if (is_utf8(tag.key) && is_utf8(tag.value)) {
      add_pair("registered_model_tags", "model", row, tag, nullptr);
    }
  }
  for (const ImportedVersion& version : model.versions) add_version(row, model.name, version);
  wrote(1 + model.versions.size());
}

void ImportSink::add_version(std::int64_t model, const std::string& name,
                             const ImportedVersion& version) {
  const bool sound = sink_accepts(*this, version.place, [&] {
    if (version.version < 1 || !is_utf8(version.source) || !is_utf8(version.description) ||
        !is_utf8(version.run_link) || !is_utf8(version.user) || !is_utf8(version.storage)) {
      throw Error(ErrorCode::kInvalidParameter,
                  "a version of " + quoted(name) + " has no number, or its texts are not UTF-8");
    }
    if (!version.run_id.empty() && !version.deleted) check_run_id(version.run_id);
  });
  if (!sound) return;
  if (version.deleted) {
    transaction().run(
        "UPDATE registered_models SET last_deleted_version = max(last_deleted_version, ?) WHERE "
        "model = ?",
        version.version, model);
    return;
  }
  const std::string source = portable_source(version.source, version.run_id);
  std::string storage = portable_source(version.storage, version.run_id);
  if (storage == source) storage.clear();
  static const std::string stages = "|Staging|Production|Archived|";
  const bool staged = stages.find("|" + version.stage + "|") != std::string::npos;
  const std::string stage = staged ? version.stage : "None";
  {
    Statement added = transaction().query(
        "INSERT INTO model_versions (model, version, source, storage, run_id, run_link, "
        "description, "
        "user, stage, creation_time, last_update_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON "
        "CONFLICT DO NOTHING RETURNING 1",
        model, version.version, source, storage, version.run_id, version.run_link,
        version.description, version.user, stage, version.creation_time_ms,
        version.last_update_time_ms);
    if (added.step()) ++report_.model_versions;
    added.run();
  }
  {
    Statement found = transaction().query(
        "SELECT source, creation_time FROM model_versions WHERE model = ? AND version = ?", model,
        version.version);
    found.step();
    if (found.text(0) != source || found.integer(1) != version.creation_time_ms) {
      problem(version.place, "version " + std::to_string(version.version) + " of " + quoted(name) +
                                 " is another one in the store (" + quoted(found.text(0), 200) +
                                 "); it stays as it is");
      return;
    }
  }
  for (const Tag& tag : version.tags) {
    if (!is_utf8(tag.key) || !is_utf8(tag.value)) continue;
    transaction().run(
        "INSERT INTO model_version_tags (model, version, key, value) VALUES (?, ?, ?, ?) ON "
        "CONFLICT DO NOTHING",
        model, version.version, tag.key, tag.value);
  }
  for (const std::string& alias : version.aliases) {
    if (!sink_accepts(*this, version.place, [&] { check_model_alias(alias); })) continue;
    transaction().run(
        "INSERT INTO model_aliases (model, alias, version) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        model, alias, version.version);
    Statement found = transaction().query(
        "SELECT version FROM model_aliases WHERE model = ? AND alias = ?", model, alias);
    if (found.step() && found.integer(0) != version.version) {
      problem(version.place, "the alias " + quoted(alias) + " of " + quoted(name) +
                                 " stands at version " + std::to_string(found.integer(0)) +
                                 " in the store and stays there");
    }
  }
}

// A path into artifacts that were copied, as a URI that leads to the copy.
std::string ImportSink::portable_source(const std::string& source,
                                        const std::string& run_id) const {
  std::string scheme;
  const std::string path = sink_local_path(source, scheme);
  if (path.empty() || path[0] != '/') return source;
  const std::string below_run = "/" + run_id + "/artifacts/";
  const std::size_t at = path.rfind(below_run);
  if (!run_id.empty() && has_run(run_id) && at != std::string::npos) {
    return "runs:/" + run_id + "/" + path.substr(at + below_run.size());
  }
  for (const std::string& part : split(path, '/')) {
    if (logged_models_.count(part) != 0) return "models:/" + part;
  }
  return source;
}

// ---- artifacts ----

std::optional<std::string> ImportSink::artifact_source(const std::string& owner,
                                                       const std::string& uri) {
  if (!options_.copy_artifacts || uri.empty()) return std::nullopt;
  std::string scheme;
  std::string path = sink_local_path(uri, scheme);
  if (path.empty()) {
    ++remote_[scheme + "://"];
    return std::nullopt;
  }
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path[0] != '/' || !ends_with(path, "/" + owner + "/artifacts")) return std::nullopt;
  if (!fs::is_folder(path)) return std::nullopt;
  return path;
}

void ImportSink::add_artifacts(const std::string& owner, const std::string& folder) {
  if (!options_.copy_artifacts || !fs::is_folder(folder)) return;
  // Files may be large, and the batch has a transaction of its own.
  commit();
  std::string target;
  if (is_logged_model_id(owner)) {
    Transaction reading(*database_, Transaction::Mode::kRead);
    target = logged_model_folder(find_logged_model(reading, owner), artifact_root_);
  } else {
    target = TrackingStore(database_, artifact_root_).artifact_folder(owner);
  }
  if (fs::absolute(folder) == fs::absolute(target)) return;
  try {
    ArtifactBatch batch(database_, owner, target);
    std::size_t files = 0;
    for (const std::string& path : fs::list_files_below(folder)) {
      const std::string from = fs::join(folder, path), to = fs::join(target, path);
      if (fs::exists(to) && fs::file_size(to) == fs::file_size(from)) continue;
      if (!sink_accepts(*this, from, [&] { check_artifact_path(path); })) continue;
      batch.add_file(from, path);
      ++files;
      check_interrupt();
    }
    if (files == 0) return;
    batch.commit();
    report_.artifacts += files;
  } catch (const Error& error) {
    // What the source does not let us read is its problem; what we can't write is an error.
    if (error.code() != ErrorCode::kPermissionDenied && error.code() != ErrorCode::kNotFound &&
        error.code() != ErrorCode::kAlreadyExists) {
      throw;
    }
    problem(folder, "the artifacts of " + owner + " were not copied: " + error.message());
  }
}

}  // namespace mlrt
