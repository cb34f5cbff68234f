#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "api/session.hpp"
#include "cli/cli_support.hpp"
#include "cli/command_tree.hpp"
#include "cli/transcript.hpp"
#include "core/fs.hpp"

namespace mlrt {
namespace {

using test::TempDir;
using test::Transcript;

constexpr std::int64_t kFixedStart = 978307200000;  // 2001-01-01

struct FixedStore {
  std::string alpha, beta, gone;  // run ids
};

std::string fixed_run(Session& session, const std::string& experiment, const std::string& name,
                      std::int64_t start_ms, std::vector<Tag> tags) {
  TrackingStore::NewRun run;
  run.experiment_id = experiment;
  run.name = name;
  run.user = "ann";
  run.start_time_ms = start_ms;
  run.tags = std::move(tags);
  return session.tracking().create_run(run).run_id;
}

Metric fixed_metric(const std::string& key, double value, std::int64_t at_ms, std::int64_t step) {
  Metric metric;
  metric.key = key;
  metric.value = value;
  metric.timestamp_ms = at_ms;
  metric.step = step;
  return metric;
}

// Two runs with metrics, parameters, tags, a data set and artifacts, and a deleted one.
FixedStore make_fixed_store(const std::string& path) {
  Session session(path);
  TrackingStore& store = session.tracking();
  FixedStore made;
  const std::string taxi = store.create_experiment("taxi", "", {{"team", "edge"}});
  made.alpha = fixed_run(session, taxi, "alpha", kFixedStart, {{"note", "first\ntry"}});
  store.log_params(made.alpha, {{"depth", "3"}, {"l2", "0.1"}, {"rows", "1000"}});
  for (int step = 0; step < 10; ++step) {
    const std::int64_t at = kFixedStart + 1000 * (step + 1);
    store.log_metrics(
        made.alpha, {fixed_metric("loss", 1.0 / (step + 1), at, step),
                     fixed_metric("auc", step == 4 ? std::nan("") : (10 + step) / 20.0, at, step)});
  }
  DatasetInput input;
  input.name = "trips";
  input.digest = "5e9f";
  input.source_type = "local";
  input.source = "trips.csv";
  input.context = "train";
  store.log_inputs(made.alpha, {input});
  session.artifacts().log_bytes(made.alpha, "hello\n", "notes/hello.txt");
  session.artifacts().log_bytes(made.alpha, std::string(2000, 'x'), "x.bin");
  store.end_run(made.alpha, RunStatus::kFinished, kFixedStart + 90000);
  made.beta = fixed_run(session, taxi, "beta", kFixedStart + 100000, {{"note", "second"}});
  store.log_params(made.beta, {{"depth", "5"}, {"rows", "1000"}});
  store.log_metrics(made.beta, {fixed_metric("loss", 0.25, kFixedStart + 101000, 0)});
  store.end_run(made.beta, RunStatus::kFailed, kFixedStart + 102500);
  made.gone = fixed_run(session, "0", "gone", kFixedStart + 200000, {});
  store.end_run(made.gone, RunStatus::kKilled, kFixedStart + 3800000);
  store.delete_run(made.gone);
  return made;
}

struct FixedTranscript {
  TempDir folder;
  FixedStore store;
  Transcript transcript;

