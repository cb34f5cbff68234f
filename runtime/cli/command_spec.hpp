#ifndef MLRT_CLI_COMMAND_SPEC_HPP_
#define MLRT_CLI_COMMAND_SPEC_HPP_

// Internal: how commands are entered into CLI11's tree. Each command's options live as long as the
// function that runs it.

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/listing.hpp"

namespace mlrt {

// What the words have chosen.
struct ChosenCommand {
  GlobalOptions global;
  std::function<int()> run;  // returns the exit code
};

// A command with its help; words that do not fit are kept for an error message of ours.
CLI::App* add_tree_command(CLI::App& parent, const char* name, const char* description);

// An argument without which the command cannot be: CLI11's own check would come before ours for
// mistyped options.
CLI::Option* needed(CLI::Option* option);
bool is_needed(const CLI::Option& option);

void add_output_flags(CLI::App& command, OutputFlags& flags);

// Throws kUsage with the option's name and its range.
long long read_option_number(const std::string& option, const std::string& text, long long least,
                             long long most);
// The same for an option that may be absent ("").
std::size_t read_option_size(const std::string& option, const std::string& text,
                             std::size_t when_absent, long long least, long long most);

// Makes `run` what happens when the words name `command`.
template <typename Options, typename Run>
void run_when_chosen(CLI::App* command, ChosenCommand& chosen, std::shared_ptr<Options> options,
                     Run run) {
  command->callback([&chosen, options, run] {
    chosen.run = [&chosen, options, run] {
      if constexpr (std::is_same_v<decltype(run(chosen.global, *options)), int>) {
        return run(chosen.global, *options);
      } else {
        run(chosen.global, *options);
        return 0;
      }
    };
  });
}

// The groups of commands, each in a file of its own.
void add_experiments_commands(CLI::App& root, ChosenCommand& chosen);
void add_runs_commands(CLI::App& root, ChosenCommand& chosen);
void add_artifacts_commands(CLI::App& root, ChosenCommand& chosen);
void add_models_commands(CLI::App& root, ChosenCommand& chosen);
void add_predict_command(CLI::App& root, ChosenCommand& chosen);
void add_serve_command(CLI::App& root, ChosenCommand& chosen);
void add_server_command(CLI::App& root, ChosenCommand& chosen);
void add_store_commands(CLI::App& root, ChosenCommand& chosen);

}  // namespace mlrt

#endif  // MLRT_CLI_COMMAND_SPEC_HPP_
