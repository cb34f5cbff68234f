#include "net/listener.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.hpp"
#include "net/client.hpp"
#include "net/listener_fixture.hpp"
#include "net/raw_client.hpp"

namespace {

using mlrt::test::listener_test_options;
using mlrt::test::listener_test_sleep_ms;
using mlrt::test::listener_test_until;
using mlrt::test::ListenerTestQuiet;
using mlrt::test::ListenerTestServer;
using mlrt::test::RawClient;

std::string listener_test_start_error(const mlrt::ListenerOptions& options, mlrt::ErrorCode& code) {
  try {
    mlrt::Listener listener(options, mlrt::Router());
    listener.start();
  } catch (const mlrt::Error& error) {
    code = error.code();
    return error.message();
  }
  return "started";
}

}  // namespace

TEST_CASE("a request goes round trip with its body, its type and its address") {
  ListenerTestServer server;
  const mlrt::HttpResponse response =
      mlrt::http_request("POST", server.url("/echo"), {{"Content-Type", "text/csv"}}, "a,b\n1,2\n");
  CHECK(response.status == 200);
  CHECK(response.body == "a,b\n1,2\n");
  CHECK(response.content_type == "text/csv");
  CHECK(response.header("X-Remote") == "127.0.0.1");
  CHECK(response.header("Content-Length") == "8");
}

