#include <memory>
#include <string>

#include "cli/artifacts_command.hpp"
#include "cli/command_spec.hpp"
#include "cli/experiments_command.hpp"
#include "cli/runs_command.hpp"
#include "cli/runs_compare.hpp"
#include "cli/runs_plot.hpp"
#include "cli/runs_tail.hpp"
#include "cli/sql_command.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr long long kListMost = 50000;  // as MLflow's searches
constexpr long long kTailMostLines = 1000000;
constexpr long long kChartMostSize = 1000;
constexpr std::size_t kRunsShown = 50;
constexpr std::size_t kExperimentsShown = 1000;

constexpr const char* kRunHelp = "its id, or the first four or more digits of it";
constexpr const char* kExperimentHelp = "its name, or its id";
constexpr const char* kViewHelp = "which: active (the default), deleted or all";

// Words that are checked once all are known.
template <typename Options>
struct WithMax {
  Options options;
  std::string max;
};

void add_order_by(CLI::App& command, std::vector<std::string>& order_by) {
  command
      .add_option("--order-by", order_by,
                  "order, such as 'metrics.rmse ASC'; may be given several times")
      ->type_name("ORDER")
      ->allow_extra_args(false);
}

void add_view(CLI::App& command, std::string& view) {
  command.add_option("--view", view, kViewHelp)->type_name("active|deleted|all");
}

// A command whose only argument is an experiment.
void add_experiment_command(CLI::App& parent, ChosenCommand& chosen, const char* name,
                            const char* description, const char* example,
                            void (*run)(const GlobalOptions&, const std::string&)) {
  CLI::App* command = add_tree_command(parent, name, description);
  const auto experiment = std::make_shared<std::string>();
  needed(command->add_option("EXPERIMENT", *experiment, kExperimentHelp));
  command->footer(example);
  run_when_chosen(command, chosen, experiment, run);
}

void add_experiments_create(CLI::App& parent, ChosenCommand& chosen) {
  CLI::App* create = add_tree_command(parent, "create", "Create an experiment, and print its id");
  const auto options = std::make_shared<ExperimentsCreateOptions>();
  needed(create->add_option("NAME", options->name, "its name, which no other has"));
  create
      ->add_option("--artifact-location", options->artifact_location,
                   "the folder for its runs' files; else one beside the store")
      ->type_name("DIR");
  create->add_option("--tag", options->tags, "a tag; may be given several times")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  create->footer("Example:\n  mlrt experiments create taxi --tag team=edge");
  run_when_chosen(create, chosen, options, run_experiments_create);
}

void add_experiments_search(CLI::App& parent, ChosenCommand& chosen) {
  CLI::App* search = add_tree_command(parent, "search", "Search experiments, newest first");
  const auto words = std::make_shared<WithMax<ExperimentsSearchOptions>>();
  ExperimentsSearchOptions& options = words->options;
  search->add_option("FILTER", options.filter, "MLflow's search language; all when absent");
  add_order_by(*search, options.order_by);
  add_view(*search, options.view);
  search->add_option("--max", words->max, "at most so many (1000)")->type_name("N");
  add_output_flags(*search, options.output);
  search->footer(
      "Examples:\n  mlrt experiments search\n"
      "  mlrt experiments search \"name LIKE 'taxi%' AND tags.team = 'edge'\" --json");
  run_when_chosen(search, chosen, words,
                  [](const GlobalOptions& global, WithMax<ExperimentsSearchOptions>& given) {
                    given.options.max_results =
                        read_option_size("--max", given.max, kExperimentsShown, 1, kListMost);
                    run_experiments_search(global, given.options);
                  });
}

struct ExperimentWords {
  std::string experiment, text;
  OutputFlags output;
};

void add_experiments_get(CLI::App& parent, ChosenCommand& chosen) {
  CLI::App* get = add_tree_command(parent, "get", "Show an experiment");
  const auto words = std::make_shared<ExperimentWords>();
  needed(get->add_option("EXPERIMENT", words->experiment, kExperimentHelp));
  add_output_flags(*get, words->output);
  get->footer("Example:\n  mlrt experiments get taxi");
  run_when_chosen(get, chosen, words,
                  [](const GlobalOptions& global, const ExperimentWords& given) {
                    run_experiments_get(global, given.experiment, given.output);
                  });
}

