#include "server/artifact_routes.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "bundle/bundle.hpp"
#include "core/fs.hpp"
#include "core/hash.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "server/file_headers.hpp"
#include "server/scoring_model.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace {

using test::TempDir;

constexpr char kArtifactTestApi[] = "/api/2.0/mlflow-artifacts/artifacts";

struct ArtifactRoutesTest {
  explicit ArtifactRoutesTest(bool read_only = false)
      : session(folder.path("mlrt.db")), run(session.start_run("r")) {
    add_artifact_routes(router, session, read_only);
  }

  HttpResponse call(const char* method, const std::string& target, const std::string& body = "",
                    const HttpFields& headers = {}) {
    HttpRequest request;
    request.method = method;
    request.target = target;
    try {
      parse_http_target(request);
    } catch (const Error& error) {
      return error_json_response(error);  // as the listener does
    }
    request.headers = headers;
    request.body = body;
    return router.handle(request);
  }
  std::string root(const std::string& rest = "") const {
    return std::string(kArtifactTestApi) + "/0/" + run.id() + "/artifacts" + rest;
  }
  Json list(const std::string& target) {
    const HttpResponse answer = call("GET", target);
    CHECK(answer.status == 200);
    return parse_json(answer.body, "answer");
  }

  TempDir folder;
  Session session;
  Run run;
  Router router;
};

std::string artifact_test_body(const HttpResponse& response) {
  if (response.source == nullptr) return response.body;
  std::string bytes(static_cast<std::size_t>(response.source->size()), '\0');
  bytes.resize(response.source->read(0, bytes.data(), bytes.size()));
  return bytes;
}

std::string artifact_test_error(const HttpResponse& response) {
  const Json body = parse_json(response.body, "answer");
  return std::to_string(response.status) + " " + body["error_code"].get<std::string>() + " " +
         body["message"].get<std::string>();
}

bool artifact_test_begins(const std::string& text, const std::string& start) {
  CAPTURE(text);
  CHECK(text.compare(0, start.size(), start) == 0);
  return text.compare(0, start.size(), start) == 0;
}

}  // namespace

TEST_CASE("what is put comes back, is listed, has its SHA-256 in the store and can be deleted") {
  ArtifactRoutesTest test;
  std::string bytes = "a\0b\xff";
  bytes.resize(100000, 'x');
  HttpResponse answer = test.call("PUT", test.root("/data/m%20odel.bin"), bytes);
  CHECK(answer.status == 200);
  CHECK(answer.body == "{}");
  const auto known = test.session.artifacts().list(test.run.id(), "data");
  REQUIRE(known.size() == 1);
  CHECK(known[0].path == "data/m odel.bin");
  CHECK(known[0].sha256 == sha256_hex(bytes));
  CHECK(fs::read_file(
            fs::join(test.session.artifacts().folder(test.run.id()), "data/m odel.bin")) == bytes);

  answer = test.call("GET", test.root("/data/m%20odel.bin"));
  CHECK(answer.status == 200);
  CHECK(artifact_test_body(answer) == bytes);
  CHECK(answer.header("ETag") == "\"" + sha256_hex(bytes) + "\"");
  CHECK(answer.header("Content-Disposition") == "attachment; filename=\"m odel.bin\"");
  CHECK(answer.header("X-Content-Type-Options") == "nosniff");
  answer = test.call("GET", test.root("/data/m%20odel.bin"), "", {{"Range", "bytes=0-1"}});
  CHECK(answer.status == 206);
  CHECK(artifact_test_body(answer) == bytes.substr(0, 2));

  CHECK(test.call("PUT", test.root("/empty")).status == 200);
  const std::string list =
      std::string(kArtifactTestApi) + "?path=0/" + test.run.id() + "/artifacts";
  Json files = test.list(list)["files"];
  CHECK(dump_json(files) ==
        R"([{"is_dir":true,"path":"data"},{"file_size":0,"is_dir":false,"path":"empty"}])");
  files = test.list(list + "/data")["files"];
  CHECK(dump_json(files) == R"([{"file_size":100000,"is_dir":false,"path":"m odel.bin"}])");
  const Json by_run =
      test.list("/api/2.0/mlflow/artifacts/list?run_id=" + test.run.id() + "&path=data");
  CHECK(by_run["root_uri"] == "mlflow-artifacts:/0/" + test.run.id() + "/artifacts");
  CHECK(by_run["files"][0]["path"] == "data/m odel.bin");
  CHECK(dump_json(test.list(list + "/none")) == "{}");
  CHECK(dump_json(test.list(list + "/empty")) == "{}");
  CHECK(dump_json(test.list(kArtifactTestApi)) == "{}");

  CHECK(test.call("DELETE", test.root("/data")).status == 200);
  CHECK(test.call("DELETE", test.root("/data")).status == 200);
  CHECK(test.session.artifacts().list(test.run.id(), "", true).size() == 1);
  CHECK(test.call("DELETE", test.root()).status == 200);
  CHECK(test.session.artifacts().list(test.run.id(), "", true).empty());
}

