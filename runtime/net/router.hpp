#ifndef MLRT_NET_ROUTER_HPP_
#define MLRT_NET_ROUTER_HPP_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "net/http.hpp"

namespace mlrt {

// What the `{name}` parts of a pattern stood for in one request, decoded.
class PathParams {
 public:
  // The value of `name`; throws kInternal when the route's pattern has no such part.
  const std::string& at(std::string_view name) const;
  void set(std::string name, std::string value);
  std::size_t size() const { return values_.size(); }

 private:
  HttpFields values_;
};

// Called from many threads at once. May throw mlrt::Error or any std::exception.
using HttpHandler = std::function<HttpResponse(const HttpRequest&, const PathParams&)>;

// Turns an error into an answer; called from many threads at once.
using HttpErrorHandler = std::function<HttpResponse(const Error&, const HttpRequest&)>;

struct Route {
  std::string method;
  std::string pattern;
};

// Finds the handler of a request. Pure: no sockets, so it is tested, and used, without a listener.
// Filled by one thread first; then its const methods are safe from any thread.
class Router {
 public:
  // `pattern` is "/" and segments: "runs" matches itself, "{name}" one segment that is not empty,
  // and "{name*}", only at the end, all the rest, slashes included and possibly empty. Of several
  // patterns that match, the one that is literal earlier wins, in whatever order they were added.
  // Throws kInternal for a pattern that is none, or that was added before for this method.
  void add(std::string method, std::string_view pattern, HttpHandler handler);

  // Makes the answers to errors, those of the listener itself included. The default is
  // error_json_response.
  void set_error_handler(HttpErrorHandler handler);

  // Answers `request`; never throws a std::exception. No route: kEndpointNotFound. A route with
  // other methods: kMethodNotAllowed with the header Allow. HEAD finds the route of GET and gets
  // its whole answer; the listener leaves the body out. A std::exception that is no mlrt::Error
  // becomes kInternal with a message that tells nothing; what it said goes to the log.
  HttpResponse handle(const HttpRequest& request) const;

  // The answer to `error`, by the error handler; never throws a std::exception. Statuses from 500
  // are logged with their detail.
  HttpResponse error_response(const Error& error, const HttpRequest& request) const;

  // All routes in the order in which they were added.
  std::vector<Route> routes() const;

 private:
  struct Segment {
    enum class Kind { kLiteral, kParam, kTail } kind;
    std::string text;
  };
  struct Entry {
    Route route;
    std::vector<Segment> segments;
    HttpHandler handler;
  };

  static bool matches(const Entry& entry, const std::vector<std::string_view>& parts);
  static bool more_literal(const Entry& a, const Entry& b);
  HttpResponse dispatch(const HttpRequest& request) const;

  std::vector<Entry> entries_;
  HttpErrorHandler error_handler_;
};

}  // namespace mlrt

#endif  // MLRT_NET_ROUTER_HPP_
