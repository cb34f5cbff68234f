#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "api/session.hpp"
#include "cli/cli_support.hpp"
#include "core/fs.hpp"
#include "net/client.hpp"

namespace mlrt {
namespace {

using test::mlrt_command;
using test::Process;
using test::ProcessOptions;
using test::ProcessResult;
using test::run_mlrt;
using test::TempDir;

// The address in "mlrt: serving m.mlrt at http://127.0.0.1:40123 (Ctrl-C stops)".
std::string serve_url(Process& process) {
  if (!process.wait_for_output(" (Ctrl-C stops)\n")) {
    FAIL("the server did not start: " << process.wait().err);
  }
  const std::string& text = process.output();
  const std::size_t from = text.find("http://");
  REQUIRE(from != std::string::npos);
  return text.substr(from, text.find(' ', from) - from);
}

HttpResponse serve_score(const std::string& url, const std::string& body) {
  return http_request("POST", url + "/invocations", {{"Content-Type", "application/json"}}, body);
}

}  // namespace

TEST_CASE("serve answers for a bundle, a folder and a registered model until it is told to stop") {
  TempDir folder;
  save_model(test::make_cli_model(), folder.path("m.mlrt"));
  std::string run_uri;
  {
    Session session(folder.path("mlrt.db"));
    Run run = session.start_run("r");
    run_uri = run.log_model(test::make_cli_model());
    session.register_model(folder.path("m.mlrt"), "m", "champion");
  }
  int signal = SIGTERM;
  for (const std::string& model : {std::string("m.mlrt"), std::string("models:/m@champion"),
                                   std::string("models:/m/1"), run_uri}) {
    CAPTURE(model);
    ProcessOptions options;
    options.folder = folder.path();
    Process process(mlrt_command({"serve", model, "--port", "0"}), options);
    const std::string url = serve_url(process);
    CHECK(starts_with(process.output(), "mlrt: serving " + model + " at http://127.0.0.1:"));
    CHECK(http_request("GET", url + "/health").body == "\n");
    CHECK(serve_score(url, R"({"dataframe_split": {"columns": ["k", "a"], "data": [["x", 2.5]]}})")
              .body == "{\"predictions\": [12.5]}");
    const HttpResponse bad = serve_score(url, R"({"dataframe_records": [{"k": "x"}]})");
    CHECK(bad.status == 400);
    CHECK(bad.body.find("Model is missing inputs ['a'].") != std::string::npos);
    CHECK(http_request("GET", url + "/ping", {{"Host", "evil.example"}}).status == 403);
    process.send_signal(signal);
    const ProcessResult result = process.wait();
    CHECK_FALSE(result.timed_out);
    CHECK(result.exit_code == 0);
    CHECK(result.err.empty());
    signal = signal == SIGTERM ? SIGINT : SIGTERM;
  }
}

TEST_CASE("serving a bundle or folder needs no store and makes none") {
  TempDir folder;
  save_model(test::make_cli_model(), folder.path("m.mlrt"));
  ProcessOptions options;
  options.folder = folder.path();
  Process process(mlrt_command({"serve", "m.mlrt", "--port=0"}), options);
  serve_url(process);
  process.send_signal(SIGINT);
  CHECK(process.wait().exit_code == 0);
  CHECK(fs::list(folder.path()) == std::vector<std::string>{"m.mlrt"});
}

TEST_CASE("a port in use is one line and exit code 6") {
  TempDir folder;
  save_model(test::make_cli_model(), folder.path("m.mlrt"));
  ProcessOptions options;
  options.folder = folder.path();
  Process process(mlrt_command({"serve", "m.mlrt", "--port", "0"}), options);
  const std::string url = serve_url(process);
  const std::string port = url.substr(url.rfind(':') + 1);
  const ProcessResult second = run_mlrt(folder.path(), {"serve", "m.mlrt", "--port", port});
  CHECK(second.exit_code == 6);
  CHECK(second.err == "mlrt: port " + port +
                          " on 127.0.0.1 is in use by another program; choose another with --port, "
                          "or --port 0 for a free one\n");
  CHECK(second.out.empty());
}

TEST_CASE("a host that others can reach brings a warning") {
  TempDir folder;
  save_model(test::make_cli_model(), folder.path("m.mlrt"));
  ProcessOptions options;
  options.folder = folder.path();
  Process process(mlrt_command({"serve", "m.mlrt", "--port", "0", "--host", "0.0.0.0",
                                "--allowed-hosts", "box, box.lan"}),
                  options);
  const std::string url = serve_url(process);
  const std::string local = "http://127.0.0.1" + url.substr(url.rfind(':'));
  CHECK(http_request("GET", local + "/ping", {{"Host", "10.1.2.3:80"}}).status == 200);
  CHECK(http_request("GET", local + "/ping", {{"Host", "box.lan"}}).status == 200);
  CHECK(http_request("GET", local + "/ping", {{"Host", "evil.example"}}).status == 403);
  process.send_signal(SIGTERM);
  const ProcessResult result = process.wait();
  CHECK(result.exit_code == 0);
  CHECK(result.err.find("mlrt: warning: other machines can reach ") == 0);
  CHECK(result.err.find("no authentication") != std::string::npos);
}

TEST_CASE("a model that cannot be found is told, exit code 3") {
  TempDir folder;
  { Session session(folder.path("mlrt.db")); }
  ProcessResult result = run_mlrt(folder.path(), {"serve", "none.mlrt"});
  CHECK(result.exit_code == 3);
  CHECK(result.err.find("'none.mlrt'") != std::string::npos);
  result = run_mlrt(folder.path(), {"serve", "models:/none@champion"});
  CHECK(result.exit_code == 3);
  CHECK(result.err.find("none") != std::string::npos);
  for (const char* mistyped : {"modells:/none@champion", "models:none@champion", "runs:abc/m"}) {
    result = run_mlrt(folder.path(), {"serve", mistyped});
    CHECK(result.exit_code == 1);
    CHECK(result.err.find("names no model") != std::string::npos);
  }
}

}  // namespace mlrt
