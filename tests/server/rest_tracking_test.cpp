#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "server/rest_testing.hpp"

using mlrt::Json;
using mlrt::test::RestAnswer;
using mlrt::test::RestServer;

namespace {

constexpr char kRestSeeDocs[] = " See the API docs for more information about request parameters.";

Json rest_run_of(const RestServer& server, const std::string& run_id) {
  const RestAnswer answer = server.get("/runs/get?run_id=" + run_id);
  REQUIRE(answer.status == 200);
  return answer.json["run"];
}

}  // namespace

TEST_CASE("every call is answered below /api/2.0 and below /ajax-api/2.0") {
  const RestServer server;
  for (const char* prefix : {"/api/2.0/mlflow", "/ajax-api/2.0/mlflow"}) {
    CHECK(server.call("GET", "/experiments/get?experiment_id=0", "", prefix).status == 200);
  }
  std::size_t api = 0, ajax = 0;
  for (const mlrt::Route& route : server.router.routes()) {
    api += mlrt::starts_with(route.pattern, "/api/2.0/mlflow/") ? 1 : 0;
    ajax += mlrt::starts_with(route.pattern, "/ajax-api/2.0/mlflow/") ? 1 : 0;
  }
  CHECK(api == ajax);
  CHECK(api > 50);
}

TEST_CASE("an experiment is created, found, renamed, tagged, deleted and restored") {
  const RestServer server;
  const RestAnswer made = server.post(
      "/experiments/create",
      {{"name", "taxi"}, {"tags", {{{"key", "a"}, {"value", "b"}}}}, {"unknown", {1, 2}}});
  REQUIRE(made.status == 200);
  const std::string id = made.json["experiment_id"];
  const Json found = server.get("/experiments/get?experiment_id=" + id).json["experiment"];
  CHECK(found["name"] == "taxi");
  CHECK(found["artifact_location"] == "mlflow-artifacts:/" + id);
  CHECK(found["lifecycle_stage"] == "active");
  CHECK(found["creation_time"].is_number_integer());
  CHECK(found["tags"][0] == Json{{"key", "a"}, {"value", "b"}});

  CHECK(server.post("/experiments/create", {{"name", "a\x01z"}}).status == 200);
  CHECK(server.get("/experiments/get-by-name?experiment_name=a%01z").status == 200);
  CHECK(server.post("/experiments/create", {{"name", std::string("a\0z", 3)}}).status == 400);

  const RestAnswer again = server.post("/experiments/create", {{"name", "taxi"}});
  CHECK(again.status == 400);
  CHECK(again.code() == "RESOURCE_ALREADY_EXISTS");
  CHECK(again.message() == "Experiment(name=taxi) already exists.");

  CHECK(server.post("/experiments/update", {{"experiment_id", id}, {"new_name", "cab"}}).text ==
        "{}");
  CHECK(server.get("/experiments/get-by-name?experiment_name=cab").status == 200);
  const RestAnswer absent = server.get("/experiments/get-by-name?experiment_name=taxi");
  CHECK(absent.status == 404);
  CHECK(absent.code() == "RESOURCE_DOES_NOT_EXIST");
  CHECK(absent.message() == "Could not find experiment with name 'taxi'");

  CHECK(server
            .post("/experiments/set-experiment-tag",
                  {{"experiment_id", id}, {"key", "c"}, {"value", "d"}})
            .status == 200);
  CHECK(server.post("/experiments/delete-experiment-tag", {{"experiment_id", id}, {"key", "a"}})
            .status == 200);
  CHECK(server.post("/experiments/delete", {{"experiment_id", id}}).status == 200);
  const Json deleted =
      server.post("/experiments/search", {{"max_results", 5}, {"view_type", "DELETED_ONLY"}}).json;
  REQUIRE(deleted["experiments"].size() == 1);
  CHECK(deleted["experiments"][0]["lifecycle_stage"] == "deleted");
  CHECK(deleted["experiments"][0]["tags"] == Json::array({{{"key", "c"}, {"value", "d"}}}));
  CHECK(server.post("/experiments/restore", {{"experiment_id", id}}).status == 200);
  CHECK(server.get("/experiments/search?max_results=5&view_type=2").text == "{}");
}

