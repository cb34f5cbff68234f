// Bodies that are taken as they come, and filters: by the router alone, and by the listener.

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>

#include "net/client.hpp"
#include "net/listener_fixture.hpp"
#include "net/raw_client.hpp"
#include "net/router.hpp"

namespace {

using mlrt::HttpRequest;
using mlrt::HttpResponse;
using mlrt::PathParams;
using mlrt::test::ListenerTestQuiet;
using mlrt::test::RawClient;

struct UploadTestLog {
  std::atomic<std::size_t> bytes{0};
  std::atomic<std::size_t> largest_piece{0};
  std::atomic<int> begun{0};
  std::atomic<int> finished{0};
  std::atomic<int> dropped{0};
};

class UploadTestSink final : public mlrt::HttpBodySink {
 public:
  UploadTestSink(UploadTestLog& log, std::size_t fail_after) : log_(log), fail_after_(fail_after) {
    ++log_.begun;
  }
  ~UploadTestSink() override {
    if (!finished_) ++log_.dropped;
  }
  void write(std::string_view bytes) override {
    log_.bytes += bytes.size();
    if (bytes.size() > log_.largest_piece) log_.largest_piece = bytes.size();
    sum_ += std::string(bytes.substr(0, 3));
    if (log_.bytes > fail_after_) throw mlrt::Error(mlrt::ErrorCode::kConflict, "enough of it");
  }
  HttpResponse finish() override {
    finished_ = true;
    ++log_.finished;
    HttpResponse response;
    response.body = std::to_string(log_.bytes.load());
    return response;
  }

 private:
  UploadTestLog& log_;
  std::size_t fail_after_;
  std::string sum_;
  bool finished_ = false;
};

mlrt::Router upload_test_router(UploadTestLog& log) {
  mlrt::Router router = mlrt::test::listener_test_router();
  router.add_upload("PUT", "/up/{path*}", [&log](const HttpRequest& request, const PathParams& p) {
    if (p.at("path") == "none") throw mlrt::Error(mlrt::ErrorCode::kNotFound, "no such place");
    CHECK(request.body.empty());
    return std::make_unique<UploadTestSink>(log, p.at("path") == "half" ? 100000 : SIZE_MAX);
  });
  return router;
}

struct UploadTestServer {
  explicit UploadTestServer(mlrt::ListenerOptions options = mlrt::test::listener_test_options())
      : listener(options, upload_test_router(log)) {
    listener.start();
  }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(listener.port()) + path;
  }
  UploadTestLog log;
  mlrt::Listener listener;
};

bool upload_test_has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the router hands a whole body to the sink of an upload route") {
  UploadTestLog log;
  const mlrt::Router router = upload_test_router(log);
  HttpRequest request;
  request.method = "PUT";
  request.path = "/up/a/b";
  CHECK(router.begin_upload(request) != nullptr);
  CHECK(log.dropped == 1);
  // As Router::handle gets it, with the body in it: the sink maker must not see it.
  request.path = "/up/none";
  CHECK(router.handle(request).status == 404);
  const auto upload = router.begin_upload(request);
  REQUIRE(upload != nullptr);
  CHECK(upload->refused());
  CHECK(upload->finish().status == 404);
  request.path = "/hello";
  CHECK(router.begin_upload(request) == nullptr);
  CHECK(router.handle(request).status == 405);
  request.path = "/nowhere";
  CHECK(router.begin_upload(request) == nullptr);
}

TEST_CASE("a filter answers in place of every route, uploads and unknown paths included") {
  UploadTestLog log;
  mlrt::Router router = upload_test_router(log);
  router.set_filter([](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (request.header("X-Say") == "no") {
      throw mlrt::Error(mlrt::ErrorCode::kPermissionDenied, "not you");
    }
    if (request.header("X-Say") != "teapot") return std::nullopt;
    HttpResponse response;
    response.status = 418;
    return response;
  });
  for (const char* method : {"GET", "PUT"}) {
    for (const char* path : {"/hello", "/up/a", "/nowhere"}) {
      CAPTURE(path);
      HttpRequest request;
      request.method = method;
      request.path = path;
      request.headers = {{"X-Say", "no"}};
      CHECK(router.handle(request).status == 403);
      if (const auto upload = router.begin_upload(request)) CHECK(upload->finish().status == 403);
      request.headers = {{"X-Say", "teapot"}};
      CHECK(router.handle(request).status == 418);
      if (const auto upload = router.begin_upload(request)) CHECK(upload->finish().status == 418);
    }
  }
  CHECK(log.begun == 0);
}

