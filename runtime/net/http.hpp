#ifndef MLRT_NET_HTTP_HPP_
#define MLRT_NET_HTTP_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace mlrt {

// Names with values in the order in which they came; a name may come several times.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

// The first value of `name`, or null. Header names are compared without case, other names with it.
const std::string* find_http_header(const HttpFields& headers, std::string_view name);
const std::string* find_http_field(const HttpFields& fields, std::string_view name);

// One request as the listener hands it to a handler: whole, within the limits, already decoded.
struct HttpRequest {
  std::string method;  // as sent: "GET"; methods have a case
  std::string target;  // as sent: "/files/a%20b?x=1"
  std::string path;    // decoded exactly once, valid UTF-8, no "." or ".." segment: "/files/a b";
                       // an escaped slash counts as a slash
  HttpFields query;    // decoded exactly once, in order
  HttpFields headers;  // in order
  std::string body;    // without its transfer coding
  std::string remote_address;  // "127.0.0.1", without the port

  // The first value of the header `name` in any case, or "" when there is none.
  std::string_view header(std::string_view name) const;
  // The first value of the query parameter `name`, or null; owned by the request.
  const std::string* query_value(std::string_view name) const;
};

// The body of an answer that is read while it is sent, so that memory need not hold it.
class HttpBodySource {
 public:
  virtual ~HttpBodySource() = default;
  virtual std::uint64_t size() const = 0;  // never changes
  // At most `size` bytes from `offset` on. 0 and an error end the connection, which tells the peer
  // that the answer is not whole.
  virtual std::size_t read(std::uint64_t offset, char* out, std::size_t size) const = 0;
};

struct HttpResponse {
  int status = 200;          // 200 to 599
  std::string content_type;  // "" sends none
  std::string body;
  std::shared_ptr<const HttpBodySource> source;  // in place of `body`; empty: `body`
  HttpFields
      headers;  // besides Content-Type, Content-Length and Connection, which the listener writes

  // Adds a header. Throws kInternal for a name that is no token, or a value with CR, LF, NUL or
  // another control character: a value taken from user input cannot add a header or a second
  // response.
  void set_header(std::string_view name, std::string_view value);
  std::string_view header(std::string_view name) const;
};

// True for a method or header name as RFC 9110 section 5.6.2 allows it.
bool is_http_token(std::string_view text);
// True for a header value: tab and printable bytes, so no CR, LF or NUL.
bool is_http_field_value(std::string_view text);

// Throws kInternal when the status or a header of `response` may not go onto the wire; a handler
// that fills `headers` by itself is caught here.
void check_http_response(const HttpResponse& response);

// Decodes %XX once, and '+' as a space when `plus_is_space`. Throws kBadRequest that names `what`
// for an escape that is cut short or not hex, and for a result that is not UTF-8 or has a NUL or,
// not in a query, another control character.
std::string percent_decode(std::string_view text, bool plus_is_space, std::string_view what);

// Fills path and query of `request` from its target: "/path?query", "http://host/path?query" or
// "*". Throws kBadRequest for any other form or a byte that must be escaped, and kInvalidParameter
// ("Invalid path", MLflow's words) for a "." or ".." segment.
void parse_http_target(HttpRequest& request);

// The answer {"error_code", "message"} that clients of the MLflow protocol read, with the status of
// the error table. The detail is left out.
HttpResponse error_json_response(const Error& error);

}  // namespace mlrt

#endif  // MLRT_NET_HTTP_HPP_