TEST_CASE("what is read may have idle slashes and dots in its path, what is written may not") {
  ArtifactRoutesTest test;
  CHECK(test.call("PUT", test.root("/nd/x"), "x").status == 200);
  const std::string by_run = "run_id=" + test.run.id() + "&path=";
  for (const char* path : {"nd", "nd/", "./nd", "nd/.", ".//nd//"}) {
    CAPTURE(path);
    const Json listed = test.list("/api/2.0/mlflow/artifacts/list?" + by_run + path);
    const std::string given = path;  // which MLflow repeats in its answer
    CHECK(listed["files"][0]["path"] == given + (given.back() == '/' ? "x" : "/x"));
    const Json below = test.list(std::string(kArtifactTestApi) + "?path=0/" + test.run.id() +
                                 "/artifacts/" + path);
    CHECK(below["files"][0]["path"] == "x");
  }
  for (const char* path : {"nd//x", "./nd/x", "nd/./x", "nd/x/"}) {
    CAPTURE(path);
    CHECK(artifact_test_body(test.call("GET", "/get-artifact?" + by_run + path)) == "x");
  }
  CHECK(test.list("/api/2.0/mlflow/artifacts/list?" + by_run + ".")["files"][0]["path"] == "./nd");
  CHECK(artifact_test_body(test.call("GET", test.root("//nd//x"))) == "x");
  CHECK(test.call("PUT", test.root("/nd//y"), "x").status == 400);
  for (const char* path : {"/nd", "nd/..", "../nd", "nd/%252e%252e"}) {
    CHECK(test.call("GET", "/api/2.0/mlflow/artifacts/list?" + by_run + path).status == 400);
  }
}

TEST_CASE("a put replaces the file as a whole, and one that is broken off leaves no trace") {
  ArtifactRoutesTest test;
  CHECK(test.call("PUT", test.root("/f"), "first").status == 200);
  HttpRequest request;
  request.method = "PUT";
  request.target = test.root("/f");
  parse_http_target(request);
  {
    const auto upload = test.router.begin_upload(request);
    REQUIRE(upload != nullptr);
    upload->write("sec");
    // While it comes, it is not to be seen.
    CHECK(test.session.artifacts().list(test.run.id(), "", true).size() == 1);
    CHECK(dump_json(test.list("/api/2.0/mlflow/artifacts/list?run_id=" + test.run.id())["files"]) ==
          R"([{"file_size":5,"is_dir":false,"path":"f"}])");
  }
  CHECK(fs::list(test.session.artifacts().folder(test.run.id())) == std::vector<std::string>{"f"});
  CHECK(artifact_test_body(test.call("GET", test.root("/f"))) == "first");
  const auto upload = test.router.begin_upload(request);
  upload->write("sec");
  upload->write("ond");
  CHECK(upload->finish().status == 200);
  CHECK(artifact_test_body(test.call("GET", test.root("/f"))) == "second");
  CHECK(test.session.artifacts().damaged(test.run.id()).empty());
}

