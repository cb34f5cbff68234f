#include "server/scoring_routes.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/fs.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "server/scoring_model.hpp"

namespace mlrt {
namespace {

Router scoring_test_router() {
  return make_scoring_router(test::make_scoring_model(), HostRules("127.0.0.1", {}));
}

HttpRequest scoring_test_request(const std::string& method, const std::string& path,
                                 const std::string& content_type = "",
                                 const std::string& body = "") {
  HttpRequest request;
  request.method = method;
  request.path = request.target = path;
  request.headers.emplace_back("Host", "127.0.0.1:5000");
  if (!content_type.empty()) request.headers.emplace_back("Content-Type", content_type);
  request.body = body;
  return request;
}

HttpResponse scoring_invoke(const std::string& body,
                            const std::string& content_type = "application/json") {
  return scoring_test_router().handle(
      scoring_test_request("POST", "/invocations", content_type, body));
}

struct ScoringFailure {
  int status = 0;
  std::string code;
  std::string message;
};

ScoringFailure scoring_failure(const HttpResponse& response) {
  REQUIRE(response.content_type == "application/json");
  const Json body = parse_json(response.body, "the answer");
  REQUIRE(body.size() == 2);
  return {response.status, body["error_code"].get<std::string>(),
          body["message"].get<std::string>()};
}

}  // namespace

TEST_CASE("ping, health and version answer as MLflow's scoring server does") {
  const Router router = scoring_test_router();
  for (const char* path : {"/ping", "/health"}) {
    const HttpResponse response = router.handle(scoring_test_request("GET", path));
    CHECK(response.status == 200);
    CHECK(response.body == "\n");
  }
  const HttpResponse version = router.handle(scoring_test_request("GET", "/version"));
  CHECK(version.status == 200);
  CHECK(version.body == MLRT_VERSION);
  CHECK(starts_with(version.content_type, "text/plain"));
  CHECK(router.handle(scoring_test_request("GET", "/invocations")).status == 405);
  CHECK(router.handle(scoring_test_request("POST", "/ping")).status == 405);
  CHECK(router.handle(scoring_test_request("GET", "/nothing")).status == 404);
}

// fixtures/scoring_requests.json: requests with what MLflow 3.9's scoring server answered for a
// Python model of the same formula. "ours" stands where this server answers otherwise, with the
// reason.
TEST_CASE(
    "recorded requests get the status, the error code and the predictions of MLflow's server") {
  const std::string file =
      std::string(MLRT_SOURCE_DIR) + "/tests/server/fixtures/scoring_requests.json";
  const Json cases = parse_json(fs::read_file(file), file);
  REQUIRE(cases.size() > 100);
  for (const Json& item : cases) {
    const std::string name = item["name"].get<std::string>();
    const Json& expected = item.contains("ours") ? item["ours"] : item["stock"];
    CAPTURE(name);
    const HttpResponse response =
        scoring_invoke(item["body"].get<std::string>(), item["content_type"].get<std::string>());
    CAPTURE(response.body);
    CHECK(response.status == expected["status"].get<int>());
    if (expected.contains("error_code")) {
      CHECK(scoring_failure(response).code == expected["error_code"].get<std::string>());
    }
    if (expected.contains("predictions")) {
      CHECK(parse_json(response.body, name)["predictions"] == expected["predictions"]);
    }
    CHECK(response.status < 500);
  }
}

TEST_CASE("every refusal of a request says what is wrong and where") {
  const struct {
    const char* body;
    const char* code;
    const char* message;
  } cases[] = {
      {"{nope", "BAD_REQUEST",
       "Invalid input. Ensure that input is a valid JSON formatted string. Error: the request body "
       "is not valid "
       "JSON: line 1, column "},
      {"", "BAD_REQUEST", "Invalid input. "},
      {"[1]", "BAD_REQUEST", "Received a list."},
      {"5", "BAD_REQUEST", "Received unexpected input type 'number'."},
      {R"({"rows": []})", "BAD_REQUEST", "Received dictionary with input fields: ['rows']."},
      {R"({"inputs": [], "instances": []})", "BAD_REQUEST",
       "input fields: ['inputs', 'instances']."},
      {R"({"dataframe_records": [{"a": 1, "k": "x"}]})", "INVALID_PARAMETER_VALUE",
       "Failed to predict data '1 row of 'a', 'k''. \nError: Failed to enforce schema of data '1 "
       "row of 'a', 'k'' "
       "with schema '['a': double (required), 'k': string (required), 'n': long (required)]'. "
       "Error: Model is "
       "missing inputs ['n']."},
      {R"({"dataframe_records": [{"b": 1}]})", "INVALID_PARAMETER_VALUE", "extra inputs: ['b']"},
      {R"({"dataframe_records": [{"a": 1, "k": "x", "n": 2}, {"a": "abc", "k": "x", "n": 2}]})",
       "BAD_REQUEST",
       "Data is not compatible with model signature. Failed to convert column 'a' to type "
       "'float64'. Error: row 1: "
       "'abc' is not a number"},
      {R"({"dataframe_records": [{"a": 1, "k": "x", "n": 2.5}]})", "BAD_REQUEST",
       "column 'n' to type 'int64'. Error: row 0: 2.5 is not a whole number"},
      {R"({"dataframe_records": [{"a": 1, "k": "x", "n": 9223372036854775808}]})", "BAD_REQUEST",
       "is too large"},
      {R"({"dataframe_records": [{"a": 1, "k": "x", "n": 1e300}]})", "BAD_REQUEST", "is too large"},
      {R"({"dataframe_records": [{"a": 1, "k": "x", "n": null}]})", "BAD_REQUEST",
       "a missing value"},
      {R"({"dataframe_records": [{"a": 1, "k": ["x"], "n": 2}]})", "BAD_REQUEST",
       "an array is not a text"},
      {R"({"dataframe_records": [{"a": {}, "k": "x", "n": 2}]})", "BAD_REQUEST",
       "an object is not a number"},
      {R"({"dataframe_split": {"columns": ["a", "k", "n"], "data": [[1, "x", 2], [1, "x"]]}})",
       "BAD_REQUEST", "row 1 has 2 values; each row must have one value for each of the 3 columns"},
      {R"({"dataframe_split": {"columns": ["a", "k", "n"], "data": [7]}})", "BAD_REQUEST",
       "row 0 is not a list"},
      {R"({"dataframe_split": {"columns": "a", "data": []}})", "BAD_REQUEST",
       "'columns' must be a list of names"},
      {R"({"dataframe_split": {"columns": ["a", "a"], "data": []}})", "INVALID_PARAMETER_VALUE",
       "the column 'a' is given twice"},
      {R"({"dataframe_split": {"column": [], "data": []}})", "BAD_REQUEST",
       "unknown field 'column'"},
      {R"({"dataframe_split": {"data": [[1]]}})", "INVALID_PARAMETER_VALUE", "needs 'columns'"},
      {R"({"inputs": [[1, 2, 3]]})", "INVALID_PARAMETER_VALUE",
       "the model takes named columns, not a tensor"},
      {R"({"inputs": {"a": [1], "k": ["x", "y"], "n": [2]}})", "INVALID_PARAMETER_VALUE",
       "all columns must have the same length, but 'k' has 2, not 1"},
      {R"({"dataframe_records": [{"a": 1, "k": "x", "n": 2}, null]})", "BAD_REQUEST",
       "element 1 is null"},
  };
  for (const auto& item : cases) {
    CAPTURE(item.body);
    const ScoringFailure failure = scoring_failure(scoring_invoke(item.body));
    CHECK(failure.status == 400);
    CHECK(failure.code == item.code);
    CHECK_MESSAGE(failure.message.find(item.message) != std::string::npos, failure.message);
  }
}

TEST_CASE("CSV that cannot be read is refused with its line and column") {
  const struct {
    const char* body;
    const char* message;
  } cases[] = {
      {"", "no header"},
      {"a,k,n\n1,x,2\n1,x,2,9\n", "the request body:3:7: "},
      {"a,k,n\n1,\"x,2\n", "the request body:2:3: "},
      {"a,k,n\nabc,x,2\n", "the request body:2:1: "},
      {"a,k,n\n1,x,2.5\n", "the request body:2:5: "},
      {"a,k,n\n1,\xff,2\n", "the request body:2:3: "},
  };
  for (const auto& item : cases) {
    CAPTURE(item.body);
    const ScoringFailure failure = scoring_failure(scoring_invoke(item.body, "text/csv"));
    CHECK(failure.status == 400);
    CHECK(failure.code == "BAD_REQUEST");
    CHECK_MESSAGE(failure.message.find(item.message) != std::string::npos, failure.message);
  }
}

TEST_CASE("a CSV cell of a text column keeps its digits") {
  // As a number it would be 1, and no category.
  const Table table = Table::of_columns({Column::of_strings("k", {"007", "7"})});
  FeatureSpec spec;
  spec.one_hot = {"k"};
  const auto model = std::make_shared<const Model>(
      Transform::fit(table, spec),
      std::make_shared<const LinearPredictor>(std::vector<double>{1, 2}, 0.0, Link::kIdentity));
  const Router router = make_scoring_router(model, HostRules("127.0.0.1", {}));
  CHECK(
      router.handle(scoring_test_request("POST", "/invocations", "text/csv", "k\n007\n7\n")).body ==
      "{\"predictions\": [1.0, 2.0]}");
  CHECK(router
            .handle(scoring_test_request("POST", "/invocations", "application/json",
                                         R"({"inputs": [{"k": 7}]})"))
            .body == "{\"predictions\": [2.0]}");
}

TEST_CASE("hostile JSON is a 400, never a crash or a 5xx") {
  const std::string valid = R"({"dataframe_records": [{"a": 1, "k": "x", "n": 2}]})";
  std::vector<std::string> bodies = {
      std::string(200000, '['),
      "{\"dataframe_records\":" + std::string(100000, '[') + std::string(100000, ']') + "}",
      "{\"dataframe_records\": [{\"a\": 1, \"k\": \"\xff\", \"n\": 2}]}",
      std::string("{\"dataframe_records\": [{\"a\": 1\0}]}", 33),
      "{\"a\":" + std::string(5000, '9') + "}",
  };
  for (std::size_t cut = 0; cut < valid.size(); ++cut) bodies.push_back(valid.substr(0, cut));
  for (const std::string& body : bodies) {
    const HttpResponse response = scoring_invoke(body);
    CAPTURE(body.substr(0, 80));
    CHECK(response.status == 400);
    CHECK(is_utf8(response.body));
  }
  const Router router = scoring_test_router();
  for (std::size_t at = 0; at < valid.size(); ++at) {
    for (int flip = 1; flip < 256; flip <<= 1) {
      std::string body = valid;
      body[at] = static_cast<char>(body[at] ^ flip);
      const int status =
          router.handle(scoring_test_request("POST", "/invocations", "application/json", body))
              .status;
      CHECK_MESSAGE((status == 200 || status == 400), body);
    }
  }
}

TEST_CASE("many rows come back in their order, the same as one by one") {
  std::string body =
      "{\"dataframe_split\": {\"columns\": [\"z\", \"n\", \"k\", \"a\"], \"data\": [";
  std::vector<double> expected;
  for (int i = 0; i < 5000; ++i) {
    body += std::string(i > 0 ? "," : "") + "[null," + std::to_string(2 + i % 2) + ",\"" +
            (i % 3 == 0 ? "x" : "y") + "\"," + std::to_string(i) + ".25]";
    expected.push_back(i + 0.25 + (i % 3 == 0 ? 10 : 0) + 100 * (2 + i % 2));
  }
  const HttpResponse response = scoring_invoke(body + "]}}");
  REQUIRE(response.status == 200);
  CHECK(parse_json(response.body, "the answer")["predictions"].get<std::vector<double>>() ==
        expected);
}

TEST_CASE("predictions are written shortest, as floats, and null where JSON has no number") {
  CHECK(format_predictions({}) == "{\"predictions\": []}");
  CHECK(format_predictions({0.1, 1, -0.0, 1e300, 0.30000000000000004}) ==
        "{\"predictions\": [0.1, 1.0, -0.0, 1e+300, 0.30000000000000004]}");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(format_predictions({std::nan(""), infinity, -infinity}) ==
        "{\"predictions\": [null, null, null]}");
}

TEST_CASE("content types that are not accepted are 415 in MLflow's words") {
  const std::string body = R"({"dataframe_records": [{"a": 1, "k": "x", "n": 2}]})";
  const HttpResponse text = scoring_invoke(body, "text/plain");
  CHECK(text.status == 415);
  CHECK(text.body ==
        "This predictor only supports the following content types: Types: ['text/csv', "
        "'application/json']. Got "
        "'text/plain'.");
  CHECK(scoring_invoke(body, "application/json; charset=latin-1").body ==
        "The scoring server only supports UTF-8");
  CHECK(scoring_invoke(body, "application/json; charset").status == 415);
  CHECK(scoring_invoke(body, "application/json; format=pandas-split").body ==
        "Unrecognized content type parameters: format.");
  CHECK(scoring_invoke(body, "").status == 415);
}

TEST_CASE("a foreign Host or Origin is refused on every route") {
  const Router router = scoring_test_router();
  REQUIRE(router.routes().size() == 4);
  for (const Route& route : router.routes()) {
    HttpRequest request =
        scoring_test_request(route.method, route.pattern, "application/json", "{}");
    request.headers = {{"Host", "evil.example"}};
    const ScoringFailure failure = scoring_failure(router.handle(request));
    CHECK(failure.status == 403);
    CHECK(failure.code == "PERMISSION_DENIED");
    CHECK(failure.message.find("'evil.example'") != std::string::npos);
    request.headers = {{"Host", "localhost"}, {"Origin", "http://evil.example"}};
    CHECK(router.handle(request).status == 403);
  }
}

}  // namespace mlrt
