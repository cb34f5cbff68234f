#include <doctest/doctest.h>

#include <signal.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "api/session.hpp"
#include "cli/cli_support.hpp"
#include "core/fs.hpp"
#include "core/json.hpp"
#include "store/database.hpp"

namespace mlrt {
namespace {

using test::ProcessOptions;
using test::ProcessResult;
using test::run_mlrt;
using test::TempDir;

void give_run_id(const std::string& store, const std::string& from, const std::string& to) {
  const auto database = Database::open(store);
  Transaction transaction(*database, Transaction::Mode::kWrite);
  transaction.run("UPDATE runs SET run_id = ? WHERE run_id = ?", to, from);
  transaction.commit();
}

// What bash offers for the last word.
std::string bash_offers(const std::string& folder, const std::vector<std::string>& words) {
  std::string script = "source ./completion.bash; COMP_WORDS=(";
  for (const std::string& word : words) script += "'" + word + "' ";
  script += "); COMP_CWORD=" + std::to_string(words.size() - 1) +
            "; _mlrt_complete; echo \"${COMPREPLY[*]}\"";
  ProcessOptions options;
  options.folder = folder;
  const ProcessResult result =
      test::run_process({"bash", "--norc", "-c", "set -u; " + script}, options);
  CHECK_MESSAGE(result.err.empty(), result.err);
  return result.out;
}

bool has_program(const char* name) {
  return test::run_process({"sh", "-c", std::string("command -v ") + name}).exit_code == 0;
}

}  // namespace

TEST_CASE("a run is found by a unique beginning of its id, and others are listed") {
  TempDir folder;
  const std::string path = folder.path("mlrt.db");
  const std::string zeros(24, '0');
  {
    Session session(path);
    std::vector<std::string> ids;
    for (const char* name : {"one", "two", "three"}) {
      Run run = session.start_run(name);
      ids.push_back(run.id());
      run.end();
    }
    session.tracking().delete_run(ids[1]);
    give_run_id(path, ids[0], "abcd1111" + zeros);
    give_run_id(path, ids[1], "abcd2222" + zeros);
    give_run_id(path, ids[2], "abce3333" + zeros);
  }
  CHECK(run_mlrt(folder.path(), {"runs", "get", "abce", "run_name"}).out == "three\n");
  CHECK(run_mlrt(folder.path(), {"runs", "get", "abcd2", "run_name"}).out == "two\n");
  const ProcessResult several = run_mlrt(folder.path(), {"runs", "get", "abcd"});
  CHECK(several.exit_code == 1);
  CHECK(starts_with(several.err, "mlrt: 'abcd' begins the ids of several runs:\n"));
  CHECK(several.err.find("\n  abcd1111" + zeros + "  'one'\n") != std::string::npos);
  CHECK(several.err.find("\n  abcd2222" + zeros + "  'two'\n") != std::string::npos);
  CHECK(run_mlrt(folder.path(), {"runs", "get", "abc"}).exit_code == 3);
  // Nothing is deleted when one of several is not known.
  CHECK(run_mlrt(folder.path(), {"runs", "delete", "abce", "ffff"}).exit_code == 3);
  CHECK(run_mlrt(folder.path(), {"runs", "get", "abce", "lifecycle_stage"}).out == "active\n");
}

TEST_CASE("tail follows a run until it ends") {
  TempDir folder;
  Session session(folder.path("mlrt.db"));
  Run run = session.start_run("live");
  run.log_metric("loss", 0.5, 1);
  ProcessOptions options;
  options.folder = folder.path();
  test::Process process(test::mlrt_command({"runs", "tail", run.id()}), options);
  REQUIRE(process.wait_for_output("step 1  loss = 0.5\n"));
  run.log_metric("loss", 0.25, 2);
  REQUIRE(process.wait_for_output("step 2  loss = 0.25\n"));
  run.log_metric("auc", 0.75, 2);
  REQUIRE(process.wait_for_output("step 2  auc = 0.75\n"));
  run.end(RunStatus::kFailed);
  const ProcessResult result = process.wait();
  CHECK(result.exit_code == 0);
  CHECK(result.out.find("run 'live' is FAILED after ") != std::string::npos);
  CHECK(split(result.out, '\n').size() == 5);  // each point once
}

TEST_CASE("Ctrl-C ends tail with exit code 130 and leaves the run alone") {
  TempDir folder;
  Session session(folder.path("mlrt.db"));
  Run run = session.start_run("live");
  run.log_metric("loss", 0.5, 1);
  ProcessOptions options;
  options.folder = folder.path();
  test::Process process(test::mlrt_command({"runs", "tail", run.id()}), options);
  REQUIRE(process.wait_for_output("loss = 0.5\n"));
  process.send_signal(SIGINT);
  const ProcessResult result = process.wait();
  CHECK(result.exit_code == 130);
  CHECK(result.err.empty());
  CHECK(run.record().status == RunStatus::kRunning);
}

TEST_CASE("Ctrl-C ends a long SQL query in an orderly way") {
  TempDir folder;
  { Session session(folder.path("mlrt.db")); }
  ProcessOptions options;
  options.folder = folder.path();
  test::Process process(
      test::mlrt_command({"sql",
                          "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
                          "SELECT count(*) FROM n"}),
      options);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  process.send_signal(SIGINT);
  const ProcessResult result = process.wait();
  CHECK_FALSE(result.timed_out);
  CHECK(result.exit_code == 130);
}

TEST_CASE("doctor says that a store is sound, and finds an artifact that was changed") {
  TempDir folder;
  std::string file;
  {
    Session session(folder.path("mlrt.db"));
    Run run = session.start_run("r");
    run.log_text("hello\n", "hello.txt");
    run.log_metric("loss", 0.5, 1);
    file = session.artifacts().locate(run.id(), "hello.txt");
    run.end();
  }
  const ProcessResult sound = run_mlrt(folder.path(), {"doctor", "--artifacts"});
  CHECK_MESSAGE(sound.exit_code == 0, sound.err);
  CHECK(sound.out.find("sound\n") != std::string::npos);
  const ProcessResult json = run_mlrt(folder.path(), {"doctor", "--json"});
  const Json facts = parse_json(json.out, "the output");
  CHECK(facts["runs"] == 1);
  CHECK(facts["metric_points"] == 1);
  CHECK(facts["artifact_files"] == 1);
  CHECK(facts["problems"].empty());
  fs::write_file(file, "hellO\n");
  const ProcessResult damaged = run_mlrt(folder.path(), {"doctor", "--artifacts"});
  CHECK(damaged.exit_code == 4);
  CHECK(damaged.out.find("hello.txt is not what was logged") != std::string::npos);
}

TEST_CASE("the limits of a store are set, shown, applied and taken away") {
  TempDir folder;
  {
    Session session(folder.path("mlrt.db"));
    Run run = session.start_run("old");
    for (int i = 0; i < 300; ++i) run.log_metric("loss", i % 7, i);
    run.end();
    mlrt::TrackingStore::RunUpdate update;
    update.end_time_ms = 1000000;
    session.tracking().update_run(run.id(), update);
  }
  const auto limits = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "limits");
    const ProcessResult shown = run_mlrt(folder.path(), words);
    CHECK_MESSAGE(shown.exit_code == 0, shown.err);
    return shown.out;
  };
  const std::string none = limits({});
  CHECK(none.find("Quota              none\n") != std::string::npos);
  CHECK(none.find("Retention          for ever\n") != std::string::npos);
  CHECK(none.find("Last change (UTC)  never\n") != std::string::npos);
  const std::string set =
      limits({"--quota", "1.5 gb", "--retention-days", "90", "--keep-points", "20"});
  CHECK(set.find("Quota              1.5 GB\n") != std::string::npos);
  CHECK(set.find("Retention          90 days\n") != std::string::npos);
  CHECK(set.find("Then keeps         about 20 points of a metric\n") != std::string::npos);
  CHECK(set.find("Thinned            0 runs\n") != std::string::npos);
  const Json applied = parse_json(limits({"--apply", "--json"}), "the output");
  CHECK(applied["quota_bytes"] == 1610612736);
  CHECK(applied["retention_days"] == 90);
  CHECK(applied["keep_points"] == 20);
  CHECK(applied["thinned_runs"] == 1);
  CHECK(applied["dropped_runs"] == 0);
  CHECK(applied["applied_time"] > 1000000);
  const ProcessResult doctor = run_mlrt(folder.path(), {"doctor"});
  CHECK(doctor.exit_code == 0);
  CHECK(doctor.out.find("quota 1.5 GB, in use ") != std::string::npos);
  CHECK(doctor.out.find("; histories whole for 90 days; 1 run thinned, 0 dropped, last on ") !=
        std::string::npos);
  CHECK(doctor.out.find("Journals           none\n") != std::string::npos);
  CHECK(doctor.out.find("Durability         process, ") != std::string::npos);
  const ProcessResult found =
      run_mlrt(folder.path(), {"runs", "search", "tags.`mlrt.history` = 'thinned'", "--csv"});
  CHECK(found.out.find("old") != std::string::npos);
  const Json off = parse_json(limits({"--off", "--json"}), "the output");
  CHECK(off["quota_bytes"] == 0);
  CHECK(off["retention_days"] == 0);
  CHECK(off["keep_points"] == 20);
  const ProcessResult compact = run_mlrt(folder.path(), {"gc", "--compact", "--json"});
  CHECK(compact.exit_code == 0);
  CHECK(parse_json(compact.out, "the output").contains("database_bytes"));
}

