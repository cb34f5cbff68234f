#ifndef MLRT_NET_HTTPLIB_BACKEND_HPP_
#define MLRT_NET_HTTPLIB_BACKEND_HPP_

// Internal to net/: what we use cpp-httplib for, with none of its types. It writes the server's
// answers and speaks the client's side of HTTP; both run on streams of ours, whose deadlines are
// absolute (its own are per read, and start again with each byte). What the server reads is checked
// and decoded before (http_head.hpp): httplib takes bare line feeds, "0x5" and "-5" as chunk sizes,
// and waits for a header as long as bytes drip.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/http.hpp"

namespace mlrt {

// Takes all of the bytes, or returns false when the peer is gone or too slow.
using HttpWriter = std::function<bool(const char* data, std::size_t size)>;

struct HttplibAnswer {
  bool head_only = false;   // the request was HEAD
  bool http_1_0 = false;    // then staying open has to be said
  bool keep_alive = false;  // announced in the header Connection
};

// The server side. One object serves any number of threads.
class HttplibResponder {
 public:
  HttplibResponder();
  ~HttplibResponder();
  HttplibResponder(const HttplibResponder&) = delete;
  HttplibResponder& operator=(const HttplibResponder&) = delete;

  // Writes `response`, which check_http_response has passed, and leaves it empty. False when
  // the writer gave up.
  bool respond(HttpResponse& response, const HttplibAnswer& answer, const HttpWriter& writer) const;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

struct HttplibCall {
  std::string host;
  int port = 80;
  std::string method;
  std::string target;
  HttpFields headers;
  std::string_view body;
  std::size_t max_response_bytes = 0;
};

// The client side: sends `call` over the connected socket `fd` and reads the answer. Throws
// kTimeout at `deadline_ms` (of monotonic_ms), kUnavailable when the connection breaks or what
// comes is not HTTP, kTooLarge for an answer beyond the limit, kInterrupted when the user asked to
// stop while it waited. The socket is of no more use then.
HttpResponse httplib_call(int fd, const HttplibCall& call, std::int64_t deadline_ms);

}  // namespace mlrt

#endif  // MLRT_NET_HTTPLIB_BACKEND_HPP_