TEST_CASE("a body of many megabytes comes back whole") {
  ListenerTestServer server;
  std::string body(20u << 20, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>(i);
  const mlrt::HttpResponse response = mlrt::http_request("POST", server.url("/echo"), {}, body);
  CHECK(response.status == 200);
  CHECK((response.body == body));
}

TEST_CASE("a connection serves many requests, pipelined ones in their order") {
  ListenerTestServer server;
  RawClient client(server.listener.port());
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    const std::string answer = client.read_answer();
    CHECK(answer.rfind("HTTP/1.1 200 OK\r\n", 0) == 0);
    CHECK(answer.find("Connection:") == std::string::npos);
  }
  REQUIRE(
      client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
                  "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\ntwo\r\n0\r\n\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  CHECK(client.read_answer().find("\r\n\r\none") != std::string::npos);
  CHECK(client.read_answer().find("\r\n\r\ntwo") != std::string::npos);
  CHECK(client.read_answer().rfind("HTTP/1.1 404 ", 0) == 0);
  const std::string last = client.read_answer();
  CHECK(last.find("\r\n\r\nhello") != std::string::npos);
  CHECK(last.find("Connection: close\r\n") != std::string::npos);
  bool closed = false;
  CHECK(client.read_to_end(5000, closed).empty());
  CHECK(closed);
}

TEST_CASE("an HTTP/1.0 client gets its answer and a closed connection unless it asks to keep it") {
  ListenerTestServer server;
  bool closed = false;
  RawClient client(server.listener.port());
  REQUIRE(client.send("GET /hello HTTP/1.0\r\n\r\n"));
  CHECK(client.read_to_end(5000, closed).find("\r\n\r\nhello") != std::string::npos);
  CHECK(closed);
  RawClient keeping(server.listener.port());
  REQUIRE(keeping.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  CHECK(keeping.read_answer().find("Connection: keep-alive\r\n") != std::string::npos);
  REQUIRE(keeping.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  CHECK(keeping.read_answer().find("\r\n\r\nhello") != std::string::npos);
}

TEST_CASE("HEAD has the header of GET and no body, and 204 has neither length nor body") {
  ListenerTestServer server;
  RawClient client(server.listener.port());
  REQUIRE(
      client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /empty HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
  const std::string head = client.read_answer(false);
  CHECK(head.rfind("HTTP/1.1 200 OK\r\n", 0) == 0);
  CHECK(head.find("Content-Length: 5\r\n") != std::string::npos);
  const std::string empty = client.read_answer(false);
  CHECK(empty.rfind("HTTP/1.1 204 ", 0) == 0);
  CHECK(empty.find("Content-Length") == std::string::npos);
  CHECK(client.read_answer().find("\r\n\r\nhello") != std::string::npos);
}

TEST_CASE("Expect: 100-continue gets its go-ahead before the body, or the refusal in its place") {
  mlrt::ListenerOptions options = listener_test_options();
  options.max_body_bytes = 100;
  ListenerTestServer server(options);
  RawClient client(server.listener.port());
  REQUIRE(client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
  CHECK(client.read_answer() == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send("body"));
  CHECK(client.read_answer().find("\r\n\r\nbody") != std::string::npos);
  REQUIRE(client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n"));
  bool closed = false;
  CHECK(client.read_to_end(5000, closed).rfind("HTTP/1.1 413 ", 0) == 0);
}

TEST_CASE("a handler that throws costs its request an opaque 500 and nothing else") {
  const ListenerTestQuiet quiet;
  ListenerTestServer server;
  const mlrt::HttpResponse response = mlrt::http_request("GET", server.url("/throws"));
  CHECK(response.status == 500);
  CHECK(response.body.find("INTERNAL_ERROR") != std::string::npos);
  CHECK(response.body.find("secret") == std::string::npos);
  CHECK(mlrt::http_request("GET", server.url("/hello")).body == "hello");
}

TEST_CASE("stop lets a request under way finish and does not wait for idle connections") {
  mlrt::ListenerOptions options = listener_test_options();
  options.shutdown_grace_ms = 20000;
  ListenerTestServer server(options);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 20; ++i) {
    idle.push_back(std::make_unique<RawClient>(server.listener.port()));
    if (i % 2 == 0) {
      REQUIRE(idle.back()->send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
      CHECK(idle.back()->read_answer().find("hello") != std::string::npos);
    }
    if (i % 4 == 1) REQUIRE(idle.back()->send("GET /hel"));
  }
  RawClient busy(server.listener.port());
  REQUIRE(busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"));
  listener_test_sleep_ms(100);
  const std::int64_t start_ms = mlrt::monotonic_ms();
  server.listener.stop();
  CHECK(mlrt::monotonic_ms() - start_ms < 5000);
  bool closed = false;
  const std::string answer = busy.read_to_end(5000, closed);
  CHECK(answer.find("\r\n\r\nslow") != std::string::npos);
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  for (auto& client : idle) {
    client->read_to_end(5000, closed);
    CHECK(closed);
  }
  CHECK(server.listener.connections() == 0);
  CHECK_THROWS_AS(mlrt::http_request("GET", server.url("/hello")), mlrt::Error);
}

TEST_CASE("stop cuts off what is not done within the grace") {
  const ListenerTestQuiet quiet;
  mlrt::ListenerOptions options = listener_test_options();
  options.shutdown_grace_ms = 200;
  ListenerTestServer server(options);
  RawClient client(server.listener.port());
  REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
  listener_test_sleep_ms(100);
  const std::int64_t start_ms = mlrt::monotonic_ms();
  server.listener.stop();
  const std::int64_t took_ms = mlrt::monotonic_ms() - start_ms;
  CHECK(took_ms >= 150);
  CHECK(took_ms < 5000);
  bool closed = false;
  CHECK(client.read_to_end(5000, closed).empty());
}

TEST_CASE("a handler may ask for the stop, and wait returns when it is done") {
  mlrt::Listener* running = nullptr;
  mlrt::Router router;
  router.add("POST", "/stop", [&running](const mlrt::HttpRequest&, const mlrt::PathParams&) {
    running->request_stop();
    mlrt::HttpResponse response;
    response.body = "stopping";
    return response;
  });
  mlrt::Listener listener(listener_test_options(), std::move(router));
  running = &listener;
  listener.wait();
  listener.start();
  CHECK(mlrt::http_request("POST", "http://127.0.0.1:" + std::to_string(listener.port()) + "/stop")
            .body == "stopping");
  listener.wait();
  listener.stop();
  listener.stop();
  CHECK_THROWS_AS(listener.start(), mlrt::Error);
}

TEST_CASE("a listener that cannot start says why") {
  ListenerTestServer server;
  mlrt::ErrorCode code = mlrt::ErrorCode::kInternal;
  mlrt::ListenerOptions options;
  options.port = server.listener.port();
  const std::string port = std::to_string(options.port);
  CHECK(listener_test_start_error(options, code) ==
        "port " + port +
            " on 127.0.0.1 is in use by another program; choose another with --port, "
            "or --port 0 for a free one");
  CHECK(code == mlrt::ErrorCode::kUnavailable);
  options.host = "192.0.2.1";
  CHECK(listener_test_start_error(options, code)
            .find("'192.0.2.1' is not an address of this machine") == 0);
  CHECK(code == mlrt::ErrorCode::kInvalidParameter);
  options.host = "no host";
  CHECK(listener_test_start_error(options, code).find("cannot listen on 'no host'") == 0);
  options.host = "127.0.0.1";
  options.port = 65536;
  CHECK(listener_test_start_error(options, code) == "the listener's port must be 0 to 65535");
  options.port = 0;
  options.max_connections = 0;
  CHECK(listener_test_start_error(options, code) ==
        "the listener's max_connections must be 1 or more");
}

TEST_CASE(
    "the program's own handling of SIGPIPE stays as it is and a gone client does not end it") {
  struct sigaction before {};
  REQUIRE(sigaction(SIGPIPE, nullptr, &before) == 0);
  CHECK((before.sa_handler == SIG_DFL));
  ListenerTestServer server;
  struct sigaction after {};
  REQUIRE(sigaction(SIGPIPE, nullptr, &after) == 0);
  CHECK((after.sa_handler == SIG_DFL));
  for (int i = 0; i < 20; ++i) {
    RawClient client(server.listener.port());
    REQUIRE(
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
  }
  CHECK(listener_test_until([&] { return server.listener.connections() == 0; }));
  CHECK(mlrt::http_request("GET", server.url("/hello")).body == "hello");
}

TEST_CASE("a stopped listener's port can be bound again at once") {
  mlrt::ListenerOptions options = listener_test_options();
  for (int i = 0; i < 5; ++i) {
    ListenerTestServer server(options);
    options.port = server.listener.port();
    CHECK(mlrt::http_request("GET", server.url("/hello")).body == "hello");
  }
}

TEST_CASE("eight clients that hammer while it stops get whole answers or a closed connection") {
  for (int round = 0; round < 3; ++round) {
    ListenerTestServer server;
    std::atomic<bool> go_on{true};
    std::atomic<int> answered{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 8; ++i) {
      clients.emplace_back([&, i] {
        const std::string body(static_cast<std::size_t>(100 + i), 'a');
        const std::string request =
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
            "\r\n\r\n" + body;
        while (go_on) {
          try {
            RawClient client(server.listener.port());
            for (int n = 0; n < 50 && client.send(request); ++n) {
              const std::string answer = client.read_answer();
              if (answer.empty()) break;
              if (answer.size() < body.size() ||
                  answer.compare(answer.size() - body.size(), body.size(), body) != 0) {
                ++wrong;
              }
              ++answered;
            }
          } catch (const mlrt::Error&) {
            // Refused, once it has stopped.
          }
        }
      });
    }
    listener_test_until([&] { return answered > 500; });
    server.listener.stop();
    go_on = false;
    for (std::thread& client : clients) client.join();
    CHECK(answered > 500);
    CHECK(wrong == 0);
  }
}
