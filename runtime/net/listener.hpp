#ifndef MLRT_NET_LISTENER_HPP_
#define MLRT_NET_LISTENER_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "net/router.hpp"

namespace mlrt {

struct ListenerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0 takes a free one

  // Each connection has a thread, blocked while it waits. One more gets 503 at once and no thread.
  // Fewer where the system's limit on open files, less some for the files themselves, is lower.
  std::size_t max_connections = 1024;
  std::size_t thread_stack_bytes = 1 << 20;  // address space; memory only as far as it is used

  // For the whole header: from accept, and for later requests from their first byte.
  std::int64_t header_timeout_ms = 10000;
  std::int64_t idle_timeout_ms = 30000;  // between two requests of a connection
  std::int64_t body_grace_ms = 10000;    // a body has this long, and longer at the rate below
  std::int64_t write_grace_ms = 30000;   // the same for an answer
  std::int64_t min_bytes_per_s = 1024;
  std::int64_t linger_ms = 1000;  // to let a refused client read its answer while it still sends
  std::int64_t shutdown_grace_ms = 10000;

  std::size_t max_target_bytes = 8192;            // beyond: 414
  std::size_t max_header_bytes = 32768;           // beyond: 431
  std::size_t max_header_count = 100;             // beyond: 431
  std::size_t max_body_bytes = 64u << 20;         // beyond: 413
  std::size_t max_total_body_bytes = 256u << 20;  // of all requests under way; beyond: 503
  // Of a body that a route takes as it comes (Router::add_upload), which counts for neither of the
  // two above: beyond: 413.
  std::uint64_t max_upload_bytes = std::uint64_t{1} << 40;
  std::size_t keep_alive_max_requests = 1000000;
};

// Raises the process's limit on open files as far as the system lets it, up to 65536; for programs
// whose own it is. Call it before a listener starts.
void raise_descriptor_limit();

// Throws as Listener::start would for this address now; for what must not be begun in vain.
void check_port_is_free(const std::string& host, int port);

// Serves a router over HTTP/1.1. Whatever a client sends or does not send, it costs one thread and
// the limits above. A request that is refused before it reaches the router (400, 408, 413, 414,
// 415, 417, 431, 503) is answered through the router's error handler and its connection closed; the
// error's status is replaced by the listener's where it differs.
//
// All methods are safe from any thread. A handler may call request_stop, but not stop, wait or the
// destructor, which would wait for itself.
class Listener {
 public:
  // Throws kInvalidParameter for options that make no sense. Which hosts may be served is the
  // caller's rule.
  Listener(ListenerOptions options, Router router);
  ~Listener();  // stops
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Binds and serves in threads of its own, in which signals are blocked. Throws kUnavailable when
  // the port is in use, and what else listen_tcp throws; nothing is left behind then. Once only:
  // kConflict for a second call.
  void start();

  // The port bound by start().
  int port() const;

  // Ends: takes no more connections, closes idle ones, lets requests under way finish within the
  // grace, then cuts them off. Returns when no thread is left; a handler that still runs then is
  // waited for, since it cannot be cut off. Does nothing when it is not running.
  void stop();

  // Starts to stop and returns at once. Async-signal-safe.
  void request_stop();

  // Returns when the listener has stopped; at once when it was not started.
  void wait();

  // Connections that are open now.
  std::size_t connections() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace mlrt

#endif  // MLRT_NET_LISTENER_HPP_