TEST_CASE("experiments are searched in pages, over POST and GET") {
  const RestServer server;
  for (const char* name : {"b", "a", "c"}) server.create_experiment(name);
  const RestAnswer first = server.get(
      "/experiments/search?max_results=2&filter=name%20!=%20'Default'&order_by=name%20DESC");
  REQUIRE(first.status == 200);
  CHECK(first.json["experiments"][0]["name"] == "c");
  const RestAnswer second =
      server.post("/experiments/search", {{"max_results", 2},
                                          {"filter", "name != 'Default'"},
                                          {"order_by", {"name DESC"}},
                                          {"page_token", first.json["next_page_token"]}});
  CHECK(second.json["experiments"][0]["name"] == "a");
  CHECK(!second.json.contains("next_page_token"));
  CHECK(server.post("/experiments/search", Json::object()).message() ==
        "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer");
}

TEST_CASE("a run has what MLflow gives it") {
  const RestServer server;
  const RestAnswer made =
      server.post("/runs/create", {{"experiment_id", "0"},
                                   {"start_time", 1234},
                                   {"user_id", "ana"},
                                   {"tags", {{{"key", "mlflow.runName"}, {"value", "fit"}}}}});
  REQUIRE(made.status == 200);
  const Json info = made.json["run"]["info"];
  const std::string id = info["run_id"];
  CHECK(info == Json{{"run_uuid", id},
                     {"run_id", id},
                     {"run_name", "fit"},
                     {"experiment_id", "0"},
                     {"user_id", "ana"},
                     {"status", "RUNNING"},
                     {"start_time", 1234},
                     {"artifact_uri", "mlflow-artifacts:/0/" + id + "/artifacts"},
                     {"lifecycle_stage", "active"}});
  CHECK(made.json["run"]["inputs"] == Json::object());
  CHECK(server.get("/runs/get?run_uuid=" + id).status == 200);

  const RestAnswer ended =
      server.post("/runs/update", {{"run_id", id}, {"status", "FINISHED"}, {"end_time", "99"}});
  CHECK(ended.json["run_info"]["status"] == "FINISHED");
  CHECK(ended.json["run_info"]["end_time"] == 99);
  CHECK(server.post("/runs/update", {{"run_uuid", id}, {"status", 4}}).json["run_info"]["status"] ==
        "FAILED");
  CHECK(server.post("/runs/update", {{"run_id", id}, {"status", "NOPE"}}).message() ==
        "Invalid value \"NOPE\" for parameter 'status' supplied: it is one of RUNNING, SCHEDULED, "
        "FINISHED, FAILED, KILLED.");
  CHECK(server.post("/runs/delete", {{"run_id", id}}).text == "{}");
  CHECK(server.post("/runs/set-tag", {{"run_id", id}, {"key", "a"}, {"value", "b"}}).message() ==
        "The run " + id + " must be in the 'active' state. Current state is deleted.");
  CHECK(server.post("/runs/restore", {{"run_id", id}}).text == "{}");
}

