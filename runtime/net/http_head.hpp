#ifndef MLRT_NET_HTTP_HEAD_HPP_
#define MLRT_NET_HTTP_HEAD_HPP_

// Internal to net/: the strict reader of a request's first lines and of the chunked coding. What
// two parsers could read in two ways is refused, because a proxy in front of us may be the other
// one (RFC 9112 sections 2.2, 5.1, 6.3 and 11.2).

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "net/http.hpp"

namespace mlrt {

// A request that the listener refuses itself. Its connection is closed, since where the next
// request starts is not known. Some statuses (414, 431, 417) have no code of their own in the error
// table.
class HttpRejected : public Error {
 public:
  HttpRejected(int status, ErrorCode code, std::string message)
      : Error(code, std::move(message)), status_(status) {}
  int status() const noexcept { return status_; }

 private:
  int status_;
};

struct HttpHeadLimits {
  std::size_t max_target_bytes = 8192;   // beyond: 414
  std::size_t max_header_bytes = 32768;  // all header lines together; beyond: 431
  std::size_t max_header_count = 100;    // beyond: 431
};

// Finds the end of a head in bytes that come in pieces, and refuses it as early as can be: without
// that, a bare line feed would be waited on until the deadline.
class HttpHeadScanner {
 public:
  explicit HttpHeadScanner(const HttpHeadLimits& limits) : limits_(limits) {}

  // `buffer` holds all bytes of the request so far; only what is new since the last call is looked
  // at. Returns the size of the head with its empty line, or 0 when more bytes are needed. Throws
  // HttpRejected.
  std::size_t scan(std::string_view buffer);
  // Ready for the next request.
  void reset();

 private:
  HttpHeadLimits limits_;
  std::size_t position_ = 0;
  std::size_t line_start_ = 0;
  std::size_t lines_ = 0;
  std::size_t headers_start_ = 0;
  bool skipped_empty_line_ = false;
};

enum class HttpFraming { kNone, kLength, kChunked };

struct HttpHead {
  HttpRequest request;  // all but the body and the address
  HttpFraming framing = HttpFraming::kNone;
  std::uint64_t content_length = 0;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Reads the head that the scanner has found into `head`. Throws HttpRejected; `head.request` then
// holds what was read before the fault.
void parse_http_head(std::string_view text, HttpHead& head);

// Takes the chunked coding off a body that comes in pieces. Chunk extensions and trailers are
// checked and dropped.
class HttpChunkDecoder {
 public:
  explicit HttpChunkDecoder(std::uint64_t max_body_bytes) : max_body_bytes_(max_body_bytes) {}

  // Appends what `bytes` hold of the body to `body`; returns how many bytes were used, which is
  // fewer than given only once done(). Throws HttpRejected (400, or 413 beyond the limit).
  std::size_t decode(std::string_view bytes, std::string& body);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kSizeLine, kData, kDataEnd, kTrailer, kDone };
  void end_line();

  std::uint64_t max_body_bytes_;
  State state_ = State::kSizeLine;
  std::string line_;
  std::uint64_t remaining_ = 0;
  std::uint64_t total_ = 0;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace mlrt

#endif  // MLRT_NET_HTTP_HEAD_HPP_
