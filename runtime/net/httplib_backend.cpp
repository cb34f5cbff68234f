#if defined(__GNUC__) && !defined(__clang__) && defined(__SANITIZE_ADDRESS__)
// False alarms of g++ 12 in std::regex, which httplib instantiates, under the address sanitizer
// only.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "net/httplib_backend.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/log.hpp"
#include "core/version.hpp"
#include "net/socket.hpp"

#include <httplib.h>

namespace mlrt {
namespace {

constexpr std::size_t kHttplibCopyBytes = 65536;  // larger bodies are not copied beside the header
constexpr std::size_t kHttplibStatusLineBytes = 256;
constexpr std::size_t kHttplibHeadBytes = 65536;
constexpr std::int64_t kHttplibInterruptCheckMs = 100;

// What Stream asks for and neither of our streams needs.
class HttplibStreamBase : public httplib::Stream {
 public:
  using httplib::Stream::write;
  bool is_readable() const override { return true; }
  bool wait_readable() const override { return true; }
  bool wait_writable() const override { return true; }
  bool is_peer_alive() const override { return true; }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  time_t duration() const override { return 0; }
};

// Feeds httplib a request that we have already read, and passes its answer on.
class HttplibAnswerStream final : public HttplibStreamBase {
 public:
  HttplibAnswerStream(std::string_view request, const HttpWriter& writer)
      : request_(request), writer_(writer) {}

  ssize_t read(char* data, size_t size) override {
    const std::size_t take = std::min(size, request_.size());
    std::memcpy(data, request_.data(), take);
    request_.remove_prefix(take);
    return static_cast<ssize_t>(take);
  }
  ssize_t write(const char* data, size_t size) override {
    return writer_(data, size) ? static_cast<ssize_t>(size) : -1;
  }
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  std::string_view request_;
  const HttpWriter& writer_;
};

struct HttplibExchange {
  HttpResponse* response;
  const HttplibAnswer* answer;
  bool takes_ranges = false;  // set by httplib_fill
};

// httplib's handlers belong to the server object, not to a call; this hands them the call.
thread_local HttplibExchange* httplib_exchange = nullptr;

bool httplib_send_piece(const HttpBodySource& source, std::size_t offset, std::size_t length,
                        httplib::DataSink& sink) {
  std::array<char, kHttplibCopyBytes> piece;
  try {
    const std::size_t got = source.read(offset, piece.data(), std::min(length, piece.size()));
    return got > 0 && sink.write(piece.data(), got);
  } catch (const std::exception& error) {
    log_error("an answer was cut off", {{"reason", error.what()}});
    return false;
  }
}

void httplib_fill(HttpResponse& from, httplib::Response& to) {
  to.status = from.status;
  for (auto& header : from.headers) to.headers.emplace(std::move(header));
  if (from.source != nullptr && from.source->size() > 0) {
    const auto size = static_cast<std::size_t>(from.source->size());
    to.set_content_provider(
        size, from.content_type.empty() ? "application/octet-stream" : from.content_type,
        [source = std::move(from.source)](std::size_t offset, std::size_t length,
                                          httplib::DataSink& sink) {
          return httplib_send_piece(*source, offset, length, sink);
        });
    return;
  }
  if (from.body.size() <= kHttplibCopyBytes) {
    if (from.content_type.empty()) {
      to.body = std::move(from.body);
    } else {
      to.set_content(std::move(from.body), from.content_type);
    }
    return;
  }
  const std::string* body = &from.body;
  const std::string type =
      from.content_type.empty() ? "application/octet-stream" : from.content_type;
  to.set_content_provider(body->size(), type,
                          [body](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                            return sink.write(body->data() + offset, length);
                          });
}

// The headers that httplib adds tell of its own limits and abilities, not of ours.
void httplib_fix_headers(const HttplibAnswer& answer, bool takes_ranges,
                         httplib::Response& response) {
  for (const char* name : {"Connection", "Keep-Alive"}) response.headers.erase(name);
  if (!takes_ranges) response.headers.erase("Accept-Ranges");
  if (!answer.keep_alive) {
    response.headers.emplace("Connection", "close");
  } else if (answer.http_1_0) {
    response.headers.emplace("Connection", "keep-alive");
  }
  if (response.status == httplib::StatusCode::NoContent_204 ||
      response.status == httplib::StatusCode::NotModified_304) {
    response.headers.erase("Content-Length");
    response.body.clear();
  }
}

// The client's stream: absolute deadlines, and a bound on what an answer's head may be. The first
// line has a bound of its own because httplib gives it to std::regex, whose stack grows with its
// length.
class HttplibCallStream final : public HttplibStreamBase {
 public:
  HttplibCallStream(int fd, std::int64_t deadline_ms) : fd_(fd), deadline_ms_(deadline_ms) {}

