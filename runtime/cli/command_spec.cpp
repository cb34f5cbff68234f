#include "cli/command_spec.hpp"

#include <cstddef>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr const char* kNeededGroup = "needed";

}  // namespace

CLI::App* add_tree_command(CLI::App& parent, const char* name, const char* description) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->set_help_flag("-h,--help", "print this");
  command->allow_extras();
  command->fallthrough();  // for the options of all commands
#if CLI11_VERSION_MAJOR > 2 || CLI11_VERSION_MINOR >= 5
  command->subcommand_fallthrough(false);  // an experiment may be called "runs"
#endif
  return command;
}

CLI::Option* needed(CLI::Option* option) { return option->group(kNeededGroup); }

bool is_needed(const CLI::Option& option) { return option.get_group() == kNeededGroup; }

void add_output_flags(CLI::App& command, OutputFlags& flags) {
  command.add_flag("--json", flags.json, "JSON in place of the table");
  command.add_flag("--csv", flags.csv, "CSV in place of the table");
}

long long read_option_number(const std::string& option, const std::string& text, long long least,
                             long long most) {
  long long value = 0;
  if (!parse_int64(text, value) || value < least || value > most) {
    throw Error(ErrorCode::kUsage, option + " takes a whole number from " + std::to_string(least) +
                                       " to " + std::to_string(most) + ", not " + quoted(text));
  }
  return value;
}

std::size_t read_option_size(const std::string& option, const std::string& text,
                             std::size_t when_absent, long long least, long long most) {
  if (text.empty()) return when_absent;
  return static_cast<std::size_t>(read_option_number(option, text, least, most));
}

}  // namespace mlrt
