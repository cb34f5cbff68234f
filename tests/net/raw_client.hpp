#ifndef MLRT_TESTS_NET_RAW_CLIENT_HPP_
#define MLRT_TESTS_NET_RAW_CLIENT_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/clock.hpp"
#include "net/socket.hpp"

namespace mlrt {
namespace test {

// Sends any bytes to the listener under test, HTTP or not.
class RawClient {
 public:
  explicit RawClient(int port) : socket_(connect_tcp("127.0.0.1", port, monotonic_ms() + 10000)) {}

  int fd() const { return socket_.fd(); }

  // False when the peer does not take them any more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const IoResult sent =
          send_some(socket_.fd(), bytes.data(), bytes.size(), monotonic_ms() + 10000);
      if (sent.status != IoStatus::kOk) return false;
      bytes.remove_prefix(sent.size_bytes);
    }
    return true;
  }

  // All that comes until the peer closes; `closed` is false if it did not within the time.
  std::string read_to_end(std::int64_t timeout_ms, bool& closed) {
    const std::int64_t deadline_ms = monotonic_ms() + timeout_ms;
    for (;;) {
      const IoStatus status = fill(deadline_ms);
      if (status == IoStatus::kOk) continue;
      closed = status == IoStatus::kClosed;
      return std::exchange(buffer_, std::string());
    }
  }

  // One answer with a Content-Length, headers included; what is there when it stays incomplete.
  std::string read_answer(bool with_body = true, std::int64_t timeout_ms = 10000) {
    const std::int64_t deadline_ms = monotonic_ms() + timeout_ms;
    for (;;) {
      const std::size_t head_end = buffer_.find("\r\n\r\n");
      if (head_end != std::string::npos) {
        std::size_t size = head_end + 4;
        const std::size_t length = buffer_.find("Content-Length: ");
        if (with_body && length < head_end) size += std::stoul(buffer_.substr(length + 16));
        if (buffer_.size() >= size) {
          std::string answer = buffer_.substr(0, size);
          buffer_.erase(0, size);
          return answer;
        }
      }
      if (fill(deadline_ms) != IoStatus::kOk) return std::exchange(buffer_, std::string());
    }
  }

 private:
  IoStatus fill(std::int64_t deadline_ms) {
    char data[4096];
    const IoResult received = receive_some(socket_.fd(), data, sizeof(data), deadline_ms, -1);
    buffer_.append(data, received.size_bytes);
    return received.status;
  }

  Socket socket_;
  std::string buffer_;
};

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_NET_RAW_CLIENT_HPP_
