#include "net/http.hpp"

#include <algorithm>
#include <cstddef>

#include "core/json.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

char http_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool http_equal_nocase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return http_lower(x) == http_lower(y);
         });
}

int http_hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

[[noreturn]] void http_bad_request(std::string message) {
  throw Error(ErrorCode::kBadRequest, std::move(message));
}

void http_parse_query(std::string_view text, HttpFields& query) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    query.emplace_back(percent_decode(name, true, "the query"),
                       percent_decode(value, true, "the query"));
  }
}

// Handlers map paths onto files and names: a segment that climbs is refused before any of them sees
// it.
void http_refuse_dot_segments(std::string_view path) {
  std::size_t start = 0;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view segment = path.substr(start, end - start);
    if (segment == ".." || segment == ".") {
      throw Error(ErrorCode::kInvalidParameter, "Invalid path " + quoted(path) + ": it has a '" +
                                                    std::string(segment) +
                                                    "' segment; send the path it stands for");
    }
    start = end + 1;
  }
}

}  // namespace

const std::string* find_http_header(const HttpFields& headers, std::string_view name) {
  for (const auto& header : headers) {
    if (http_equal_nocase(header.first, name)) return &header.second;
  }
  return nullptr;
}

const std::string* find_http_field(const HttpFields& fields, std::string_view name) {
  for (const auto& field : fields) {
    if (field.first == name) return &field.second;
  }
  return nullptr;
}

std::string_view HttpRequest::header(std::string_view name) const {
  const std::string* value = find_http_header(headers, name);
  return value != nullptr ? std::string_view(*value) : std::string_view();
}

const std::string* HttpRequest::query_value(std::string_view name) const {
  return find_http_field(query, name);
}

void HttpResponse::set_header(std::string_view name, std::string_view value) {
  if (!is_http_token(name)) {
    throw Error(ErrorCode::kInternal,
                "a response header has the name " + quoted(name) + ", which HTTP does not allow");
  }
  if (!is_http_field_value(value)) {
    throw Error(ErrorCode::kInternal, "the response header '" + std::string(name) +
                                          "' has a control character in its value " +
                                          quoted(value));
  }
  headers.emplace_back(name, value);
}

std::string_view HttpResponse::header(std::string_view name) const {
  const std::string* value = find_http_header(headers, name);
  return value != nullptr ? std::string_view(*value) : std::string_view();
}

bool is_http_token(std::string_view text) {
  for (const char c : text) {
    const bool letter_or_digit =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter_or_digit && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !text.empty();
}

bool is_http_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

void check_http_response(const HttpResponse& response) {
  if (response.status < 200 || response.status > 599) {
    throw Error(ErrorCode::kInternal, "a handler answered with the status " +
                                          std::to_string(response.status) +
                                          "; it must be 200 to 599");
  }
  HttpResponse checked;
  if (!response.content_type.empty()) checked.set_header("Content-Type", response.content_type);
  for (const auto& header : response.headers) {
    checked.set_header(header.first, header.second);
    // A second length, or a coding that is not there, would let a peer cut the answer elsewhere.
    for (const char* ours : {"Content-Length", "Transfer-Encoding", "Connection", "Content-Type"}) {
      if (http_equal_nocase(header.first, ours)) {
        throw Error(ErrorCode::kInternal, "a handler set the header '" + header.first +
                                              "', which the listener writes itself");
      }
    }
  }
}

std::string percent_decode(std::string_view text, bool plus_is_space, std::string_view what) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_space) {
      c = ' ';
    } else if (c == '%') {
      const int high = i + 1 < text.size() ? http_hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? http_hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        http_bad_request(std::string(what) + " has an invalid escape " + quoted(text.substr(i, 3)) +
                         "; write % and two hex digits, and % as %25");
      }
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    decoded.push_back(c);
  }
  for (const char c : decoded) {
    // All but NUL are text in a query value, and nothing but trouble in a path.
    if (c == '\0' || (!plus_is_space && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f))) {
      http_bad_request(std::string(what) + " has a control character");
    }
  }
  if (!is_utf8(decoded)) http_bad_request(std::string(what) + " is not UTF-8 once decoded");
  return decoded;
}

void parse_http_target(HttpRequest& request) {
  std::string_view target = request.target;
  request.path.clear();
  request.query.clear();
  for (const char c : target) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      http_bad_request("the request's address has a byte that must be percent-encoded");
    }
  }
  if (target == "*") {
    request.path = "*";
    return;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (http_equal_nocase(target.substr(0, scheme.size()), scheme)) {
      target.remove_prefix(scheme.size());
      target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
      break;
    }
  }
  const bool absolute_without_path =
      target.size() != request.target.size() && (target.empty() || target[0] == '?');
  if (!absolute_without_path && (target.empty() || target[0] != '/')) {
    http_bad_request("the request's address " + quoted(request.target) +
                     " does not start with '/'");
  }
  if (target.find('#') != std::string_view::npos) {
    http_bad_request("the request's address has a '#', which is never sent to a server");
  }
  const std::size_t question = target.find('?');
  request.path = percent_decode(target.substr(0, question), false, "the path");
  if (request.path.empty()) request.path = "/";
  http_refuse_dot_segments(request.path);
  if (question != std::string_view::npos) {
    http_parse_query(target.substr(question + 1), request.query);
  }
}

HttpResponse error_json_response(const Error& error) {
  const ErrorInfo& info = error_info(error.code());
  HttpResponse response;
  response.status = info.http_status;
  response.content_type = "application/json";
  response.body = dump_json(Json{{"error_code", info.mlflow_code}, {"message", error.message()}});
  return response;
}

}  // namespace mlrt
