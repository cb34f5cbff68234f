#include "net/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr int kSocketBacklog = 512;
constexpr std::int64_t kSocketLongestPollMs = std::int64_t{3600} * 1000;
constexpr std::int64_t kSocketInterruptCheckMs = 100;

struct SocketAddressesDeleter {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using SocketAddresses = std::unique_ptr<addrinfo, SocketAddressesDeleter>;

std::string socket_reason(int error) { return std::generic_category().message(error); }

// Null, with the reason, when the name is none.
SocketAddresses socket_resolve(const std::string& host, int port, std::string& reason) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (code != 0) {
    reason = code == EAI_SYSTEM ? socket_reason(errno) : gai_strerror(code);
    return nullptr;
  }
  return SocketAddresses(list);
}

Socket socket_open(const addrinfo& address) {
  return Socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void socket_set_nodelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

// The events of `fds` (0 at the deadline).
int socket_poll(pollfd* fds, nfds_t count, std::int64_t deadline_ms) {
  for (;;) {
    int timeout_ms = -1;
    if (deadline_ms != kNoDeadline) {
      const std::int64_t left_ms = std::max<std::int64_t>(0, deadline_ms - monotonic_ms());
      timeout_ms = static_cast<int>(std::min(left_ms, kSocketLongestPollMs));
    }
    const int ready = poll(fds, count, timeout_ms);
    if (ready > 0) return ready;
    if (ready < 0 && errno != EINTR) return ready;
    if (ready == 0 && monotonic_ms() >= deadline_ms) return 0;
  }
}

[[noreturn]] void socket_fail_listen(int error, const std::string& host, int port) {
  const std::string port_text = std::to_string(port);
  if (error == EADDRINUSE) {
    throw Error(ErrorCode::kUnavailable,
                "port " + port_text + " on " + host +
                    " is in use by another program; choose another with --port, or --port 0 for a "
                    "free one");
  }
  if (error == EACCES || error == EPERM) {
    throw Error(ErrorCode::kPermissionDenied, "the system does not let this user listen on port " +
                                                  port_text + " of " + host +
                                                  "; ports from 1024 are open to everyone");
  }
  if (error == EADDRNOTAVAIL) {
    throw Error(ErrorCode::kInvalidParameter, quoted(host) +
                                                  " is not an address of this machine, so port " +
                                                  port_text + " cannot be served on it");
  }
  throw Error(ErrorCode::kIo,
              "cannot listen on " + host + " port " + port_text + ": " + socket_reason(error));
}

// 0, or the errno of the failure; ETIMEDOUT at the deadline. Throws kInterrupted.
int socket_connect(int fd, const addrinfo& address, std::int64_t deadline_ms) {
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  pollfd waiting{fd, POLLOUT, 0};
  int ready = 0;
  while (ready == 0) {
    const std::int64_t until_ms = std::min(deadline_ms, monotonic_ms() + kSocketInterruptCheckMs);
    ready = socket_poll(&waiting, 1, until_ms);
    if (ready < 0) return errno;
    if (ready > 0) break;
    if (until_ms == deadline_ms) return ETIMEDOUT;
    check_interrupt();
  }
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

std::string socket_address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const void* raw =
      address.ss_family == AF_INET6
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr)
          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&address)->sin_addr);
  if (inet_ntop(address.ss_family, raw, text, sizeof(text)) == nullptr) return {};
  return text;
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

int Socket::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void Socket::close() {
  // Not repeated after EINTR: Linux has released the number by then, and another thread may have
  // it.
  if (fd_ >= 0) ::close(release());
}

Socket listen_tcp(const std::string& host, int port) {
  std::string reason;
  const SocketAddresses addresses = socket_resolve(host, port, reason);
  if (addresses == nullptr) {
    throw Error(ErrorCode::kInvalidParameter, "cannot listen on " + quoted(host) + ": " + reason,
                reason);
  }
  int error = EADDRNOTAVAIL;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    Socket socket = socket_open(*address);
    if (!socket.is_open()) {
      error = errno;
      continue;
    }
    // So that a restart need not wait for the old connections' last minutes; on Linux this still
    // refuses a port that somebody listens on.
    const int on = 1;
    setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(socket.fd(), address->ai_addr, address->ai_addrlen) == 0 &&
        listen(socket.fd(), kSocketBacklog) == 0) {
      return socket;
    }
    error = errno;
    // "localhost" on its other address would be a server that half of the clients do not find.
    if (error == EADDRINUSE) break;
  }
  socket_fail_listen(error, host, port);
}

