#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "api/session.hpp"
#include "bundle/bundle.hpp"
#include "cli/cli_support.hpp"
#include "core/fs.hpp"
#include "store/database.hpp"

namespace mlrt {
namespace {

using test::mlrt_command;
using test::ProcessOptions;
using test::ProcessResult;
using test::run_mlrt;
using test::TempDir;

// One clear line: no traceback, nothing half-printed.
void check_bad_input(const ProcessResult& result, int exit_code, const std::string& part) {
  CHECK(result.exit_code == exit_code);
  CHECK(result.out.empty());
  CHECK(starts_with(result.err, "mlrt: "));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  CHECK_MESSAGE(result.err.find(part) != std::string::npos, result.err);
}

// One byte of an entry changed, so that only a checksum can tell.
std::string spoilt_bundle(std::string bytes) {
  const std::size_t at = bytes.rfind("\"intercept\"");
  REQUIRE(at != std::string::npos);
  bytes[at + 1] = 'I';
  return bytes;
}

}  // namespace

TEST_CASE("a CSV that is missing or malformed is told with file, line and column") {
  TempDir folder;
  fs::write_file(folder.path("bad.csv"), "a,b\n1,2\n3,\"4\n");
  ProcessResult result = run_mlrt(folder.path(), {"-e", "require('mlrt').read_csv('bad.csv')"});
  CHECK(result.exit_code == 1);
  CHECK(result.err.find("bad.csv:3:3: ") != std::string::npos);
  fs::write_file(folder.path("bad.csv"), "a,b\n1,2,3\n");
  result = run_mlrt(folder.path(), {"-e", "require('mlrt').read_csv('bad.csv')"});
  CHECK(result.err.find("bad.csv:2:5: ") != std::string::npos);
  result = run_mlrt(folder.path(), {"-e", "require('mlrt').read_csv('none.csv')"});
  CHECK(result.exit_code == 1);
  CHECK(result.err.find("'none.csv'") != std::string::npos);
  CHECK(result.err.find("no such file") != std::string::npos);
}

TEST_CASE("a bundle that is damaged or none is refused before anything listens") {
  TempDir folder;
  const std::string path = folder.path("m.mlrt");
  save_model(test::make_cli_model(), path);
  const std::string good = fs::read_file(path);
  auto serve = [&](const std::string& bytes) {
    fs::write_file(path, bytes);
    return run_mlrt(folder.path(), {"serve", "m.mlrt", "--port", "0"});
  };
  check_bad_input(serve(good.substr(0, good.size() / 2)), 4, "m.mlrt");
  check_bad_input(serve(good.substr(0, good.size() - 1)), 4, "m.mlrt");
  check_bad_input(serve(""), 4, "m.mlrt");
  check_bad_input(serve("this is a text, not a zip"), 4, "m.mlrt");
  check_bad_input(serve(spoilt_bundle(good)), 4, "linear.json");
  fs::make_folders(folder.path("folder"));
  fs::write_file(folder.path("folder/readme.txt"), "no model");
  const ProcessResult none = run_mlrt(folder.path(), {"serve", "folder", "--port", "0"});
  CHECK(none.exit_code != 0);
  CHECK_MESSAGE(none.err.find("MLmodel") != std::string::npos, none.err);
  // A zip that is sound, but whose model is not ours: the line names the bundle too.
  MemoryFiles foreign;
  foreign.add("MLmodel", "flavors:\n  sklearn:\n    code: x\n");
  write_bundle(path, foreign);
  check_bad_input(run_mlrt(folder.path(), {"serve", "m.mlrt", "--port", "0"}), 1,
                  "'m.mlrt': MLmodel has no flavor that mlrt knows");
}

TEST_CASE("a file that is no store is refused and left as it is") {
  TempDir folder;
  const std::string text = "this is text, and no database at all, however long it may be\n";
  fs::write_file(folder.path("no.db"), text);
  check_bad_input(run_mlrt(folder.path(), {"--store", "no.db", "runs", "list"}), 4, "no.db");
  CHECK(fs::read_file(folder.path("no.db")) == text);
  const ProcessResult script =
      run_mlrt(folder.path(), {"--store", "no.db", "-e", "require('mlrt').start_run{name = 'r'}"});
  CHECK(script.exit_code == 1);
  CHECK(script.err.find("no.db") != std::string::npos);
  CHECK(fs::read_file(folder.path("no.db")) == text);
}

TEST_CASE("a store that may only be read can be listed, but not written") {
  TempDir folder;
  { Session(folder.path("mlrt.db")).start_run("r").end(); }
  // Permissions do not hold for root: then as a user who owns none of this.
  ProcessOptions options;
  options.folder = folder.path();
  if (geteuid() == 0) {
    options.user_id = 65534;
  } else {
    std::filesystem::permissions(folder.path("mlrt.db"), std::filesystem::perms::owner_read);
  }
  auto run = [&](const std::vector<std::string>& words) {
    std::vector<std::string> command = mlrt_command(words);
    // The build folder may be closed to that user.
    const std::string copy = folder.path("mlrt");
    if (!fs::exists(copy)) std::filesystem::copy_file(MLRT_EXECUTABLE, copy);
    std::replace(command.begin(), command.end(), std::string(MLRT_EXECUTABLE), copy);
    return test::run_process(command, options);
  };
  const ProcessResult list = run({"runs", "list"});
  CHECK_MESSAGE(list.exit_code == 0, list.err);
  const ProcessResult script = run({"-e", "require('mlrt').start_run{name = 'r'}"});
  CHECK(script.exit_code == 1);
  CHECK_MESSAGE(script.err.find("mlrt.db") != std::string::npos, script.err);
  CHECK(Session(folder.path("mlrt.db")).tracking().list_runs({}, 10).size() == 1);
}

TEST_CASE("a file that may not grow any further is an error, not the end by a signal") {
  TempDir dir;
  std::vector<std::string> command = {"/bin/sh", "-c", "ulimit -f 8; exec \"$@\"", "sh"};
  for (const std::string& word : mlrt_command({"-e", "require('mlrt').start_run()"})) {
    command.push_back(word);
  }
  ProcessOptions options;
  options.folder = dir.path();
  const ProcessResult result = run_process(command, options);
  CHECK(result.exit_code == 1);
  CHECK(result.err.find("the system failed to read or write the store 'mlrt.db': File too large") !=
        std::string::npos);
}

TEST_CASE("a store that another process holds locked too long is told") {
  TempDir folder;
  { Session session(folder.path("mlrt.db")); }
  const auto database = Database::open(folder.path("mlrt.db"));
  Transaction lock(*database, Transaction::Mode::kWrite);
  CHECK(run_mlrt(folder.path(), {"runs", "list"}).exit_code == 0);  // reading goes on
  const ProcessResult script =
      run_mlrt(folder.path(), {"-e",
                               "local m = require 'mlrt' local ok, e = pcall(m.start_run, {name = "
                               "'r'}) print(e.code) error(e)"});
  CHECK(script.exit_code == 1);
  CHECK(script.out == "unavailable\n");
  CHECK_MESSAGE(script.err.find("locked") != std::string::npos, script.err);
}

}  // namespace mlrt