TEST_CASE("metrics, parameters and tags come back as they were logged") {
  const RestServer server;
  const std::string id = server.create_run("0");
  const auto log = [&](const char* text) {
    return server.call("POST", "/runs/log-metric",
                       "{\"run_id\":\"" + id + "\"," + std::string(text) + "}");
  };
  CHECK(log(R"("key":"m","value":1.5,"timestamp":7)").text == "{}");
  CHECK(log(R"("key":"m","value":"NaN","timestamp":"8","step":-3)").status == 200);
  CHECK(log(R"("key":"inf","value":"-Infinity","timestamp":8.0)").status == 200);
  CHECK(log(R"("key":"bare","value":Infinity,"timestamp":8)").status == 200);
  CHECK(log(R"("key":"whole","value":3,"timestamp":8)").status == 200);
  CHECK(server.post("/runs/log-parameter", {{"run_id", id}, {"key", "p"}}).status == 200);
  CHECK(server
            .post("/runs/log-batch",
                  {{"run_id", id},
                   {"metrics",
                    {{{"key", "b"}, {"value", 0.1}, {"timestamp", 9}, {"step", 4}},
                     {{"key", "c"}, {"value", "Infinity"}, {"timestamp", "9"}, {"step", nullptr}}}},
                   {"params", {{{"key", "q"}, {"value", "\xc3\xa9\n"}}}},
                   {"tags", {{{"key", "t"}, {"value", "\"u\""}}}}})
            .text == "{}");
  const Json data = rest_run_of(server, id)["data"];
  CHECK(data["params"] ==
        Json::array({{{"key", "p"}, {"value", ""}}, {{"key", "q"}, {"value", "\xc3\xa9\n"}}}));
  CHECK(data["tags"][1] == Json{{"key", "t"}, {"value", "\"u\""}});
  const double most = std::numeric_limits<double>::max();
  CHECK(data["metrics"][0] == Json{{"key", "b"}, {"value", 0.1}, {"timestamp", 9}, {"step", 4}});
  CHECK(data["metrics"][1]["value"] == most);  // bare
  CHECK(data["metrics"][2]["value"] == most);  // c
  CHECK(data["metrics"][3]["value"] == -most);
  CHECK(data["metrics"][5] ==
        Json{{"key", "whole"}, {"value", 3.0}, {"timestamp", 8}, {"step", 0}});
  CHECK(server.get("/runs/get?run_id=" + id).text.find("\"value\":3.0,") != std::string::npos);

  const Json history = server.get("/metrics/get-history?run_id=" + id + "&metric_key=m").json;
  REQUIRE(history["metrics"].size() == 2);
  CHECK(history["metrics"][0]["value"] == 1.5);
  CHECK(history["metrics"][1] ==
        Json{{"key", "m"}, {"value", "NaN"}, {"timestamp", 8}, {"step", -3}});
  CHECK(server.get("/metrics/get-history?run_id=" + id + "&metric_key=none").text == "{}");

  CHECK(server.post("/runs/delete-tag", {{"run_id", id}, {"key", "t"}}).text == "{}");
  CHECK(server.post("/runs/delete-tag", {{"run_id", id}, {"key", "t"}}).message() ==
        "No tag with name: t in run with id " + id);
  const RestAnswer changed =
      server.post("/runs/log-parameter", {{"run_id", id}, {"key", "p"}, {"value", "x"}});
  CHECK(changed.status == 400);
  CHECK(changed.message().find("Changing param values is not allowed.") == 0);
}

TEST_CASE("a batch that is wrong anywhere logs nothing and says where") {
  const RestServer server;
  const std::string id = server.create_run("0");
  const auto refused = [&](const Json& members) {
    Json body = members;
    body["run_id"] = id;
    const RestAnswer answer = server.post("/runs/log-batch", body);
    CHECK(answer.status == 400);
    CHECK(answer.code() == "INVALID_PARAMETER_VALUE");
    return answer.message();
  };
  const Json good = {{"key", "a"}, {"value", 1}, {"timestamp", 1}};
  CHECK(refused({{"metrics", {good, {{"key", "b"}, {"timestamp", 1}}}}}) ==
        std::string("Missing value for required parameter 'metrics[1].value'.") + kRestSeeDocs);
  CHECK(refused({{"metrics", {good, {{"key", "b"}, {"value", 1}}}}}) ==
        std::string("Missing value for required parameter 'metrics[1].timestamp'.") + kRestSeeDocs);
  CHECK(refused({{"metrics", {{{"value", 1}}}}}) ==
        std::string("Missing value for required parameter 'metrics[0].key'.") + kRestSeeDocs);
  CHECK(refused({{"metrics", {good, {{"key", "b"}, {"value", "x"}, {"timestamp", 1}}}}}) ==
        std::string("Invalid value \"x\" for parameter 'metrics[1].value' supplied:  Hint: Value "
                    "was of type 'str'.") +
            kRestSeeDocs);
  CHECK(refused({{"metrics", {{{"key", "b"}, {"value", 1}, {"timestamp", 1.5}}}}}) ==
        std::string("Invalid value 1.5 for parameter 'metrics[0].timestamp' supplied:  Hint: Value "
                    "was of type 'float'.") +
            kRestSeeDocs);
  CHECK(refused({{"metrics", {good}}, {"params", {{{"value", "1"}}}}}) ==
        std::string("Missing value for required parameter 'params[0].key'.") + kRestSeeDocs);
  CHECK(refused({{"metrics", {good}}, {"tags", {{{"key", 3}}}}}) ==
        std::string("Invalid value 3 for parameter 'tags[0].key' supplied:  Hint: Value was of "
                    "type 'int'.") +
            kRestSeeDocs);
  Json many = Json::array();
  for (int i = 0; i < 1001; ++i) many.push_back(good);
  CHECK(refused({{"metrics", many}}) ==
        "A batch logging request can contain at most 1000 metrics. Got 1001 metrics. Please split "
        "up metrics across multiple requests and try again.");
  CHECK(!rest_run_of(server, id)["data"].contains("metrics"));
}

