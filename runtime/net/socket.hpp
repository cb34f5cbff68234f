#ifndef MLRT_NET_SOCKET_HPP_
#define MLRT_NET_SOCKET_HPP_

// Internal to net/: TCP sockets whose every wait has a deadline.

#include <cstddef>
#include <cstdint>
#include <string>

namespace mlrt {

// Owns a file descriptor; -1 is none. Not for sharing between threads.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(); }

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release();
  void close();

 private:
  int fd_ = -1;
};

// Listens on host:port; port 0 takes a free one. Throws kUnavailable when the port is in use,
// kPermissionDenied when the system refuses it, kInvalidParameter for a host that is not this
// machine's, kIo for the rest; each names host and port.
Socket listen_tcp(const std::string& host, int port);
// The port that `socket` is bound to.
int local_port(const Socket& socket);

struct Accepted {
  Socket socket;  // non-blocking, TCP_NODELAY
  std::string remote_address;
};
// One waiting connection; `socket` is closed when there is none. False when the system has no more
// file descriptors or memory for it: the caller waits a little before it tries again.
bool accept_tcp(const Socket& listening, Accepted& accepted);

// Connects before `deadline_ms` (of monotonic_ms). Throws kTimeout, or kUnavailable with the
// reason, each with host and port; kInterrupted when the user asked to stop while it waited. How
// long the system takes to resolve a name is its own matter.
Socket connect_tcp(const std::string& host, int port, std::int64_t deadline_ms);

enum class IoStatus { kOk, kClosed, kTimeout, kStopped };

struct IoResult {
  IoStatus status;
  std::size_t size_bytes;  // with kOk
};

constexpr std::int64_t kNoDeadline = INT64_MAX;

// Waits for bytes until `deadline_ms` and takes what is there. `stop_fd` (-1: none) ends the wait
// with kStopped as soon as it is readable and no byte is there.
IoResult receive_some(int fd, char* data, std::size_t size, std::int64_t deadline_ms, int stop_fd);

// Sends at least one byte, or fails. Never raises SIGPIPE.
IoResult send_some(int fd, const char* data, std::size_t size, std::int64_t deadline_ms);

// Ends our side, then throws away what the peer still sends until it ends too, or the deadline, or
// `stop_fd`: closing with unread bytes would make the system drop an answer that the peer has not
// read.
void linger_and_drain(int fd, std::int64_t deadline_ms, int stop_fd);

// An event that one write makes readable for ever, for every waiter. Throws kIo.
Socket make_stop_event();
// Async-signal-safe.
void raise_stop_event(int fd);

}  // namespace mlrt

#endif  // MLRT_NET_SOCKET_HPP_
