#include <memory>
#include <string>

#include "cli/command_spec.hpp"
#include "cli/models_command.hpp"
#include "cli/predict_command.hpp"
#include "cli/serve_command.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr long long kServeMaxPort = 65535;

constexpr const char* kNamedModelHelp =
    "a bundle, a model folder, models:/NAME/VERSION (or latest, or a stage), models:/NAME@ALIAS, "
    "models:/m-ID or runs:/ID/PATH";

struct ServeWords {
  ServeCommandOptions serve;
  std::string port, allowed_hosts;
};

constexpr const char* kModelHelp = "a model's name";
constexpr const char* kVersionHelp =
    "a version: NAME/3, NAME/latest, NAME/Production or NAME@champion";
constexpr const char* kModelOrVersionHelp =
    "a model's name, or a version: NAME/3, NAME/latest, NAME/Production or NAME@champion";
constexpr long long kModelsListMost = 50000;
constexpr std::size_t kHistoryShown = 1000;

struct ModelsSearchWords {
  ModelsSearchOptions options;
  std::string max;
};

void add_models_list_and_search(CLI::App& models, ChosenCommand& chosen) {
  CLI::App* list =
      add_tree_command(models, "list", "List models, their versions, stages and aliases");
  const auto listed = std::make_shared<ModelsSearchOptions>();
  add_output_flags(*list, listed->output);
  list->footer("Example:\n  mlrt models list --json");
  run_when_chosen(list, chosen, listed, run_models_search);

  CLI::App* search =
      add_tree_command(models, "search", "Search models or versions by MLflow's search language");
  const auto words = std::make_shared<ModelsSearchWords>();
  search->add_option("FILTER", words->options.filter, "the conditions; all when absent");
  search->add_flag("--versions", words->options.versions, "search versions, not models");
  search
      ->add_option("--order-by", words->options.order_by,
                   "order, such as 'name DESC'; may be given several times")
      ->type_name("ORDER")
      ->allow_extra_args(false);
  search->add_option("--max", words->max, "at most so many (50000)")->type_name("N");
  add_output_flags(*search, words->options.output);
  search->footer(
      "Conditions are joined by AND: name and tags.KEY with = != LIKE ILIKE; of versions also\n"
      "version_number, run_id and source_path.\n"
      "\n"
      "Examples:\n"
      "  mlrt models search \"name LIKE 'taxi%' AND tags.team = 'edge'\"\n"
      "  mlrt models search --versions \"name = 'taxi-tips' AND version_number > 3\" --csv");
  run_when_chosen(search, chosen, words, [](const GlobalOptions& global, ModelsSearchWords& given) {
    given.options.max_results =
        read_option_size("--max", given.max, given.options.max_results, 1, kModelsListMost);
    run_models_search(global, given.options);
  });
}

struct ModelsTexts {
  std::string model, text;
  OutputFlags output;
};

void add_models_show(CLI::App& models, ChosenCommand& chosen) {
  CLI::App* show = add_tree_command(
      models, "show", "Show a model, or a version with the run and data that it comes from");
  const auto words = std::make_shared<ModelsTexts>();
  needed(show->add_option("MODEL", words->model, kModelOrVersionHelp));
  add_output_flags(*show, words->output);
  show->footer("Examples:\n  mlrt models show taxi-tips\n  mlrt models show taxi-tips@champion");
  run_when_chosen(show, chosen, words, [](const GlobalOptions& global, const ModelsTexts& given) {
    run_models_show(global, given.model, given.output);
  });
}

void add_models_register(CLI::App& models, ChosenCommand& chosen) {
  CLI::App* add = add_tree_command(models, "register", "Register the next version of a model");
  const auto options = std::make_shared<ModelsRegisterOptions>();
  needed(add->add_option("SOURCE", options->source,
                         "a bundle, a model folder, runs:/ID/PATH, models:/m-ID or another "
                         "version: models:/NAME/3"));
  needed(
      add->add_option("NAME", options->name, "the model, which is created when it is not there"));
  add->add_option("--alias", options->alias, "an alias for the version")->type_name("ALIAS");
  add->add_option("--run", options->run, "the run that made it")->type_name("RUN");
  add->add_option("--description", options->description, "what it is")->type_name("TEXT");
  add->add_option("--tag", options->tags, "a tag; may be given several times")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  add->footer("Example:\n  mlrt models register taxi-tips.mlrt taxi-tips --alias champion");
  run_when_chosen(add, chosen, options, run_models_register);
}

