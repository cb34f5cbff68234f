#include "cli/arguments.hpp"

#include <cstddef>
#include <string_view>

#include "cli/command_tree.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

struct GlobalOptionName {
  const char* name;
  std::string GlobalOptions::*field;
};

constexpr GlobalOptionName kGlobalOptionNames[] = {
    {"--store", &GlobalOptions::store},
    {"--overlay", &GlobalOptions::overlay},
    {"--log-level", &GlobalOptions::log_level},
    {"--log-format", &GlobalOptions::log_format},
};

[[noreturn]] void throw_usage(const std::string& message) {
  throw Error(ErrorCode::kUsage, message);
}

std::vector<std::string> root_option_names() {
  std::vector<std::string> names = {"--help", "--version", "-h", "-V", "-e", "-i"};
  for (const GlobalOptionName& option : kGlobalOptionNames) names.emplace_back(option.name);
  return names;
}

// Reads "--name value" or "--name=value" at `at`, which then stands on its last word.
bool read_global_option(const std::vector<std::string>& words, std::size_t& at,
                        GlobalOptions& options) {
  const std::string& word = words[at];
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  for (const GlobalOptionName& option : kGlobalOptionNames) {
    if (name != option.name) continue;
    if (equals != std::string::npos) {
      options.*option.field = word.substr(equals + 1);
    } else if (at + 1 < words.size()) {
      options.*option.field = words[++at];
    } else {
      throw_usage("the option " + name + " needs a value");
    }
    if ((options.*option.field).empty()) throw_usage("the option " + name + " has an empty value");
    return true;
  }
  return false;
}

bool looks_like_path(const std::string& word) {
  return word.find('/') != std::string::npos || ends_with(word, ".lua");
}

// A word that is no option: a command, or else a script.
void read_subject(const std::string& word, CommandLine& line) {
  line.subject = word;
  const std::vector<std::string>& commands = command_names();
  for (const std::string& command : commands) {
    if (word == command) {
      line.call = CommandLine::Call::kCommand;
      return;
    }
  }
  line.call = CommandLine::Call::kScript;
  if (fs::is_folder(word))
    throw_usage("cannot run " + quoted(word) + ": it is a folder, not a script");
  if (fs::exists(word)) {
    if (ends_with(word, ".mlrt")) {
      throw_usage(quoted(word) + " is a bundle, not a script; to serve it: mlrt serve " + word);
    }
    return;
  }
  if (looks_like_path(word)) {
    throw Error(ErrorCode::kNotFound, "cannot read " + quoted(word, 400) + ": no such file");
  }
  const std::string hint = did_you_mean(word, commands);
  throw_usage("unknown command " + quoted(word) +
              (hint.empty() ? ", and no script of that name; see 'mlrt --help'" : hint));
}

}  // namespace

CommandLine read_command_line(const std::vector<std::string>& words) {
  CommandLine line;
  std::size_t at = 0;
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--help" || word == "-h") return line;
    if (word == "--version" || word == "-V") {
      line.call = CommandLine::Call::kVersion;
      return line;
    }
    if (word == "-i") {
      line.call = CommandLine::Call::kPrompt;
      if (at + 1 < words.size())
        throw_usage("-i takes no arguments, but " + quoted(words[at + 1]) + " follows");
      return line;
    }
    if (word == "-e") {
      if (at + 1 == words.size()) throw_usage("-e needs the code to run: mlrt -e 'print(1 + 1)'");
      line.call = CommandLine::Call::kCode;
      line.subject = words[++at];
      break;
    }
    if (read_global_option(words, at, line.options)) continue;
    if (word.empty()) throw_usage("an empty word stands where a script or command should");
    if (word[0] == '-') {
      throw_usage("unknown option " + quoted(word) +
                  did_you_mean(word.substr(0, word.find('=')), root_option_names()));
    }
    read_subject(word, line);
    break;
  }
  if (at < words.size()) {
    line.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
  }
  return line;
}

void apply_log_options(const GlobalOptions& options) {
  if (options.log_format != "text" && options.log_format != "json") {
    throw_usage("unknown log format " + quoted(options.log_format) + ": one of text, json");
  }
  try {
    set_log(parse_log_level(options.log_level),
            options.log_format == "json" ? LogFormat::kJson : LogFormat::kText);
  } catch (const Error& error) {
    throw_usage(error.message());
  }
}

}  // namespace mlrt
