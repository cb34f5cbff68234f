#include <doctest/doctest.h>

#include <string>

#include "api/session.hpp"
#include "cli/cli_support.hpp"
#include "core/fs.hpp"
#include "core/json.hpp"
#include "net/client.hpp"

namespace mlrt {
namespace {

using test::mlrt_command;
using test::Process;
using test::ProcessOptions;
using test::ProcessResult;
using test::run_mlrt;
using test::TempDir;

std::string server_test_url(Process& process) {
  if (!process.wait_for_output("script.lua    (on this machine: the same store)\n")) {
    FAIL("the server did not start: " << process.wait().err);
  }
  const std::string& text = process.output();
  const std::size_t from = text.find("http://");
  return text.substr(from, text.find(' ', from) - from);
}

Json server_test_post(const std::string& url, const std::string& route, const std::string& body) {
  const HttpResponse answer = http_request("POST", url + "/api/2.0/mlflow/" + route,
                                           {{"Content-Type", "application/json"}}, body);
  CAPTURE(answer.body);
  CHECK(answer.status == 200);
  return parse_json(answer.body, "answer");
}

ProcessResult server_test_stop(Process& process, int signal = SIGTERM) {
  process.send_signal(signal);
  ProcessResult result = process.wait();
  CHECK_FALSE(result.timed_out);
  CHECK(result.exit_code == 0);
  return result;
}

ProcessOptions server_test_in(const TempDir& folder) {
  ProcessOptions options;
  options.folder = folder.path();
  return options;
}

}  // namespace

TEST_CASE("server on an empty folder makes the store, says how to log to it, and works") {
  TempDir folder;
  Process process(mlrt_command({"server", "--port", "0"}), server_test_in(folder));
  const std::string url = server_test_url(process);
  const std::string& text = process.output();
  CHECK(text.find("mlrt: tracking server at " + url + " (Ctrl-C stops)\n  store      " +
                  folder.path("mlrt.db") + " (new)\n  artifacts  " + folder.path("mlrt-artifacts") +
                  "\n") == 0);
  CHECK(text.find("mlflow.set_tracking_uri(\"" + url + "\")") != std::string::npos);
  CHECK(text.find("curl -X POST " + url + "/api/2.0/mlflow/runs/create") != std::string::npos);
  CHECK(text.find("mlrt --store '" + folder.path("mlrt.db") + "' script.lua") != std::string::npos);
  CHECK(http_request("GET", url + "/health").body == "OK");
  const Json run = server_test_post(url, "runs/create", R"({"experiment_id": "0"})");
  const std::string id = run["run"]["info"]["run_id"].get<std::string>();
  CHECK(run["run"]["info"]["artifact_uri"] == "mlflow-artifacts:/0/" + id + "/artifacts");
  const std::string artifact =
      url + "/api/2.0/mlflow-artifacts/artifacts/0/" + id + "/artifacts/notes/a.txt";
  CHECK(http_request("PUT", artifact, {}, "hello").status == 200);
  CHECK(http_request("GET", artifact).body == "hello");
  CHECK(http_request("GET", artifact, {{"Range", "bytes=1-2"}}).body == "el");
  CHECK(http_request("GET", url + "/health", {{"Host", "evil.example"}}).status == 403);
  CHECK(http_request("GET", url + "/health", {{"Origin", "http://evil.example"}}).status == 403);
  // Another process on the same store sees what the server has taken.
  const ProcessResult listed = run_mlrt(folder.path(), {"artifacts", "list", id, "notes"});
  CHECK(listed.out.find("a.txt") != std::string::npos);
  const ProcessResult result = server_test_stop(process, SIGINT);
  CHECK(result.err.empty());
}

TEST_CASE("the command line comes before the environment, and that before the file") {
  TempDir folder;
  fs::make_folders(folder.path("files"));
  fs::write_file(folder.path("server.lua"),
                 "return {port = 1, store = 'from-file.db', artifacts_destination = 'files'}");
  ProcessOptions options = server_test_in(folder);
  options.environment = {{"MLRT_PORT", "2"}, {"MLRT_CONFIG", "server.lua"}};
  Process process(mlrt_command({"server", "--port", "0"}), options);
  const std::string url = server_test_url(process);
  CHECK(process.output().find(folder.path("from-file.db") + " (new)") != std::string::npos);
  CHECK(process.output().find("artifacts  " + folder.path("files") + "\n") != std::string::npos);
  const Json run = server_test_post(url, "runs/create", R"({"experiment_id": "0"})");
  const std::string below =
      "0/" + run["run"]["info"]["run_id"].get<std::string>() + "/artifacts/a.txt";
  CHECK(http_request("PUT", url + "/api/2.0/mlflow-artifacts/artifacts/" + below, {}, "x").status ==
        200);
  CHECK(fs::read_file(folder.path("files/" + below)) == "x");
  server_test_stop(process);
  options.environment = {{"MLRT_PORT", "0"},
                         {"MLRT_CONFIG", "server.lua"},
                         {"MLRT_STORE", "from-environment.db"},
                         {"MLRT_HOST", "localhost"}};
  Process second(mlrt_command({"server"}), options);
  CHECK(server_test_url(second).find("http://localhost:") == 0);
  CHECK(second.output().find("from-environment.db (new)") != std::string::npos);
  server_test_stop(second);
}

TEST_CASE("settings that are none end the server before it listens") {
  TempDir folder;
  struct Row {
    std::vector<std::string> words;
    std::vector<std::pair<std::string, std::string>> environment;
    int exit_code;
    const char* error;
  };
  fs::write_file(folder.path("bad.lua"), "return {prot = 5}");
  for (const Row& row : {
           Row{{"--port", "x"},
               {},
               2,
               "mlrt: --port takes a whole number from 0 to 65535, not 'x'\n"},
           Row{{}, {{"MLRT_PORT", "70000"}}, 2, "mlrt: MLRT_PORT takes a whole number from 0 to"},
           Row{{}, {{"MLRT_READ_ONLY", "maybe"}}, 2, "mlrt: MLRT_READ_ONLY is true or false, not"},
           Row{{"--host", "0.0.0.0"},
               {},
               1,
               "mlrt: the server cannot listen on '0.0.0.0': it has no"},
           Row{{"--allowed-hosts", "lab,*"}, {}, 1, "mlrt: the allowed host '*' is not the name"},
           Row{{"--config", "none.lua"}, {}, 3, "mlrt: cannot read 'none.lua'"},
           Row{{"--config", "bad.lua"},
               {},
               1,
               "mlrt: bad.lua: there is no setting 'prot'; did you"},
           Row{{"--artifacts-destination", "s3://b/x"}, {}, 1, "mlrt: Invalid artifact_location"},
           Row{{"--artifacts-destination", "bad.lua/x"},
               {},
               5,
               "mlrt: artifacts cannot be kept in '"},
           Row{{"--artifacts-destination", "/proc/none"},
               {},
               5,
               "mlrt: artifacts cannot be kept in '/proc/none': "},
           Row{{"--read-only"}, {}, 3, "mlrt: "},
       }) {
    ProcessOptions options;
    options.environment = row.environment;
    std::vector<std::string> words = {"server", "--store", "s.db"};
    words.insert(words.end(), row.words.begin(), row.words.end());
    const ProcessResult result = run_mlrt(folder.path(), words, options);
    CAPTURE(result.err);
    CHECK(result.exit_code == row.exit_code);
    CHECK(result.err.find(row.error) == 0);
    CHECK(result.out.empty());
  }
  CHECK_FALSE(fs::exists(folder.path("s.db")));
}

TEST_CASE("the store keeps the server's artifacts destination for all commands and scripts") {
  TempDir folder;
  save_model(test::make_cli_model(), folder.path("m.mlrt"));
  std::string id;
  {
    Process process(mlrt_command({"server", "--store", "e.db", "--port", "0",
                                  "--artifacts-destination", "arts"}),
                    server_test_in(folder));
    const std::string url = server_test_url(process);
    const Json run = server_test_post(url, "runs/create", R"({"experiment_id": "0"})");
    id = run["run"]["info"]["run_id"].get<std::string>();
    const std::string artifact =
        url + "/api/2.0/mlflow-artifacts/artifacts/0/" + id + "/artifacts/a.txt";
    CHECK(http_request("PUT", artifact, {}, "hello").status == 200);
    server_test_stop(process);
  }
  CHECK(run_mlrt(folder.path(), {"--store", "e.db", "artifacts", "list", id}).out.find("a.txt") !=
        std::string::npos);
  CHECK(
      run_mlrt(folder.path(), {"--store", "e.db", "models", "register", "m.mlrt", "m"}).exit_code ==
      0);
  CHECK(fs::list(folder.path("arts/models")).size() == 1);
  CHECK_FALSE(fs::exists(folder.path("e-artifacts")));
  // A server that only reads changes no settings either.
  Process process(mlrt_command({"server", "--store", "e.db", "--port", "0", "--read-only",
                                "--artifacts-destination", "other"}),
                  server_test_in(folder));
  server_test_url(process);
  CHECK(process.output().find("artifacts  " + folder.path("other") + "\n") != std::string::npos);
  server_test_stop(process);
  CHECK_FALSE(fs::exists(folder.path("other")));
  CHECK(Session(folder.path("e.db")).tracking().artifact_root() == folder.path("arts"));
}

TEST_CASE("a read-only server shows what there is and refuses to change it") {
  TempDir folder;
  std::string id;
  {
    Session session(folder.path("mlrt.db"));
    Run run = session.start_run("r");
    session.artifacts().log_bytes(run.id(), "x", "f");
    id = run.id();
    run.end();
  }
  Process process(mlrt_command({"server", "--port", "0", "--read-only"}), server_test_in(folder));
  const std::string url = server_test_url(process);
  CHECK(process.output().find("mlrt.db (read-only)") != std::string::npos);
  CHECK(http_request("GET", url + "/api/2.0/mlflow/runs/get?run_id=" + id).status == 200);
  CHECK(server_test_post(url, "runs/search", R"({"experiment_ids": ["0"]})")["runs"].size() == 1);
  const std::string file = url + "/api/2.0/mlflow-artifacts/artifacts/0/" + id + "/artifacts/f";
  CHECK(http_request("GET", file).body == "x");
  CHECK(http_request("PUT", file, {}, "y").status == 403);
  CHECK(http_request("POST", url + "/api/2.0/mlflow/runs/create",
                     {{"Content-Type", "application/json"}}, R"({"experiment_id": "0"})")
            .status == 403);
  server_test_stop(process);
}

TEST_CASE(
    "the hooks of the configuration file see requests and events, and cannot end the server") {
  TempDir folder;
  fs::write_file(folder.path("server.lua"), R"(
    return {
      on_request = function(r)
        if r.method == "DELETE" then return 403, "nothing is deleted here" end
        if r.path == "/version" then os.exit(7) end
      end,
      on_run_end = function(run) print("ended " .. run.name .. " " .. run.status) end,
    })");
  Process process(mlrt_command({"server", "--port", "0", "--config", "server.lua"}),
                  server_test_in(folder));
  const std::string url = server_test_url(process);
  HttpResponse refused;
  // A machine that is busy may not run the hook in time.
  for (int i = 0; i < 20 && refused.status != 403; ++i) {
    refused = http_request("DELETE", url + "/api/2.0/mlflow/any");
  }
  CHECK(refused.status == 403);
  CHECK(refused.body.find("nothing is deleted here") != std::string::npos);
  CHECK(http_request("GET", url + "/version").status == 200);
  const Json run =
      server_test_post(url, "runs/create", R"({"experiment_id": "0", "run_name": "first"})");
  server_test_post(
      url, "runs/update",
      R"({"status": "FINISHED", "run_id": )" + dump_json(run["run"]["info"]["run_id"]) + "}");
  const ProcessResult result = server_test_stop(process);
  CHECK(result.out.find("ended first FINISHED\n") != std::string::npos);
  CHECK(result.err.find("a server hook failed; the server goes on without it hook=on_request") !=
        std::string::npos);
}

TEST_CASE("a port in use is one line and exit code 6, and two servers may share a store") {
  TempDir folder;
  Process first(mlrt_command({"server", "--port", "0"}), server_test_in(folder));
  const std::string url = server_test_url(first);
  const ProcessResult taken =
      run_mlrt(folder.path(), {"server", "--port", url.substr(url.rfind(':') + 1)});
  CHECK(taken.exit_code == 6);
  CHECK(taken.err.find(" is in use by another program") != std::string::npos);
  const ProcessResult in_vain =
      run_mlrt(folder.path(), {"--store", "new.db", "server", "--port",
                               url.substr(url.rfind(':') + 1), "--artifacts-destination", "new"});
  CHECK(in_vain.exit_code == 6);
  CHECK_FALSE(fs::exists(folder.path("new.db")));
  CHECK_FALSE(fs::exists(folder.path("new")));
  Process second(mlrt_command({"server", "--port", "0"}), server_test_in(folder));
  const std::string other = server_test_url(second);
  CHECK(second.output().find("(new)") == std::string::npos);
  const Json run = server_test_post(url, "runs/create", R"({"experiment_id": "0"})");
  CHECK(http_request("GET", other + "/api/2.0/mlflow/runs/get?run_id=" +
                                run["run"]["info"]["run_id"].get<std::string>())
            .status == 200);
  server_test_stop(first);
  server_test_stop(second);
}

}  // namespace mlrt
