#include "server/scoring_routes.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "data/table.hpp"
#include "server/scoring_input.hpp"

namespace mlrt {
namespace {

constexpr const char* kScoringPlainText = "text/plain; charset=utf-8";

enum class ScoringMedia { kJson, kCsv, kRefused };

struct ScoringContent {
  ScoringMedia media = ScoringMedia::kRefused;
  std::string refusal;  // what the answer 415 says
};

std::string_view scoring_unquote(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return value;
  return value.substr(1, value.size() - 2);
}

// Reads a Content-Type: two media types, and no parameter but a charset of UTF-8.
ScoringContent read_scoring_content(std::string_view content_type) {
  const std::vector<std::string> parts = split(content_type, ';');
  std::string unknown;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view part = trim(parts[i]);
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const std::string name = to_lower(trim(part.substr(0, equals)));
    if (name == "charset") {
      const std::string_view value =
          equals == std::string_view::npos ? "" : part.substr(equals + 1);
      if (to_lower(scoring_unquote(trim(value))) != "utf-8") {
        return {ScoringMedia::kRefused, "The scoring server only supports UTF-8"};
      }
    } else {
      unknown += (unknown.empty() ? "" : ", ") + name;
    }
  }
  if (!unknown.empty()) {
    return {ScoringMedia::kRefused, "Unrecognized content type parameters: " + unknown + "."};
  }
  const std::string media = to_lower(trim(parts[0]));
  if (media == "application/json") return {ScoringMedia::kJson, {}};
  if (media == "text/csv") return {ScoringMedia::kCsv, {}};
  return {ScoringMedia::kRefused,
          "This predictor only supports the following content types: Types: ['text/csv', "
          "'application/json']. Got " +
              quoted(content_type) + "."};
}

std::vector<double> predict_scoring_table(const Model& model, const Table& table) {
  const std::string data = describe_scoring_table(table);
  Table output;
  try {
    output = model.predict(table);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidParameter) throw;
    throw Error(error.code(), scoring_schema_message(data, model.signature(), error.message()),
                error.detail());
  }
  const Column& column = output.column("prediction");
  std::vector<double> values(column.size());
  for (std::size_t row = 0; row < values.size(); ++row) values[row] = column.number(row);
  return values;
}

HttpResponse answer_invocation(const Model& model, const HttpRequest& request) {
  const ScoringContent content = read_scoring_content(request.header("Content-Type"));
  HttpResponse response;
  if (content.media == ScoringMedia::kRefused) {
    response.status = error_info(ErrorCode::kUnsupportedMedia).http_status;
    response.content_type = kScoringPlainText;
    response.body = content.refusal;
    return response;
  }
  const Table table = content.media == ScoringMedia::kJson
                          ? parse_scoring_json(request.body, model.signature())
                          : parse_scoring_csv(request.body, model.signature());
  response.content_type = "application/json";
  response.body = format_predictions(predict_scoring_table(model, table));
  return response;
}

HttpHandler scoring_text_handler(std::string text) {
  return [text = std::move(text)](const HttpRequest&, const PathParams&) {
    HttpResponse response;
    response.content_type = kScoringPlainText;
    response.body = text;
    return response;
  };
}

}  // namespace

std::string format_predictions(const std::vector<double>& values) {
  std::string out = "{\"predictions\": [";
  out.reserve(out.size() + values.size() * 22 + 2);
  char text[40];
  bool first = true;
  for (const double value : values) {
    if (!first) out += ", ";
    first = false;
    if (!std::isfinite(value)) {
      out += "null";
      continue;
    }
    const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
    const std::string_view written(text, static_cast<std::size_t>(end - text));
    out += written;
    // Typed readers tell 1 from 1.0: a prediction is a float, whatever its value.
    if (written.find_first_not_of("-0123456789") == std::string_view::npos) out += ".0";
  }
  return out + "]}";
}

Router make_scoring_router(std::shared_ptr<const Model> model, HostRules hosts) {
  Router router;
  const auto rules = std::make_shared<const HostRules>(std::move(hosts));
  auto add = [&](const char* method, const char* path, HttpHandler handler) {
    router.add(method, path,
               [rules, handler = std::move(handler)](const HttpRequest& request,
                                                     const PathParams& params) {
                 rules->check(request);
                 return handler(request, params);
               });
  };
  add("GET", "/ping", scoring_text_handler("\n"));
  add("GET", "/health", scoring_text_handler("\n"));
  add("GET", "/version", scoring_text_handler(MLRT_VERSION));
  add("POST", "/invocations",
      [model = std::move(model)](const HttpRequest& request, const PathParams&) {
        return answer_invocation(*model, request);
      });
  return router;
}

}  // namespace mlrt
