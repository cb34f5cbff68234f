#include "net/client.hpp"

#include <doctest/doctest.h>

#include <poll.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "net/socket.hpp"

namespace {

// Takes one connection and does with it what a broken server might do.
class ClientTestPeer {
 public:
  explicit ClientTestPeer(std::function<void(int)> behaviour)
      : listening_(mlrt::listen_tcp("127.0.0.1", 0)),
        port_(mlrt::local_port(listening_)),
        thread_([this, behaviour = std::move(behaviour)] {
          pollfd waiting{listening_.fd(), POLLIN, 0};
          poll(&waiting, 1, 10000);
          mlrt::Accepted accepted;
          mlrt::accept_tcp(listening_, accepted);
          if (accepted.socket.is_open()) behaviour(accepted.socket.fd());
        }) {}
  ~ClientTestPeer() { thread_.join(); }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/x"; }

 private:
  mlrt::Socket listening_;
  int port_;
  std::thread thread_;
};

void client_test_send(int fd, const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const mlrt::IoResult result =
        mlrt::send_some(fd, bytes.data() + sent, bytes.size() - sent, mlrt::monotonic_ms() + 10000);
    if (result.status != mlrt::IoStatus::kOk) return;
    sent += result.size_bytes;
  }
}

// Reads the request's header, so that closing does not reset the connection.
void client_test_read_head(int fd) {
  std::string bytes;
  char data[4096];
  while (bytes.find("\r\n\r\n") == std::string::npos) {
    const mlrt::IoResult result =
        mlrt::receive_some(fd, data, sizeof(data), mlrt::monotonic_ms() + 10000, -1);
    if (result.status != mlrt::IoStatus::kOk) return;
    bytes.append(data, result.size_bytes);
  }
}

std::function<void(int)> client_test_answer(std::string bytes) {
  return [bytes = std::move(bytes)](int fd) {
    client_test_read_head(fd);
    client_test_send(fd, bytes);
  };
}

struct ClientTestFailure {
  mlrt::ErrorCode code;
  std::string message;
};

ClientTestFailure client_test_failure(const std::function<void()>& call) {
  try {
    call();
  } catch (const mlrt::Error& error) {
    return {error.code(), error.message()};
  }
  return {mlrt::ErrorCode::kInternal, "did not fail"};
}

bool client_test_has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a URL is taken apart") {
  struct Row {
    const char* url;
    const char* host;
    int port;
    const char* target;
  };
  const std::vector<Row> rows = {
      {"http://a", "a", 80, "/"},
      {"HTTP://a.b:8080/c%20d?e=f#g", "a.b", 8080, "/c%20d?e=f"},
      {"http://[::1]:5/x", "::1", 5, "/x"},
      {"http://a?b", "a", 80, "/?b"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const mlrt::HttpUrl url = mlrt::parse_http_url(row.url);
    CHECK(url.host == row.host);
    CHECK(url.port == row.port);
    CHECK(url.target == row.target);
  }
}

