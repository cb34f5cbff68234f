#include "cli/arguments.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cli/help.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace {

using Words = std::vector<std::string>;

std::string arguments_error(const Words& words, ErrorCode code) {
  try {
    read_command_line(words);
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.message();
  }
  return "no error";
}

}  // namespace

TEST_CASE("options may stand before a script or command, whose own words are untouched") {
  test::TempDir folder;
  const std::string script = folder.path("a.lua");
  fs::write_file(script, "");
  CommandLine line = read_command_line(
      {"--store", "x.db", "--overlay=lib", script, "--store", "-h", "--", "runs"});
  CHECK(line.call == CommandLine::Call::kScript);
  CHECK(line.subject == script);
  CHECK(line.options.store == "x.db");
  CHECK(line.options.overlay == "lib");
  CHECK(line.rest == Words{"--store", "-h", "--", "runs"});

  line = read_command_line(
      {"--log-level=debug", "--log-format", "json", "-e", "return 1", "-i", "--help"});
  CHECK(line.call == CommandLine::Call::kCode);
  CHECK(line.subject == "return 1");
  CHECK(line.rest == Words{"-i", "--help"});
  CHECK(line.options.log_level == "debug");
  CHECK(line.options.log_format == "json");

  line = read_command_line({"runs", "list", "--json"});
  CHECK(line.call == CommandLine::Call::kCommand);
  CHECK(line.subject == "runs");
  CHECK(line.rest == Words{"list", "--json"});
}

TEST_CASE("no words ask for the help, and -h, -V and -i are seen among the options") {
  CHECK(read_command_line({}).call == CommandLine::Call::kHelp);
  CHECK(read_command_line({"--store", "x", "--help"}).call == CommandLine::Call::kHelp);
  CHECK(read_command_line({"-h", "nonsense"}).call == CommandLine::Call::kHelp);
  CHECK(read_command_line({"-V"}).call == CommandLine::Call::kVersion);
  CHECK(read_command_line({"--store", "x", "-i"}).call == CommandLine::Call::kPrompt);
}

TEST_CASE("words that do not fit are told with the nearest name") {
  const ErrorCode usage = ErrorCode::kUsage;
  CHECK(arguments_error({"runz"}, usage) == "unknown command 'runz'; did you mean 'runs'?");
  CHECK(arguments_error({"--stroe", "x"}, usage) ==
        "unknown option '--stroe'; did you mean '--store'?");
  CHECK(arguments_error({"--stroe=x"}, usage) ==
        "unknown option '--stroe=x'; did you mean '--store'?");
  CHECK(arguments_error({"frobnicate"}, usage) ==
        "unknown command 'frobnicate', and no script of that name; see 'mlrt --help'");
  CHECK(arguments_error({"--store"}, usage) == "the option --store needs a value");
  CHECK(arguments_error({"--store="}, usage) == "the option --store has an empty value");
  CHECK(arguments_error({"-e"}, usage) == "-e needs the code to run: mlrt -e 'print(1 + 1)'");
  CHECK(arguments_error({"-i", "x"}, usage) == "-i takes no arguments, but 'x' follows");
  CHECK(arguments_error({""}, usage) == "an empty word stands where a script or command should");
  CHECK(arguments_error({"x.lua"}, ErrorCode::kNotFound) == "cannot read 'x.lua': no such file");
  CHECK(arguments_error({"no/x"}, ErrorCode::kNotFound) == "cannot read 'no/x': no such file");
  test::TempDir folder;
  CHECK(arguments_error({folder.path()}, usage).find("it is a folder, not a script") !=
        std::string::npos);
  fs::write_file(folder.path("m.mlrt"), "");
  CHECK(arguments_error({folder.path("m.mlrt")}, usage).find("to serve it: mlrt serve") !=
        std::string::npos);
}

TEST_CASE("a wrong log level or format is told") {
  GlobalOptions options;
  options.log_level = "loud";
  CHECK_THROWS_WITH_AS(apply_log_options(options),
                       "unknown log level 'loud': one of debug, info, warn, error, off", Error);
  options.log_level = "warn";
  options.log_format = "xml";
  CHECK_THROWS_WITH_AS(apply_log_options(options), "unknown log format 'xml': one of text, json",
                       Error);
}

TEST_CASE("the help names every option and command") {
  const std::string help = root_help();
  for (const char* word :
       {"--store", "--overlay", "--log-level", "--log-format", "--version", "--help", "-e CODE",
        "-i ", "  runs ", "  models ", "predict MODEL", "serve MODEL"}) {
    CHECK_MESSAGE(help.find(word) != std::string::npos, word);
  }
}

}  // namespace mlrt
