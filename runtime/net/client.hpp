#ifndef MLRT_NET_CLIENT_HPP_
#define MLRT_NET_CLIENT_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http.hpp"

namespace mlrt {

struct HttpUrl {
  std::string host;  // without the brackets of an IPv6 address
  int port = 80;
  std::string target;  // "/path?query", still encoded
};

// Reads "http://host[:port][/path][?query]". Throws kInvalidParameter that quotes the URL for
// anything else: another scheme, a user name, a byte that must be encoded.
HttpUrl parse_http_url(std::string_view url);

struct HttpClientOptions {
  std::int64_t timeout_ms = 30000;             // for a whole call, from connecting to the last byte
  std::size_t max_response_bytes = 64u << 20;  // of the body
};

// Makes calls that share their options; each has a connection of its own. Safe from any thread.
class HttpClient {
 public:
  explicit HttpClient(HttpClientOptions options = {}) : options_(options) {}

  // Sends one request and returns the answer, whatever its status; redirects are not followed.
  // Header names and values must be as HttpResponse::set_header wants them. `body` is sent with its
  // length when it is not empty, or when the method is POST, PUT or PATCH. Throws kInvalidParameter
  // for a URL, method or header that is none, kUnavailable when nothing answers or the connection
  // breaks, kTimeout beyond the time (except for how long the system takes to resolve a name),
  // kTooLarge for an answer beyond the limit, kInterrupted when the user asked to stop while it
  // waited.
  HttpResponse request(std::string_view method, std::string_view url,
                       const HttpFields& headers = {}, std::string_view body = {}) const;

 private:
  HttpClientOptions options_;
};

// One call with a time limit of its own.
HttpResponse http_request(std::string_view method, std::string_view url,
                          const HttpFields& headers = {}, std::string_view body = {},
                          std::int64_t timeout_ms = HttpClientOptions().timeout_ms);

}  // namespace mlrt

#endif  // MLRT_NET_CLIENT_HPP_
