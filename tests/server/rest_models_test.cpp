#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "server/rest_testing.hpp"

using mlrt::Json;
using mlrt::test::RestAnswer;
using mlrt::test::RestServer;

namespace {

std::string rest_new_logged_model(const RestServer& server, const std::string& name,
                                  const std::string& run_id = "") {
  return server
      .post("/logged-models", {{"experiment_id", "0"}, {"name", name}, {"source_run_id", run_id}})
      .json["model"]["info"]["model_id"];
}

// Registers "runs:/<run>/model" and returns the version.
std::string rest_new_version(const RestServer& server, const std::string& name,
                             const std::string& run_id) {
  const RestAnswer answer =
      server.post("/model-versions/create",
                  {{"name", name}, {"source", "runs:/" + run_id + "/model"}, {"run_id", run_id}});
  REQUIRE_MESSAGE(answer.status == 200, answer.text);
  return answer.json["model_version"]["version"];
}

}  // namespace

TEST_CASE("a logged model is created, finalized, tagged, searched and deleted") {
  const RestServer server;
  const std::string run = server.create_run("0");
  const RestAnswer made =
      server.post("/logged-models", {{"experiment_id", "0"},
                                     {"name", "lm"},
                                     {"source_run_id", run},
                                     {"params", {{{"key", "a"}, {"value", "b"}}}},
                                     {"tags", {{{"key", "t"}, {"value", "u"}}}}});
  REQUIRE(made.status == 200);
  const Json info = made.json["model"]["info"];
  const std::string id = info["model_id"], path = "/logged-models/" + id;
  CHECK(info["status"] == "LOGGED_MODEL_PENDING");
  CHECK(info["artifact_uri"] == "mlflow-artifacts:/0/models/" + id + "/artifacts");
  CHECK(info["creation_timestamp_ms"].is_number_integer());
  CHECK(info["tags"] == Json::array({{{"key", "t"}, {"value", "u"}}}));
  CHECK(made.json["model"]["data"]["params"] == Json::array({{{"key", "a"}, {"value", "b"}}}));

  CHECK(server
            .post("/runs/log-metric", {{"run_id", run},
                                       {"key", "m"},
                                       {"value", 2},
                                       {"timestamp", 3},
                                       {"model_id", id},
                                       {"dataset_name", "d"},
                                       {"dataset_digest", "x"}})
            .status == 200);
  CHECK(server.get(path).json["model"]["data"]["metrics"] == Json::array({{{"key", "m"},
                                                                           {"value", 2.0},
                                                                           {"timestamp", 3},
                                                                           {"step", 0},
                                                                           {"model_id", id},
                                                                           {"dataset_name", "d"},
                                                                           {"dataset_digest", "x"},
                                                                           {"run_id", run}}}));

  CHECK(server.call("PATCH", path, R"({"model_id":"x","status":"LOGGED_MODEL_READY"})")
            .json["model"]["info"]["status"] == "LOGGED_MODEL_READY");
  CHECK(server.call("PATCH", path, R"({"model_id":"x","status":3})")
            .json["model"]["info"]["status"] == "LOGGED_MODEL_UPLOAD_FAILED");
  CHECK(server.call("PATCH", path, R"({"model_id":"x"})").message() ==
        "Missing value for required parameter 'status'. See the API docs for more information "
        "about request parameters.");
  CHECK(server.call("PATCH", path + "/tags", R"({"tags":[{"key":"y","value":"z"}]})").text == "{}");
  CHECK(server.call("DELETE", path + "/tags/t").text == "{}");
  CHECK(server.call("DELETE", path + "/tags/t").message() ==
        "No tag with key 't' found for model with ID '" + id + "'.");
  CHECK(
      server
          .call("POST", path + "/params", R"({"model_id":"x","params":[{"key":"c","value":"d"}]})")
          .text == "{}");

  rest_new_logged_model(server, "other", run);
  const auto names = [&](Json query) {
    query["experiment_ids"] = {"0"};
    std::vector<std::string> found;
    const RestAnswer answer = server.post("/logged-models/search", query);
    CHECK_MESSAGE(answer.status == 200, answer.text);
    for (const Json& model : answer.json.value("models", Json::array())) {
      found.push_back(model["info"]["name"]);
    }
    return found;
  };
  CHECK(names({{"filter", "name = 'other'"}}) == std::vector<std::string>{"other"});
  CHECK(names({{"datasets", {{{"dataset_name", "d"}}}}}) == std::vector<std::string>{"lm"});
  CHECK(names({{"datasets", {{{"dataset_name", "d"}, {"dataset_digest", "q"}}}}}).empty());
  CHECK(names({{"order_by", {{{"field_name", "name"}, {"ascending", true}}}}}) ==
        std::vector<std::string>{"lm", "other"});
  CHECK(names({{"order_by", {{{"field_name", "name"}, {"ascending", false}}}}}) ==
        std::vector<std::string>{"other", "lm"});
  CHECK(names({{"max_results", 1}}).size() == 1);
  CHECK(server.post("/logged-models/search", {{"experiment_ids", Json::array()}}).text == "{}");
  CHECK(server.post("/logged-models/search", {{"experiment_ids", {"0"}}, {"max_results", -1}})
            .status == 400);

  CHECK(server.call("DELETE", path).text == "{}");
  const RestAnswer gone = server.get(path);
  CHECK(gone.status == 404);
  CHECK(gone.message() == "Logged model with ID '" + id + "' not found.");
  CHECK(server.get(path + "?allow_deleted=true").status == 200);
}