void add_experiments_rename(CLI::App& parent, ChosenCommand& chosen) {
  CLI::App* rename = add_tree_command(parent, "rename", "Give an experiment another name");
  const auto words = std::make_shared<ExperimentWords>();
  needed(rename->add_option("EXPERIMENT", words->experiment, kExperimentHelp));
  needed(rename->add_option("NAME", words->text, "the new name"));
  rename->footer("Example:\n  mlrt experiments rename taxi taxi-2026");
  run_when_chosen(rename, chosen, words,
                  [](const GlobalOptions& global, const ExperimentWords& given) {
                    run_experiments_rename(global, given.experiment, given.text);
                  });
}

void add_experiments_csv(CLI::App& parent, ChosenCommand& chosen) {
  CLI::App* csv = add_tree_command(parent, "csv", "Print all runs of an experiment as CSV");
  const auto words = std::make_shared<ExperimentWords>();
  needed(csv->add_option("EXPERIMENT", words->experiment, kExperimentHelp));
  csv->add_option("--out", words->text, "write it to FILE")->type_name("FILE");
  csv->footer("Example:\n  mlrt experiments csv taxi --out taxi.csv");
  run_when_chosen(csv, chosen, words,
                  [](const GlobalOptions& global, const ExperimentWords& given) {
                    run_experiments_csv(global, given.experiment, given.text);
                  });
}

struct RunsSearchWords {
  RunsSearchOptions options;
  std::string max, sql;
};

void run_runs_search_words(const GlobalOptions& global, RunsSearchWords& given) {
  if (!given.sql.empty()) {
    if (!given.options.filter.empty())
      throw Error(ErrorCode::kUsage, "give a filter or --sql, not both");
    SqlOptions sql;
    sql.sql = given.sql;
    sql.output = given.options.output;
    sql.max_rows = read_option_size("--max", given.max, sql.max_rows, 1, 1000000);
    run_sql(global, sql);
    return;
  }
  given.options.max_results = read_option_size("--max", given.max, kRunsShown, 1, kListMost);
  run_runs_search(global, given.options);
}

void add_runs_options(CLI::App& command, RunsSearchWords& words) {
  command
      .add_option("--experiment", words.options.experiments,
                  "only those of this experiment; may be given several times")
      ->type_name("NAME")
      ->allow_extra_args(false);
  add_view(command, words.options.view);
  command.add_option("--max", words.max, "at most so many runs (50)")->type_name("N");
  add_output_flags(command, words.options.output);
}

void add_runs_list_and_search(CLI::App& runs, ChosenCommand& chosen) {
  CLI::App* list = add_tree_command(runs, "list", "List runs, newest first");
  const auto listed = std::make_shared<RunsSearchWords>();
  add_runs_options(*list, *listed);
  list->footer(
      "Examples:\n  mlrt runs list --max 5\n  mlrt runs list --experiment taxi --json\n"
      "  mlrt --store lab.db runs list");
  run_when_chosen(list, chosen, listed, run_runs_search_words);

  CLI::App* search = add_tree_command(runs, "search", "Search runs by MLflow's search language");
  const auto words = std::make_shared<RunsSearchWords>();
  search->add_option("FILTER", words->options.filter, "the conditions; all when absent");
  add_order_by(*search, words->options.order_by);
  add_runs_options(*search, *words);
  search
      ->add_option("--sql", words->sql,
                   "a SELECT on the store in place of a filter; see 'mlrt sql'")
      ->type_name("SELECT");
  search->footer(
      "Conditions are joined by AND: metrics.KEY and numbers, params.KEY, tags.KEY, attributes\n"
      "(status, run_name, start_time, ...) and dataset.name with = != LIKE ILIKE IN.\n"
      "\n"
      "Examples:\n"
      "  mlrt runs search \"metrics.rmse < 1 and params.model = 'tree'\"\n"
      "  mlrt runs search \"tags.team = 'edge'\" --order-by 'metrics.rmse ASC' --max 5 --csv\n"
      "  mlrt runs search --view deleted");
  run_when_chosen(search, chosen, words, run_runs_search_words);
}

