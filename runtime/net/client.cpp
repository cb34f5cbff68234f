#include "net/client.hpp"

#include <algorithm>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "net/httplib_backend.hpp"
#include "net/socket.hpp"

namespace mlrt {
namespace {

constexpr std::int64_t kClientLongestMs = std::int64_t{1} << 40;

[[noreturn]] void client_bad_url(std::string_view url, const char* why) {
  throw Error(ErrorCode::kInvalidParameter,
              quoted(url, 200) + " is not a URL of the form http://host:port/path: " + why);
}

int client_parse_port(std::string_view url, std::string_view text) {
  long long port = 0;
  const bool digits = !text.empty() && text.size() <= 5 &&
                      text.find_first_not_of("0123456789") == std::string_view::npos;
  if (!digits || !parse_int64(text, port) || port < 1 || port > 65535) {
    client_bad_url(url, "its port is not 1 to 65535");
  }
  return static_cast<int>(port);
}

void client_check_header(const std::pair<std::string, std::string>& header) {
  if (!is_http_token(header.first) || !is_http_field_value(header.second)) {
    throw Error(
        ErrorCode::kInvalidParameter,
        "the header " + quoted(header.first) + " has a name or a value that HTTP does not allow");
  }
  for (const char* ours : {"content-length", "transfer-encoding", "connection", "expect"}) {
    if (to_lower(header.first) == ours) {
      throw Error(ErrorCode::kInvalidParameter,
                  "the header " + quoted(header.first) + " is written by the client itself");
    }
  }
}

}  // namespace

HttpUrl parse_http_url(std::string_view url) {
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      client_bad_url(url, "it has a byte that must be percent-encoded");
    }
  }
  constexpr std::string_view scheme = "http://";
  if (to_lower(url.substr(0, scheme.size())) != scheme) {
    client_bad_url(url, "it does not start with http://");
  }
  std::string_view rest = url.substr(scheme.size());
  rest = rest.substr(0, rest.find('#'));
  const std::size_t host_end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, host_end);
  HttpUrl parsed;
  parsed.target = std::string(rest.substr(host_end));
  if (parsed.target.empty() || parsed.target[0] != '/') parsed.target.insert(0, 1, '/');
  if (authority.find('@') != std::string_view::npos) {
    client_bad_url(url, "a user name in it is not sent; use a header");
  }
  if (!authority.empty() && authority[0] == '[') {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) client_bad_url(url, "its '[' is not closed");
    parsed.host = std::string(authority.substr(1, bracket - 1));
    authority.remove_prefix(bracket + 1);
    if (!authority.empty() && authority[0] != ':') client_bad_url(url, "its host is not one");
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    parsed.host = std::string(authority.substr(0, colon));
    authority.remove_prefix(colon);
  }
  if (!authority.empty()) parsed.port = client_parse_port(url, authority.substr(1));
  if (parsed.host.empty()) client_bad_url(url, "it names no host");
  return parsed;
}

HttpResponse HttpClient::request(std::string_view method, std::string_view url,
                                 const HttpFields& headers, std::string_view body) const {
  const HttpUrl parsed = parse_http_url(url);
  if (!is_http_token(method)) {
    throw Error(ErrorCode::kInvalidParameter, quoted(method) + " is not an HTTP method");
  }
  for (const auto& header : headers) client_check_header(header);
  const std::int64_t timeout_ms =
      std::min(std::max<std::int64_t>(options_.timeout_ms, 0), kClientLongestMs);
  const std::int64_t deadline_ms = monotonic_ms() + timeout_ms;
  HttplibCall call;
  call.host = parsed.host;
  call.port = parsed.port;
  call.method = std::string(method);
  call.target = parsed.target;
  call.headers = headers;
  call.body = body;
  call.max_response_bytes = options_.max_response_bytes;
  const Socket socket = connect_tcp(parsed.host, parsed.port, deadline_ms);
  return httplib_call(socket.fd(), call, deadline_ms);
}

HttpResponse http_request(std::string_view method, std::string_view url, const HttpFields& headers,
                          std::string_view body, std::int64_t timeout_ms) {
  HttpClientOptions options;
  options.timeout_ms = timeout_ms;
  return HttpClient(options).request(method, url, headers, body);
}

}  // namespace mlrt