TEST_CASE("paths that lead out of an artifact folder are 400 Invalid path on every route") {
  ArtifactRoutesTest test;
  const std::string run = test.run.id();
  for (const char* bad : {"..", "../x", "a/../../x", "%2e%2e/x", "%252e%252e/x", "a%5Cb", "%23x",
                          "a%2523", "/etc/passwd", "%2Fetc/passwd", "..%2fx"}) {
    CAPTURE(bad);
    // Below a folder, a slash too many is none to those who read.
    const bool is_absolute = std::string(bad).find("etc/passwd") < 4;
    for (const char* method : {"GET", "PUT", "DELETE"}) {
      if (is_absolute && method == std::string("GET")) continue;
      const HttpResponse answer = test.call(method, test.root("/") + bad, "x");
      CHECK(artifact_test_begins(artifact_test_error(answer),
                                 "400 INVALID_PARAMETER_VALUE Invalid path"));
    }
    // A query value is decoded once more than the path above.
    for (const std::string& target :
         {"/get-artifact?run_id=" + run + "&path=" + bad,
          "/api/2.0/mlflow/artifacts/list?run_id=" + run + "&path=" + bad,
          std::string(kArtifactTestApi) + "?path=" + bad}) {
      CHECK(artifact_test_begins(artifact_test_error(test.call("GET", target)),
                                 "400 INVALID_PARAMETER_VALUE Invalid path"));
    }
    CHECK(artifact_test_begins(
        artifact_test_error(test.call(
            "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=" + run + "&path=" + bad, "x")),
        "400 INVALID_PARAMETER_VALUE Invalid path"));
  }
  CHECK(test.call("GET", test.root("/%00")).status == 400);
  CHECK_FALSE(fs::exists(test.folder.path("mlrt-artifacts")));
}

TEST_CASE("symbolic links in an artifact folder are followed by no route") {
  ArtifactRoutesTest test;
  const std::string run = test.run.id();
  test.session.artifacts().log_bytes(run, "x", "d/f");
  fs::write_file(test.folder.path("secret"), "s");
  const std::string own = test.session.artifacts().folder(run);
  REQUIRE(symlink(test.folder.path("secret").c_str(), fs::join(own, "link").c_str()) == 0);
  REQUIRE(symlink(test.folder.path().c_str(), fs::join(own, "d/out").c_str()) == 0);
  for (const char* path : {"/link", "/d/out", "/d/out/secret", "/d/out/new"}) {
    CAPTURE(path);
    for (const char* method : {"GET", "PUT", "DELETE"}) {
      CHECK(artifact_test_begins(artifact_test_error(test.call(method, test.root(path), "x")),
                                 "400 INVALID_PARAMETER_VALUE Invalid path"));
    }
    CHECK(test.call("GET", "/get-artifact?run_id=" + run + "&path=" + (path + 1)).status == 400);
  }
  CHECK(fs::read_file(test.folder.path("secret")) == "s");
  CHECK(test.list("/api/2.0/mlflow/artifacts/list?run_id=" + run)["files"].size() == 1);
  CHECK(test.list("/api/2.0/mlflow/artifacts/list?path=d&run_id=" + run)["files"].size() == 1);
}

TEST_CASE("what is not there is 404, at once and without retry") {
  ArtifactRoutesTest test;
  const std::string run = test.run.id();
  const std::string other(32, 'a');
  for (const std::string& target :
       {test.root("/none"), test.root("/none/MLmodel"),
        std::string(kArtifactTestApi) + "/0/" + other + "/artifacts/x",
        std::string(kArtifactTestApi) + "/7/" + run + "/artifacts/x",
        std::string(kArtifactTestApi) + "/0/models/m-" + other + "/artifacts/MLmodel",
        std::string(kArtifactTestApi) + "/none", "/get-artifact?run_id=" + run + "&path=none",
        "/get-artifact?run_id=" + other + "&path=x",
        "/api/2.0/mlflow/artifacts/list?run_id=" + other,
        "/ajax-api/2.0/mlflow/logged-models/m-" + other + "/artifacts/files?artifact_file_path=x",
        "/api/2.0/mlflow/logged-models/m-" + other + "/artifacts/directories",
        std::string("/model-versions/get-artifact?name=m&version=1&path=MLmodel")}) {
    CAPTURE(target);
    CHECK(artifact_test_begins(artifact_test_error(test.call("GET", target)),
                               "404 RESOURCE_DOES_NOT_EXIST"));
  }
  CHECK(artifact_test_begins(
      artifact_test_error(
          test.call("PUT", std::string(kArtifactTestApi) + "/0/" + other + "/artifacts/x", "x")),
      "404 RESOURCE_DOES_NOT_EXIST"));
  // Nothing is written beside runs and logged models.
  CHECK(artifact_test_begins(
      artifact_test_error(test.call("PUT", std::string(kArtifactTestApi) + "/models/x", "x")),
      "400 INVALID_PARAMETER_VALUE 'models/x' is not in the artifact folder"));
  CHECK(artifact_test_begins(artifact_test_error(test.call("GET", test.root())),
                             "404 RESOURCE_DOES_NOT_EXIST"));
  CHECK(test.call("PUT", test.root("/d/f"), "x").status == 200);
  CHECK(artifact_test_begins(artifact_test_error(test.call("GET", test.root("/d"))),
                             "400 INVALID_PARAMETER_VALUE Artifact path refers to a directory"));
  CHECK(artifact_test_begins(artifact_test_error(test.call("PUT", test.root("/d"), "x")),
                             "400 RESOURCE_ALREADY_EXISTS"));
}

