#include "net/router.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "core/log.hpp"

namespace {

mlrt::HttpHandler router_test_answer(std::string text) {
  return [text](const mlrt::HttpRequest&, const mlrt::PathParams&) {
    mlrt::HttpResponse response;
    response.body = text;
    return response;
  };
}

mlrt::HttpResponse router_test_call(const mlrt::Router& router, const char* method,
                                    const char* path) {
  mlrt::HttpRequest request;
  request.method = method;
  request.path = path;
  return router.handle(request);
}

std::string router_test_add_error(mlrt::Router& router, const char* method, const char* pattern) {
  try {
    router.add(method, pattern, router_test_answer("x"));
  } catch (const mlrt::Error& error) {
    return error.message();
  }
  return "added";
}

// The handlers under test fail on purpose; what they log is not for the test's output.
struct RouterTestQuiet {
  RouterTestQuiet() { mlrt::set_log(mlrt::LogLevel::kOff, mlrt::LogFormat::kText); }
  ~RouterTestQuiet() { mlrt::set_log(mlrt::LogLevel::kWarn, mlrt::LogFormat::kText); }
};

}  // namespace

TEST_CASE("a request finds its most literal route whatever the order of adding") {
  const std::vector<const char*> patterns = {
      "/",          "/runs",    "/runs/{id}",  "/runs/latest", "/runs/{id}/m", "/{any}/latest/m",
      "/f/{path*}", "/f/x/{y}", "/a/{b}/c/{d}"};
  struct Row {
    const char* path;
    const char* pattern;
  };
  const std::vector<Row> rows = {
      {"/", "/"},
      {"/runs", "/runs"},
      {"/runs/7", "/runs/{id}"},
      {"/runs/latest", "/runs/latest"},
      {"/runs/latest/m", "/runs/{id}/m"},
      {"/x/latest/m", "/{any}/latest/m"},
      {"/f/", "/f/{path*}"},
      {"/f/a/b//c", "/f/{path*}"},
      {"/f/x/y", "/f/x/{y}"},
      {"/f/x/y/z", "/f/{path*}"},
      {"/a/1/c/2", "/a/{b}/c/{d}"},
      {"/runs/", nullptr},
      {"/runs//m", nullptr},
      {"/f", nullptr},
      {"/Runs", nullptr},
      {"/a/1/c", nullptr},
      {"*", nullptr},
      {"", nullptr},
  };
  for (const bool backwards : {false, true}) {
    mlrt::Router router;
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      const char* pattern = patterns[backwards ? patterns.size() - 1 - i : i];
      router.add("GET", pattern, router_test_answer(pattern));
    }
    for (const Row& row : rows) {
      CAPTURE(row.path);
      const mlrt::HttpResponse response = router_test_call(router, "GET", row.path);
      if (row.pattern != nullptr) {
        CHECK(response.body == row.pattern);
      } else {
        CHECK(response.status == 404);
        CHECK(response.body.find("ENDPOINT_NOT_FOUND") != std::string::npos);
      }
    }
  }
}

TEST_CASE("a route's parts reach its handler") {
  mlrt::Router router;
  router.add("GET", "/e/{id}/f/{path*}",
             [](const mlrt::HttpRequest&, const mlrt::PathParams& params) {
               mlrt::HttpResponse response;
               response.body = params.at("id") + "|" + params.at("path");
               return response;
             });
  CHECK(router_test_call(router, "GET", "/e/7 8/f/a/b.txt").body == "7 8|a/b.txt");
  CHECK(router_test_call(router, "GET", "/e/7/f/").body == "7|");
  mlrt::PathParams none;
  CHECK_THROWS_AS(none.at("x"), mlrt::Error);
}

TEST_CASE("a known path with another method is 405 and says what it allows") {
  mlrt::Router router;
  router.add("GET", "/x", router_test_answer("get"));
  router.add("POST", "/{any}", router_test_answer("post"));
  CHECK(router_test_call(router, "POST", "/x").body == "post");
  const mlrt::HttpResponse response = router_test_call(router, "PUT", "/x");
  CHECK(response.status == 405);
  CHECK(response.header("Allow") == "GET, HEAD, POST");
  CHECK(router_test_call(router, "GET", "/y").status == 405);
  CHECK(router_test_call(router, "get", "/x").status == 405);
}