TEST_CASE("what is not a URL is refused with the reason") {
  struct Row {
    const char* url;
    const char* reason;
  };
  const std::vector<Row> rows = {
      {"", "does not start with http://"},
      {"a/b", "does not start with http://"},
      {"ftp://a", "does not start with http://"},
      {"http://", "names no host"},
      {"http://:80/", "names no host"},
      {"http://a:b/", "port"},
      {"http://a:0/", "port"},
      {"http://a:65536/", "port"},
      {"http://a:/", "port"},
      {"http://a:1:2/", "port"},
      {"http://u:p@a/", "user name"},
      {"http://a/b c", "percent-encoded"},
      {"http://a/\r\nX: y", "percent-encoded"},
      {"http://[::1", "not closed"},
      {"http://[::1]x", "its host is not one"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const ClientTestFailure failure =
        client_test_failure([&] { mlrt::http_request("GET", row.url); });
    CHECK(failure.code == mlrt::ErrorCode::kInvalidParameter);
    CAPTURE(failure.message);
    CHECK(client_test_has(failure.message, row.reason));
  }
}

TEST_CASE("a method or header that would write a second request is refused") {
  for (const char* method : {"", "G T", "GET / HTTP/1.1\r\n"}) {
    CHECK_THROWS_AS(mlrt::http_request(method, "http://127.0.0.1:9/"), mlrt::Error);
  }
  for (const mlrt::HttpFields& headers :
       {mlrt::HttpFields{{"X", "a\r\nY: b"}}, mlrt::HttpFields{{"X Y", "a"}},
        mlrt::HttpFields{{"Content-Length", "5"}}, mlrt::HttpFields{{"transfer-encoding", "x"}}}) {
    const ClientTestFailure failure =
        client_test_failure([&] { mlrt::http_request("GET", "http://127.0.0.1:9/", headers); });
    CHECK(failure.code == mlrt::ErrorCode::kInvalidParameter);
  }
}

TEST_CASE("nothing behind a port is told as such") {
  int port = 0;
  {
    const mlrt::Socket socket = mlrt::listen_tcp("127.0.0.1", 0);
    port = mlrt::local_port(socket);
  }
  const ClientTestFailure failure = client_test_failure(
      [&] { mlrt::http_request("GET", "http://127.0.0.1:" + std::to_string(port) + "/"); });
  CHECK(failure.code == mlrt::ErrorCode::kUnavailable);
  CHECK(failure.message == "nothing answers at 127.0.0.1 port " + std::to_string(port) +
                               " (connection refused); is the server running?");
}

TEST_CASE("answers of every framing are read whole") {
  for (const char* bytes :
       {"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nX-A: "
        "b\r\n\r\n"
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nX-A: b\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        "Content-Length: 5\r\nX-A: b\r\n\r\nhello"}) {
    const ClientTestPeer peer(client_test_answer(bytes));
    const mlrt::HttpResponse response = mlrt::http_request("GET", peer.url());
    CHECK(response.status == 200);
    CHECK(response.body == "hello");
    CHECK(response.content_type == "text/plain");
    CHECK(response.header("x-a") == "b");
  }
}

TEST_CASE("an answer that is cut short or no HTTP is an error that names the peer") {
  for (const char* bytes :
       {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n"}) {
    CAPTURE(bytes);
    const ClientTestPeer peer(client_test_answer(bytes));
    const ClientTestFailure failure =
        client_test_failure([&] { mlrt::http_request("GET", peer.url(), {}, {}, 5000); });
    CHECK(failure.code == mlrt::ErrorCode::kUnavailable);
    CHECK(client_test_has(failure.message, "127.0.0.1 port "));
  }
}

TEST_CASE("an answer beyond the limit is refused, in its body and in its header") {
  mlrt::HttpClientOptions options;
  options.max_response_bytes = 1000;
  const mlrt::HttpClient client(options);
  const std::string large(2000, 'x');
  for (const std::string& bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + large,
        "HTTP/1.1 200 OK\r\nContent-Length: 999999999999999\r\n\r\n" + large,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + large,
        "HTTP/1.1 200 OK\r\n\r\n" + large, "HTTP/1.1 200 " + std::string(100000, 'a'),
        "HTTP/1.1 200 OK\r\n" + std::string(100000, 'a')}) {
    const ClientTestPeer peer(client_test_answer(bytes));
    const ClientTestFailure failure =
        client_test_failure([&] { client.request("GET", peer.url()); });
    CAPTURE(failure.message);
    const bool refused =
        failure.code == mlrt::ErrorCode::kTooLarge || failure.code == mlrt::ErrorCode::kUnavailable;
    CHECK(refused);
  }
}

TEST_CASE("a call ends at its time limit however the peer is slow") {
  std::atomic<bool> done{false};
  const auto drip = [&done](const std::string& start) {
    return [&done, start](int fd) {
      client_test_read_head(fd);
      client_test_send(fd, start);
      while (!done) {
        client_test_send(fd, "a");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    };
  };
  const std::vector<std::function<void(int)>> peers = {
      [&done](int) {
        while (!done) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      },
      drip(""), drip("HTTP/1.1 200 OK\r\nX: "),
      drip("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")};
  for (std::size_t i = 0; i < peers.size(); ++i) {
    CAPTURE(i);
    done = false;
    const ClientTestPeer peer(peers[i]);
    const std::int64_t start_ms = mlrt::monotonic_ms();
    // The first peer does not read either, so a large body waits in sending.
    const std::string body = i == 0 ? std::string(16u << 20, 'x') : std::string();
    const ClientTestFailure failure =
        client_test_failure([&] { mlrt::http_request("POST", peer.url(), {}, body, 400); });
    const std::int64_t took_ms = mlrt::monotonic_ms() - start_ms;
    done = true;
    CHECK(failure.code == mlrt::ErrorCode::kTimeout);
    CHECK(client_test_has(failure.message, "within the time limit"));
    CHECK(took_ms >= 350);
    CHECK(took_ms < 2000);
  }
}

TEST_CASE("an interrupt ends a call that waits, long before its time limit") {
  std::atomic<bool> done{false};
  const ClientTestPeer peer([&done](int) {
    while (!done) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  // The peer reads nothing and answers nothing: the one call waits to receive, the other to send.
  for (const std::size_t body_bytes : {std::size_t{0}, std::size_t{16} << 20}) {
    CAPTURE(body_bytes);
    const std::string body(body_bytes, 'x');
    std::thread user([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
      mlrt::request_interrupt();
    });
    const std::int64_t start_ms = mlrt::monotonic_ms();
    const ClientTestFailure failure =
        client_test_failure([&] { mlrt::http_request("POST", peer.url(), {}, body, 20000); });
    user.join();
    mlrt::clear_interrupt();
    CHECK(failure.code == mlrt::ErrorCode::kInterrupted);
    CHECK(mlrt::monotonic_ms() - start_ms < 5000);
  }
  done = true;
}