TEST_CASE("a deleted run takes no files but still shows those it has") {
  ArtifactRoutesTest test;
  CHECK(test.call("PUT", test.root("/f"), "x").status == 200);
  test.run.end();
  test.session.tracking().delete_run(test.run.id());
  CHECK(artifact_test_begins(artifact_test_error(test.call("PUT", test.root("/g"), "x")),
                             "400 INVALID_PARAMETER_VALUE"));
  CHECK(artifact_test_body(test.call("GET", test.root("/f"))) == "x");
}

TEST_CASE("files of logged models are put, listed and read by the model's id") {
  ArtifactRoutesTest test;
  LoggedModels::NewModel wanted;
  wanted.name = "m";
  const std::string id = test.session.logged_models().create(wanted).model_id;
  const std::string root = std::string(kArtifactTestApi) + "/0/models/" + id + "/artifacts";
  CHECK(test.call("PUT", root + "/data/model.json", "{}").status == 200);
  CHECK(artifact_test_body(test.call("GET", root + "/data/model.json")) == "{}");
  const std::string api = "/mlflow/logged-models/" + id + "/artifacts/";
  for (const char* prefix : {"/api/2.0", "/ajax-api/2.0"}) {
    const Json listed = test.list(prefix + api + "directories?artifact_directory_path=data");
    CHECK(listed["root_uri"] == "mlflow-artifacts:/0/models/" + id + "/artifacts");
    CHECK(listed["files"][0]["path"] == "data/model.json");
  }
  const HttpResponse file =
      test.call("GET", "/ajax-api/2.0" + api + "files?artifact_file_path=data/model.json");
  CHECK(artifact_test_body(file) == "{}");
  CHECK(file.content_type == "text/plain");
  CHECK(test.call("GET", "/ajax-api/2.0" + api + "files").status == 400);
}

TEST_CASE("files of a model version are read from its bundle, and never from elsewhere") {
  ArtifactRoutesTest test;
  save_model(*test::make_scoring_model(), test.folder.path("m.mlrt"));
  test.session.register_model(test.folder.path("m.mlrt"), "m");
  const std::string get = "/model-versions/get-artifact?name=m&version=";
  const HttpResponse answer = test.call("GET", get + "1&path=MLmodel");
  CHECK(answer.status == 200);
  CHECK(answer.body.find("flavors:") != std::string::npos);
  CHECK(test.call("GET", get + "1&path=none").status == 404);
  CHECK(test.call("GET", get + "x&path=MLmodel").status == 400);
  // A version whose source a client has made up.
  Registry::NewVersion version;
  version.name = "m";
  version.source = "/etc";
  test.session.registry().create_version(version);
  const HttpResponse refused = test.call("GET", get + "2&path=hostname");
  CHECK(refused.status == 403);
}

TEST_CASE("a version whose files are gone is 404, whatever else lies in its run's folder") {
  ArtifactRoutesTest test;
  const std::string own = test.session.artifacts().folder(test.run.id());
  fs::make_folders(own);
  REQUIRE(symlink("/etc", fs::join(own, "link").c_str()) == 0);
  Registry::NewVersion version;
  version.name = "gone";
  version.create_model = true;
  version.source = "runs:/" + test.run.id() + "/model";
  version.run_id = test.run.id();
  test.session.registry().create_version(version);
  const std::string refusal = artifact_test_error(
      test.call("GET", "/model-versions/get-artifact?name=gone&version=1&path=MLmodel"));
  artifact_test_begins(refusal, "404 RESOURCE_DOES_NOT_EXIST");
  CHECK(refusal.find("has no artifact 'model'") != std::string::npos);
}

