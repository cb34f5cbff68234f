#include "cli/command_tree.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <string_view>

#include "cli/models_command.hpp"
#include "cli/output.hpp"
#include "cli/runs_command.hpp"
#include "cli/serve_command.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr long long kRunsListMost = 50000;  // as MLflow's search_runs
constexpr long long kServeMaxPort = 65535;

struct CommandTree {
  GlobalOptions global;
  RunsListOptions runs_list;
  ModelsListOptions models_list;
  ServeCommandOptions serve;
  std::string max_results, port, allowed_hosts;
  std::function<void()> chosen;
};

long long read_option_number(const std::string& option, const std::string& text, long long least,
                             long long most) {
  long long value = 0;
  if (!parse_int64(text, value) || value < least || value > most) {
    throw Error(ErrorCode::kUsage, option + " takes a whole number from " + std::to_string(least) +
                                       " to " + std::to_string(most) + ", not " + quoted(text));
  }
  return value;
}

void add_global_options(CLI::App& app, GlobalOptions& global) {
  app.add_option("--store", global.store,
                 "the store, one SQLite file; else $MLRT_STORE, else mlrt.db")
      ->type_name("FILE");
  app.add_option("--overlay", global.overlay,
                 "look for Lua modules in DIR before the built-in ones")
      ->type_name("DIR");
  app.add_option("--log-level", global.log_level, "debug, info, warn (the default), error or off")
      ->type_name("LEVEL");
  app.add_option("--log-format", global.log_format, "text (the default) or json")
      ->type_name("FORM");
}

// What each command has: its help, and words that do not fit are kept for an error message of ours.
CLI::App* add_tree_command(CLI::App& parent, const char* name, const char* description) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->set_help_flag("-h,--help", "print this");
  command->allow_extras();
  command->fallthrough();
  return command;
}

void add_runs_commands(CLI::App& root, CommandTree& tree) {
  CLI::App* runs = add_tree_command(root, "runs", "The runs in the store");
  CLI::App* list = add_tree_command(*runs, "list", "List runs, newest first");
  list->add_option("--experiment", tree.runs_list.experiment, "only those of this experiment")
      ->type_name("NAME");
  list->add_option("--max", tree.max_results, "at most so many runs (50)")->type_name("N");
  list->add_flag("--json", tree.runs_list.json, "a JSON array in place of the table");
  list->footer(
      "Examples:\n  mlrt runs list --max 5\n  mlrt runs list --experiment taxi --json\n"
      "  mlrt --store lab.db runs list");
  list->callback([&tree] {
    tree.chosen = [&tree] {
      if (!tree.max_results.empty()) {
        tree.runs_list.max_results = static_cast<std::size_t>(
            read_option_number("--max", tree.max_results, 1, kRunsListMost));
      }
      run_runs_list(tree.global, tree.runs_list);
    };
  });
}

void add_models_commands(CLI::App& root, CommandTree& tree) {
  CLI::App* models = add_tree_command(root, "models", "The registered models in the store");
  CLI::App* list = add_tree_command(*models, "list", "List models, their versions and aliases");
  list->add_flag("--json", tree.models_list.json, "a JSON array in place of the table");
  list->footer("Example:\n  mlrt models list --json");
  list->callback(
      [&tree] { tree.chosen = [&tree] { run_models_list(tree.global, tree.models_list); }; });
}

void add_serve_command(CLI::App& root, CommandTree& tree) {
  CLI::App* serve = add_tree_command(
      root, "serve", "Answer scoring requests over HTTP, as MLflow's scoring server");
  serve->add_option(
      "MODEL", tree.serve.model,
      "a bundle, a model folder, models:/NAME/VERSION, models:/NAME@ALIAS or runs:/ID/PATH");
  serve->add_option("--port", tree.port, "the port (5000); 0 takes a free one and prints it")
      ->type_name("N");
  serve
      ->add_option("--host", tree.serve.host,
                   "the address to listen on (127.0.0.1, this machine only)")
      ->type_name("ADDRESS");
  serve
      ->add_option("--allowed-hosts", tree.allowed_hosts,
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
  serve->callback([&tree] {
    tree.chosen = [&tree] {
      if (tree.serve.model.empty()) {
        throw Error(ErrorCode::kUsage,
                    "serve needs a model: mlrt serve MODEL; see 'mlrt serve --help'");
      }
      if (!tree.port.empty()) {
        tree.serve.port =
            static_cast<int>(read_option_number("--port", tree.port, 0, kServeMaxPort));
      }
      for (const std::string& name : split(tree.allowed_hosts, ',')) {
        if (!trim(name).empty()) tree.serve.allowed_hosts.emplace_back(trim(name));
      }
      run_serve(tree.global, tree.serve);
    };
  });
}

void build_command_tree(CLI::App& root, CommandTree& tree) {
  root.name("mlrt");
  root.set_help_flag();
  root.allow_extras();
  add_global_options(root, tree.global);
  add_runs_commands(root, tree);
  add_models_commands(root, tree);
  add_serve_command(root, tree);
}

// The deepest command that the words named, and its name with those above it.
std::pair<const CLI::App*, std::string> chosen_command(const CLI::App& root) {
  const CLI::App* at = &root;
  std::string name;
  for (;;) {
    const std::vector<const CLI::App*> parsed =
        at->get_subcommands([](const CLI::App* child) { return child->parsed() > 0; });
    if (parsed.empty()) return {at, name};
    at = parsed.front();
    name += (name.empty() ? "" : " ") + at->get_name();
  }
}

std::vector<std::string> command_option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* child : command.get_subcommands(nullptr)) names.push_back(child->get_name());
  return names;
}