TEST_CASE("a body larger than the limit of held bodies streams through in small pieces") {
  mlrt::ListenerOptions options = mlrt::test::listener_test_options();
  options.max_body_bytes = 1000;
  options.max_total_body_bytes = 1000;
  UploadTestServer server(options);
  const std::string body(std::size_t{20} << 20, 'x');
  const HttpResponse answer = mlrt::http_request("PUT", server.url("/up/a"), {}, body);
  CHECK(answer.status == 200);
  CHECK(answer.body == std::to_string(body.size()));
  CHECK(server.log.largest_piece <= 2 * 65536);
  CHECK(server.log.finished == 1);
  CHECK(server.log.dropped == 0);
  CHECK(mlrt::http_request("POST", server.url("/echo"), {}, std::string(1001, 'x')).status == 413);
}

TEST_CASE("chunked uploads, empty ones and the next request on the connection work") {
  UploadTestServer server;
  RawClient client(server.listener.port());
  CHECK(
      client.send("PUT /up/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n5\r\nhello\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(upload_test_has(client.read_answer(), "\r\n\r\n8"));
  CHECK(upload_test_has(client.read_answer(), "hello"));
  CHECK(
      client.send("PUT /up/a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
                  "Expect: 100-continue\r\n\r\n"));
  CHECK(upload_test_has(client.read_answer(), "100 Continue"));
  CHECK(client.send("xy"));
  CHECK(upload_test_has(client.read_answer(), "\r\n\r\n10"));
  CHECK(client.send("PUT /up/a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"));
  CHECK(upload_test_has(client.read_answer(), "\r\n\r\n10"));
  CHECK(server.log.finished == 3);
  CHECK(server.log.dropped == 0);
}

TEST_CASE("an upload that is refused or fails half-way is answered though the client sends on") {
  UploadTestServer server;
  const std::string body(std::size_t{8} << 20, 'x');
  HttpResponse answer = mlrt::http_request("PUT", server.url("/up/none"), {}, body);
  CHECK(answer.status == 404);
  CHECK(upload_test_has(answer.body, "no such place"));
  answer = mlrt::http_request("PUT", server.url("/up/half"), {}, body);
  CHECK(answer.status == 409);
  CHECK(upload_test_has(answer.body, "enough of it"));
  CHECK(server.log.dropped == 1);
  CHECK(server.log.bytes < 1000000);
  // A client that asks first is not told to send.
  RawClient client(server.listener.port());
  CHECK(
      client.send("PUT /up/none HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                  "Expect: 100-continue\r\n\r\n"));
  CHECK(upload_test_has(client.read_answer(), "HTTP/1.1 404"));
}

TEST_CASE("an upload that is broken off, malformed, too large or too slow is dropped") {
  const ListenerTestQuiet quiet;
  mlrt::ListenerOptions options = mlrt::test::listener_test_options();
  options.max_upload_bytes = 100;
  UploadTestServer server(options);
  {
    RawClient client(server.listener.port());
    CHECK(client.send("PUT /up/a HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nabc"));
    CHECK(mlrt::test::listener_test_until([&] { return server.log.bytes == 3; }));
  }
  CHECK(mlrt::test::listener_test_until([&] { return server.log.dropped == 1; }));
  RawClient malformed(server.listener.port());
  CHECK(
      malformed.send("PUT /up/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabcX\r\n"));
  CHECK(upload_test_has(malformed.read_answer(), "HTTP/1.1 400"));
  CHECK(server.log.dropped == 2);
  RawClient large(server.listener.port());
  CHECK(large.send("PUT /up/a HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n"));
  CHECK(upload_test_has(large.read_answer(), "HTTP/1.1 413"));
  RawClient chunks(server.listener.port());
  CHECK(chunks.send("PUT /up/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n"));
  CHECK(upload_test_has(chunks.read_answer(), "HTTP/1.1 413"));
  CHECK(server.log.finished == 0);
  CHECK(server.log.dropped == server.log.begun);
  options.body_grace_ms = 200;
  UploadTestServer hasty(options);
  RawClient slow(hasty.listener.port());
  CHECK(slow.send("PUT /up/a HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nabc"));
  CHECK(upload_test_has(slow.read_answer(), "HTTP/1.1 408"));
  CHECK(hasty.log.finished == 0);
  CHECK(hasty.log.dropped == hasty.log.begun);
}
