#include "cli/runs_command.hpp"

#include <utility>

#include "cli/output.hpp"
#include "cli/run_output.hpp"
#include "cli/store_access.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

std::vector<std::string> experiment_ids(const TrackingStore& store,
                                        const std::vector<std::string>& words) {
  std::vector<std::string> ids;
  for (const std::string& word : words) ids.push_back(find_experiment(store, word).id);
  return ids;
}

std::string json_value_text(const OrderedJson& value) {
  if (value.is_string()) return value.get<std::string>() + "\n";
  if (value.is_null()) return "\n";
  return value.is_structured() ? json_text(value) : value.dump() + "\n";
}

// A member, or "params.<key>" and the like.
OrderedJson run_field(const OrderedJson& run, const std::string& field) {
  const auto found = run.find(field);
  if (found != run.end()) return *found;
  const std::size_t dot = field.find('.');
  std::vector<std::string> names;
  for (const auto& member : run.items()) {
    if (!member.value().is_object()) {
      names.push_back(member.key());
      continue;
    }
    if (dot != std::string::npos && member.key() == field.substr(0, dot)) {
      const auto inner = member.value().find(field.substr(dot + 1));
      if (inner != member.value().end()) return *inner;
    }
    for (const auto& entry : member.value().items())
      names.push_back(member.key() + "." + entry.key());
  }
  throw Error(ErrorCode::kNotFound, "the run has no " + quoted(field) + did_you_mean(field, names));
}

std::string run_head_text(const RunRecord& run, const ExperimentNames& experiments) {
  const auto experiment = experiments.find(run.experiment_id);
  TextTable table({{"Run"}, {run.run_id}});
  table.add({"Name", run.name});
  table.add(
      {"Experiment", (experiment == experiments.end() ? std::string() : experiment->second + " ") +
                         "(id " + run.experiment_id + ")"});
  table.add({"Status", std::string(run_status_name(run.status)) +
                           (run.lifecycle_stage == "deleted" ? " (deleted)" : "")});
  table.add({"User", run.user});
  table.add({"Started", format_time_ms(run.start_time_ms) + " UTC"});
  if (run.end_time_ms != 0) {
    table.add({"Ended", format_time_ms(run.end_time_ms) + " UTC, after " + run_duration_text(run)});
  }
  table.add({"Artifacts", run.artifact_folder});
  return table.text();
}

std::string run_description(const Session& session, const RunRecord& run) {
  std::string out = run_head_text(run, read_experiment_names(session.tracking()));
  TextTable params({{"KEY"}, {"VALUE"}});
  for (const Param& param : run.params) params.add({param.key, described_value(param.value)});
  append_block(out, "Parameters", params.text(), run.params.empty());
  TextTable metrics({{"KEY"},
                     {"LATEST", TextTable::Align::kRight},
                     {"STEP", TextTable::Align::kRight},
                     {"LOGGED (UTC)"}});
  for (const Metric& metric : run.metrics) {
    metrics.add({metric.key, format_double(metric.value), std::to_string(metric.step),
                 format_time_ms(metric.timestamp_ms)});
  }
  append_block(out, "Metrics", metrics.text(), run.metrics.empty());
  TextTable tags({{"KEY"}, {"VALUE"}});
  for (const Tag& tag : run.tags) tags.add({tag.key, described_value(tag.value)});
  append_block(out, "Tags", tags.text(), run.tags.empty());
  TextTable inputs({{"NAME"}, {"DIGEST"}, {"CONTEXT"}, {"SOURCE"}});
  for (const DatasetInput& input : run.inputs)
    inputs.add({input.name, input.digest, input.context, described_value(input.source)});
  append_block(out, "Data sets", inputs.text(), run.inputs.empty());
  TextTable outputs({{"MODEL ID"}, {"STEP", TextTable::Align::kRight}});
  for (const RunOutput& output : run.outputs)
    outputs.add({output.model_id, std::to_string(output.step)});
  append_block(out, "Logged models", outputs.text(), run.outputs.empty());
  const std::vector<ArtifactInfo> files = session.artifacts().list(run.run_id);
  TextTable artifacts({{"PATH"}, {"SIZE", TextTable::Align::kRight}});
  for (const ArtifactInfo& file : files)
    artifacts.add({file.path + (file.is_folder ? "/" : ""),
                   file.is_folder ? std::string() : size_text(file.size_bytes)});
  append_block(out, "Artifacts", artifacts.text(), files.empty());
  return out;
}

std::vector<std::string> found_run_ids(const TrackingStore& store,
                                       const std::vector<std::string>& words) {
  std::vector<std::string> ids;
  for (const std::string& word : words) ids.push_back(find_run_id(store, word));
  return ids;
}

}  // namespace

void run_runs_search(const GlobalOptions& global, const RunsSearchOptions& options) {
  const OutputForm form = output_form(options.output);
  SearchQuery query;
  query.filter = options.filter;
  query.order_by = options.order_by;
  query.view = read_view(options.view);
  const Session session = open_store(global);
  const TrackingStore& store = session.tracking();
  const std::vector<std::string> ids = experiment_ids(store, options.experiments);
  // One more than is shown, to know whether there are more.
  std::vector<RunRecord> runs = search_pages<RunRecord>(
      query, options.max_results + 1,
      [&](const SearchQuery& page) { return store.search_runs(ids, page); });
  const bool more = runs.size() > options.max_results;
  if (more) runs.pop_back();
  print_runs(form, runs, read_experiment_names(store),
             (options.filter.empty() ? "no runs in " : "no runs match in ") + session.store());
  if (more && form == OutputForm::kTable) {
    print_note("there are more than these " + std::to_string(runs.size()) +
               " runs; --max shows more");
  }
}

void run_runs_get(const GlobalOptions& global, const RunsGetOptions& options) {
  const OutputForm form = output_form(options.output);
  const Session session = open_store(global);
  const TrackingStore& store = session.tracking();
  const OrderedJson run =
      run_json(store.run(find_run_id(store, options.run)), read_experiment_names(store));
  if (!options.field.empty()) {
    const OrderedJson value = run_field(run, options.field);
    print_out(form == OutputForm::kJson ? json_text(value) : json_value_text(value));
  } else if (form == OutputForm::kCsv) {
    print_out(json_as_csv(run, OrderedJson::array({run})));
  } else {
    print_out(json_text(run));
  }
}

void run_runs_describe(const GlobalOptions& global, const RunsGetOptions& options) {
  if (output_form(options.output) != OutputForm::kTable) {
    run_runs_get(global, options);
    return;
  }
  const Session session = open_store(global);
  const TrackingStore& store = session.tracking();
  print_out(run_description(session, store.run(find_run_id(store, options.run))));
}

void run_runs_delete(const GlobalOptions& global, const std::vector<std::string>& runs) {
  const Session session = open_store(global);
  for (const std::string& id : found_run_ids(session.tracking(), runs)) {
    session.tracking().delete_run(id);
    print_out("deleted run " + id + "; to bring it back: mlrt runs restore " + id + "\n");
  }
}

void run_runs_restore(const GlobalOptions& global, const std::vector<std::string>& runs) {
  const Session session = open_store(global);
  for (const std::string& id : found_run_ids(session.tracking(), runs)) {
    session.tracking().restore_run(id);
    print_out("restored run " + id + "\n");
  }
}

}  // namespace mlrt