TEST_CASE("a registered model lives its life over the protocol") {
  const RestServer server;
  const std::string run = server.create_run("0");
  const RestAnswer made = server.post(
      "/registered-models/create",
      {{"name", "rm"}, {"description", "d"}, {"tags", {{{"key", "a"}, {"value", "b"}}}}});
  REQUIRE_MESSAGE(made.status == 200, made.text);
  CHECK(made.json["registered_model"]["description"] == "d");
  CHECK(made.json["registered_model"]["tags"] == Json::array({{{"key", "a"}, {"value", "b"}}}));
  CHECK(server.post("/registered-models/create", {{"name", "rm"}}).message() ==
        "Registered Model (name=rm) already exists.");

  CHECK(rest_new_version(server, "rm", run) == "1");
  CHECK(rest_new_version(server, "rm", run) == "2");
  CHECK(
      server
          .post("/registered-models/alias", {{"name", "rm"}, {"alias", "champ"}, {"version", "1"}})
          .text == "{}");
  const Json found = server.get("/registered-models/get?name=rm").json["registered_model"];
  CHECK(found["aliases"] == Json::array({{{"alias", "champ"}, {"version", "1"}}}));
  REQUIRE(found["latest_versions"].size() == 1);
  CHECK(found["latest_versions"][0]["version"] == "2");

  const Json version = server.get("/registered-models/alias?name=rm&alias=champ").json;
  CHECK(version["model_version"]["version"] == "1");
  CHECK(version["model_version"]["status"] == "READY");
  CHECK(version["model_version"]["aliases"] == Json::array({"champ"}));
  CHECK(version["model_version"]["run_id"] == run);
  const RestAnswer no_alias = server.get("/registered-models/alias?name=rm&alias=nope");
  CHECK(no_alias.status == 400);
  CHECK(no_alias.message() == "Registered model alias nope not found.");
  CHECK(server.get("/registered-models/alias?name=zzz&alias=nope").status == 404);

  const RestAnswer staged =
      server.post("/model-versions/transition-stage", {{"name", "rm"},
                                                       {"version", "1"},
                                                       {"stage", "production"},
                                                       {"archive_existing_versions", true}});
  CHECK(staged.json["model_version"]["current_stage"] == "Production");
  CHECK(server.post("/registered-models/get-latest-versions", {{"name", "rm"}})
            .json["model_versions"]
            .size() == 2);
  CHECK(server.get("/registered-models/get-latest-versions?name=rm&stages=Production")
            .json["model_versions"][0]["version"] == "1");

  CHECK(server
            .call("PATCH", "/model-versions/update",
                  R"({"name":"rm","version":"1","description":"v"})")
            .json["model_version"]["description"] == "v");
  CHECK(server
            .post("/model-versions/set-tag",
                  {{"name", "rm"}, {"version", "1"}, {"key", "k"}, {"value", "v"}})
            .text == "{}");
  CHECK(server.get("/model-versions/get?name=rm&version=1").json["model_version"]["tags"] ==
        Json::array({{{"key", "k"}, {"value", "v"}}}));
  CHECK(
      server
          .call("DELETE", "/model-versions/delete-tag", R"({"name":"rm","version":"1","key":"k"})")
          .text == "{}");
  CHECK(server.get("/model-versions/get-download-uri?name=rm&version=1").json ==
        Json{{"artifact_uri", "runs:/" + run + "/model"}});
  CHECK(server.get("/model-versions/get?name=rm&version=abc").message() ==
        "Parameter 'version' must be an integer, got 'abc'.");
  const RestAnswer absent = server.get("/model-versions/get?name=rm&version=7");
  CHECK(absent.status == 404);

  const RestAnswer page = server.get("/model-versions/search?filter=name='rm'&max_results=1");
  CHECK(page.json["model_versions"].size() == 1);
  CHECK(page.json.contains("next_page_token"));
  CHECK(server.get("/registered-models/search?filter=name%20LIKE%20'r%25'")
            .json["registered_models"]
            .size() == 1);

  CHECK(server.call("PATCH", "/registered-models/update", R"({"name":"rm","description":"new"})")
            .json["registered_model"]["description"] == "new");
  CHECK(server.post("/registered-models/set-tag", {{"name", "rm"}, {"key", "x"}}).text == "{}");
  CHECK(server.call("DELETE", "/registered-models/delete-tag", R"({"name":"rm","key":"x"})").text ==
        "{}");
  CHECK(
      server.call("DELETE", "/registered-models/alias", R"({"name":"rm","alias":"champ"})").text ==
      "{}");
  CHECK(server.post("/registered-models/rename", {{"name", "rm"}, {"new_name", "rm2"}})
            .json["registered_model"]["name"] == "rm2");
  CHECK(server.call("DELETE", "/model-versions/delete", R"({"name":"rm2","version":"2"})").text ==
        "{}");
  CHECK(rest_new_version(server, "rm2", run) == "3");
  CHECK(server.call("DELETE", "/registered-models/delete", R"({"name":"rm2"})").text == "{}");
  CHECK(server.get("/registered-models/get?name=rm2").status == 404);
}

