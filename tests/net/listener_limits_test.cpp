#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "net/client.hpp"
#include "net/listener.hpp"
#include "net/listener_fixture.hpp"
#include "net/raw_client.hpp"

namespace {

using mlrt::test::listener_test_options;
using mlrt::test::listener_test_sleep_ms;
using mlrt::test::listener_test_until;
using mlrt::test::ListenerTestQuiet;
using mlrt::test::ListenerTestServer;
using mlrt::test::RawClient;

}  // namespace

TEST_CASE("a malformed request is answered with its status and its connection is closed") {
  mlrt::ListenerOptions options = listener_test_options();
  options.max_target_bytes = 1000;
  options.max_header_bytes = 4000;
  options.max_header_count = 20;
  options.max_body_bytes = 1000;
  ListenerTestServer server(options);
  const std::string get = "GET /hello HTTP/1.1\r\nHost: a\r\n";
  const std::string post = "POST /echo HTTP/1.1\r\nHost: a\r\n";
  std::string many;
  for (int i = 0; i < 30; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  struct Row {
    const char* what;
    std::string bytes;
    int status;
  };
  const std::vector<Row> rows = {
      {"both lengths", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"both lengths, zero",
       post + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400},
      {"two lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
      {"two same lengths", post + "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello", 400},
      {"a list of lengths", post + "Content-Length: 5, 5\r\n\r\nhello", 400},
      {"a signed length", post + "Content-Length: +5\r\n\r\nhello", 400},
      {"a negative length", post + "Content-Length: -5\r\n\r\nhello", 400},
      {"a hex length", post + "Content-Length: 0x5\r\n\r\nhello", 400},
      {"an empty length", post + "Content-Length:\r\n\r\nhello", 400},
      {"a huge length", post + "Content-Length: 99999999999999999999999\r\n\r\n", 413},
      {"a length that wraps", post + "Content-Length: 18446744073709551617\r\n\r\nx", 413},
      {"another coding", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
      {"an unknown coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
      {"two codings",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
      {"a coding in 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"a folded header", get + "X: a\r\n b\r\n\r\n", 400},
      {"a first header that is folded", "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"a space before the colon", post + "Content-Length : 5\r\n\r\nhello", 400},
      {"a header with no colon", get + "nonsense\r\n\r\n", 400},
      {"a header with no name", get + ": x\r\n\r\n", 400},
      {"bare line feeds", "GET /hello HTTP/1.1\nHost: a\n\n", 400},
      {"one bare line feed", get + "X: 1\nY: 2\r\n\r\n", 400},
      {"a bare carriage return", get + "X: 1\rY: 2\r\n\r\n", 400},
      {"a NUL in a value", get + "X: a" + std::string(1, '\0') + "b\r\n\r\n", 400},
      {"a NUL in a name", get + "X" + std::string(1, '\0') + ": b\r\n\r\n", 400},
      {"a control character", get + "X: a\x01z\r\n\r\n", 400},
      {"no host", "GET /hello HTTP/1.1\r\n\r\n", 400},
      {"two hosts", get + "Host: b\r\n\r\n", 400},
      {"a host that is a list", "GET /hello HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"no version", "GET /hello\r\n\r\n", 400},
      {"another version", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 400},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"two spaces", "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a space in the address", "GET /he llo HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a method that is no word", "G{T /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a TLS hello", std::string("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1", 9), 400},
      {"empty lines first", "\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"an encoded NUL", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"an invalid escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a climbing path", "GET /a/../../etc HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"an encoded climbing path", "GET /%2e%2e/etc HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"another expectation", post + "Expect: magic\r\nContent-Length: 5\r\n\r\nhello", 417},
      {"a compressed body", post + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", 415},
      {"a part of a body",
       "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Range: bytes 0-4/9\r\nContent-Length: 5\r\n\r\nhello",
       400},
      {"a long address", "GET /" + std::string(2000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"an address with no end", "GET /" + std::string(100000, 'a'), 414},
      {"a large header", get + "X: " + std::string(5000, 'a') + "\r\n\r\n", 431},
      {"a header with no end", get + std::string(100000, 'a'), 431},
      {"many headers", get + many + "\r\n", 431},
      {"a body beyond the limit", post + "Content-Length: 1001\r\n\r\n" + std::string(1001, 'a'),
       413},
      {"chunks beyond the limit",
       post + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'a'), 413},
      {"a chunk size in C's hex", post + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
       400},
      {"a negative chunk size", post + "Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
       400},
      {"a chunk line with a bare line feed",
       post + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    RawClient client(server.listener.port());
    // Were the rest taken for one more request, there would be a second answer.
    client.send(row.bytes);
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    bool closed = false;
    const std::string answer = client.read_to_end(5000, closed);
    CAPTURE(answer);
    CHECK(closed);
    CHECK(answer.rfind("HTTP/1.1 " + std::to_string(row.status) + " ", 0) == 0);
    CHECK(answer.find("HTTP/1.1 ", 5) == std::string::npos);
    CHECK(answer.find("Connection: close\r\n") != std::string::npos);
    CHECK(answer.find("{\"error_code\":\"") != std::string::npos);
    CHECK(answer.find("\"message\":\"") != std::string::npos);
  }
  CHECK(mlrt::http_request("GET", server.url("/hello")).body == "hello");
  CHECK(mlrt::http_request("POST", server.url("/echo"), {{"Content-Encoding", "Identity"}}, "x")
            .body == "x");
  RawClient client(server.listener.port());
  client.send(post + "Content-Length: 99999999999999999999\r\n\r\n");
  CHECK(client.read_answer().find("more than 10^19 bytes") != std::string::npos);
}

TEST_CASE("a client that still sends a large refused body gets to read the refusal") {
  mlrt::ListenerOptions options = listener_test_options();
  options.max_body_bytes = 1000;
  ListenerTestServer server(options);
  const mlrt::HttpResponse response =
      mlrt::http_request("POST", server.url("/echo"), {}, std::string(500000, 'x'));
  CHECK(response.status == 413);
  CHECK(response.body.find("500000 bytes; the limit is 1000") != std::string::npos);
}

TEST_CASE("500 connections that drip keep nobody waiting and are dropped at the header deadline") {
  rlimit files{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  if (files.rlim_cur < 1200) {
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
    setrlimit(RLIMIT_NOFILE, &files);
  }
  REQUIRE(files.rlim_cur >= 1100);
  const ListenerTestQuiet quiet;
  mlrt::ListenerOptions options = listener_test_options();
  options.header_timeout_ms = 6000;
  ListenerTestServer server(options);
  const std::string drips = "GET /hello HTTP/1.1\r\nX-Drip: aaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 500; ++i) slow.push_back(std::make_unique<RawClient>(server.listener.port()));
  const std::int64_t opened_ms = mlrt::monotonic_ms();
  CHECK(listener_test_until([&] { return server.listener.connections() == 500; }));
  std::int64_t slowest_ms = 0;
  for (std::size_t second = 0; second < 3; ++second) {
    for (auto& client : slow) CHECK(client->send(drips.substr(second, 1)));
    for (int i = 0; i < 5; ++i) {
      const std::int64_t start_ms = mlrt::monotonic_ms();
      CHECK(mlrt::http_request("GET", server.url("/hello"), {}, {}, 5000).body == "hello");
      slowest_ms = std::max(slowest_ms, mlrt::monotonic_ms() - start_ms);
    }
    CHECK(server.listener.connections() >= 500);
    listener_test_sleep_ms(1000);
  }
  CHECK(slowest_ms < 1000);
  CHECK(listener_test_until([&] { return server.listener.connections() == 0; }));
  CHECK(mlrt::monotonic_ms() - opened_ms < 12000);
  for (auto& client : slow) {
    bool closed = false;
    const std::string answer = client->read_to_end(1000, closed);
    CHECK(closed);
    CHECK(answer.rfind("HTTP/1.1 408 ", 0) == 0);
  }
}

TEST_CASE("a connection that sends nothing is closed at the header deadline, an idle one later") {
  mlrt::ListenerOptions options = listener_test_options();
  options.header_timeout_ms = 200;
  options.idle_timeout_ms = 600;
  ListenerTestServer server(options);
  RawClient silent(server.listener.port());
  RawClient idle(server.listener.port());
  REQUIRE(idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(idle.read_answer().find("hello") != std::string::npos);
  const std::int64_t start_ms = mlrt::monotonic_ms();
  bool closed = false;
  CHECK(silent.read_to_end(5000, closed).empty());
  CHECK(closed);
  CHECK(idle.read_to_end(5000, closed).empty());
  CHECK(closed);
  CHECK(mlrt::monotonic_ms() - start_ms >= 500);
}

TEST_CASE("a body slower than the minimum rate is refused, a slow one above it is not") {
  mlrt::ListenerOptions options = listener_test_options();
  options.body_grace_ms = 300;
  options.min_bytes_per_s = 1000;
  ListenerTestServer server(options);
  for (const std::string& framing : {std::string("Content-Length: 10000\r\n\r\n"),
                                     std::string("Transfer-Encoding: chunked\r\n\r\n2710\r\n")}) {
    RawClient dripping(server.listener.port());
    REQUIRE(dripping.send("POST /echo HTTP/1.1\r\nHost: a\r\n" + framing));
    const std::int64_t start_ms = mlrt::monotonic_ms();
    while (mlrt::monotonic_ms() - start_ms < 1000 && dripping.send("x")) listener_test_sleep_ms(20);
    bool closed = false;
    CHECK(dripping.read_to_end(2000, closed).rfind("HTTP/1.1 408 ", 0) == 0);
    CHECK(mlrt::monotonic_ms() - start_ms < 3000);
  }
  RawClient steady(server.listener.port());
  REQUIRE(steady.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n"));
  for (int i = 0; i < 10; ++i) {
    REQUIRE(steady.send(std::string(200, 'x')));
    listener_test_sleep_ms(60);
  }
  CHECK(steady.read_answer().rfind("HTTP/1.1 200 ", 0) == 0);
}

TEST_CASE("a client that does not read its answer is dropped at the write deadline") {
  mlrt::ListenerOptions options = listener_test_options();
  options.write_grace_ms = 300;
  options.min_bytes_per_s = 1u << 30;
  options.body_grace_ms = 10000;
  ListenerTestServer server(options);
  const std::string body(32u << 20, 'x');
  RawClient client(server.listener.port());
  REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n"));
  REQUIRE(client.send(body));
  CHECK(listener_test_until([&] { return server.listener.connections() == 0; }));
}

TEST_CASE("bodies under way share one bound on memory") {
  const ListenerTestQuiet quiet;
  mlrt::ListenerOptions options = listener_test_options();
  options.max_body_bytes = 1000000;
  options.max_total_body_bytes = 1500000;
  ListenerTestServer server(options);
  RawClient first(server.listener.port());
  REQUIRE(first.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"));
  REQUIRE(first.send(std::string(999999, 'a')));
  listener_test_sleep_ms(200);
  const mlrt::HttpResponse refused =
      mlrt::http_request("POST", server.url("/echo"), {}, std::string(900000, 'b'));
  CHECK(refused.status == 503);
  CHECK(refused.body.find("TEMPORARILY_UNAVAILABLE") != std::string::npos);
  REQUIRE(first.send("a"));
  CHECK(first.read_answer().rfind("HTTP/1.1 200 ", 0) == 0);
  CHECK(mlrt::http_request("POST", server.url("/echo"), {}, std::string(900000, 'b')).status ==
        200);
}

TEST_CASE("connections leave some of the system's open files to others") {
  const ListenerTestQuiet quiet;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit files = before;
  files.rlim_cur = 110;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
  ListenerTestServer server;
  mlrt::raise_descriptor_limit();
  REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  CHECK(files.rlim_cur == std::min<rlim_t>(before.rlim_max, 65536));
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  std::vector<std::unique_ptr<RawClient>> held;
  for (int i = 0; i < 55; ++i) held.push_back(std::make_unique<RawClient>(server.listener.port()));
  CHECK(listener_test_until([&] { return server.listener.connections() == 55; }));
  RawClient beyond(server.listener.port());
  bool closed = false;
  const std::string answer = beyond.read_to_end(5000, closed);
  CHECK(answer.rfind("HTTP/1.1 503 ", 0) == 0);
  CHECK(answer.find("all 55 connections") != std::string::npos);
}

TEST_CASE("one connection beyond the cap is told so at once and a freed place is taken again") {
  const ListenerTestQuiet quiet;
  mlrt::ListenerOptions options = listener_test_options();
  options.max_connections = 3;
  ListenerTestServer server(options);
  std::vector<std::unique_ptr<RawClient>> held;
  for (int i = 0; i < 3; ++i) held.push_back(std::make_unique<RawClient>(server.listener.port()));
  CHECK(listener_test_until([&] { return server.listener.connections() == 3; }));
  for (int i = 0; i < 100; ++i) {
    RawClient beyond(server.listener.port());
    beyond.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    bool closed = false;
    const std::string answer = beyond.read_to_end(5000, closed);
    CHECK(closed);
    CHECK(answer.rfind("HTTP/1.1 503 ", 0) == 0);
    CHECK(answer.find("REQUEST_LIMIT_EXCEEDED") != std::string::npos);
    CHECK(answer.find("Retry-After: 1\r\n") != std::string::npos);
    CHECK(answer.find("all 3 connections") != std::string::npos);
  }
  held.pop_back();
  CHECK(listener_test_until([&] { return server.listener.connections() == 2; }));
  CHECK(mlrt::http_request("GET", server.url("/hello")).body == "hello");
}
