#include "server/scoring_server.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "net/client.hpp"
#include "server/scoring_model.hpp"

namespace mlrt {

TEST_CASE("a scoring server answers over a socket until it is stopped") {
  const auto server = make_scoring_server(test::make_scoring_model(), ServeOptions());
  REQUIRE(server->port() > 0);
  CHECK(server->url() == "http://127.0.0.1:" + std::to_string(server->port()));
  CHECK(http_request("GET", server->url() + "/ping").body == "\n");
  const HttpFields json = {{"Content-Type", "application/json"}};
  const HttpResponse answer =
      http_request("POST", server->url() + "/invocations", json,
                   R"({"dataframe_records": [{"a": 1.5, "k": "x", "n": 2}]})");
  CHECK(answer.status == 200);
  CHECK(answer.content_type == "application/json");
  CHECK(answer.body == "{\"predictions\": [211.5]}");
  CHECK(http_request("POST", server->url() + "/invocations", json, "{").status == 400);
  CHECK(http_request("GET", server->url() + "/nothing").status == 404);
  server->stop();
  server->stop();
  CHECK_THROWS_AS(http_request("GET", server->url() + "/ping"), Error);
}

TEST_CASE("eight clients at once all get their own answers") {
  const auto server = make_scoring_server(test::make_scoring_model(), ServeOptions());
  std::vector<std::string> wrong(8);
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    clients.emplace_back([&, i] {
      for (int k = 0; k < 20; ++k) {
        const std::string body = "a,k,n\n" + std::to_string(i * 1000 + 0.5) + ",y,3\n";
        const std::string expected =
            "{\"predictions\": [" + std::to_string(i * 1000 + 300) + ".5]}";
        const HttpResponse got = http_request("POST", server->url() + "/invocations",
                                              {{"Content-Type", "text/csv"}}, body);
        if (got.body != expected) wrong[i] = got.body;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  for (const std::string& text : wrong) CHECK(text.empty());
}

TEST_CASE("a port in use and a port that does not exist are refused") {
  const auto server = make_scoring_server(test::make_scoring_model(), ServeOptions());
  ServeOptions options;
  options.port = server->port();
  try {
    make_scoring_server(test::make_scoring_model(), options);
    FAIL("two servers on one port");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kUnavailable);
    CHECK(error.message().find(std::to_string(options.port)) != std::string::npos);
  }
  options.port = 70000;
  CHECK_THROWS_AS(make_scoring_server(test::make_scoring_model(), options), Error);
}

TEST_CASE("a body beyond the limit is 413") {
  const auto server = make_scoring_server(test::make_scoring_model(), ServeOptions());
  const HttpResponse answer =
      http_request("POST", server->url() + "/invocations", {{"Content-Type", "text/csv"}},
                   std::string((std::size_t{16} << 20) + 1, 'a'));
  CHECK(answer.status == 413);
}

}  // namespace mlrt
