#include "cli/command_tree.hpp"

#include <memory>

#include "cli/command_help.hpp"
#include "cli/command_spec.hpp"
#include "cli/output.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

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
  for (const CLI::Option* option : command->get_options()) {
    if (!is_needed(*option) || option->count() > 0) continue;
    throw Error(ErrorCode::kUsage, "'" + name + "' needs " + option->get_name(true) +
                                       "; see 'mlrt " + name + " --help'");
  }
}

// `completion` needs the tree that it stands in.
void add_completion_command(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* completion =
      add_tree_command(root, "completion", "Print a script that completes commands and options");
  const auto shell = std::make_shared<std::string>();
  needed(completion->add_option("SHELL", *shell, "bash, zsh or fish"))->type_name("bash|zsh|fish");
  completion->footer(
      "To install it:\n"
      "  mlrt completion bash > ~/.local/share/bash-completion/completions/mlrt\n"
      "  mlrt completion zsh > \"${fpath[1]}/_mlrt\"\n"
      "  mlrt completion fish > ~/.config/fish/completions/mlrt.fish");
  run_when_chosen(completion, chosen, shell,
                  [&root](const GlobalOptions&, const std::string& name) {
                    print_out(completion_script(root, name));
                  });
}

void build_command_tree(CLI::App& root, ChosenCommand& chosen) {
  root.name("mlrt");
  root.set_help_flag();
  root.allow_extras();
  add_global_options(root, chosen.global);
  add_experiments_commands(root, chosen);
  add_runs_commands(root, chosen);
  add_artifacts_commands(root, chosen);
  add_models_commands(root, chosen);
  add_predict_command(root, chosen);
  add_serve_command(root, chosen);
  add_server_command(root, chosen);
  add_store_commands(root, chosen);
  add_completion_command(root, chosen);
}

}  // namespace

const std::vector<std::string>& command_names() {
  static const std::vector<std::string> names = {
      "experiments", "runs",   "artifacts", "models", "predict", "serve", "server",    "sql",
      "gc",          "limits", "doctor",    "import", "export",  "types", "completion"};
  return names;
}

int run_command(const CommandLine& line) {
  ChosenCommand chosen;
  chosen.global = line.options;
  CLI::App root;
  build_command_tree(root, chosen);
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
  apply_log_options(chosen.global);
  return chosen.run();
}

}  // namespace mlrt