  FixedTranscript() : store(make_fixed_store(folder.path("mlrt.db"))), transcript(folder.path()) {
    transcript.hide_id(store.alpha, 'a');
    transcript.hide_id(store.beta, 'b');
    transcript.hide_id(store.gone, 'c');
  }
};

}  // namespace

TEST_CASE("the commands on runs print what they are expected to") {
  FixedTranscript fixed;
  Transcript& shown = fixed.transcript;
  const std::string alpha = fixed.store.alpha.substr(0, 8);
  const std::string beta = fixed.store.beta.substr(0, 8);
  shown.run({"runs", "list"});
  shown.run({"runs", "list", "--view", "all", "--max", "2"});
  shown.run({"runs", "list", "--experiment", "taxi", "--json"});
  shown.run({"runs", "list", "--view", "deleted", "--csv"});
  shown.run({"runs", "search", "metrics.loss < 0.2 and params.depth = '3'"});
  shown.run({"runs", "search", "--order-by", "metrics.loss DESC", "--experiment", "1", "--csv"});
  shown.run({"runs", "search", "params.depth = '9'"});
  shown.run({"runs", "search", "params.depth = '9'", "--json"});
  shown.run({"runs", "search", "params.depth = '9'", "--csv"});
  shown.run({"runs", "search", "--sql", "SELECT name, status FROM runs ORDER BY name"});
  shown.run({"runs", "get", beta});
  shown.run({"runs", "get", alpha, "metrics.loss"});
  shown.run({"runs", "get", alpha, "metrics.auc", "--json"});
  shown.run({"runs", "get", alpha, "status"});
  shown.run({"runs", "get", alpha, "--csv"});
  shown.run({"runs", "describe", alpha});
  shown.run({"runs", "describe", beta, "--json"});
  shown.run({"runs", "compare", alpha, beta});
  shown.run({"runs", "compare", alpha, beta, "--json"});
  shown.run({"runs", "compare", alpha, beta, "--csv"});
  shown.run({"runs", "compare", alpha, alpha});
  shown.run({"runs", "tail", alpha, "--lines", "3"});
  shown.run({"runs", "tail", alpha, "--metric", "auc", "--lines", "6", "--json"});
  shown.run({"runs", "plot", alpha, "loss", "--width", "60", "--height", "12"});
  shown.run({"runs", "plot", alpha, "auc", "--ascii", "--width", "40", "--height", "8"});
  shown.run({"runs", "plot", beta, "loss"});
  shown.run({"runs", "plot", alpha, "auc", "--csv"});
  shown.run({"runs", "plot", beta, "loss", "--json"});
  shown.run({"runs", "delete", alpha, beta});
  shown.run({"runs", "list"});
  shown.run({"runs", "restore", fixed.store.alpha});
  shown.run({"runs", "list"});
  shown.compare_with("runs.txt");
}

TEST_CASE("the commands on experiments print what they are expected to") {
  FixedTranscript fixed;
  Transcript& shown = fixed.transcript;
  shown.run({"experiments", "create", "bikes", "--tag", "team=edge", "--tag", "a=b=c"});
  shown.run({"experiments", "search"});
  shown.run({"experiments", "search", "tags.team = 'edge'", "--order-by", "name ASC", "--json"});
  shown.run({"experiments", "search", "name LIKE 'b%'", "--csv"});
  shown.run({"experiments", "get", "taxi"});
  shown.run({"experiments", "get", "1", "--json"});
  shown.run({"experiments", "csv", "taxi"});
  shown.run({"experiments", "csv", "taxi", "--out", "taxi.csv"});
  shown.run({"experiments", "rename", "taxi", "cabs"});
  shown.run({"experiments", "delete", "cabs"});
  shown.run({"experiments", "search", "--view", "deleted"});
  shown.run({"runs", "list"});
  shown.run({"experiments", "restore", "cabs"});
  shown.run({"experiments", "search", "name = 'none'"});
  shown.compare_with("experiments.txt");
  CHECK(fs::read_file(fixed.folder.path("taxi.csv")).find(fixed.store.alpha) != std::string::npos);
}

TEST_CASE("the commands on artifacts print what they are expected to") {
  FixedTranscript fixed;
  Transcript& shown = fixed.transcript;
  const std::string alpha = fixed.store.alpha.substr(0, 8);
  fs::make_folders(fixed.folder.path("plots/deep"));
  fs::write_file(fixed.folder.path("plots/deep/a.svg"), "<svg/>");
  shown.run({"artifacts", "list", alpha});
  shown.run({"artifacts", "list", alpha, "notes", "--json"});
  shown.run({"artifacts", "log", alpha, "plots", "--path", "figures"});
  shown.run({"artifacts", "log", alpha, "plots/deep/a.svg"});
  shown.run({"artifacts", "list", alpha, "--recursive", "--csv"});
  shown.run({"artifacts", "list", "runs:/" + alpha + "/figures"});
  shown.run({"artifacts", "download", alpha, "figures", "--to", "out"});
  shown.run({"artifacts", "download", "runs:/" + fixed.store.alpha + "/notes/hello.txt"});
  shown.run({"artifacts", "list", fixed.store.beta});
  shown.compare_with("artifacts.txt");
  CHECK(fs::read_file(fixed.folder.path("notes/hello.txt")) == "hello\n");
  CHECK(fs::read_file(fixed.folder.path("out/figures/deep/a.svg")) == "<svg/>");
}

TEST_CASE("the commands on models print what they are expected to") {
  ::setenv("LOGNAME", "ann", 1);  // the commands inherit it
  FixedTranscript fixed;
  Transcript& shown = fixed.transcript;
  const std::string digest = save_model(test::make_cli_model(), fixed.folder.path("m.mlrt"));
  shown.hide(digest, "DIGEST");
  Session(fixed.folder.path("mlrt.db")).registry().create_model("old");
  shown.run({"models", "register", "m.mlrt", "taxi-tips", "--alias", "champion", "--run",
             fixed.store.alpha.substr(0, 8), "--description", "the first", "--tag", "team=edge"});
  shown.run({"models", "register", "models:/taxi-tips@champion", "taxi-tips"});
  shown.run({"models", "register", "m.mlrt", "bikes"});
  shown.run({"models", "list"});
  shown.run({"models", "stage", "taxi-tips/1", "production"});
  shown.run({"models", "stage", "models:/taxi-tips/latest", "Production", "--archive-existing"});
  shown.run({"models", "alias", "taxi-tips/Production", "champion"});
  shown.run({"models", "alias", "taxi-tips/1", "spare"});
  shown.run({"models", "alias", "taxi-tips", "spare", "--delete"});
  shown.run({"models", "tag", "taxi-tips", "team=edge", "checked=yes"});
  shown.run({"models", "tag", "taxi-tips@champion", "checked=no", "--delete", "absent"});
  shown.run({"models", "describe", "taxi-tips", "what a trip brings"});
  shown.run({"models", "describe", "taxi-tips/2", "the second"});
  shown.run({"models", "rename", "taxi-tips", "tips"});
  shown.run({"models", "show", "tips"});
  shown.run({"models", "show", "tips/1"});
  shown.run({"models", "show", "tips@champion", "--json"});
  shown.run({"models", "show", "tips", "--json"});
  shown.run({"models", "show", "tips/2", "--csv"});
  shown.run({"models", "search", "tags.team = 'edge'", "--json"});
  shown.run({"models", "search", "name LIKE 'b%'", "--order-by", "name DESC"});
  shown.run(
      {"models", "search", "--versions", "name = 'tips'", "--order-by", "version_number ASC"});
  shown.run({"models", "search", "--versions", "version_number > 1", "--csv"});
  shown.run({"models", "search", "name = 'none'"});
  shown.run({"models", "history", "tips"});
  shown.run({"models", "history", "tips", "--max", "2", "--json"});
  shown.run({"models", "history", "tips", "--max", "1", "--csv"});
  shown.run({"models", "delete", "tips/2"});
  shown.run({"models", "delete", "tips"});
  shown.run({"models", "delete", "tips", "--all-versions"});
  shown.run({"models", "history", "tips", "--max", "1"});
  shown.run({"models", "list", "--csv"});
  shown.run({"models", "register", "none.mlrt", "x"});
  shown.run({"models", "register", "m.mlrt", "a/b"});
  shown.run({"models", "register", "m.mlrt"});
  shown.run({"models", "register", "m.mlrt", "x", "--tag", "team"});
  shown.run({"models", "show", "bike"});
  shown.run({"models", "show", "bikes/9"});
  shown.run({"models", "show", "bikes@none"});
  shown.run({"models", "show", "bikes/next"});
  shown.run({"models", "show", "runs:/" + std::string(32, '0') + "/x"});
  shown.run({"models", "show", "models:/m-" + std::string(32, '0')});
  shown.run({"models", "tag", "bikes/1", "team=edge"});
  shown.run({"models", "tag", "bikes/1", "--delete", "nope", "--delete", "team"});
  shown.run({"models", "stage", "bikes", "Production"});
  shown.run({"models", "stage", "bikes/1", "Prod"});
  shown.run({"models", "stage", "bikes/1", "None", "--archive-existing"});
  shown.run({"models", "alias", "bikes/1", "latest"});
  shown.run({"models", "tag", "bikes"});
  shown.run({"models", "search", "nam = 'x'"});
  shown.run({"models", "history", "never"});
  shown.run({"models", "rename", "bikes", "old"});
  shown.run({"models", "alias", "bikes/1", "b", "--delete"});
  shown.run({"models", "register", "m.mlrt", "bikes", "--alias", "b"});
  shown.run({"models", "alias", "bikes/1", "b", "--delete"});
  shown.run({"models", "register", "m.mlrt", "bikes@b"});
  shown.run({"models", "delete", "models:/bikes@b"});
  shown.run({"models", "delete", "bikes/2"});
  shown.run({"models", "delete", "bikes@b", "--all-versions"});
  shown.run({"models", "history", "models:/bikes", "--max", "2"});
  shown.run({"models", "register", "m.mlrt", "it's@home"});
  shown.run({"models", "describe", "it's@home", "away"});
  shown.run({"models", "tag", "bikes/1", "good=1", "b!=2"});
  shown.run({"models", "search", "name = 'bikes' AND tags.good = '1'", "--versions"});
  shown.run({"models", "stage", "bikes/1", "none"});
  shown.run({"models", "register", "models:bikes/1", "x"});
  shown.run({"--store", "absent.db", "models", "register", "absent.mlrt", "x"});
  shown.run({"--store", "absent.db", "models", "list"});
  shown.compare_with("models.txt");
}

TEST_CASE("predict prints what it is expected to") {
  TempDir folder;
  Transcript shown(folder.path());
  save_model(test::make_cli_model(), folder.path("m.mlrt"));
  Session(folder.path("mlrt.db")).register_model(folder.path("m.mlrt"), "m", "champion");
  fs::write_file(folder.path("rows.csv"), "k,extra,a\nx,1,2.5\ny,2,7\n\"z,z\",3,\n");
  fs::write_file(folder.path("none.csv"), "k,a\n");
  fs::write_file(folder.path("letters.csv"), "k,a\nx,1\ny,one\n");
  fs::write_file(folder.path("ragged.csv"), "k,a\nx,1,2\n");
  fs::write_file(folder.path("other.csv"), "k,b\nx,1\n");
  fs::write_file(folder.path("empty.csv"), "");
  shown.run({"predict", "m.mlrt", "rows.csv"});
  shown.run({"predict", "models:/m@champion", "rows.csv", "--format", "json"});
  shown.run({"predict", "models:/m/1", "rows.csv", "--format", "json", "-o", "out.json"});
  shown.run({"predict", "m.mlrt", "rows.csv", "--output", "out.csv"});
  shown.run({"predict", "m.mlrt", "none.csv"});
  shown.run({"predict", "m.mlrt", "none.csv", "--format=json"});
  shown.run({"predict", "m.mlrt", "letters.csv"});
  shown.run({"predict", "m.mlrt", "ragged.csv"});
  shown.run({"predict", "m.mlrt", "other.csv"});
  shown.run({"predict", "m.mlrt", "empty.csv"});
  shown.run({"predict", "m.mlrt", "absent.csv"});
  shown.run({"predict", "m.mlrt"});  // nothing stands on the standard input
  shown.run({"predict", "absent.mlrt", "rows.csv"});
  shown.run({"predict", "models:/m@none", "rows.csv"});
  shown.run({"predict", "rows.csv", "rows.csv"});
  shown.run({"predict", "m.mlrt", "rows.csv", "--format", "xml"});
  shown.run({"predict", "m.mlrt", "rows.csv", "-o", "none/out.csv"});
  shown.run({"predict"});
  shown.compare_with("predict.txt");
  CHECK(fs::read_file(folder.path("out.json")) == "{\"predictions\": [12.5, 7.0, 1.0]}\n");
  CHECK(fs::read_file(folder.path("out.csv")) == "prediction\n12.5\n7\n1\n");
  test::ProcessOptions options;
  options.in = "a,k\n1,x\n";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"predict", "m.mlrt"}, {"predict", "m.mlrt", "-", "-o", "-"}}) {
    CHECK(test::run_mlrt(folder.path(), words, options).out == "prediction\n11\n");
  }
}