TEST_CASE("a bundle of the registry is a folder of its files to clients") {
  ArtifactRoutesTest test;
  save_model(*test::make_scoring_model(), test.folder.path("m.mlrt"));
  const std::string bundle =
      fs::basename(test.session.register_model(test.folder.path("m.mlrt"), "m").source);
  const auto files = open_model_files(test.folder.path("m.mlrt"));
  const std::string list = std::string(kArtifactTestApi) + "?path=models/" + bundle;
  const std::string get = std::string(kArtifactTestApi) + "/models/" + bundle;
  std::size_t seen = 0;
  const auto walk = [&](const auto& self, const std::string& below) -> void {
    const Json listed = test.list(list + below);
    for (const Json& entry : listed.at("files")) {
      const std::string path = below + "/" + entry["path"].get<std::string>();
      if (entry["is_dir"] == true) {
        self(self, path);
        CHECK(test.call("GET", get + path).status == 404);
        continue;
      }
      ++seen;
      const HttpResponse file = test.call("GET", get + path);
      CHECK(file.status == 200);
      CHECK(artifact_test_body(file) == files->read(path.substr(1)));
      CHECK(entry["file_size"] == file.body.size());
      CHECK(test.list(list + path) == Json::object());
    }
  };
  walk(walk, "");
  CHECK(seen == files->names().size());
  CHECK(seen > 1);
  // As a whole it is still the file that it is.
  CHECK(artifact_test_body(test.call("GET", get)) == fs::read_file(test.folder.path("m.mlrt")));
  CHECK(test.call("GET", get + "/none").status == 404);
  CHECK(test.call("GET", get + "/../" + bundle).status == 400);
  CHECK(test.call("PUT", get + "/MLmodel", "x").status == 400);
}

TEST_CASE("what is there and is neither file nor folder is not replaced") {
  ArtifactRoutesTest test;
  const std::string own = test.session.artifacts().folder(test.run.id());
  fs::make_folders(own);
  REQUIRE(mkfifo(fs::join(own, "fifo").c_str(), 0600) == 0);
  const std::string refusal = artifact_test_error(test.call("PUT", test.root("/fifo"), "x"));
  artifact_test_begins(refusal,
                       "400 INVALID_PARAMETER_VALUE Invalid path 'fifo': 'fifo' is neither");
  artifact_test_begins(artifact_test_error(test.call("PUT", test.root("/fifo/a"), "x")),
                       "400 INVALID_PARAMETER_VALUE Invalid path 'fifo/a': 'fifo' is neither");
  const std::string small = "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=" + test.run.id();
  CHECK(test.call("POST", small + "&path=fifo", "x").status == 400);
  CHECK(test.call("GET", test.root("/fifo")).status == 400);
}

TEST_CASE("a place that no file can have is 400, at once and without the server's paths") {
  ArtifactRoutesTest test;
  const std::string longest(255, 'n'), longer(256, 'n');
  CHECK(test.call("PUT", test.root("/" + longest + "/" + longest), "x").status == 200);
  CHECK(artifact_test_body(test.call("GET", test.root("/" + longest + "/" + longest))) == "x");
  CHECK(test.call("PUT", test.root("/c.bin"), "x").status == 200);
  const std::string small = "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=" + test.run.id();
  for (const std::string& path :
       {longer, longer + "/x", "d/" + longer, std::string("c.bin/x"), std::string("c.bin/x/y"),
        std::string(".mlrt-0123456789abcdef.tmp"), std::string(".mlrt-0123456789abcdef.tmp/x"),
        std::string("d/.x.0123456789abcdef.tmp")}) {
    CAPTURE(path);
    for (const HttpResponse& answer : {test.call("PUT", test.root("/" + path), "x"),
                                       test.call("POST", small + "&path=" + path, "x")}) {
      const std::string text = artifact_test_error(answer);
      CHECK(artifact_test_begins(text, "400 INVALID_PARAMETER_VALUE Invalid path"));
      CHECK(text.find(test.folder.path("")) == std::string::npos);
    }
  }
}

