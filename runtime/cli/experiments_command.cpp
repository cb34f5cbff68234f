#include "cli/experiments_command.hpp"

#include "cli/run_output.hpp"
#include "cli/store_access.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kAllRuns = 10000000;

OrderedJson experiment_json(const Experiment& experiment) {
  OrderedJson item;
  item["experiment_id"] = experiment.id;
  item["name"] = experiment.name;
  item["artifact_location"] = experiment.artifact_location;
  item["lifecycle_stage"] = experiment.lifecycle_stage;
  item["creation_time"] = experiment.creation_time_ms;
  item["last_update_time"] = experiment.last_update_time_ms;
  item["tags"] = OrderedJson::object();
  for (const Tag& tag : experiment.tags) item["tags"][tag.key] = tag.value;
  return item;
}

void print_experiments(OutputForm form, const std::vector<Experiment>& experiments,
                       const std::string& when_empty) {
  TextTable table(
      {{"ID", TextTable::Align::kRight}, {"NAME"}, {"STAGE"}, {"CREATED (UTC)"}, {"ARTIFACTS"}});
  OrderedJson list = OrderedJson::array();
  for (const Experiment& experiment : experiments) {
    table.add({experiment.id, experiment.name, experiment.lifecycle_stage,
               format_time_ms(experiment.creation_time_ms), experiment.artifact_location});
    list.push_back(experiment_json(experiment));
  }
  print_listing(form, table, experiment_json(Experiment()), list, when_empty);
}

}  // namespace

void run_experiments_create(const GlobalOptions& global, const ExperimentsCreateOptions& options) {
  const std::vector<Tag> tags = read_tag_words("--tag", options.tags);
  const Session session = open_store(global, true);
  const std::string id =
      session.tracking().create_experiment(options.name, options.artifact_location, tags);
  print_out("created experiment " + quoted(options.name, 500) + " with id " + id + "\n");
}

void run_experiments_search(const GlobalOptions& global, const ExperimentsSearchOptions& options) {
  const OutputForm form = output_form(options.output);
  SearchQuery query;
  query.filter = options.filter;
  query.order_by = options.order_by;
  query.view = read_view(options.view);
  const Session session = open_store(global);
  const TrackingStore& store = session.tracking();
  const std::vector<Experiment> experiments = search_pages<Experiment>(
      query, options.max_results,
      [&](const SearchQuery& page) { return store.search_experiments(page); });
  print_experiments(form, experiments, "no experiments match in " + session.store());
}

void run_experiments_get(const GlobalOptions& global, const std::string& experiment,
                         const OutputFlags& output) {
  const OutputForm form = output_form(output);
  const Session session = open_store(global);
  const Experiment found = find_experiment(session.tracking(), experiment);
  if (form != OutputForm::kTable) {
    print_experiments(form, {found}, "");
    return;
  }
  TextTable table({{"Experiment"}, {found.name}});
  table.add({"Id", found.id});
  table.add({"Stage", found.lifecycle_stage});
  table.add({"Created", format_time_ms(found.creation_time_ms) + " UTC"});
  table.add({"Updated", format_time_ms(found.last_update_time_ms) + " UTC"});
  table.add({"Artifacts", found.artifact_location});
  for (const Tag& tag : found.tags) table.add({"Tag " + tag.key, tag.value});
  print_out(table.text());
}

void run_experiments_rename(const GlobalOptions& global, const std::string& experiment,
                            const std::string& name) {
  const Session session = open_store(global);
  const Experiment found = find_experiment(session.tracking(), experiment);
  session.tracking().rename_experiment(found.id, name);
  print_out("renamed experiment " + found.id + " from " + quoted(found.name, 500) + " to " +
            quoted(name, 500) + "\n");
}

void run_experiments_delete(const GlobalOptions& global, const std::string& experiment) {
  const Session session = open_store(global);
  const Experiment found = find_experiment(session.tracking(), experiment);
  session.tracking().delete_experiment(found.id);
  print_out("deleted experiment " + quoted(found.name, 500) +
            " and its runs; to bring them back: mlrt experiments restore " + found.id + "\n");
}

void run_experiments_restore(const GlobalOptions& global, const std::string& experiment) {
  const Session session = open_store(global);
  const Experiment found = find_experiment(session.tracking(), experiment);
  session.tracking().restore_experiment(found.id);
  print_out("restored experiment " + quoted(found.name, 500) + " and its runs\n");
}

void run_experiments_csv(const GlobalOptions& global, const std::string& experiment,
                         const std::string& file) {
  const Session session = open_store(global);
  const TrackingStore& store = session.tracking();
  const Experiment found = find_experiment(store, experiment);
  const ExperimentNames names = {{found.id, found.name}};
  OrderedJson list = OrderedJson::array();
  const std::vector<RunRecord> runs = search_pages<RunRecord>(
      {}, kAllRuns, [&](const SearchQuery& page) { return store.search_runs({found.id}, page); });
  for (const RunRecord& run : runs) list.push_back(run_json(run, names));
  const std::string text = json_as_csv(run_json(RunRecord(), {}), list);
  if (file.empty()) {
    print_out(text);
    return;
  }
  fs::write_file(file, text);
  print_out("wrote " + std::to_string(runs.size()) + (runs.size() == 1 ? " run" : " runs") +
            " to " + quoted(file, 400) + "\n");
}

}  // namespace mlrt