void add_models_rename_and_describe(CLI::App& models, ChosenCommand& chosen) {
  CLI::App* rename = add_tree_command(models, "rename", "Give a model another name");
  const auto renamed = std::make_shared<ModelsTexts>();
  needed(rename->add_option("MODEL", renamed->model, kModelHelp));
  needed(rename->add_option("NAME", renamed->text, "the new name"));
  rename->footer("Example:\n  mlrt models rename taxi-tips taxi-tips-2026");
  run_when_chosen(rename, chosen, renamed,
                  [](const GlobalOptions& global, const ModelsTexts& given) {
                    run_models_rename(global, given.model, given.text);
                  });

  CLI::App* describe =
      add_tree_command(models, "describe", "Set the description of a model or version");
  const auto described = std::make_shared<ModelsTexts>();
  needed(describe->add_option("MODEL", described->model, kModelOrVersionHelp));
  needed(describe->add_option("TEXT", described->text, "the description"));
  describe->footer("Example:\n  mlrt models describe taxi-tips/3 'without the airport trips'");
  run_when_chosen(describe, chosen, described,
                  [](const GlobalOptions& global, const ModelsTexts& given) {
                    run_models_describe(global, given.model, given.text);
                  });
}

void add_models_alias_and_stage(CLI::App& models, ChosenCommand& chosen) {
  CLI::App* alias = add_tree_command(models, "alias", "Put an alias on a version, or remove it");
  const auto aliased = std::make_shared<ModelsAliasOptions>();
  needed(alias->add_option("MODEL", aliased->model, kVersionHelp));
  needed(alias->add_option("ALIAS", aliased->alias, "letters, digits, '_' and '-'"));
  alias->add_flag("--delete", aliased->remove, "remove it; MODEL may be a model's name then");
  alias->footer(
      "Examples:\n  mlrt models alias taxi-tips/3 champion\n"
      "  mlrt models alias taxi-tips champion --delete");
  run_when_chosen(alias, chosen, aliased, run_models_alias);

  CLI::App* stage = add_tree_command(models, "stage", "Move a version to a stage");
  const auto staged = std::make_shared<ModelsStageOptions>();
  needed(stage->add_option("MODEL", staged->model, kVersionHelp));
  needed(stage->add_option("STAGE", staged->stage, "None, Staging, Production or Archived"));
  stage->add_flag("--archive-existing", staged->archive_existing,
                  "move the versions that are in the stage to Archived");
  stage->footer("Example:\n  mlrt models stage taxi-tips/3 Production --archive-existing");
  run_when_chosen(stage, chosen, staged, run_models_stage);
}

void add_models_tag(CLI::App& models, ChosenCommand& chosen) {
  CLI::App* tag = add_tree_command(models, "tag", "Set or remove tags of a model or version");
  const auto options = std::make_shared<ModelsTagOptions>();
  needed(tag->add_option("MODEL", options->model, kModelOrVersionHelp));
  tag->add_option("TAG", options->tags, "KEY=VALUE; may be given several times");
  tag->add_option("--delete", options->removed, "remove this tag; may be given several times")
      ->type_name("KEY")
      ->allow_extra_args(false);
  tag->footer(
      "Examples:\n  mlrt models tag taxi-tips team=edge\n"
      "  mlrt models tag taxi-tips/3 --delete checked");
  run_when_chosen(tag, chosen, options, run_models_tag);
}

struct ModelsHistoryWords {
  ModelsHistoryOptions options;
  std::string max;
};

void add_models_history(CLI::App& models, ChosenCommand& chosen) {
  CLI::App* history =
      add_tree_command(models, "history", "Show who changed which stage or alias, and when");
  const auto words = std::make_shared<ModelsHistoryWords>();
  needed(history->add_option("NAME", words->options.name, "a model's name, also of a deleted one"));
  history->add_option("--max", words->max, "at most so many changes (1000)")->type_name("N");
  add_output_flags(*history, words->options.output);
  history->footer(
      "Registering, renaming and deleting are shown too, the newest first.\n"
      "\n"
      "Example:\n  mlrt models history taxi-tips --max 20");
  run_when_chosen(history, chosen, words,
                  [](const GlobalOptions& global, ModelsHistoryWords& given) {
                    given.options.max_results =
                        read_option_size("--max", given.max, kHistoryShown, 1, kModelsListMost);
                    run_models_history(global, given.options);
                  });
}

