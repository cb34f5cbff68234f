#ifndef MLRT_NET_CONNECTION_HPP_
#define MLRT_NET_CONNECTION_HPP_

// Internal to net/: one connection of the listener, from its first byte to its last.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "net/http_head.hpp"
#include "net/httplib_backend.hpp"
#include "net/listener.hpp"
#include "net/router.hpp"
#include "net/socket.hpp"

namespace mlrt {

// What the connections of one listener share.
struct ConnectionContext {
  const ListenerOptions& options;
  const Router& router;
  const HttplibResponder& responder;
  int stop_fd;  // readable once the listener stops
  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> body_bytes{0};  // held by all requests under way
};

class Connection {
 public:
  // `accepted_ms` is when the connection was accepted, by monotonic_ms: its first deadline counts
  // from there.
  Connection(ConnectionContext& context, int fd, std::string remote_address,
             std::int64_t accepted_ms);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves requests until the peer, a deadline, an error or the stop event ends it. Does not close
  // the socket, which is the caller's.
  void serve();

 private:
  enum class Next { kGoOn, kClose };

  Next serve_one(std::size_t served);
  bool wait_for_head(std::size_t served, std::size_t& head_size);
  bool read_body(HttpHead& head, HttpUpload* upload);
  bool read_upload_body(const HttpHead& head, HttpUpload& upload);
  bool read_length_body(HttpHead& head);
  bool read_chunked_body(HttpHead& head);
  bool fill_buffer(std::size_t size, std::int64_t deadline_ms);
  void check_body_status(IoStatus status) const;
  void hold_body_bytes(std::size_t size);
  void release_body_bytes();
  std::int64_t body_deadline_ms(std::int64_t start_ms, std::uint64_t received_bytes) const;
  void refuse(const HttpRejected& rejected, const HttpHead& head);
  bool respond(HttpResponse& response, const HttpHead& head, bool keep_alive);
  bool send_all(const char* data, std::size_t size, std::int64_t start_ms,
                std::uint64_t& sent_bytes);

  ConnectionContext& context_;
  const int fd_;
  const std::string remote_address_;
  const std::int64_t accepted_ms_;
  HttpHeadScanner scanner_;
  std::string buffer_;  // received and not used yet
  std::size_t held_body_bytes_ = 0;
};

}  // namespace mlrt

#endif  // MLRT_NET_CONNECTION_HPP_