TEST_CASE("the environment chooses the durability of a store, and a wrong word is told") {
  TempDir folder;
  Session(folder.path("mlrt.db")).start_run("r").end();
  ProcessOptions options;
  options.environment = {{"MLRT_DURABILITY", "power"}};
  const ProcessResult power = run_mlrt(folder.path(), {"doctor"}, options);
  options.environment = {{"MLRT_DURABILITY", "disk"}};
  const ProcessResult wrong = run_mlrt(folder.path(), {"doctor"}, options);
  CHECK(power.out.find("Durability         power, ") != std::string::npos);
  CHECK(wrong.exit_code != 0);
  CHECK(wrong.err ==
        "mlrt: the environment's MLRT_DURABILITY: the durability of a store is process or power, "
        "not 'disk'\n");
}

TEST_CASE("an mlruns folder is imported once, and the store is exported") {
  TempDir folder;
  const std::string run = "0123456789abcdef0123456789abcdef";
  const std::string place = "mlruns/7/" + run;
  for (const char* part : {"metrics", "params", "tags"})
    fs::make_folders(folder.path(place + "/" + part));
  fs::write_file(folder.path("mlruns/7/meta.yaml"),
                 "artifact_location: file:///nowhere/7\ncreation_time: 978307200000\n"
                 "experiment_id: '7'\nlast_update_time: 978307200000\n"
                 "lifecycle_stage: active\nname: old\n");
  fs::write_file(folder.path(place + "/meta.yaml"),
                 "artifact_uri: file:///nowhere/7/a\nend_time: 978307201000\n"
                 "entry_point_name: ''\nexperiment_id: '7'\nlifecycle_stage: active\n"
                 "run_id: " +
                     run + "\nrun_name: was\nrun_uuid: " + run +
                     "\nsource_name: ''\nsource_type: 4\nsource_version: ''\n"
                     "start_time: 978307200000\nstatus: 3\ntags: []\nuser_id: ann\n");
  fs::write_file(folder.path(place + "/metrics/loss"), "978307200500 0.5 0\n978307200600 0.25 1\n");
  fs::write_file(folder.path(place + "/params/l2"), "0.1");
  fs::write_file(folder.path(place + "/tags/mlflow.runName"), "was");
  const ProcessResult first = run_mlrt(folder.path(), {"import", "mlruns"});
  CHECK_MESSAGE(first.exit_code == 0, first.err);
  CHECK(first.out.find("1 run") != std::string::npos);
  CHECK(first.out.find("2 metric points") != std::string::npos);
  CHECK(run_mlrt(folder.path(), {"runs", "get", run, "metrics.loss"}).out == "0.25\n");
  const ProcessResult again = run_mlrt(folder.path(), {"import", "mlruns"});
  CHECK(again.out == "nothing new to import\n");
  const ProcessResult json = run_mlrt(folder.path(), {"import", "mlruns", "--json"});
  CHECK(parse_json(json.out, "the output")["runs"] == 0);
  const ProcessResult exported = run_mlrt(folder.path(), {"export", "mlflow.db"});
  CHECK_MESSAGE(exported.exit_code == 0, exported.err);
  CHECK(starts_with(exported.out, "wrote 'mlflow.db', an MLflow database of schema revision "));
  CHECK(fs::exists(folder.path("mlflow.db")));
}