TEST_CASE("HEAD is served by the route of GET unless it has one of its own") {
  mlrt::Router router;
  router.add("GET", "/x", router_test_answer("get"));
  router.add("GET", "/y", router_test_answer("get"));
  router.add("HEAD", "/y", router_test_answer("head"));
  CHECK(router_test_call(router, "HEAD", "/x").status == 200);
  CHECK(router_test_call(router, "HEAD", "/z").status == 404);
}

TEST_CASE("a route that cannot be meant is refused with the reason") {
  mlrt::Router router;
  router.add("GET", "/a/{b}", router_test_answer("x"));
  struct Row {
    const char* pattern;
    const char* reason;
  };
  const std::vector<Row> rows = {
      {"", "does not start with '/'"},
      {"a", "does not start with '/'"},
      {"/{a*}/b", "goes on after"},
      {"/{a}/{a}", "a name twice"},
      {"/{*}", "no name"},
      {"/x{a}", "out of place"},
      {"/{}", "out of place"},
      {"/a*", "out of place"},
      {"/a/{c}", "was added twice"},
      {"/a/{b}", "was added twice"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CHECK(router_test_add_error(router, "GET", row.pattern).find(row.reason) != std::string::npos);
  }
  CHECK(router_test_add_error(router, "G T", "/x").find("not a word") != std::string::npos);
  CHECK_THROWS_AS(router.add("GET", "/x", nullptr), mlrt::Error);
  CHECK(router_test_add_error(router, "POST", "/a/{c}") == "added");
  REQUIRE(router.routes().size() == 2);
  CHECK(router.routes()[1].method == "POST");
  CHECK(router.routes()[1].pattern == "/a/{c}");
}

TEST_CASE("what a handler throws becomes an answer and an unknown exception tells nothing") {
  const RouterTestQuiet quiet;
  mlrt::Router router;
  router.add("GET", "/error",
             [](const mlrt::HttpRequest&, const mlrt::PathParams&) -> mlrt::HttpResponse {
               throw mlrt::Error(mlrt::ErrorCode::kNotFound, "no such run", "secret detail");
             });
  router.add("GET", "/std",
             [](const mlrt::HttpRequest&, const mlrt::PathParams&) -> mlrt::HttpResponse {
               throw std::runtime_error("secret detail");
             });
  router.add("GET", "/split", [](const mlrt::HttpRequest&, const mlrt::PathParams&) {
    mlrt::HttpResponse response;
    response.headers.emplace_back("X", "a\r\nSet-Cookie: b");
    return response;
  });
  CHECK(router_test_call(router, "GET", "/error").status == 404);
  CHECK(router_test_call(router, "GET", "/std").status == 500);
  CHECK(router_test_call(router, "GET", "/split").status == 500);
  for (const char* path : {"/error", "/std"}) {
    CHECK(router_test_call(router, "GET", path).body.find("secret") == std::string::npos);
  }
}

TEST_CASE("the error handler makes every error's answer and may fail itself") {
  const RouterTestQuiet quiet;
  mlrt::Router router;
  router.add("POST", "/x", router_test_answer("x"));
  router.set_error_handler([](const mlrt::Error& error, const mlrt::HttpRequest& request) {
    if (request.path == "/fail") throw std::runtime_error("broken");
    mlrt::HttpResponse response;
    response.status = mlrt::error_info(error.code()).http_status;
    response.body = "mine: " + error.message();
    return response;
  });
  CHECK(router_test_call(router, "GET", "/y").body == "mine: there is nothing at GET '/y'");
  CHECK(router_test_call(router, "GET", "/x").header("Allow") == "POST");
  CHECK(router_test_call(router, "GET", "/x").body.rfind("mine: ", 0) == 0);
  const mlrt::HttpResponse fallback = router_test_call(router, "GET", "/fail");
  CHECK(fallback.status == 404);
  CHECK(fallback.body.find("ENDPOINT_NOT_FOUND") != std::string::npos);
}
