#ifndef MLRT_NET_ROUTER_HPP_
#define MLRT_NET_ROUTER_HPP_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
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

// Asked about every request first; an answer, or an error, is all that the request gets. Called
// from many threads at once.
using HttpFilter = std::function<std::optional<HttpResponse>(const HttpRequest&)>;

// Takes the body of one request as it comes. Destroyed without finish() when the body did not come
// whole. Used by one thread.
class HttpBodySink {
 public:
  virtual ~HttpBodySink() = default;
  // Both may throw as a handler may; the sink is then destroyed, and the error answered.
  virtual void write(std::string_view bytes) = 0;
  virtual HttpResponse finish() = 0;
};

// Called, from many threads at once, when a request's head is there; its `body` is empty. May throw
// as a handler may.
using HttpSinkMaker =
    std::function<std::unique_ptr<HttpBodySink>(const HttpRequest&, const PathParams&)>;

struct Route {
  std::string method;
  std::string pattern;
};

class Router;

// One request whose body is taken as it comes. Its methods never throw a std::exception. The router
// and the request must outlive it.
class HttpUpload {
 public:
  // True once the answer is settled: more of the body is not wanted.
  bool refused() const { return sink_ == nullptr; }
  void write(std::string_view bytes);
  HttpResponse finish();  // once, when the body is whole or refused()

 private:
  friend class Router;
  HttpUpload(const Router& router, const HttpRequest& request)
      : router_(router), request_(request) {}
  template <typename Step>
  void attempt(const Step& step);

  const Router& router_;
  const HttpRequest& request_;
  std::unique_ptr<HttpBodySink> sink_;
  HttpResponse answer_;
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

  // The same for a route whose bodies are not held in memory; they may be as large as the
  // listener's max_upload_bytes.
  void add_upload(std::string method, std::string_view pattern, HttpSinkMaker maker);

  // Asks `filter` before any route is looked for, so about requests for no route too.
  void set_filter(HttpFilter filter);

  // Makes the answers to errors, those of the listener itself included. The default is
  // error_json_response.
  void set_error_handler(HttpErrorHandler handler);

  // Answers `request`; never throws a std::exception. No route: kEndpointNotFound. A route with
  // other methods: kMethodNotAllowed with the header Allow. HEAD finds the route of GET and gets
  // its whole answer; the listener leaves the body out. A std::exception that is no mlrt::Error
  // becomes kInternal with a message that tells nothing; what it said goes to the log.
  HttpResponse handle(const HttpRequest& request) const;

  // Begins the request whose head `request` is if its route was added by add_upload (also when it
  // is refused at once), else null: the caller then reads the body and calls handle. handle takes
  // requests for those routes too, with the body in memory.
  std::unique_ptr<HttpUpload> begin_upload(const HttpRequest& request) const;

  // The answer to `error`, by the error handler; never throws a std::exception. Statuses from 500
  // are logged with their detail.
  HttpResponse error_response(const Error& error, const HttpRequest& request) const;

  // All routes in the order in which they were added.
  std::vector<Route> routes() const;

 private:
  friend class HttpUpload;
  struct Segment {
    enum class Kind { kLiteral, kParam, kTail } kind;
    std::string text;
  };
  struct Entry {
    Route route;
    std::vector<Segment> segments;
    HttpHandler handler;
    HttpSinkMaker sink_maker;  // in place of `handler`
  };

  static bool matches(const Entry& entry, const std::vector<std::string_view>& parts);
  static bool more_literal(const Entry& a, const Entry& b);
  void add_entry(Entry entry);
  const Entry* find(const HttpRequest& request, const std::vector<std::string_view>& parts,
                    std::string& allowed) const;
  static PathParams params_of(const Entry& entry, const HttpRequest& request,
                              const std::vector<std::string_view>& parts);
  HttpResponse dispatch(const HttpRequest& request) const;

  std::vector<Entry> entries_;
  HttpFilter filter_;
  HttpErrorHandler error_handler_;
};

}  // namespace mlrt

#endif  // MLRT_NET_ROUTER_HPP_