TEST_CASE("runs are searched with a filter, an order and pages") {
  const RestServer server;
  const std::string experiment = server.create_experiment("search");
  for (int i = 0; i < 3; ++i) {
    const std::string id = server.create_run(experiment);
    server.post("/runs/log-metric", {{"run_id", id}, {"key", "m"}, {"value", i}, {"timestamp", 1}});
  }
  const Json query = {{"experiment_ids", {experiment}},
                      {"filter", "metrics.m > 0"},
                      {"order_by", {"metrics.m DESC"}},
                      {"max_results", 1}};
  const RestAnswer first = server.post("/runs/search", query);
  REQUIRE(first.status == 200);
  CHECK(first.json["runs"][0]["data"]["metrics"][0]["value"] == 2.0);
  Json next = query;
  next["page_token"] = first.json["next_page_token"];
  const RestAnswer second = server.post("/runs/search", next);
  CHECK(second.json["runs"][0]["data"]["metrics"][0]["value"] == 1.0);
  CHECK(!second.json.contains("next_page_token"));

  // To MLflow no experiments are no runs; a filter is checked all the same.
  CHECK(server.post("/runs/search", {{"experiment_ids", Json::array()}}).text == "{}");
  CHECK(server.post("/runs/search", {{"filter", "nonsense ("}}).status == 400);
  CHECK(server.post("/runs/search", {{"max_results", 50001}}).message() ==
        std::string("Invalid value 50001 for parameter 'max_results' supplied:  Hint: Value was of "
                    "type 'int'.") +
            kRestSeeDocs);
}

TEST_CASE("data sets, logged models that were used and made are kept with the run") {
  const RestServer server;
  const std::string experiment = server.create_experiment("inputs");
  const std::string id = server.create_run(experiment);
  const Json dataset = {{"name", "d"},
                        {"digest", "x"},
                        {"source_type", "local"},
                        {"source", "{}"},
                        {"schema", "{\"a\":1}"}};
  CHECK(server
            .post("/runs/log-inputs", {{"run_id", id},
                                       {"datasets",
                                        {{{"dataset", dataset},
                                          {"tags",
                                           {{{"key", "mlflow.data.context"}, {"value", "train"}},
                                            {{"key", "k"}, {"value", "v"}}}}}}},
                                       {"models", {{{"model_id", "m-1"}}}}})
            .text == "{}");
  CHECK(
      server
          .post("/runs/outputs", {{"run_id", id}, {"models", {{{"model_id", "m-2"}, {"step", 3}}}}})
          .text == "{}");
  const Json run = rest_run_of(server, id);
  CHECK(run["inputs"]["dataset_inputs"][0]["dataset"] == dataset);
  CHECK(run["inputs"]["dataset_inputs"][0]["tags"] ==
        Json::array({{{"key", "mlflow.data.context"}, {"value", "train"}},
                     {{"key", "k"}, {"value", "v"}}}));
  CHECK(run["inputs"]["model_inputs"] == Json::array({{{"model_id", "m-1"}}}));
  CHECK(run["outputs"]["model_outputs"] == Json::array({{{"model_id", "m-2"}, {"step", 3}}}));
  // Clients log it again with each metric on it, without a context.
  CHECK(server.post("/runs/log-inputs", {{"run_id", id}, {"datasets", {{{"dataset", dataset}}}}})
            .text == "{}");
  CHECK(rest_run_of(server, id)["inputs"]["dataset_inputs"].size() == 1);
  CHECK(server.post("/experiments/search-datasets", {{"experiment_ids", {experiment}}}).json ==
        Json{{"dataset_summaries",
              {{{"experiment_id", experiment},
                {"name", "d"},
                {"digest", "x"},
                {"context", "train"}}}}});
  CHECK(server.post("/experiments/search-datasets", Json::object()).message() ==
        "SearchDatasets request must specify at least one experiment_id.");
  CHECK(server.post("/runs/log-inputs", {{"run_id", id}, {"datasets", {{{"dataset", 3}}}}})
            .message() ==
        std::string("Invalid value 3 for parameter 'datasets[0].dataset' supplied:  Hint: Value "
                    "was of type 'int'.") +
            kRestSeeDocs);
}