  ssize_t read(char* data, size_t size) override {
    if (offset_ == size_) {
      if (!in_head_ && size >= buffer_.size()) return receive(data, size);
      const ssize_t received = receive(buffer_.data(), buffer_.size());
      if (received <= 0) return received;
      offset_ = 0;
      size_ = static_cast<std::size_t>(received);
    }
    // Within the head httplib reads a byte at a time, so the body is never looked at here.
    const std::size_t take = std::min(size, size_ - offset_);
    std::memcpy(data, buffer_.data() + offset_, take);
    offset_ += take;
    for (std::size_t i = 0; in_head_ && i < take; ++i) {
      if (!check_head(data[i])) return -1;
    }
    return static_cast<ssize_t>(take);
  }

  ssize_t write(const char* data, size_t size) override {
    const IoResult sent =
        wait([&](std::int64_t until_ms) { return send_some(fd_, data, size, until_ms); });
    return sent.status == IoStatus::kOk ? static_cast<ssize_t>(sent.size_bytes) : fail(sent.status);
  }

  socket_t socket() const override { return fd_; }

  bool timed_out() const { return timed_out_; }
  bool interrupted() const { return interrupted_; }
  bool head_too_large() const { return head_too_large_; }

 private:
  // Waits in slices, so that Ctrl-C ends the call and not just a poll() of it.
  template <class Step>
  IoResult wait(const Step& step) {
    for (;;) {
      const std::int64_t until_ms =
          std::min(deadline_ms_, monotonic_ms() + kHttplibInterruptCheckMs);
      const IoResult result = step(until_ms);
      if (result.status != IoStatus::kTimeout || until_ms == deadline_ms_) return result;
      interrupted_ = interrupt_requested();
      if (interrupted_) return {IoStatus::kStopped, 0};
    }
  }

  ssize_t receive(char* data, std::size_t size) {
    const IoResult received =
        wait([&](std::int64_t until_ms) { return receive_some(fd_, data, size, until_ms, -1); });
    if (received.status == IoStatus::kOk) return static_cast<ssize_t>(received.size_bytes);
    return received.status == IoStatus::kClosed ? 0 : fail(received.status);
  }

  ssize_t fail(IoStatus status) {
    timed_out_ = timed_out_ || status == IoStatus::kTimeout;
    error_ = timed_out_ ? httplib::Error::Timeout : httplib::Error::ConnectionClosed;
    return -1;
  }

  bool check_head(char c) {
    ++head_bytes_;
    if (c == '\n' && line_ == "\r") {
      // "100 Continue" is followed by the head that counts.
      in_head_ = informational_;
      first_line_ = true;
      line_.clear();
      return true;
    }
    if (c == '\n') {
      if (first_line_) informational_ = line_.compare(0, 10, "HTTP/1.1 1") == 0;
      first_line_ = false;
      line_.clear();
      return true;
    }
    line_.push_back(c);
    head_too_large_ =
        (first_line_ && line_.size() > kHttplibStatusLineBytes) || head_bytes_ > kHttplibHeadBytes;
    return !head_too_large_;
  }

  int fd_;
  std::int64_t deadline_ms_;
  std::array<char, 16384> buffer_;
  std::size_t offset_ = 0;
  std::size_t size_ = 0;
  std::string line_;
  std::size_t head_bytes_ = 0;
  bool in_head_ = true;
  bool first_line_ = true;
  bool informational_ = false;
  bool timed_out_ = false;
  bool interrupted_ = false;
  bool head_too_large_ = false;
};

class HttplibCaller final : public httplib::ClientImpl {
 public:
  HttplibCaller(const std::string& host, int port) : httplib::ClientImpl(host, port) {
    set_path_encode(false);
    set_decompress(false);
  }