TEST_CASE("the commands on the store print what they are expected to") {
  FixedTranscript fixed;
  Transcript& shown = fixed.transcript;
  shown.run({"sql", "SELECT name, status, end_time - start_time AS took FROM runs ORDER BY name"});
  shown.run({"sql", "SELECT key, value FROM params ORDER BY key, value LIMIT 3", "--json"});
  shown.run({"sql", "SELECT 1 AS a, NULL AS a, 'x,y' AS c", "--csv"});
  shown.run({"sql", "SELECT value FROM params ORDER BY value", "--max", "2"});
  shown.run({"gc", "--older-than", "30d", "--dry-run"});
  shown.run({"gc", "--dry-run"});
  shown.run({"gc"});
  shown.run({"gc", "--json"});
  shown.run({"runs", "restore", fixed.store.gone});
  shown.run({"types", "stubs"});
  shown.run({"models", "list", "--csv"});
  shown.compare_with("store.txt");
  const std::string stubs = fs::read_file(fixed.folder.path("stubs/mlrt.lua"));
  CHECK(stubs == fs::read_file(std::string(MLRT_SOURCE_DIR) + "/stdlib/types/mlrt.lua"));
}

TEST_CASE("each command has a help text with an example") {
  TempDir folder;
  Transcript shown(folder.path());
  shown.run({"--help"});
  const std::vector<std::vector<std::string>> commands = {
      {"experiments"}, {"runs"},   {"artifacts"}, {"models"}, {"predict"},
      {"serve"},       {"server"}, {"sql"},       {"gc"},     {"limits"},
      {"doctor"},      {"import"}, {"export"},    {"types"},  {"completion"}};
  std::vector<std::string> names;
  for (std::vector<std::string> words : commands) {
    names.push_back(words.front());
    words.emplace_back("--help");
    CHECK(shown.run(words) == 0);
  }
  CHECK(names == command_names());
  for (const char* name : {"create", "search", "get", "rename", "delete", "restore", "csv"})
    CHECK(shown.run({"experiments", name, "--help"}) == 0);
  for (const char* name :
       {"list", "search", "get", "describe", "compare", "tail", "plot", "delete", "restore"}) {
    CHECK(shown.run({"runs", name, "--help"}) == 0);
  }
  for (const char* name : {"log", "list", "download"})
    CHECK(shown.run({"artifacts", name, "--help"}) == 0);
  for (const char* name : {"list", "search", "show", "register", "rename", "describe", "alias",
                           "stage", "tag", "history", "delete"}) {
    CHECK(shown.run({"models", name, "--help"}) == 0);
  }
  shown.compare_with("help.txt");
}