TEST_CASE("a version can only have a source within the run or model that the request names") {
  const RestServer server;
  const std::string run = server.create_run("0");
  const std::string model = rest_new_logged_model(server, "lm", run);
  server.post("/registered-models/create", {{"name", "rm"}});
  const auto create = [&](const std::string& source, Json ids = Json::object()) {
    ids["name"] = "rm";
    ids["source"] = source;
    return server.post("/model-versions/create", ids);
  };
  const Json of_run = {{"run_id", run}}, of_model = {{"model_id", model}};
  const std::string uri = "mlflow-artifacts:/0/" + run + "/artifacts";
  const std::string folder = server.root + "/0/" + run + "/artifacts";
  const std::string model_uri = "mlflow-artifacts:/0/models/" + model + "/artifacts";

  for (const RestAnswer& taken :
       {create("runs:/" + run + "/model", of_run), create(uri + "/model", of_run),
        create(folder + "/model", of_run), create("file://" + folder + "/model", of_run),
        create("models:/" + model, of_model), create(model_uri, of_model), create("models:/rm/1"),
        create("s3://bucket/model")}) {
    CHECK_MESSAGE(taken.status == 200, taken.text);
  }
  CHECK(server.get("/model-versions/get-download-uri?name=rm&version=5").json["artifact_uri"] ==
        model_uri);
  CHECK(server.get("/model-versions/get-download-uri?name=rm&version=3").json["artifact_uri"] ==
        uri + "/model");
  CHECK(server.get("/logged-models/" + model).json["model"]["info"]["tags"][0]["key"] ==
        "mlflow.modelVersions");

  const auto refused = [&](const std::string& source, const Json& ids, const std::string& why) {
    const RestAnswer answer = create(source, ids);
    CHECK_MESSAGE(answer.status == 400, source);
    CHECK(answer.code() == "INVALID_PARAMETER_VALUE");
    CHECK_MESSAGE(answer.message().find(why) != std::string::npos, answer.message());
  };
  const std::string contains = "must identify the resource that contains the source.";
  const std::string climbs = "relative path references";
  refused("runs:/" + run + "/model", Json::object(), contains);
  refused("runs:/" + run + "0/model", of_run, contains);
  refused("runs:/" + run + "/model", of_model, contains);
  refused("runs:/other/model", of_run, contains);
  refused("models:/" + model, Json::object(), contains);
  refused("models:/" + model, {{"model_id", "m-" + std::string(32, '0')}}, contains);
  refused(uri + "/model", Json::object(), contains);
  refused(uri + "s/model", of_run, contains);
  refused(uri + "/model", {{"run_id", "nope"}}, contains);
  refused(uri + "/model", of_model, contains);
  refused(uri + "/../x", of_run, climbs);
  refused(uri + "/%2e%2E/x", of_run, climbs);
  refused(uri + "/%252e%252e/x", of_run, climbs);
  refused("s3://bucket/../x", of_run, climbs);
  refused("/etc", Json::object(), "To use a local path as a model version source");
  refused("/etc", of_run, "To use a local path as a model version source");
  refused("etc", of_run, "To use a local path as a model version source");
  refused("file:///etc/passwd", of_run, "To use a local path as a model version source");
  refused(folder + "/../../../..", of_run, climbs);
  refused(folder + "/%2e%2e/x", of_run, climbs);
  refused("http://h/x", of_run, "'source' cannot use the 'http' scheme");
  refused("FTP://h/x", of_run, "'source' cannot use the 'ftp' scheme");
  refused("models:/rm/1", {{"run_id", "other"}}, "must match the referenced model version");
  CHECK(create("models:/rm/99").status == 404);
  CHECK(create("models:/none@champ").status == 404);
}

TEST_CASE("a new version is told") {
  RestServer server;
  std::vector<std::string> told;
  server.context.on_model_version = [&](const mlrt::ModelVersion& version) {
    told.push_back(version.name + "/" + std::to_string(version.version));
  };
  const std::string run = server.create_run("0");
  server.post("/registered-models/create", {{"name", "rm"}});
  rest_new_version(server, "rm", run);
  server.post("/model-versions/create", {{"name", "rm"}, {"source", "/etc"}});
  CHECK(told == std::vector<std::string>{"rm/1"});
}
