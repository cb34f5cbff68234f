#include <doctest/doctest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/fs.hpp"
#include "server/rest_testing.hpp"
#include "server/scoring_model.hpp"
#include "server/tracking_server.hpp"

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

void rest_new_registered(const RestServer& server, const char* name) {
  REQUIRE(server.post("/registered-models/create", {{"name", name}}).status == 200);
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
  CHECK(names({{"max_results", 100000}}) == names({}));
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
        Json{{"artifact_uri", "mlflow-artifacts:/0/" + run + "/artifacts/model"}});
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

TEST_CASE(
    "clients are told where the files of a run's model are, also if a logged model has them") {
  RestServer server;
  mlrt::Session& session = server.context.session;
  const std::string run = server.create_run("0");
  session.artifacts().log_bytes(run, "x", "model/MLmodel");
  rest_new_registered(server, "rr");
  rest_new_version(server, "rr", run);
  const std::string get = "/model-versions/get-download-uri?version=1&name=";
  CHECK(server.get(get + "rr").json["artifact_uri"] ==
        "mlflow-artifacts:/0/" + run + "/artifacts/model");

  mlrt::LoggedModels::NewModel wanted;
  wanted.name = "model";
  wanted.source_run_id = server.create_run("0");
  const std::string id = session.logged_models().create(wanted).model_id;
  session.artifacts().log_bytes(id, "x", "MLmodel");
  REQUIRE(server
              .call("PATCH", "/logged-models/" + id,
                    Json{{"model_id", id}, {"status", "LOGGED_MODEL_READY"}}.dump())
              .status == 200);
  rest_new_registered(server, "lm");
  rest_new_version(server, "lm", wanted.source_run_id);
  CHECK(server.get(get + "lm").json["artifact_uri"] ==
        "mlflow-artifacts:/0/models/" + id + "/artifacts");
}

TEST_CASE("a bundle of the registry is found however the store's path is spelled, and in a copy") {
  mlrt::test::TempDir folder;
  const std::string bundle = folder.path("m.mlrt");
  mlrt::save_model(*mlrt::test::make_scoring_model(), bundle);
  mlrt::fs::make_folders(folder.path("w"));
  mlrt::Session(folder.path("w/w.db")).register_model(bundle, "tt");
  REQUIRE(symlink(folder.path("w").c_str(), folder.path("link").c_str()) == 0);
  mlrt::fs::make_folders(folder.path("copy/w-artifacts/models"));
  for (const std::string& file : mlrt::fs::list_files_below(folder.path("w"))) {
    mlrt::fs::copy_file(folder.path("w/" + file), folder.path("copy/" + file));
  }
  for (const char* store : {"w/w.db", "link/w.db", "w/../w/w.db", "copy/w.db"}) {
    CAPTURE(store);
    mlrt::Session session(folder.path(store));
    mlrt::Router router = mlrt::make_tracking_router(session, {});
    const auto get = [&](const std::string& target) {
      mlrt::HttpRequest request;
      request.method = "GET";
      request.target = target;
      mlrt::parse_http_target(request);
      return router.handle(request);
    };
    const mlrt::HttpResponse uri =
        get("/api/2.0/mlflow/model-versions/get-download-uri?name=tt&version=1");
    CHECK(uri.body.find("mlflow-artifacts:/models/") != std::string::npos);
    const mlrt::HttpResponse file =
        get("/model-versions/get-artifact?name=tt&version=1&path=MLmodel");
    CHECK(file.status == 200);
    CHECK(file.body.find("flavors:") != std::string::npos);
  }
}

TEST_CASE("the registry's history names who asked, or from where") {
  RestServer server;
  const auto create = [&](const char* name, const char* authorization) {
    mlrt::HttpRequest request;
    request.method = "POST";
    request.target = "/api/2.0/mlflow/registered-models/create";
    request.headers.emplace_back("Content-Type", "application/json");
    if (*authorization != '\0') request.headers.emplace_back("Authorization", authorization);
    request.body = Json{{"name", name}}.dump();
    request.remote_address = "127.0.0.1";
    REQUIRE(server.send(request).status == 200);
    return server.context.session.registry().history(name).at(0).user;
  };
  CHECK(create("a", "") == "REST 127.0.0.1");
  CHECK(create("b", "Basic YW5uOnNlY3JldA==") == "ann");  // ann:secret
  CHECK(create("c", "basic YW5u") == "ann");
  CHECK(create("d", "Basic OnNlY3JldA==") == "REST 127.0.0.1");  // :secret
  CHECK(create("e", "Basic ***") == "REST 127.0.0.1");
  CHECK(create("f", "Basic YQpiOnM=") == "REST 127.0.0.1");  // a line break
  CHECK(create("g", "Bearer YW5uOnNlY3JldA==") == "REST 127.0.0.1");
  CHECK(create("h", "Basic") == "REST 127.0.0.1");
}