TEST_CASE("bad input to the commands is told as it is expected to be") {
  FixedTranscript fixed;
  Transcript& shown = fixed.transcript;
  const std::string alpha = fixed.store.alpha.substr(0, 8);
  // Another run whose id begins with the same digits cannot be made; none at all can be asked for.
  shown.run({"experiments"});
  shown.run({"experiments", "creat", "x"});
  shown.run({"experiments", "create"});
  shown.run({"experiments", "create", "taxi"});
  shown.run({"experiments", "create", ""});
  shown.run({"experiments", "create", "x", "--tag", "no-value"});
  shown.run({"experiments", "get", "taxy"});
  shown.run({"experiments", "rename", "taxi"});
  shown.run({"experiments", "rename", "taxi", "Default"});
  shown.run({"experiments", "delete", "nothing"});
  shown.run({"experiments", "search", "nam = 'x'"});
  shown.run({"experiments", "search", "--view", "some"});
  shown.run({"experiments", "search", "--max", "many"});
  shown.run({"runs", "search", "metrics.rmse and"});
  shown.run({"runs", "search", "--order-by", "metrics.loss UP"});
  shown.run({"runs", "search", "--order-by", "metrics.loss", "--order-by", "params"});
  shown.run({"runs", "search", "status = 'x'", "--sql", "SELECT 1"});
  shown.run({"runs", "list", "--json", "--csv"});
  shown.run({"runs", "list", "--experiment", "taxy"});
  shown.run({"runs", "get"});
  shown.run({"runs", "get", "000"});
  shown.run({"runs", "get", "00000000"});
  shown.run({"runs", "get", "00000000000000000000000000000000"});
  shown.run({"runs", "get", "no-such-run"});
  shown.run({"runs", "get", alpha, "metrics.los"});
  shown.run({"runs", "get", alpha, "status", "more"});
  shown.run({"runs", "compare", alpha});
  shown.run({"runs", "plot", alpha});
  shown.run({"runs", "plot", alpha, "lost"});
  shown.run({"runs", "plot", alpha, "speed"});
  shown.run({"runs", "plot", alpha, "loss", "--width", "3"});
  shown.run({"runs", "tail", "ffff0000"});
  shown.run({"runs", "delete"});
  shown.run({"runs", "restore", "no-such-run"});
  shown.run({"artifacts", "list", alpha, "../../x"});
  shown.run({"artifacts", "log", alpha, "none.txt"});
  shown.run({"artifacts", "download", alpha, "none.txt"});
  shown.run({"artifacts", "download", "runs:/" + alpha + "/x.bin", "x.bin"});
  shown.run({"artifacts", "list", "m-00000000000000000000000000000000"});
  shown.run({"sql", "SELEC 1"});
  shown.run({"sql", "DELETE FROM runs"});
  shown.run({"sql", "SELECT 1; DELETE FROM runs"});
  shown.run({"sql"});
  shown.run({"gc", "--older-than", "soon"});
  shown.run({"gc", "--compact", "--dry-run"});
  shown.run({"limits", "--quota", "much"});
  shown.run({"limits", "--quota", "1KB"});
  shown.run({"limits", "--retention-days", "-1"});
  shown.run({"limits", "--retention-days", "2.5"});
  shown.run({"limits", "--keep-points", "10001"});
  shown.run({"limits", "--off", "--quota", "2GB"});
  shown.run({"import", "none.db"});
  shown.run({"export"});
  shown.run({"export", "mlrt.db"});
  shown.run({"completion", "tcsh"});
  shown.run({"--store", "none.db", "doctor"});
  shown.run({"--store", "none.db", "gc"});
  shown.run({"--store", "none.db", "limits", "--off"});
  shown.run({"--store", "none.db", "sql", "SELECT 1"});
  shown.compare_with("errors.txt");
  CHECK_FALSE(fs::exists(fixed.folder.path("none.db")));
}

}  // namespace mlrt
