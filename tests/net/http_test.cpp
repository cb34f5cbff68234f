#include "net/http.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

std::string http_test_error(const std::string& target) {
  mlrt::HttpRequest request;
  request.target = target;
  try {
    mlrt::parse_http_target(request);
  } catch (const mlrt::Error& error) {
    CHECK(mlrt::error_info(error.code()).http_status == 400);
    return error.message();
  }
  return "accepted as " + request.path;
}

bool http_test_has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a request's target is decoded exactly once") {
  struct Row {
    const char* target;
    const char* path;
  };
  const std::vector<Row> rows = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a%20b", "/a b"},
      {"/a+b", "/a+b"},
      {"/%2525", "/%25"},
      {"/%252e%252e/x", "/%2e%2e/x"},
      {"/a%2Fb", "/a/b"},
      {"/%C3%A9", "/\xc3\xa9"},
      {"/a//b/", "/a//b/"},
      {"/..a/b..", "/..a/b.."},
      {"http://host:80/x?y=1", "/x"},
      {"HTTP://host", "/"},
      {"http://host?y=1", "/"},
      {"*", "*"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.target);
    mlrt::HttpRequest request;
    request.target = row.target;
    mlrt::parse_http_target(request);
    CHECK(request.path == row.path);
  }
}

TEST_CASE("a request's target that could be read in two ways is refused with the reason") {
  struct Row {
    const char* target;
    const char* reason;
  };
  const std::vector<Row> rows = {
      {"", "does not start with '/'"},
      {"x", "does not start with '/'"},
      {"host:80", "does not start with '/'"},
      {"ftp://host/x", "does not start with '/'"},
      {"/%00", "control character"},
      {"/%0d%0aX:1", "control character"},
      {"/a?x=%00", "control character"},
      {"/%", "invalid escape '%'"},
      {"/%4", "invalid escape '%4'"},
      {"/%zz", "invalid escape '%zz'"},
      {"/a?x=%g1", "invalid escape '%g1'"},
      {"/%ff", "not UTF-8"},
      {"/%c0%af", "not UTF-8"},
      {"/../x", "'..' segment"},
      {"/a/..", "'..' segment"},
      {"/a/%2e%2e/b", "'..' segment"},
      {"/a%2f..%2fb", "'..' segment"},
      {"/./x", "'.' segment"},
      {"/a#b", "'#'"},
      {"/a b", "percent-encoded"},
      {"/\xc3\xa9", "percent-encoded"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.target);
    const std::string message = http_test_error(row.target);
    CAPTURE(message);
    CHECK(http_test_has(message, row.reason));
  }
}

TEST_CASE("query parameters keep their order and their doubles") {
  mlrt::HttpRequest request;
  request.target = "/x?b=2&a=1+1&b=%2B&&flag&e=&k=a=b&nl=a%0Ab%01%7F";
  mlrt::parse_http_target(request);
  const mlrt::HttpFields expected = {
      {"b", "2"},   {"a", "1 1"},          {"b", "+"}, {"flag", ""}, {"e", ""},
      {"k", "a=b"}, {"nl", "a\nb\x01\x7f"}};
  CHECK(request.query == expected);
  REQUIRE(request.query_value("b") != nullptr);
  CHECK(*request.query_value("b") == "2");
  CHECK(request.query_value("B") == nullptr);
}

TEST_CASE("headers are found in any case and the first one wins") {
  mlrt::HttpRequest request;
  request.headers = {{"Content-Type", "text/csv"}, {"X-A", "1"}, {"x-a", "2"}};
  CHECK(request.header("content-TYPE") == "text/csv");
  CHECK(request.header("X-a") == "1");
  CHECK(request.header("Y").empty());
}

TEST_CASE("a response header cannot carry a line break or another control character") {
  mlrt::HttpResponse response;
  response.set_header("X-Name", "a\tb \xc3\xa9");
  CHECK(response.header("x-name") == "a\tb \xc3\xa9");
  for (const char* value : {"a\r\nSet-Cookie: x", "a\nb", "a\rb", "\x01", "\x7f"}) {
    CHECK_THROWS_AS(response.set_header("X", value), mlrt::Error);
  }
  CHECK_THROWS_AS(response.set_header("X", std::string_view("a\0b", 3)), mlrt::Error);
  for (const char* name : {"", "a b", "a:", "a\r\n"}) {
    CHECK_THROWS_AS(response.set_header(name, "x"), mlrt::Error);
  }
  CHECK(response.headers.size() == 1);
}

TEST_CASE("a response that a handler filled by itself is checked as well") {
  mlrt::HttpResponse response;
  CHECK_NOTHROW(mlrt::check_http_response(response));
  response.headers.emplace_back("X", "a\r\nb");
  CHECK_THROWS_AS(mlrt::check_http_response(response), mlrt::Error);
  response.headers = {{"content-length", "5"}};
  CHECK_THROWS_AS(mlrt::check_http_response(response), mlrt::Error);
  response.headers.clear();
  response.content_type = "text/plain\r\nX: y";
  CHECK_THROWS_AS(mlrt::check_http_response(response), mlrt::Error);
  response.content_type.clear();
  for (const int status : {0, 100, 199, 600, -1}) {
    response.status = status;
    CHECK_THROWS_AS(mlrt::check_http_response(response), mlrt::Error);
  }
}

TEST_CASE("an error's answer has its code and message and not its detail") {
  const mlrt::Error error(mlrt::ErrorCode::kNotFound, "no run 'x\"\n'", "SELECT secret");
  const mlrt::HttpResponse response = mlrt::error_json_response(error);
  CHECK(response.status == 404);
  CHECK(response.content_type == "application/json");
  CHECK(response.body == R"({"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no run 'x\"\n'"})");
}