  bool call(httplib::Stream& stream, httplib::Request& request, httplib::Response& response,
            httplib::Error& error) {
    return process_request(stream, request, response, true, error);
  }
};

}  // namespace

class HttplibResponder::Engine final : public httplib::Server {
 public:
  Engine() {
    // With no socket of its own it would take itself for shutting down and stop within a body.
    svr_sock_ = 0;
    set_pre_routing_handler([](const httplib::Request&, httplib::Response& response) {
      httplib_exchange->takes_ranges = !httplib_exchange->response->header("Accept-Ranges").empty();
      httplib_fill(*httplib_exchange->response, response);
      return HandlerResponse::Handled;
    });
    set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
      httplib_fix_headers(*httplib_exchange->answer, httplib_exchange->takes_ranges, response);
    });
  }

  bool respond(HttplibExchange& exchange, const HttpWriter& writer) {
    const bool head_only = exchange.answer->head_only;
    HttplibAnswerStream stream(head_only ? "HEAD / HTTP/1.1\r\n\r\n" : "GET / HTTP/1.1\r\n\r\n",
                               writer);
    bool closed = false;
    httplib_exchange = &exchange;
    const bool written =
        process_request(stream, std::string(), 0, std::string(), 0, false, closed, nullptr);
    httplib_exchange = nullptr;
    return written;
  }
};

HttplibResponder::HttplibResponder() {
  // httplib's constructor ignores SIGPIPE for the whole process. Our writes do not raise it, and
  // the program that embeds us decides on its own signals, so it is put back.
  struct sigaction before {};
  sigaction(SIGPIPE, nullptr, &before);
  engine_ = std::make_unique<Engine>();
  sigaction(SIGPIPE, &before, nullptr);
}

HttplibResponder::~HttplibResponder() = default;

bool HttplibResponder::respond(HttpResponse& response, const HttplibAnswer& answer,
                               const HttpWriter& writer) const {
  HttplibExchange exchange{&response, &answer, false};
  return engine_->respond(exchange, writer);
}

HttpResponse httplib_call(int fd, const HttplibCall& call, std::int64_t deadline_ms) {
  HttplibCallStream stream(fd, deadline_ms);
  HttplibCaller caller(call.host, call.port);
  httplib::Request request;
  request.method = call.method;
  request.path = call.target;
  for (const auto& header : call.headers) request.headers.insert(header);
  if (!request.has_header("User-Agent")) request.set_header("User-Agent", "mlrt/" MLRT_VERSION);
  if (!call.body.empty()) {
    const std::string_view body = call.body;
    request.content_length_ = body.size();
    request.content_provider_ = [body](std::size_t offset, std::size_t length,
                                       httplib::DataSink& sink) {
      return sink.write(body.data() + offset, length);
    };
  }
  HttpResponse answer;
  bool too_large = false;
  request.content_receiver = [&](const char* data, std::size_t size, std::size_t, std::size_t) {
    too_large = size > call.max_response_bytes - answer.body.size();
    if (!too_large) answer.body.append(data, size);
    return !too_large;
  };
  httplib::Response response;
  httplib::Error error = httplib::Error::Success;
  const bool whole = caller.call(stream, request, response, error);
  const std::string where = call.host + " port " + std::to_string(call.port);
  if (too_large || stream.head_too_large()) {
    throw Error(ErrorCode::kTooLarge,
                "the answer of " + where + " is larger than the limit of " +
                    std::to_string(too_large ? call.max_response_bytes : kHttplibHeadBytes) +
                    " bytes" + (too_large ? "" : " for its header"));
  }
  if (stream.interrupted()) throw Error(ErrorCode::kInterrupted, "interrupted");
  if (stream.timed_out()) {
    throw Error(ErrorCode::kTimeout, where + " did not answer within the time limit");
  }
  if (!whole) {
    throw Error(ErrorCode::kUnavailable,
                where + " closed the connection before its answer was whole, or it is not HTTP",
                httplib::to_string(error));
  }
  answer.status = response.status;
  for (const auto& header : response.headers) {
    answer.headers.emplace_back(header.first, header.second);
  }
  answer.content_type = std::string(answer.header("Content-Type"));
  return answer;
}

}  // namespace mlrt