TEST_CASE("a metric's history comes in pages, for many runs, and sampled") {
  const RestServer server;
  std::vector<std::string> ids = {server.create_run("0"), server.create_run("0")};
  Json metrics = Json::array();
  for (int i = 0; i < 10; ++i) {
    metrics.push_back({{"key", "m"}, {"value", i}, {"timestamp", 10 + i}, {"step", 9 - i}});
  }
  for (const std::string& id : ids) {
    server.post("/runs/log-batch", {{"run_id", id}, {"metrics", metrics}});
  }
  std::string token;
  std::vector<double> values;
  do {
    const RestAnswer page =
        server.get("/metrics/get-history?metric_key=m&max_results=4&run_id=" + ids[0] +
                   (token.empty() ? "" : "&page_token=" + token));
    REQUIRE(page.status == 200);
    for (const Json& metric : page.json["metrics"]) values.push_back(metric["value"]);
    token = page.json.value("next_page_token", "");
    if (!token.empty()) token = token.substr(0, token.find('=')) + "%3D%3D";
  } while (!token.empty());
  CHECK(values == std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});

  std::sort(ids.begin(), ids.end());
  const RestAnswer bulk =
      server.get("/metrics/get-history-bulk?metric_key=m&max_results=12&run_id=" + ids[1] +
                 "&run_id=none&run_id=" + ids[0]);
  REQUIRE(bulk.json["metrics"].size() == 12);
  CHECK(bulk.json["metrics"][9]["run_id"] == ids[0]);
  CHECK(bulk.json["metrics"][10]["run_id"] == ids[1]);

  const std::string interval = "/metrics/get-history-bulk-interval?metric_key=m&run_ids=" + ids[0];
  const RestAnswer sampled = server.get(interval + "&max_results=4");
  REQUIRE(sampled.json["metrics"].size() == 4);
  std::vector<int> steps;
  for (const Json& metric : sampled.json["metrics"]) steps.push_back(metric["step"]);
  CHECK(steps == std::vector<int>{0, 3, 6, 9});
  CHECK(server.get(interval + "&max_results=1").json["metrics"][0]["step"] == 9);
  CHECK(server.get(interval + "&start_step=2&end_step=4").json["metrics"].size() == 3);
  CHECK(server.get(interval + "&start_step=2").message() ==
        "If either start step or end step are specified, both must be specified.");
  CHECK(server.get(interval + "&start_step=4&end_step=2").message() ==
        "end_step must be greater than start_step. Found start_step=4 and end_step=2.");
  CHECK(server.get(interval + "&max_results=2501").message() ==
        std::string("max_results must be between 1 and 2500.") + kRestSeeDocs);
  CHECK(server.get("/metrics/get-history-bulk?run_id=a").message() ==
        "GetMetricHistoryBulk request must specify a metric_key.");
  std::string many;
  for (int i = 0; i < 101; ++i) many += "&run_id=r" + std::to_string(i);
  CHECK(server.get("/metrics/get-history-bulk?metric_key=m" + many).message() ==
        "GetMetricHistoryBulk request cannot specify more than 100 run_ids. Received 101 run_ids.");
}