void add_runs_get_and_describe(CLI::App& runs, ChosenCommand& chosen) {
  CLI::App* get = add_tree_command(runs, "get", "Print a run as JSON, or one field of it");
  const auto got = std::make_shared<RunsGetOptions>();
  needed(get->add_option("RUN", got->run, kRunHelp));
  get->add_option("FIELD", got->field, "status, params.KEY, metrics.KEY, tags.KEY, ...");
  add_output_flags(*get, got->output);
  get->footer("Examples:\n  mlrt runs get 3f9a\n  mlrt runs get 3f9a metrics.rmse");
  run_when_chosen(get, chosen, got, run_runs_get);

  CLI::App* describe = add_tree_command(runs, "describe", "Show all there is to know of a run");
  const auto described = std::make_shared<RunsGetOptions>();
  needed(describe->add_option("RUN", described->run, kRunHelp));
  add_output_flags(*describe, described->output);
  describe->footer("Example:\n  mlrt runs describe 3f9a");
  run_when_chosen(describe, chosen, described, run_runs_describe);
}

void add_runs_compare(CLI::App& runs, ChosenCommand& chosen) {
  CLI::App* compare = add_tree_command(runs, "compare", "Show only what differs between runs");
  const auto options = std::make_shared<RunsCompareOptions>();
  needed(compare->add_option("RUN", options->runs, "two or more, by the beginnings of their ids"));
  add_output_flags(*compare, options->output);
  compare->footer("Example:\n  mlrt runs compare 3f9a 77c0");
  run_when_chosen(compare, chosen, options, run_runs_compare);
}

void add_runs_delete_and_restore(CLI::App& runs, ChosenCommand& chosen) {
  CLI::App* remove = add_tree_command(runs, "delete", "Mark runs deleted, until 'mlrt gc'");
  const auto removed = std::make_shared<std::vector<std::string>>();
  needed(remove->add_option("RUN", *removed, kRunHelp));
  remove->footer("Example:\n  mlrt runs delete 3f9a 77c0");
  run_when_chosen(remove, chosen, removed, run_runs_delete);

  CLI::App* restore = add_tree_command(runs, "restore", "Bring deleted runs back");
  const auto restored = std::make_shared<std::vector<std::string>>();
  needed(restore->add_option("RUN", *restored, kRunHelp));
  restore->footer("Example:\n  mlrt runs restore 3f9a");
  run_when_chosen(restore, chosen, restored, run_runs_restore);
}

struct RunsTailWords {
  RunsTailOptions options;
  std::string lines;
};

void add_runs_tail(CLI::App& runs, ChosenCommand& chosen) {
  CLI::App* tail = add_tree_command(runs, "tail", "Follow the metrics of a run until it ends");
  const auto words = std::make_shared<RunsTailWords>();
  needed(tail->add_option("RUN", words->options.run, kRunHelp));
  tail->add_option("--metric", words->options.keys, "only this one; may be given several times")
      ->type_name("KEY")
      ->allow_extra_args(false);
  tail->add_option("--lines", words->lines, "begin with the last so many (10)")->type_name("N");
  tail->add_flag("--json", words->options.json, "a JSON object a line");
  tail->footer("Example:\n  mlrt runs tail 3f9a --metric loss");
  run_when_chosen(tail, chosen, words, [](const GlobalOptions& global, RunsTailWords& given) {
    given.options.lines =
        read_option_size("--lines", given.lines, given.options.lines, 0, kTailMostLines);
    return run_runs_tail(global, given.options);
  });
}

struct RunsPlotWords {
  RunsPlotOptions options;
  std::string width, height;
};

