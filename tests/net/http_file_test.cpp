#include "net/http_file.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/fs.hpp"
#include "net/client.hpp"
#include "net/listener_fixture.hpp"
#include "net/raw_client.hpp"
#include "support/temp_dir.hpp"

namespace {

using mlrt::HttpRequest;
using mlrt::HttpResponse;

std::string http_file_test_range(const char* header, std::uint64_t size) {
  const auto range = mlrt::parse_http_range(header, size);
  return range ? std::to_string(range->first) + "+" + std::to_string(range->size) : "ignored";
}

struct HttpFileTestServer {
  explicit HttpFileTestServer(std::string path)
      : listener(mlrt::test::listener_test_options(), make_router(std::move(path))) {
    listener.start();
  }
  static mlrt::Router make_router(std::string path) {
    mlrt::Router router;
    router.add("GET", "/f", [path](const HttpRequest& request, const mlrt::PathParams&) {
      return mlrt::http_file_response(request, path, "text/plain", "e1");
    });
    return router;
  }
  HttpResponse get(const mlrt::HttpFields& headers, const char* method = "GET") const {
    return mlrt::http_request(method, "http://127.0.0.1:" + std::to_string(listener.port()) + "/f",
                              headers);
  }
  mlrt::Listener listener;
};

}  // namespace

TEST_CASE("one range of bytes is read as RFC 9110 has it, anything else is ignored") {
  struct Row {
    const char* header;
    const char* range;
  };
  const std::vector<Row> rows = {
      {"bytes=0-9", "0+10"},
      {"bytes=5-", "5+95"},
      {"bytes=-7", "93+7"},
      {"bytes=-700", "0+100"},
      {"bytes=99-200", "99+1"},
      {"bytes=0-0", "0+1"},
      {"bytes=100-", "0+0"},
      {"bytes=200-300", "0+0"},
      {"bytes=-0", "100+0"},
      {"bytes=9-5", "ignored"},
      {"bytes=", "ignored"},
      {"bytes=-", "ignored"},
      {"bytes=a-b", "ignored"},
      {"bytes=1-2,4-5", "ignored"},
      {"lines=1-2", "ignored"},
      {"bytes=+1-2", "ignored"},
      {"", "ignored"},
      {"bytes=0-99999999999999999999", "0+100"},
      {"bytes=99999999999999999999-", "0+0"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.header);
    CHECK(http_file_test_range(row.header, 100) == row.range);
  }
  CHECK(http_file_test_range("bytes=0-", 0) == "0+0");
}

TEST_CASE("a file is sent whole, in ranges, to HEAD, and not at all when it is known") {
  const mlrt::test::TempDir folder;
  std::string content;
  for (int i = 0; i < 100000; ++i) content += std::to_string(i) + ",";
  mlrt::fs::write_file(folder.path("f.txt"), content);
  const HttpFileTestServer server(folder.path("f.txt"));
  HttpResponse answer = server.get({});
  CHECK(answer.status == 200);
  CHECK(answer.body == content);
  CHECK(answer.content_type == "text/plain");
  CHECK(answer.header("Accept-Ranges") == "bytes");
  CHECK(answer.header("ETag") == "\"e1\"");
  answer = server.get({{"Range", "bytes=100-65999"}});
  CHECK(answer.status == 206);
  CHECK(answer.body == content.substr(100, 65900));
  CHECK(answer.header("Content-Range") == "bytes 100-65999/" + std::to_string(content.size()));
  answer = server.get({{"Range", "bytes=-10"}, {"If-Range", "\"e1\""}});
  CHECK(answer.status == 206);
  CHECK(answer.body == content.substr(content.size() - 10));
  answer = server.get({{"Range", "bytes=-10"}, {"If-Range", "\"older\""}});
  CHECK(answer.status == 200);
  CHECK(answer.body.size() == content.size());
  answer = server.get({{"Range", "bytes=999999999-"}});
  CHECK(answer.status == 416);
  CHECK(answer.header("Content-Range") == "bytes */" + std::to_string(content.size()));
  CHECK(answer.body.empty());
  for (const char* known : {"\"e1\"", "W/\"e1\"", "\"x\", \"e1\"", "*"}) {
    answer = server.get({{"If-None-Match", known}});
    CHECK(answer.status == 304);
    CHECK(answer.body.empty());
  }
  CHECK(server.get({{"If-None-Match", "\"x\""}}).status == 200);
  mlrt::test::RawClient client(server.listener.port());
  CHECK(client.send("HEAD /f HTTP/1.1\r\nHost: h\r\n\r\n"));
  const std::string head = client.read_answer(false);
  CHECK(head.find("Content-Length: " + std::to_string(content.size()) + "\r\n") !=
        std::string::npos);
  // A length is that of the file, or none.
  CHECK(client.send("GET /f HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\n\r\n"));
  const std::string known = client.read_answer(false);
  CHECK(known.rfind("HTTP/1.1 304 ", 0) == 0);
  CHECK(known.find("Content-Length") == std::string::npos);
}

TEST_CASE("an empty file is an answer without bytes, and a missing one is 404") {
  const mlrt::test::TempDir folder;
  mlrt::fs::write_file(folder.path("f.txt"), "");
  const HttpFileTestServer server(folder.path("f.txt"));
  HttpResponse answer = server.get({});
  CHECK(answer.status == 200);
  CHECK(answer.body.empty());
  CHECK(server.get({{"Range", "bytes=0-5"}}).status == 416);
  mlrt::fs::remove_file(folder.path("f.txt"));
  CHECK(server.get({}).status == 404);
}

TEST_CASE("a file that is replaced while it is sent arrives as it was opened") {
  const mlrt::test::TempDir folder;
  const std::string old_bytes(std::size_t{30} << 20, 'o');
  mlrt::fs::write_file(folder.path("f.txt"), old_bytes);
  const HttpFileTestServer server(folder.path("f.txt"));
  mlrt::test::RawClient client(server.listener.port());
  CHECK(client.send("GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  mlrt::test::listener_test_sleep_ms(50);
  mlrt::fs::write_file(folder.path("f.txt"), "new");
  bool closed = false;
  const std::string answer = client.read_to_end(20000, closed);
  CHECK(closed);
  CHECK(answer.size() > old_bytes.size());
  CHECK(answer.substr(answer.size() - old_bytes.size()) == old_bytes);
}
