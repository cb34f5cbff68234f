#include <memory>
#include <string>

#include "cli/command_spec.hpp"
#include "cli/doctor_command.hpp"
#include "cli/exchange_command.hpp"
#include "cli/gc_command.hpp"
#include "cli/limits_command.hpp"
#include "cli/sql_command.hpp"
#include "cli/types_command.hpp"

namespace mlrt {
namespace {

struct SqlWords {
  SqlOptions options;
  std::string max;
};

constexpr long long kMostRetentionDays = 36500;

struct LimitsWords {
  LimitsOptions options;
  std::string quota, retention_days, keep_points;
};

void add_sql_command(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* sql = add_tree_command(root, "sql", "Answer one SELECT on the store, read-only");
  const auto words = std::make_shared<SqlWords>();
  needed(sql->add_option("SELECT", words->options.sql, "the statement"));
  sql->add_option("--max", words->max, "at most so many rows (10000)")->type_name("N");
  add_output_flags(*sql, words->options.output);
  sql->footer(
      "Tables: experiments, runs, params, tags, latest_metrics, metric_keys, datasets, inputs,\n"
      "logged_models, registered_models, model_versions, ... They may change with the version.\n"
      "\n"
      "Examples:\n"
      "  mlrt sql 'SELECT status, count(*) FROM runs GROUP BY status'\n"
      "  mlrt sql 'SELECT name, sql FROM sqlite_schema' --json");
  run_when_chosen(sql, chosen, words, [](const GlobalOptions& global, SqlWords& given) {
    given.options.max_rows =
        read_option_size("--max", given.max, given.options.max_rows, 1, 1000000);
    run_sql(global, given.options);
  });
}

void add_gc_command(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* gc = add_tree_command(
      root, "gc", "Really delete what was deleted: runs, experiments, logged models, their files");
  const auto options = std::make_shared<GcOptions>();
  gc->add_option("--older-than", options->older_than,
                 "only what was deleted so long ago: 30d, 12h, 90m, 2w")
      ->type_name("AGE");
  gc->add_flag("--dry-run", options->dry_run, "say what would go, and delete nothing");
  gc->add_flag("--compact", options->compact,
               "give free space of the database back to the disk too");
  gc->add_flag("--json", options->json, "JSON in place of the sentence");
  gc->footer(
      "What uploads that were cut off have left in the artifacts goes too, a day later.\n"
      "What is deleted becomes free space in the database's file, which is used again. --compact\n"
      "makes the file smaller: it is written anew, which needs as much space again for the moment\n"
      "and holds up others who write.\n"
      "\n"
      "Examples:\n  mlrt gc --older-than 30d --dry-run\n  mlrt gc --compact");
  run_when_chosen(gc, chosen, options, run_gc);
}

void add_limits_command(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* limits =
      add_tree_command(root, "limits", "Show or set what the store may grow to: quota, retention");
  const auto words = std::make_shared<LimitsWords>();
  limits
      ->add_option("--quota", words->quota,
                   "the space in use in the database, such as 500MB or 2GB; 0: no quota")
      ->type_name("SIZE");
  limits
      ->add_option("--retention-days", words->retention_days,
                   "how long the histories of finished runs stay whole; 0: for ever")
      ->type_name("N");
  limits
      ->add_option("--keep-points", words->keep_points,
                   "about so many points of a metric stay of a thinned history (1000)")
      ->type_name("N");
  limits->add_flag("--off", words->options.off, "neither quota nor retention");
  limits->add_flag("--apply", words->options.apply,
                   "apply the limits now, not in the background of later logging");
  limits->add_flag("--json", words->options.json, "JSON in place of the table");
  limits->footer(
      "What gives way is the metric history of finished runs, the oldest first: it is thinned to\n"
      "its extremes, and dropped to the last point once thinned histories take half the quota.\n"
      "Params, tags, the latest metrics, artifacts and runs under way are never touched. A run "
      "whose\n"
      "history gave way has the tag mlrt.history: thinned or dropped.\n"
      "\n"
      "Examples:\n"
      "  mlrt limits --quota 2GB --retention-days 90\n"
      "  mlrt limits --apply\n"
      "  mlrt limits --off\n"
      "  mlrt runs search \"tags.\\`mlrt.history\\` = 'thinned'\"");
  run_when_chosen(limits, chosen, words, [](const GlobalOptions& global, LimitsWords& given) {
    LimitsOptions& options = given.options;
    if (!given.quota.empty()) options.quota_bytes = read_size_bytes("--quota", given.quota);
    if (!given.retention_days.empty()) {
      options.retention_days =
          read_option_number("--retention-days", given.retention_days, 0, kMostRetentionDays);
    }
    if (!given.keep_points.empty()) {
      options.keep_points = read_option_size("--keep-points", given.keep_points, 0, 0,
                                             static_cast<long long>(kMostKeptPoints));
    }
    run_limits(global, options);
  });
}

void add_doctor_command(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* doctor = add_tree_command(root, "doctor", "Check the store: versions, sizes, defects");
  const auto options = std::make_shared<DoctorOptions>();
  doctor->add_flag("--artifacts", options->artifacts,
                   "read all artifacts too, and compare them with what was logged");
  doctor->add_flag("--json", options->json, "JSON in place of the table");
  doctor->footer(
      "The exit code is 4 if a defect was found.\n\nExample:\n  mlrt doctor --artifacts");
  run_when_chosen(doctor, chosen, options, run_doctor);
}

void add_import_command(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* import = add_tree_command(
      root, "import", "Import an MLflow database, an mlruns folder or TensorBoard files");
  const auto options = std::make_shared<ImportCommandOptions>();
  needed(import->add_option("PATH", options->path, "the database, file or folder; only read"));
  import
      ->add_option("--experiment", options->experiment,
                   "of TensorBoard files: the experiment's name (tensorboard)")
      ->type_name("NAME");
  import->add_flag("--no-artifacts", options->no_artifacts, "leave the files out");
  import->add_flag("--json", options->json, "the report as JSON");
  import->footer(
      "Ids and times are kept. Importing a source again, when it has grown, adds what is new.\n"
      "What cannot be read is told, and left out; the exit code is 1 then.\n"
      "\n"
      "Examples:\n  mlrt import mlflow.db\n  mlrt import mlruns --no-artifacts\n"
      "  mlrt import runs/Nov20 --experiment cnn");
  run_when_chosen(import, chosen, options, run_import);
}

void add_export_command(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* command =
      add_tree_command(root, "export", "Write the store as a database that MLflow opens");
  const auto path = std::make_shared<std::string>();
  needed(command->add_option("FILE", *path, "the database, which must not exist yet"));
  command->footer(
      "Example:\n  mlrt export mlflow.db\n  mlflow ui --backend-store-uri sqlite:///mlflow.db");
  run_when_chosen(command, chosen, path, run_export);
}

void add_types_command(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* types =
      add_tree_command(root, "types", "Write stubs of the Lua API for editors (LuaLS)");
  const auto folder = std::make_shared<std::string>();
  needed(types->add_option("DIR", *folder, "the folder, made on demand"));
  types->footer("Example:\n  mlrt types .types");
  run_when_chosen(types, chosen, folder,
                  [](const GlobalOptions&, const std::string& given) { run_types(given); });
}

}  // namespace

void add_store_commands(CLI::App& root, ChosenCommand& chosen) {
  add_sql_command(root, chosen);
  add_gc_command(root, chosen);
  add_limits_command(root, chosen);
  add_doctor_command(root, chosen);
  add_import_command(root, chosen);
  add_export_command(root, chosen);
  add_types_command(root, chosen);
}

}  // namespace mlrt