TEST_CASE("the list of models that old clients keep with a run grows, and drops the oldest") {
  const RestServer server;
  const std::string id = server.create_run("0");
  const auto log = [&](const std::string& path) {
    const Json model = {
        {"artifact_path", path},
        {"run_id", id},
        {"utc_time_created", "now"},
        {"flavors", {{"python_function", {{"env", std::string(1000, 'x')}, {"config", 1}}}}},
        {"signature", std::string(5000, 's')}};
    return server.post("/runs/log-model", {{"run_id", id}, {"model_json", model.dump()}});
  };
  for (int i = 0; i < 12; ++i) REQUIRE(log("m" + std::to_string(i)).text == "{}");
  Json history;
  const Json run = rest_run_of(server, id);
  for (const Json& tag : run["data"]["tags"]) {
    if (tag["key"] == "mlflow.log-model.history") {
      history = mlrt::parse_json(tag["value"].get<std::string>(), "the tag");
    }
  }
  REQUIRE(history.is_array());
  CHECK(history.size() >= 5);
  CHECK(history.back()["artifact_path"] == "m11");
  CHECK(history[0]["flavors"]["python_function"].contains("env"));
  CHECK(!history.back().contains("signature"));
  CHECK(!history.back()["flavors"]["python_function"].contains("config"));
  CHECK(server.post("/runs/log-model", {{"run_id", id}, {"model_json", "x"}}).message() ==
        "Malformed model info. \n x \n is not a valid JSON.");
  CHECK(server.post("/runs/log-model", {{"run_id", id}, {"model_json", "{\"run_id\":1}"}})
            .message() ==
        "Model json is missing mandatory fields: {'artifact_path', 'flavors', "
        "'utc_time_created'}");
}

TEST_CASE("a read-only server answers what reads and refuses what writes") {
  RestServer server;
  const std::string id = server.create_run("0");
  server.context.read_only = true;
  CHECK(server.get("/runs/get?run_id=" + id).status == 200);
  CHECK(server.post("/runs/search", {{"experiment_ids", {"0"}}}).json["runs"].size() == 1);
  const RestAnswer refused =
      server.post("/runs/log-metric", {{"run_id", id}, {"key", "m"}, {"value", 1}});
  CHECK(refused.status == 403);
  CHECK(refused.code() == "PERMISSION_DENIED");
}

TEST_CASE("the end of a run is told, its resuming is not") {
  RestServer server;
  std::vector<std::string> ended;
  server.context.on_run_end = [&](const mlrt::RunRecord& run) { ended.push_back(run.run_id); };
  const std::string id = server.create_run("0");
  server.post("/runs/update", {{"run_id", id}, {"run_name", "new"}});
  server.post("/runs/update", {{"run_id", id}, {"status", "RUNNING"}});
  CHECK(ended.empty());
  server.post("/runs/update", {{"run_id", id}, {"status", "KILLED"}});
  CHECK(ended == std::vector<std::string>{id});
}

TEST_CASE("runs are found by the artifact_uri that the server gave them") {
  const RestServer server;
  const std::string run = server.create_run("0");
  server.create_run("0");
  const Json made =
      server
          .post("/experiments/create",
                {{"name", "elsewhere"}, {"artifact_location", "mlflow-artifacts:/own/place"}})
          .json;
  const std::string other = server.create_run(made["experiment_id"]);
  const Json top = server
                       .post("/experiments/create",
                             {{"name", "top"}, {"artifact_location", "mlflow-artifacts:/"}})
                       .json;
  CHECK(server.get("/experiments/get?experiment_id=" + top["experiment_id"].get<std::string>())
            .json["experiment"]["artifact_location"] == "mlflow-artifacts:/");
  const auto found = [&](const std::string& filter) {
    const RestAnswer answer =
        server.post("/runs/search", {{"experiment_ids", {"0", made["experiment_id"]}},
                                     {"filter", filter},
                                     {"order_by", {"artifact_uri"}}});
    REQUIRE_MESSAGE(answer.status == 200, answer.text);
    return answer.json.value("runs", Json::array());
  };
  for (const std::string& id : {run, other}) {
    const std::string uri =
        server.get("/runs/get?run_id=" + id).json["run"]["info"]["artifact_uri"];
    CHECK(uri.find("mlflow-artifacts:/") == 0);
    const Json runs = found("artifact_uri = '" + uri + "'");
    REQUIRE(runs.size() == 1);
    CHECK(runs[0]["info"]["run_id"] == id);
    CHECK(found("artifact_uri != '" + uri + "'").size() == 2);
  }
  CHECK(found("artifact_uri LIKE 'mlflow-artifacts:/%'").size() == 3);
  CHECK(found("artifact_uri LIKE 'mlflow-artifacts:/0/%'").size() == 2);
  CHECK(found("artifact_uri LIKE '" + server.root + "%'").empty());
}
