#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "api/session.hpp"
#include "cli/cli_support.hpp"
#include "core/fs.hpp"
#include "core/json.hpp"
#include "core/version.hpp"

namespace mlrt {
namespace {

using test::ProcessOptions;
using test::ProcessResult;
using test::run_mlrt;
using test::TempDir;

void check_program_fails(const ProcessResult& result, int exit_code, const std::string& error) {
  CHECK(result.exit_code == exit_code);
  CHECK(result.err == "mlrt: " + error + "\n");
  CHECK(result.out.empty());
}

}  // namespace

TEST_CASE("help and version are printed") {
  TempDir folder;
  const ProcessResult help = run_mlrt(folder.path(), {"--help"});
  CHECK(help.exit_code == 0);
  CHECK(help.out.find("Usage:\n  mlrt [OPTIONS] SCRIPT.lua [ARGS...]") != std::string::npos);
  CHECK(run_mlrt(folder.path(), {}).out == help.out);
  const ProcessResult version = run_mlrt(folder.path(), {"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out == std::string("mlrt ") + MLRT_VERSION + "\n");
  for (const char* command : {"runs", "models", "serve"}) {
    const ProcessResult result = run_mlrt(folder.path(), {command, "--help"});
    CHECK(result.exit_code == 0);
    CHECK(result.out.find(std::string("Usage:\n  mlrt ") + command) != std::string::npos);
    CHECK(result.out.find("--store FILE") != std::string::npos);
  }
  CHECK(run_mlrt(folder.path(), {"runs", "list", "-h"}).out.find("--experiment NAME") !=
        std::string::npos);
  CHECK(fs::list(folder.path()).empty());
}

TEST_CASE("a script gets all words after its name") {
  TempDir folder;
  fs::write_file(folder.path("a.lua"), "print(...) print(#arg, arg[2])");
  const ProcessResult script =
      run_mlrt(folder.path(), {"--log-level", "off", "a.lua", "--store", "-e", "--help"});
  CHECK(script.exit_code == 0);
  CHECK(script.out == "--store\t-e\t--help\n3\t-e\n");
  const ProcessResult code = run_mlrt(folder.path(), {"-e", "print(...)", "x", "-i"});
  CHECK(code.exit_code == 0);
  CHECK(code.out == "x\t-i\n");
  CHECK(fs::list(folder.path()) ==
        std::vector<std::string>{"a.lua"});  // no store unless one is needed
}

TEST_CASE("a prompt reads standard input to its end") {
  TempDir folder;
  ProcessOptions options;
  options.in = "1 + 2\n";
  const ProcessResult result = run_mlrt(folder.path(), {"-i"}, options);
  CHECK(result.exit_code == 0);
  CHECK(result.out.find("3\n") != std::string::npos);
}

TEST_CASE("unknown commands and options are one line with the nearest name, exit code 2") {
  TempDir folder;
  const std::string at = folder.path();
  check_program_fails(run_mlrt(at, {"runz"}), 2, "unknown command 'runz'; did you mean 'runs'?");
  check_program_fails(run_mlrt(at, {"--sotre", "x"}), 2,
                      "unknown option '--sotre'; did you mean '--store'?");
  check_program_fails(run_mlrt(at, {"runs", "lst"}), 2,
                      "unknown command 'runs lst'; did you mean 'list'?");
  check_program_fails(
      run_mlrt(at, {"runs"}), 2,
      "'runs' needs one of its commands: list, search, get, describe, compare, tail, "
      "plot, delete, restore; see 'mlrt runs --help'");
  check_program_fails(run_mlrt(at, {"runs", "list", "--jsn"}), 2,
                      "unknown option '--jsn' of 'runs list'; did you mean '--json'?");
  check_program_fails(run_mlrt(at, {"runs", "list", "--max", "0"}), 2,
                      "--max takes a whole number from 1 to 50000, not '0'");
  check_program_fails(run_mlrt(at, {"serve"}), 2, "'serve' needs MODEL; see 'mlrt serve --help'");
  check_program_fails(run_mlrt(at, {"serve", "x", "--port", "http"}), 2,
                      "--port takes a whole number from 0 to 65535, not 'http'");
  check_program_fails(run_mlrt(at, {"serve", "x", "y"}), 2,
                      "'serve' does not take 'y'; see 'mlrt serve --help'");
  check_program_fails(run_mlrt(at, {"runs", "list", "--max"}), 2,
                      "the option --max needs a value; see 'mlrt runs --help'");
  check_program_fails(run_mlrt(at, {"runs", "--max", "3", "list"}), 2,
                      "the option --max must stand behind 'runs list'");
  CHECK(fs::list(at).empty());
}

TEST_CASE("a script that does not exist is exit code 3") {
  TempDir folder;
  check_program_fails(run_mlrt(folder.path(), {"x.lua"}), 3, "cannot read 'x.lua': no such file");
}

TEST_CASE("a script's error is a line with its place, then the traceback, exit code 1") {
  TempDir folder;
  fs::write_file(folder.path("bad.lua"), "local x = 1\nlocal y = = 2\n");
  ProcessResult result = run_mlrt(folder.path(), {"bad.lua"});
  CHECK(result.exit_code == 1);
  CHECK(result.err.find("mlrt: bad.lua:2: ") == 0);
  fs::write_file(folder.path("fails.lua"),
                 "print('before')\nlocal function f() error('broken') end\nf()\n");
  result = run_mlrt(folder.path(), {"fails.lua"});
  CHECK(result.exit_code == 1);
  CHECK(result.out == "before\n");
  CHECK(result.err.find("mlrt: fails.lua:2: broken\nstack traceback:\n") == 0);
  CHECK(result.err.find("fails.lua:3:") != std::string::npos);
}

TEST_CASE("output that cannot be written is an error, not a silent success") {
  TempDir folder;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--version"}, {"-e", "print('x')"}, {"runs", "--help"}}) {
    CAPTURE(words.front());
    ProcessOptions full;
    full.out_file = "/dev/full";
    const ProcessResult result = run_mlrt(folder.path(), words, full);
    CHECK(result.exit_code == 5);
    CHECK(result.err.find("mlrt: cannot write to standard output") == 0);
    ProcessOptions closed;
    closed.close_out = true;
    CHECK(run_mlrt(folder.path(), words, closed).exit_code == 5);
  }
}

TEST_CASE("a script whose standard output is closed does not print into its store") {
  TempDir folder;
  ProcessOptions closed;
  closed.close_out = true;
  CHECK(run_mlrt(folder.path(),
                 {"-e", "local m = require 'mlrt' m.start_run{name = 'r'} print('garbage')"},
                 closed)
            .exit_code == 5);
  const ProcessResult list = run_mlrt(folder.path(), {"runs", "list"});
  CHECK(list.exit_code == 0);
  CHECK(list.out.find(" r ") != std::string::npos);
}

TEST_CASE("modules are found in the overlay before the built-in ones") {
  TempDir folder;
  fs::make_folders(folder.path("lib"));
  fs::write_file(folder.path("lib/mlrt.lua"), "return {version = 'mine'}");
  const std::string code = "print(require('mlrt').version)";
  CHECK(run_mlrt(folder.path(), {"-e", code}).out == std::string(MLRT_VERSION) + "\n");
  CHECK(run_mlrt(folder.path(), {"--overlay", "lib", "-e", code}).out == "mine\n");
}

TEST_CASE("an overlay that is no folder is told, not passed over") {
  TempDir folder;
  check_program_fails(run_mlrt(folder.path(), {"--overlay", "lbi", "-e", ""}), 3,
                      "there is no folder 'lbi', which --overlay names");
}

TEST_CASE("Ctrl-C and SIGTERM end a script with its run KILLED and exit code 130") {
  for (const int signal : {SIGINT, SIGTERM}) {
    TempDir folder;
    ProcessOptions options;
    options.folder = folder.path();
    test::Process process(
        test::mlrt_command({"-e",
                            "local m = require 'mlrt' m.start_run{name = 'long'} "
                            "io.write('started\\n') io.flush() while true do end"}),
        options);
    REQUIRE(process.wait_for_output("started\n"));
    process.send_signal(signal);
    const ProcessResult result = process.wait();
    CHECK_FALSE(result.timed_out);
    CHECK(result.exit_code == 130);
    CHECK(result.err.find("mlrt: ") == 0);
    const Session session(folder.path("mlrt.db"));
    const auto runs = session.tracking().list_runs({}, 10);
    REQUIRE(runs.size() == 1);
    CHECK(runs[0].status == RunStatus::kKilled);
  }
}

TEST_CASE("the detail of an error is shown at --log-level debug only") {
  TempDir folder;
  fs::write_file(folder.path("no.db"),
                 "this is text, and no database at all, however long it may be");
  const ProcessResult plain = run_mlrt(folder.path(), {"--store", "no.db", "runs", "list"});
  const ProcessResult debug =
      run_mlrt(folder.path(), {"--store", "no.db", "--log-level", "debug", "runs", "list"});
  CHECK(plain.exit_code == debug.exit_code);
  CHECK(debug.err.find(plain.err) == 0);
  CHECK(debug.err.size() > plain.err.size());
  const ProcessResult json = run_mlrt(folder.path(), {"--store", "no.db", "--log-level", "debug",
                                                      "--log-format", "json", "runs", "list"});
  const std::string line = json.err.substr(json.err.find('\n') + 1);
  CHECK(parse_json(line, "the log line")["level"] == "debug");
}

}  // namespace mlrt