void add_models_delete(CLI::App& models, ChosenCommand& chosen) {
  CLI::App* remove = add_tree_command(models, "delete", "Delete a version or a model for good");
  const auto options = std::make_shared<ModelsDeleteOptions>();
  needed(remove->add_option("MODEL", options->model, kModelOrVersionHelp));
  remove->add_flag("--all-versions", options->all_versions, "a model that has versions, with them");
  remove->footer(
      "The runs and logged models that versions come from stay.\n"
      "\n"
      "Examples:\n  mlrt models delete taxi-tips/3\n  mlrt models delete taxi-tips --all-versions");
  run_when_chosen(remove, chosen, options, run_models_delete);
}

}  // namespace

void add_models_commands(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* models = add_tree_command(root, "models", "The registered models in the store");
  add_models_list_and_search(*models, chosen);
  add_models_show(*models, chosen);
  add_models_register(*models, chosen);
  add_models_rename_and_describe(*models, chosen);
  add_models_alias_and_stage(*models, chosen);
  add_models_tag(*models, chosen);
  add_models_history(*models, chosen);
  add_models_delete(*models, chosen);
}

void add_predict_command(CLI::App& root, ChosenCommand& chosen) {
  const auto options = std::make_shared<PredictCommandOptions>();
  CLI::App* predict =
      add_tree_command(root, "predict", "Print a model's predictions for the rows of a CSV file");
  needed(predict->add_option("MODEL", options->model, kNamedModelHelp));
  predict->add_option("FILE", options->file, "CSV with a header; - or none: the standard input");
  predict->add_option("-o,--output", options->output, "write them to FILE, not to the output")
      ->type_name("FILE");
  predict->add_option("--format", options->format, "CSV (the default) or as a scoring server does")
      ->type_name("csv|json");
  predict->footer(
      "The columns are found by their names, as the model's signature has them; others are left\n"
      "out. CSV has a line a row below the name of the model's output.\n"
      "\n"
      "Examples:\n"
      "  mlrt predict taxi-tips.mlrt trips.csv\n"
      "  mlrt predict models:/taxi-tips@champion trips.csv --format json -o predictions.json\n"
      "  head -100 trips.csv | mlrt predict runs:/0123456789abcdef0123456789abcdef/model");
  run_when_chosen(predict, chosen, options, run_predict);
}

void add_serve_command(CLI::App& root, ChosenCommand& chosen) {
  const auto words = std::make_shared<ServeWords>();
  CLI::App* serve = add_tree_command(
      root, "serve", "Answer scoring requests over HTTP, as MLflow's scoring server");
  needed(serve->add_option("MODEL", words->serve.model, kNamedModelHelp));
  serve->add_option("--port", words->port, "the port (5000); 0 takes a free one and prints it")
      ->type_name("N");
  serve
      ->add_option("--host", words->serve.host,
                   "the address to listen on (127.0.0.1, this machine only)")
      ->type_name("ADDRESS");
  serve
      ->add_option("--allowed-hosts", words->allowed_hosts,
                   "names, separated by commas, by which clients may call this machine")
      ->type_name("NAMES");
  serve->footer(
      "Routes: GET /ping, /health, /version; POST /invocations (application/json or text/csv).\n"
      "Ctrl-C or SIGTERM finishes the requests under way and stops.\n"
      "With --host 0.0.0.0 other machines can ask too: there is no authentication. They may call "
      "this\n"
      "machine by any of its addresses, and by the names that --allowed-hosts gives.\n"
      "\n"
      "Examples:\n"
      "  mlrt serve taxi-tips.mlrt --port 8080\n"
      "  mlrt serve models:/taxi-tips@champion --port 0\n"
      "  curl http://127.0.0.1:8080/invocations -H 'Content-Type: application/json' \\\n"
      "    -d '{\"dataframe_records\": [{\"trip_miles\": 2.5, \"fare\": 9.25, "
      "\"trip_seconds\": 540,\n"
      "         \"payment_type\": \"Credit Card\"}]}'");
  run_when_chosen(serve, chosen, words, [](const GlobalOptions& global, ServeWords& given) {
    if (!given.port.empty()) {
      given.serve.port =
          static_cast<int>(read_option_number("--port", given.port, 0, kServeMaxPort));
    }
    for (const std::string& name : split(given.allowed_hosts, ',')) {
      if (!trim(name).empty()) given.serve.allowed_hosts.emplace_back(trim(name));
    }
    run_serve(global, given.serve);
  });
}

}  // namespace mlrt