constexpr std::size_t kHelpColumn = 22;  // where the descriptions begin

void append_help_line(std::string& out, const std::string& what, const std::string& description) {
  std::string line = "  " + what;
  if (line.size() + 2 > kHelpColumn) {
    out += line + "\n";
    line.clear();
  }
  line.resize(kHelpColumn, ' ');
  out += line + description + "\n";
}

std::string option_help_name(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::string name;
  for (const std::string& letter : option.get_snames()) name += "-" + letter + ", ";
  name += "--" + option.get_lnames().front();
  return option.get_items_expected_max() > 0 ? name + " " + option.get_type_name() : name;
}

void append_help_options(std::string& out, const CLI::App& app, const char* title) {
  out += std::string("\n") + title + ":\n";
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) continue;
    append_help_line(out, option_help_name(*option), option->get_description());
  }
}

// The help of one command, in the style of root_help.
std::string command_help(const CLI::App& command, const std::string& name) {
  std::string usage = "mlrt " + name;
  std::string arguments;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    usage += " " + option->get_name(true);
    append_help_line(arguments, option->get_name(true), option->get_description());
  }
  std::string children;
  for (const CLI::App* child : command.get_subcommands(nullptr)) {
    append_help_line(children, child->get_name(), child->get_description());
  }
  if (!children.empty()) usage += " COMMAND";
  std::string out = command.get_description() + ".\n\nUsage:\n  " + usage + " [OPTIONS]\n";
  if (!arguments.empty()) out += "\nArguments:\n" + arguments;
  if (!children.empty()) out += "\nCommands:\n" + children;
  append_help_options(out, command, "Options");
  const CLI::App* root = &command;
  while (root->get_parent() != nullptr) root = root->get_parent();
  append_help_options(out, *root, "Options of all commands");
  if (!command.get_footer().empty()) out += "\n" + command.get_footer() + "\n";
  return out;
}

[[noreturn]] void throw_unexpected_word(const CLI::App& command, const std::string& name,
                                        const std::string& word) {
  if (word.size() > 1 && word[0] == '-') {
    const std::string option = word.substr(0, word.find('='));
    const std::vector<std::string> options = command_option_names(command);
    if (std::find(options.begin(), options.end(), option) != options.end()) {
      throw Error(ErrorCode::kUsage, "the option " + option + " must stand behind '" + name + "'");
    }
    const std::string hint = did_you_mean(option, options);
    throw Error(ErrorCode::kUsage, "unknown option " + quoted(word) + " of '" + name + "'" + hint);
  }
  const std::vector<std::string> children = subcommand_names(command);
  if (children.empty()) {
    throw Error(ErrorCode::kUsage, "'" + name + "' does not take " + quoted(word) + "; see 'mlrt " +
                                       name + " --help'");
  }
  const std::string hint = did_you_mean(word, children);
  throw Error(ErrorCode::kUsage,
              "unknown command " + quoted(name + " " + word) +
                  (hint.empty() ? ": '" + name + "' has " + join(children, ", ") : hint));
}

void check_command_words(const CLI::App& root) {
  const auto [command, name] = chosen_command(root);
  const std::vector<std::string> extras = root.remaining(true);
  if (!extras.empty()) throw_unexpected_word(*command, name, extras.front());
  const std::vector<std::string> children = subcommand_names(*command);
  if (!children.empty()) {
    throw Error(ErrorCode::kUsage, "'" + name + "' needs one of its commands: " +
                                       join(children, ", ") + "; see 'mlrt " + name + " --help'");
  }
}

}  // namespace

const std::vector<std::string>& command_names() {
  static const std::vector<std::string> names = {"runs", "models", "serve"};
  return names;
}

int run_command(const CommandLine& line) {
  CommandTree tree;
  tree.global = line.options;
  CLI::App root;
  build_command_tree(root, tree);
  std::vector<std::string> words(line.rest.rbegin(),
                                 line.rest.rend());  // CLI11 takes them from the back
  words.push_back(line.subject);
  try {
    root.parse(words);
  } catch (const CLI::CallForHelp&) {
    const auto [command, name] = chosen_command(root);
    print_out(command_help(*command, name));
    return 0;
  } catch (const CLI::ArgumentMismatch& error) {
    // Every option takes one value or none, so a mismatch is a value that is absent.
    const std::string text = error.what();
    throw Error(ErrorCode::kUsage, "the option " + text.substr(0, text.find(':')) +
                                       " needs a value; see 'mlrt " + line.subject + " --help'");
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorCode::kUsage, "'" + line.subject + "': " + error.what() + "; see 'mlrt " +
                                       line.subject + " --help'");
  }
  check_command_words(root);
  apply_log_options(tree.global);
  tree.chosen();
  return 0;
}

}  // namespace mlrt
