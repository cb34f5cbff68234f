// Runs the Lua test scripts of this folder, the examples, and checks that nothing is left out.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "api/scoring_service.hpp"
#include "core/fs.hpp"
#include "core/json.hpp"
#include "lua/lua_testing.hpp"
#include "net/listener.hpp"

namespace mlrt {
namespace test {
namespace {

// lua/ knows no server: main joins the two. This one stands in for it, on net's listener.
class ListeningScoringService final : public ScoringService {
 public:
  ListeningScoringService(std::shared_ptr<const Model> model, const ServeOptions& options) {
    Router router;
    router.add("GET", "/ping",
               [](const HttpRequest&, const PathParams&) { return HttpResponse(); });
    router.add("POST", "/invocations", [model](const HttpRequest& request, const PathParams&) {
      const Json body = parse_json(request.body, "request");
      Table table;
      for (const auto& cell : body.at("dataframe_records").at(0).items()) {
        if (cell.value().is_string()) {
          table.set(Column::of_strings(cell.key(), {cell.value().get<std::string>()}));
        } else {
          table.set(Column::of_doubles(cell.key(), {cell.value().get<double>()}));
        }
      }
      HttpResponse response;
      response.content_type = "application/json";
      response.body =
          dump_json(Json{{"predictions", {model->predict(table).column("prediction").number(0)}}});
      return response;
    });
    ListenerOptions listening;
    listening.host = options.host;
    listening.port = options.port;
    listener_ = std::make_unique<Listener>(listening, std::move(router));
    listener_->start();
    port_ = listener_->port();
  }

  std::string url() const override { return "http://127.0.0.1:" + std::to_string(port_); }
  int port() const override { return port_; }
  void stop() override { listener_->stop(); }

 private:
  std::unique_ptr<Listener> listener_;
  int port_ = 0;
};

struct ScriptsServiceScope {
  ScriptsServiceScope() {
    set_scoring_service_factory(
        [](std::shared_ptr<const Model> model, const ServeOptions& options) {
          return std::make_unique<ListeningScoringService>(std::move(model), options);
        });
  }
  ~ScriptsServiceScope() { set_scoring_service_factory({}); }
};

std::string scripts_folder() { return MLRT_SOURCE_DIR "/tests/lua"; }

std::vector<std::string> script_files() {
  std::vector<std::string> names;
  for (const std::string& name : fs::list(scripts_folder())) {
    if (name.size() > 11 && name.substr(name.size() - 11) == "_script.lua") names.push_back(name);
  }
  return names;
}

struct ScriptsFolderScope {  // a script's current folder
  explicit ScriptsFolderScope(const std::string& folder) : before(std::filesystem::current_path()) {
    std::filesystem::current_path(folder);
  }
  ~ScriptsFolderScope() { std::filesystem::current_path(before); }
  std::filesystem::path before;
};

double quickstart_metric(const RunRecord& run, const std::string& key) {
  for (const Metric& metric : run.metrics) {
    if (metric.key == key) return metric.value;
  }
  return -1;
}

RunRecord run_quickstart(const std::vector<std::string>& args) {
  TempDir folder;
  const ScriptsFolderScope inside(folder.path());
  for (int version = 1; version <= 2; ++version) {
    InterpreterOptions options;
    options.store = "mlrt.db";
    Interpreter interpreter(options);
    interpreter.run_file(MLRT_SOURCE_DIR "/examples/quickstart.lua", args);
    const ModelVersion champion =
        Session("mlrt.db").registry().version_by_alias("taxi-tips", "champion");
    CHECK(champion.version == version);
  }
  CHECK(fs::is_file("taxi-tips.mlrt"));
  const Session session("mlrt.db");
  const std::vector<RunRecord> runs = session.tracking().list_runs({}, 10);
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].status == RunStatus::kFinished);
  CHECK(runs[0].inputs.size() == 1);
  CHECK(session.tracking().metric_history(runs[0].run_id, "log_loss").size() > 2);
  CHECK(session.artifacts().locate(runs[0].run_id, "summary.txt") != "");
  CHECK(session.artifacts().locate(runs[0].run_id, "model/MLmodel") != "");
  return runs[0];
}

}  // namespace

TEST_CASE("every Lua test script of this folder passes") {
  const ScriptsServiceScope service;
  const std::vector<std::string> names = script_files();
  REQUIRE(names.size() >= 6);
  for (const std::string& name : names) {
    SUBCASE(name.c_str()) {
      ScriptRunner runner;
      std::vector<std::string> args = {runner.folder(), MLRT_SOURCE_DIR};
      if (name == "coverage_script.lua") {
        for (const std::string& other : script_files()) {
          if (other != name) args.push_back(scripts_folder() + "/" + other);
        }
      }
      std::string message;
      try {
        runner.interpreter().run_file(scripts_folder() + "/" + name, args);
      } catch (const Error& error) {
        message = error.message();
      }
      CHECK_MESSAGE(message.empty(), name << ": " << message);
    }
  }
}

TEST_CASE("the quickstart does the main job on the data that it makes, and again as version 2") {
  const ScriptsServiceScope service;
  const RunRecord run = run_quickstart({});
  CHECK(quickstart_metric(run, "test_accuracy_score") > 0.75);
  CHECK(quickstart_metric(run, "test_roc_auc") > 0.85);
}

TEST_CASE(
    "the quickstart predicts tips of real taxi trips with an accuracy of 0.88 and an AUC of 0.93") {
  const std::string trips = MLRT_SOURCE_DIR "/../shared/data/taxi.csv";
  if (!fs::is_file(trips)) {
    MESSAGE("skipped: there is no ../shared/data/taxi.csv beside the source folder");
    return;
  }
  const ScriptsServiceScope service;
  const RunRecord run = run_quickstart({trips});
  CHECK(quickstart_metric(run, "test_accuracy_score") >= 0.88);
  CHECK(quickstart_metric(run, "test_roc_auc") >= 0.93);
}

TEST_CASE("the quickstart has at most 60 lines") {
  const std::string text = fs::read_file(MLRT_SOURCE_DIR "/examples/quickstart.lua");
  CHECK(std::count(text.begin(), text.end(), '\n') <= 60);
}

}  // namespace test
}  // namespace mlrt
