#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "api/session.hpp"
#include "cli/cli_support.hpp"
#include "core/fs.hpp"
#include "core/json.hpp"

namespace mlrt {
namespace {

using test::ProcessOptions;
using test::ProcessResult;
using test::run_mlrt;
using test::TempDir;

}  // namespace

TEST_CASE("runs list shows runs newest first, as a table and as JSON") {
  TempDir folder;
  std::string first_id;
  {
    Session session(folder.path("mlrt.db"));
    RunOptions options;
    options.name = "first";
    options.experiment = "taxi";
    Run run = session.start_run(options);
    first_id = run.id();
    run.log_param("l2", "0.1");
    run.log_metrics({{"auc", 0.9375}, {"log_loss", 0.25}, {"nan", std::nan("")}, {"z", 1}});
    run.set_tag("note", "caf\xC3\xA9\n");
    run.end();
    session.set_experiment("Default");
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // newest first, by the millisecond
    session.start_run("second").end(RunStatus::kFailed);
  }
  const ProcessResult table = run_mlrt(folder.path(), {"runs", "list"});
  CHECK(table.exit_code == 0);
  const std::vector<std::string> lines = split(table.out, '\n');
  CAPTURE(table.out);
  REQUIRE(lines.size() == 4);
  CHECK(starts_with(lines[0], "RUN ID "));
  CHECK(lines[1].find("second  Default     FAILED ") != std::string::npos);
  CHECK(starts_with(lines[2], first_id + "  first   taxi        FINISHED  20"));
  CHECK(ends_with(lines[2], "  auc=0.9375 log_loss=0.25 nan=nan +1 more"));

  const ProcessResult json =
      run_mlrt(folder.path(), {"runs", "list", "--experiment", "taxi", "--json"});
  CHECK(json.exit_code == 0);
  const Json runs = parse_json(json.out, "the output");
  REQUIRE(runs.size() == 1);
  CHECK(runs[0]["run_id"] == first_id);
  CHECK(runs[0]["run_name"] == "first");
  CHECK(runs[0]["experiment_name"] == "taxi");
  CHECK(runs[0]["status"] == "FINISHED");
  CHECK(runs[0]["params"] == Json{{"l2", "0.1"}});
  CHECK(runs[0]["metrics"]["auc"] == 0.9375);
  CHECK(runs[0]["metrics"]["nan"] == "NaN");
  CHECK(runs[0]["tags"]["note"] == "caf\xC3\xA9\n");
  CHECK(runs[0]["end_time"].is_number());

  CHECK(parse_json(run_mlrt(folder.path(), {"runs", "list", "--json", "--max", "1"}).out,
                   "the output")
            .size() == 1);
  const ProcessResult wrong = run_mlrt(folder.path(), {"runs", "list", "--experiment", "taxy"});
  CHECK(wrong.exit_code == 3);
  CHECK(wrong.err == "mlrt: there is no experiment 'taxy'; did you mean 'taxi'?\n");
}

TEST_CASE("models list shows versions and aliases, as a table and as JSON") {
  TempDir folder;
  {
    Session session(folder.path("mlrt.db"));
    save_model(test::make_cli_model(), folder.path("m.mlrt"));
    session.register_model(folder.path("m.mlrt"), "taxi-tips", "champion");
    session.register_model(folder.path("m.mlrt"), "taxi-tips");
  }
  const ProcessResult table = run_mlrt(folder.path(), {"models", "list"});
  CHECK(table.exit_code == 0);
  const std::vector<std::string> lines = split(table.out, '\n');
  REQUIRE(lines.size() == 4);
  CHECK(starts_with(lines[1], "taxi-tips        2                   20"));
  CHECK(starts_with(lines[2], "taxi-tips        1         champion  20"));
  const Json models =
      parse_json(run_mlrt(folder.path(), {"models", "list", "--json"}).out, "the output");
  REQUIRE(models.size() == 1);
  CHECK(models[0]["name"] == "taxi-tips");
  REQUIRE(models[0]["versions"].size() == 2);
  CHECK(models[0]["versions"][1]["version"] == 1);
  CHECK(models[0]["versions"][1]["aliases"] == Json{"champion"});
}

TEST_CASE("the store is --store, before or after the command, else MLRT_STORE, else mlrt.db") {
  TempDir folder;
  for (const char* name : {"mlrt.db", "env.db", "given.db"}) {
    Session session(folder.path(name));
    session.start_run(std::string("in ") + name).end();
  }
  ProcessOptions environment;
  environment.environment = {{"MLRT_STORE", "env.db"}};
  CHECK(run_mlrt(folder.path(), {"runs", "list"}).out.find("in mlrt.db") != std::string::npos);
  CHECK(run_mlrt(folder.path(), {"runs", "list"}, environment).out.find("in env.db") !=
        std::string::npos);
  CHECK(run_mlrt(folder.path(), {"--store", "given.db", "runs", "list"}, environment)
            .out.find("in given.db") != std::string::npos);
  CHECK(run_mlrt(folder.path(), {"runs", "list", "--store=given.db"}, environment)
            .out.find("in given.db") != std::string::npos);
}

TEST_CASE("an empty store says so, and a list command creates no store") {
  TempDir folder;
  { Session session(folder.path("mlrt.db")); }
  CHECK(run_mlrt(folder.path(), {"runs", "list"}).out == "no runs in mlrt.db\n");
  CHECK(run_mlrt(folder.path(), {"models", "list"}).out == "no registered models in mlrt.db\n");
  CHECK(run_mlrt(folder.path(), {"runs", "list", "--json"}).out == "[]\n");
  CHECK(run_mlrt(folder.path(), {"models", "list", "--json"}).out == "[]\n");
  for (const char* command : {"runs", "models"}) {
    const ProcessResult none = run_mlrt(folder.path(), {"--store", "none.db", command, "list"});
    CHECK(none.exit_code == 3);
    CHECK(none.err.find("none.db") != std::string::npos);
  }
  CHECK_FALSE(fs::exists(folder.path("none.db")));
}

}  // namespace mlrt