void add_runs_plot(CLI::App& runs, ChosenCommand& chosen) {
  CLI::App* plot = add_tree_command(runs, "plot", "Draw a metric of a run in the terminal");
  const auto words = std::make_shared<RunsPlotWords>();
  needed(plot->add_option("RUN", words->options.run, kRunHelp));
  needed(plot->add_option("KEY", words->options.key, "the metric"));
  plot->add_flag("--ascii", words->options.ascii, "ASCII characters only");
  plot->add_option("--width", words->width, "in characters (the terminal's)")->type_name("N");
  plot->add_option("--height", words->height, "in lines (20)")->type_name("N");
  plot->add_flag("--json", words->options.output.json, "the history as JSON, not the chart");
  plot->add_flag("--csv", words->options.output.csv, "the history as CSV, not the chart");
  plot->footer("Example:\n  mlrt runs plot 3f9a loss --height 12");
  run_when_chosen(plot, chosen, words, [](const GlobalOptions& global, RunsPlotWords& given) {
    given.options.columns = read_option_size("--width", given.width, 0, 20, kChartMostSize);
    given.options.rows = read_option_size("--height", given.height, 0, 5, kChartMostSize);
    run_runs_plot(global, given.options);
  });
}

constexpr const char* kOwnerHelp = "a run's id or its beginning, m-..., or runs:/ID/PATH";

void add_artifacts_log(CLI::App& parent, ChosenCommand& chosen) {
  CLI::App* log = add_tree_command(parent, "log", "Keep a file or folder with a run");
  const auto options = std::make_shared<ArtifactsOptions>();
  needed(log->add_option("RUN", options->owner, kOwnerHelp));
  needed(log->add_option("LOCAL", options->local, "the file or folder"));
  log->add_option("--path", options->path, "the folder for it among the run's files")
      ->type_name("PATH");
  log->footer("Example:\n  mlrt artifacts log 3f9a plots --path figures");
  run_when_chosen(log, chosen, options, run_artifacts_log);
}

void add_artifacts_list(CLI::App& parent, ChosenCommand& chosen) {
  CLI::App* list = add_tree_command(parent, "list", "List a run's files");
  const auto options = std::make_shared<ArtifactsOptions>();
  needed(list->add_option("RUN", options->owner, kOwnerHelp));
  list->add_option("PATH", options->path, "a folder among them");
  list->add_flag("--recursive", options->recursive, "all files below it");
  add_output_flags(*list, options->output);
  list->footer("Example:\n  mlrt artifacts list 3f9a --recursive");
  run_when_chosen(list, chosen, options, run_artifacts_list);
}

void add_artifacts_download(CLI::App& parent, ChosenCommand& chosen) {
  CLI::App* download = add_tree_command(
      parent, "download", "Copy a run's file or folder out, and print where it lies then");
  const auto options = std::make_shared<ArtifactsOptions>();
  needed(download->add_option("RUN", options->owner, kOwnerHelp));
  download->add_option("PATH", options->path, "the file or folder; all of it when absent");
  download->add_option("--to", options->local, "the folder to copy to (this one)")
      ->type_name("DIR");
  download->footer("Example:\n  mlrt artifacts download runs:/3f9a/figures --to out");
  run_when_chosen(download, chosen, options, run_artifacts_download);
}

}  // namespace

void add_experiments_commands(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* experiments = add_tree_command(root, "experiments", "The experiments in the store");
  add_experiments_create(*experiments, chosen);
  add_experiments_search(*experiments, chosen);
  add_experiments_get(*experiments, chosen);
  add_experiments_rename(*experiments, chosen);
  add_experiment_command(*experiments, chosen, "delete",
                         "Mark an experiment and its runs deleted, until 'mlrt gc'",
                         "Example:\n  mlrt experiments delete taxi", run_experiments_delete);
  add_experiment_command(*experiments, chosen, "restore",
                         "Bring a deleted experiment and its runs back",
                         "Example:\n  mlrt experiments restore taxi", run_experiments_restore);
  add_experiments_csv(*experiments, chosen);
}

void add_runs_commands(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* runs = add_tree_command(root, "runs", "The runs in the store");
  add_runs_list_and_search(*runs, chosen);
  add_runs_get_and_describe(*runs, chosen);
  add_runs_compare(*runs, chosen);
  add_runs_tail(*runs, chosen);
  add_runs_plot(*runs, chosen);
  add_runs_delete_and_restore(*runs, chosen);
}

void add_artifacts_commands(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* artifacts = add_tree_command(root, "artifacts", "The files of runs and logged models");
  add_artifacts_log(*artifacts, chosen);
  add_artifacts_list(*artifacts, chosen);
  add_artifacts_download(*artifacts, chosen);
}

}  // namespace mlrt