TEST_CASE("the small upload of the pages takes at most 10 MB") {
  ArtifactRoutesTest test;
  const std::string url = "/ajax-api/2.0/mlflow/upload-artifact";
  const std::string run = test.run.id();
  CHECK(test.call("POST", url + "?run_uuid=" + run + "&path=a/b.txt", "hello").status == 200);
  CHECK(artifact_test_body(test.call("GET", "/get-artifact?run_uuid=" + run + "&path=a/b.txt")) ==
        "hello");
  struct Row {
    std::string query;
    std::string body;
    const char* message;
  };
  for (const Row& row : {Row{"?path=a", "x", "Request must specify run_uuid."},
                         Row{"?run_uuid=" + run, "x", "Request must specify path."},
                         Row{"?run_uuid=" + run + "&path=a", "", "Request must specify data."},
                         Row{"?run_uuid=" + run + "&path=c", std::string((10 << 20) + 1, 'x'),
                             "Artifact size is too large. Max size is 10MB."}}) {
    CHECK(artifact_test_error(test.call("POST", url + row.query, row.body)) ==
          std::string("400 INVALID_PARAMETER_VALUE ") + row.message);
  }
}

TEST_CASE("multipart uploads are answered with 501, so that clients fall back") {
  ArtifactRoutesTest test;
  for (const char* step : {"create", "complete", "abort"}) {
    CHECK(artifact_test_error(
              test.call("POST", std::string("/api/2.0/mlflow-artifacts/mpu/") + step + "/0/x/y")) ==
          "501 NOT_IMPLEMENTED Multipart upload is not supported for the current artifact "
          "repository");
  }
  CHECK(test.call("GET", "/api/2.0/mlflow-artifacts/presigned/0/x").status == 501);
}

TEST_CASE("a read-only server shows artifacts and takes none") {
  ArtifactRoutesTest test(true);
  test.session.artifacts().log_bytes(test.run.id(), "x", "f");
  CHECK(artifact_test_body(test.call("GET", test.root("/f"))) == "x");
  CHECK(test.call("PUT", test.root("/g"), "x").status == 403);
  CHECK(test.call("DELETE", test.root("/f")).status == 403);
  CHECK(test.call("POST",
                  "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=" + test.run.id() + "&path=g", "x")
            .status == 403);
  CHECK(test.session.artifacts().list(test.run.id()).size() == 1);
}

TEST_CASE("folders below the artifact root have URIs of the server, and back") {
  CHECK(artifact_uri_of_folder("/r", "/r/1/abc/artifacts") == "mlflow-artifacts:/1/abc/artifacts");
  CHECK(artifact_uri_of_folder("/r", "/rest/1") == "/rest/1");
  CHECK(artifact_uri_of_folder("/r", "/r") == "mlflow-artifacts:/");
  for (const char* uri : {"mlflow-artifacts:/1/abc", "mlflow-artifacts:///1/abc",
                          "mlflow-artifacts://host:5000/1/abc/"}) {
    CHECK(artifact_folder_of_uri("/r", uri) == "/r/1/abc");
  }
  CHECK(artifact_folder_of_uri("/r", "mlflow-artifacts:/") == "/r");
  CHECK(artifact_folder_of_uri("/r", "/elsewhere") == "/elsewhere");
  for (const char* uri : {"mlflow-artifacts:/../x", "mlflow-artifacts:/a/../../x",
                          "mlflow-artifacts:/%2e%2e/x", "mlflow-artifacts://h/a#b"}) {
    CAPTURE(uri);
    CHECK_THROWS_AS(artifact_folder_of_uri("/r", uri), Error);
  }
}

TEST_CASE("downloads have names and types that no browser takes for a page") {
  CHECK(guess_mime_type("a/MLmodel") == "text/plain");
  CHECK(guess_mime_type("x.JSON") == "text/plain");
  CHECK(guess_mime_type("x.png") == "image/png");
  CHECK(guess_mime_type("x") == "application/octet-stream");
  CHECK(guess_mime_type("a b.c d") == "application/octet-stream");
  CHECK(guess_mime_type(".txt") == "application/octet-stream");
  struct Row {
    const char* name;
    const char* header;
  };
  for (const Row& row :
       {Row{"a/b.txt", "attachment; filename=b.txt"},
        Row{"a b\"c.txt", "attachment; filename=\"a b\\\"c.txt\""},
        Row{"\xc3\xa9t.txt", "attachment; filename=t.txt; filename*=UTF-8''%C3%A9t.txt"},
        Row{"\xc3\xa9", "attachment; filename=download; filename*=UTF-8''%C3%A9"}}) {
    HttpResponse response;
    add_attachment_headers(response, row.name);
    CHECK(response.header("Content-Disposition") == row.header);
  }
}

}  // namespace mlrt
