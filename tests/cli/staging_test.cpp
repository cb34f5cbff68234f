#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <ctime>
#include <string>

#include "api/session.hpp"
#include "cli/cli_support.hpp"
#include "core/fs.hpp"
#include "core/json.hpp"

namespace mlrt {
namespace {

using test::run_mlrt;
using test::TempDir;

// As an upload that was cut off `hours` ago leaves it.
void leave_staging(const std::string& folder, const std::string& digit, int hours) {
  const std::string path = fs::join(folder, ".mlrt-" + std::string(15, '0') + digit + ".tmp");
  fs::make_folders(path);
  fs::write_file(fs::join(path, "0"), "0123456789");
  const timespec at = {std::time(nullptr) - hours * 3600, 0};
  const timespec times[] = {at, at};
  for (const std::string& one : {fs::join(path, "0"), path})
    REQUIRE(utimensat(AT_FDCWD, one.c_str(), times, 0) == 0);
}

Json staging_report(const TempDir& folder, const std::vector<std::string>& words) {
  const test::ProcessResult result = run_mlrt(folder.path(), words);
  CAPTURE(result.err);
  CHECK(result.exit_code == 0);
  return parse_json(result.out, "report");
}

}  // namespace

TEST_CASE("gc removes what cut-off uploads have left for a day, and doctor does not count it") {
  TempDir folder;
  std::string of_run, of_model, of_deleted, elsewhere;
  {
    Session session(folder.path("mlrt.db"));
    Run run = session.start_run("r");
    session.artifacts().log_bytes(run.id(), "abc", "a.txt");
    of_run = session.artifacts().folder(run.id());
    of_model = session.artifacts().folder(session.logged_models().create({}).model_id);
    RunOptions options;
    options.experiment = "elsewhere";
    session.tracking().create_experiment("elsewhere", folder.path("place"));
    elsewhere = session.artifacts().folder(session.start_run(options).id());
    const std::string deleted = session.start_run("gone").id();
    of_deleted = session.artifacts().folder(deleted);
    session.tracking().delete_run(deleted);
  }
  leave_staging(of_run, "1", 25);
  leave_staging(of_run, "2", 23);
  leave_staging(of_run, "3", 25);
  fs::write_file(of_run + "/.mlrt-0000000000000003.tmp/0", "still written");
  leave_staging(of_model, "4", 25);
  leave_staging(elsewhere, "5", 25);
  leave_staging(of_deleted, "6", 25);
  const Json facts = staging_report(folder, {"doctor", "--artifacts", "--json"});
  CHECK(facts["artifact_bytes"] == 3);
  CHECK(facts["artifact_files"] == 1);
  CHECK(staging_report(folder, {"gc", "--dry-run", "--json"})["artifact_bytes"] == 40);
  CHECK(fs::exists(of_run + "/.mlrt-0000000000000001.tmp"));
  CHECK(staging_report(folder, {"gc", "--json"})["artifact_bytes"] == 40);
  CHECK(fs::list(of_run) == std::vector<std::string>{".mlrt-0000000000000002.tmp",
                                                     ".mlrt-0000000000000003.tmp", "a.txt"});
  CHECK(fs::list(of_model).empty());
  CHECK(fs::list(elsewhere).empty());
  CHECK(staging_report(folder, {"gc", "--json"})["artifact_bytes"] == 0);
}

}  // namespace mlrt
