#include "cli/command_help.hpp"

#include "cli/command_spec.hpp"

namespace mlrt {
namespace {

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

// "RUN", "[FIELD]", "RUN..."
std::string argument_help_name(const CLI::Option& option) {
  std::string name = option.get_name(true);
  if (option.get_items_expected_max() > 1) name += "...";
  return is_needed(option) ? name : "[" + name + "]";
}

std::string option_help_name(const CLI::Option& option) {
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

}  // namespace

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

std::string command_help(const CLI::App& command, const std::string& name) {
  std::string usage = "mlrt " + name;
  std::string arguments;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    usage += " " + argument_help_name(*option);
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

}  // namespace mlrt