TEST_CASE("bash completes commands, options and their values") {
  if (!has_program("bash")) {
    MESSAGE("skipped: there is no bash here");
    return;
  }
  TempDir folder;
  fs::write_file(folder.path("completion.bash"),
                 run_mlrt(folder.path(), {"completion", "bash"}).out);
  CHECK(bash_offers(folder.path(), {"mlrt", "ru"}) == "runs\n");
  CHECK(bash_offers(folder.path(), {"mlrt", "runs", "re"}) == "restore\n");
  CHECK(bash_offers(folder.path(), {"mlrt", "--store", "x.db", "runs", "l"}) == "list\n");
  CHECK(bash_offers(folder.path(), {"mlrt", "runs", "list", "--j"}) == "--json\n");
  CHECK(bash_offers(folder.path(), {"mlrt", "runs", "list", "--st"}) == "--store\n");
  CHECK(bash_offers(folder.path(), {"mlrt", "runs", "list", "--view", ""}) ==
        "active deleted all\n");
  CHECK(bash_offers(folder.path(), {"mlrt", "completion", "z"}) == "zsh\n");
  CHECK(bash_offers(folder.path(), {"mlrt", "--store", ""}) == "\n");
}

TEST_CASE("zsh and fish load their completion scripts") {
  TempDir folder;
  for (const char* shell : {"zsh", "fish"}) {
    const std::string script = run_mlrt(folder.path(), {"completion", shell}).out;
    CHECK(script.find("runs list") != std::string::npos);
    if (!has_program(shell)) {
      MESSAGE("skipped: there is no " << std::string(shell) << " here");
      continue;
    }
    fs::write_file(folder.path("completion"), script);
    ProcessOptions options;
    options.folder = folder.path();
    const ProcessResult result = test::run_process({shell, "-n", "completion"}, options);
    CHECK_MESSAGE(result.exit_code == 0, result.err);
  }
}

}  // namespace mlrt
