// Replays tests/server/corpus/requests.json: requests that are wrong in one way each, and what they
// are to be answered. Where MLflow's own server answers otherwise, "stock" says what, and "why" why
// not here. MLRT_UPDATE_EXPECTED=1 writes today's answers into the file instead of comparing.

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "core/fs.hpp"
#include "server/rest_testing.hpp"

using mlrt::HttpRequest;
using mlrt::Json;
using mlrt::OrderedJson;
using mlrt::test::RestAnswer;
using mlrt::test::RestServer;

namespace {

// `text` with every `from` replaced.
std::string rest_corpus_fill(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
  return text;
}

std::string rest_corpus_body(const Json& request, const std::string& run) {
  if (request.contains("body_hex")) {
    std::string body;
    const std::string hex = request["body_hex"];
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      body += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return body;
  }
  if (request.contains("body_repeat")) {
    const Json& repeat = request["body_repeat"];
    std::string body = rest_corpus_fill(repeat[0], "{run}", run);
    const std::string unit = repeat[1], behind = repeat[3];
    for (int i = 0; i < repeat[2].get<int>(); ++i) body += unit;
    return body + behind;
  }
  return rest_corpus_fill(request.value("body", ""), "{run}", run);
}

}  // namespace

TEST_CASE("malformed requests get MLflow's status and body each") {
  const std::string path = MLRT_SOURCE_DIR "/tests/server/corpus/requests.json";
  const Json requests = mlrt::parse_json(mlrt::fs::read_file(path), "requests.json");
  REQUIRE(requests.size() > 200);
  const bool update = std::getenv("MLRT_UPDATE_EXPECTED") != nullptr;
  OrderedJson updated =
      update ? OrderedJson::parse(mlrt::fs::read_file(path)) : OrderedJson::array();
  const RestServer server;
  const std::string run = server.create_run("0");
  const std::string before = server.get("/runs/get?run_id=" + run).text;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Json& request = requests[i];
    HttpRequest http;
    http.method = request["method"];
    http.target = rest_corpus_fill(request["target"], "{run}", run);
    if (request.contains("content_type") && request["content_type"] != "") {
      http.headers.emplace_back("Content-Type", request["content_type"]);
    }
    http.body = rest_corpus_body(request, run);
    const RestAnswer answer = server.send(http);
    const Json expected = {
        {"status", answer.status},
        {"error_code", answer.code()},
        {"message", rest_corpus_fill(answer.message(), run, "{run}")},
    };
    if (update) {
      updated[i]["answer"] = OrderedJson::parse(expected.dump());
      continue;
    }
    const std::string name = request["name"];
    CHECK_MESSAGE(answer.status >= 400, name);
    CHECK_MESSAGE(answer.status < 500, name);
    CHECK_MESSAGE(answer.json.size() == 2, name);
    CHECK_MESSAGE(request["answer"] == expected, name << ": " << expected.dump());
    CHECK_MESSAGE(request.contains("stock") == request.contains("why"), name);
  }
  // None of them has changed anything.
  CHECK(server.get("/runs/get?run_id=" + run).text == before);
  CHECK(server.post("/experiments/search", {{"max_results", 9}, {"view_type", "ALL"}})
            .json["experiments"]
            .size() == 1);
  CHECK(server.post("/runs/search", {{"experiment_ids", {"0"}}, {"run_view_type", "ALL"}})
            .json["runs"]
            .size() == 1);
  CHECK(server.get("/registered-models/search").text == "{}");
  if (update) mlrt::fs::write_file(path, updated.dump(1) + "\n");
}