int local_port(const Socket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw Error(ErrorCode::kIo, "cannot read the port of a socket: " + socket_reason(errno));
  }
  const in_port_t port = address.ss_family == AF_INET6
                             ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                             : reinterpret_cast<const sockaddr_in*>(&address)->sin_port;
  return ntohs(port);
}

bool accept_tcp(const Socket& listening, Accepted& accepted) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  Socket socket(accept4(listening.fd(), reinterpret_cast<sockaddr*>(&address), &size,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.is_open()) {
    accepted.socket.close();
    return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
  }
  socket_set_nodelay(socket.fd());
  accepted.remote_address = socket_address_text(address);
  accepted.socket = std::move(socket);
  return true;
}

Socket connect_tcp(const std::string& host, int port, std::int64_t deadline_ms) {
  const std::string where = host + " port " + std::to_string(port);
  std::string reason;
  const SocketAddresses addresses = socket_resolve(host, port, reason);
  if (addresses == nullptr) {
    throw Error(ErrorCode::kUnavailable, "cannot find the host " + quoted(host) + ": " + reason);
  }
  int error = EADDRNOTAVAIL;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    Socket socket = socket_open(*address);
    if (!socket.is_open()) {
      error = errno;
      continue;
    }
    error = socket_connect(socket.fd(), *address, deadline_ms);
    if (error == 0) {
      socket_set_nodelay(socket.fd());
      return socket;
    }
  }
  if (error == ETIMEDOUT) {
    throw Error(ErrorCode::kTimeout, "no connection to " + where + " within the time limit");
  }
  if (error == ECONNREFUSED) {
    throw Error(ErrorCode::kUnavailable,
                "nothing answers at " + where + " (connection refused); is the server running?");
  }
  throw Error(ErrorCode::kUnavailable, "cannot connect to " + where + ": " + socket_reason(error));
}

IoResult receive_some(int fd, char* data, std::size_t size, std::int64_t deadline_ms, int stop_fd) {
  for (;;) {
    // A negative descriptor is skipped by poll.
    pollfd waiting[2] = {{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
    const int ready = socket_poll(waiting, 2, deadline_ms);
    if (ready == 0) return {IoStatus::kTimeout, 0};
    if (ready < 0) return {IoStatus::kClosed, 0};
    if (waiting[0].revents == 0) return {IoStatus::kStopped, 0};
    const ssize_t received = recv(fd, data, size, MSG_DONTWAIT);
    if (received > 0) return {IoStatus::kOk, static_cast<std::size_t>(received)};
    if (received == 0) return {IoStatus::kClosed, 0};
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return {IoStatus::kClosed, 0};
  }
}

IoResult send_some(int fd, const char* data, std::size_t size, std::int64_t deadline_ms) {
  for (;;) {
    const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) return {IoStatus::kOk, static_cast<std::size_t>(sent)};
    if (sent == 0) return {IoStatus::kClosed, 0};
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return {IoStatus::kClosed, 0};
    pollfd waiting{fd, POLLOUT, 0};
    const int ready = socket_poll(&waiting, 1, deadline_ms);
    if (ready == 0) return {IoStatus::kTimeout, 0};
    if (ready < 0) return {IoStatus::kClosed, 0};
  }
}

void linger_and_drain(int fd, std::int64_t deadline_ms, int stop_fd) {
  if (shutdown(fd, SHUT_WR) != 0) return;
  char dropped[4096];
  while (monotonic_ms() < deadline_ms) {
    if (receive_some(fd, dropped, sizeof(dropped), deadline_ms, stop_fd).status != IoStatus::kOk) {
      return;
    }
  }
}

Socket make_stop_event() {
  Socket event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.is_open()) {
    throw Error(ErrorCode::kIo, "the system refuses an event: " + socket_reason(errno));
  }
  return event;
}

void raise_stop_event(int fd) {
  const std::uint64_t one = 1;
  const int saved = errno;
  // Full is as good as written: it is readable either way.
  const ssize_t written = write(fd, &one, sizeof(one));
  static_cast<void>(written);
  errno = saved;
}

}  // namespace mlrt
