#include "net/connection.hpp"

#include <algorithm>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kConnectionHeadReadBytes = 4096;
constexpr std::size_t kConnectionBodyReadBytes = 65536;
constexpr std::size_t kConnectionKeptBufferBytes = 8192;
constexpr int kConnectionTimeoutStatus = 408;

}  // namespace

Connection::Connection(ConnectionContext& context, int fd, std::string remote_address,
                       std::int64_t accepted_ms)
    : context_(context),
      fd_(fd),
      remote_address_(std::move(remote_address)),
      accepted_ms_(accepted_ms),
      scanner_({context.options.max_target_bytes, context.options.max_header_bytes,
                context.options.max_header_count}) {}

Connection::~Connection() { release_body_bytes(); }

void Connection::serve() {
  for (std::size_t served = 0; serve_one(served) == Next::kGoOn;) {
    ++served;
    // A connection that waits should not hold what its largest request needed.
    if (buffer_.empty() && buffer_.capacity() > kConnectionKeptBufferBytes) buffer_.shrink_to_fit();
  }
}

Connection::Next Connection::serve_one(std::size_t served) {
  HttpHead head;
  head.request.remote_address = remote_address_;
  std::unique_ptr<HttpUpload> upload;
  try {
    scanner_.reset();
    std::size_t head_size = 0;
    if (!wait_for_head(served, head_size)) return Next::kClose;
    parse_http_head(std::string_view(buffer_).substr(0, head_size), head);
    buffer_.erase(0, head_size);
    if (head.framing != HttpFraming::kNone) upload = context_.router.begin_upload(head.request);
    if (!read_body(head, upload.get())) return Next::kClose;
  } catch (const HttpRejected& rejected) {
    upload.reset();
    refuse(rejected, head);
    return Next::kClose;
  }
  // Where the next request starts is not known when a part of the body was not wanted.
  const bool unread = upload != nullptr && upload->refused();
  HttpResponse response = upload ? upload->finish() : context_.router.handle(head.request);
  const bool keep_alive = head.keep_alive && !unread && !context_.stopping.load() &&
                          served + 1 < context_.options.keep_alive_max_requests;
  head.request.body = std::string();
  release_body_bytes();
  if (!respond(response, head, keep_alive)) return Next::kClose;
  if (keep_alive) return Next::kGoOn;
  if (unread) {
    // Many clients read no answer before they have sent all, and would try again if they could not.
    linger_and_drain(fd_, monotonic_ms() + context_.options.body_grace_ms, context_.stop_fd);
  } else if (!buffer_.empty()) {
    linger_and_drain(fd_, monotonic_ms() + context_.options.linger_ms, context_.stop_fd);
  }
  return Next::kClose;
}

// False when the connection ends here with nothing to say.
bool Connection::wait_for_head(std::size_t served, std::size_t& head_size) {
  const ListenerOptions& options = context_.options;
  std::int64_t deadline_ms = accepted_ms_ + options.header_timeout_ms;
  bool idle = served > 0 && buffer_.empty();
  if (idle) deadline_ms = monotonic_ms() + options.idle_timeout_ms;
  if (served > 0 && !idle) deadline_ms = monotonic_ms() + options.header_timeout_ms;
  for (;;) {
    head_size = scanner_.scan(buffer_);
    if (head_size > 0) return true;
    const std::size_t old_size = buffer_.size();
    buffer_.resize(old_size + kConnectionHeadReadBytes);
    const IoResult received = receive_some(fd_, &buffer_[old_size], kConnectionHeadReadBytes,
                                           deadline_ms, context_.stop_fd);
    buffer_.resize(old_size + received.size_bytes);
    if (received.status == IoStatus::kTimeout && !buffer_.empty()) {
      throw HttpRejected(kConnectionTimeoutStatus, ErrorCode::kTimeout,
                         "the request's header was not whole after " +
                             std::to_string(options.header_timeout_ms) + " ms");
    }
    // Stopped: receive_some prefers bytes to the stop, so a header that has come is still served,
    // and one that is not whole is not waited for.
    if (received.status != IoStatus::kOk) return false;
    if (idle) {
      idle = false;
      deadline_ms = monotonic_ms() + options.header_timeout_ms;
    }
  }
}

bool Connection::read_body(HttpHead& head, HttpUpload* upload) {
  if (head.framing == HttpFraming::kNone) return true;
  if (upload != nullptr && upload->refused()) return true;
  const std::uint64_t limit = upload != nullptr ? context_.options.max_upload_bytes
                                                : std::uint64_t{context_.options.max_body_bytes};
  if (head.framing == HttpFraming::kLength && head.content_length > limit) {
    throw HttpRejected(
        413, ErrorCode::kTooLarge,
        "the request's body has " +
            (head.content_length == UINT64_MAX ? "more than 10^19"
                                               : std::to_string(head.content_length)) +
            " bytes; the limit is " + std::to_string(limit));
  }
  if (head.expects_continue && buffer_.empty()) {
    const std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    std::uint64_t sent_bytes = 0;
    if (!send_all(go_on.data(), go_on.size(), monotonic_ms(), sent_bytes)) return false;
  }
  if (upload != nullptr) return read_upload_body(head, *upload);
  return head.framing == HttpFraming::kLength ? read_length_body(head) : read_chunked_body(head);
}

// Passes the body on piece by piece, until it ends or the upload is refused.
bool Connection::read_upload_body(const HttpHead& head, HttpUpload& upload) {
  const bool chunked = head.framing == HttpFraming::kChunked;
  HttpChunkDecoder decoder(context_.options.max_upload_bytes);
  const std::int64_t start_ms = monotonic_ms();
  std::uint64_t remaining = head.content_length;
  std::uint64_t received_bytes = 0;
  std::string decoded;
  for (;;) {
    if (chunked) {
      buffer_.erase(0, decoder.decode(buffer_, decoded));
      upload.write(decoded);
      decoded.clear();
    } else {
      const auto take =
          static_cast<std::size_t>(std::min<std::uint64_t>(remaining, buffer_.size()));
      upload.write(std::string_view(buffer_).substr(0, take));
      buffer_.erase(0, take);
      remaining -= take;
    }
    if (upload.refused() || (chunked ? decoder.done() : remaining == 0)) return true;
    const std::size_t old_size = buffer_.size();
    buffer_.resize(old_size + kConnectionBodyReadBytes);
    const IoResult received = receive_some(fd_, &buffer_[old_size], kConnectionBodyReadBytes,
                                           body_deadline_ms(start_ms, received_bytes), -1);
    buffer_.resize(old_size + received.size_bytes);
    check_body_status(received.status);
    if (received.status != IoStatus::kOk) return false;
    received_bytes += received.size_bytes;
  }
}

bool Connection::read_length_body(HttpHead& head) {
  const auto length = static_cast<std::size_t>(head.content_length);
  const std::int64_t start_ms = monotonic_ms();
  std::string& body = head.request.body;
  const std::size_t at_hand = std::min(length, buffer_.size());
  hold_body_bytes(at_hand);
  body.assign(buffer_, 0, at_hand);
  buffer_.erase(0, at_hand);
  while (body.size() < length) {
    // Memory follows what has come, not what was announced.
    const std::size_t old_size = body.size();
    const std::size_t step =
        std::min(length - old_size, std::max(old_size, kConnectionBodyReadBytes));
    hold_body_bytes(step);
    body.resize(old_size + step);
    std::size_t end = old_size;
    while (end < body.size()) {
      const IoResult received =
          receive_some(fd_, &body[end], body.size() - end, body_deadline_ms(start_ms, end), -1);
      check_body_status(received.status);
      if (received.status != IoStatus::kOk) return false;
      end += received.size_bytes;
    }
  }
  return true;
}

bool Connection::read_chunked_body(HttpHead& head) {
  HttpChunkDecoder decoder(context_.options.max_body_bytes);
  const std::int64_t start_ms = monotonic_ms();
  std::string& body = head.request.body;
  for (;;) {
    const std::size_t old_size = body.size();
    buffer_.erase(0, decoder.decode(buffer_, body));
    hold_body_bytes(body.size() - old_size);
    if (decoder.done()) return true;
    if (!fill_buffer(kConnectionBodyReadBytes, body_deadline_ms(start_ms, body.size()))) {
      return false;
    }
  }
}

bool Connection::fill_buffer(std::size_t size, std::int64_t deadline_ms) {
  const std::size_t old_size = buffer_.size();
  buffer_.resize(old_size + size);
  const IoResult received = receive_some(fd_, &buffer_[old_size], size, deadline_ms, -1);
  buffer_.resize(old_size + received.size_bytes);
  check_body_status(received.status);
  return received.status == IoStatus::kOk;
}

void Connection::check_body_status(IoStatus status) const {
  if (status != IoStatus::kTimeout) return;
  throw HttpRejected(kConnectionTimeoutStatus, ErrorCode::kTimeout,
                     "the request's body came slower than " +
                         std::to_string(context_.options.min_bytes_per_s) + " bytes a second");
}

void Connection::hold_body_bytes(std::size_t size) {
  const std::size_t before = context_.body_bytes.fetch_add(size);
  held_body_bytes_ += size;
  if (before + size > context_.options.max_total_body_bytes) {
    throw HttpRejected(503, ErrorCode::kUnavailable,
                       "the requests under way hold all the memory that is set aside for them; try "
                       "again in a second");
  }
}

void Connection::release_body_bytes() {
  context_.body_bytes.fetch_sub(held_body_bytes_);
  held_body_bytes_ = 0;
}

std::int64_t Connection::body_deadline_ms(std::int64_t start_ms,
                                          std::uint64_t received_bytes) const {
  return start_ms + context_.options.body_grace_ms +
         static_cast<std::int64_t>(received_bytes) * 1000 / context_.options.min_bytes_per_s;
}

void Connection::refuse(const HttpRejected& rejected, const HttpHead& head) {
  log_debug(rejected.message(),
            {{"status", std::to_string(rejected.status())}, {"remote", remote_address_}});
  HttpResponse response = context_.router.error_response(rejected, head.request);
  response.status = rejected.status();
  if (!respond(response, head, false)) return;
  // A client that was too slow has had its time.
  if (rejected.status() == kConnectionTimeoutStatus) return;
  linger_and_drain(fd_, monotonic_ms() + context_.options.linger_ms, context_.stop_fd);
}

bool Connection::respond(HttpResponse& response, const HttpHead& head, bool keep_alive) {
  const std::int64_t start_ms = monotonic_ms();
  std::uint64_t sent_bytes = 0;
  const HttplibAnswer answer{head.request.method == "HEAD", head.http_1_0, keep_alive};
  return context_.responder.respond(response, answer, [&](const char* data, std::size_t size) {
    return send_all(data, size, start_ms, sent_bytes);
  });
}

bool Connection::send_all(const char* data, std::size_t size, std::int64_t start_ms,
                          std::uint64_t& sent_bytes) {
  const ListenerOptions& options = context_.options;
  std::size_t done = 0;
  while (done < size) {
    const std::int64_t deadline_ms =
        start_ms + options.write_grace_ms +
        static_cast<std::int64_t>(sent_bytes) * 1000 / options.min_bytes_per_s;
    const IoResult sent = send_some(fd_, data + done, size - done, deadline_ms);
    if (sent.status != IoStatus::kOk) return false;
    done += sent.size_bytes;
    sent_bytes += sent.size_bytes;
  }
  return true;
}

}  // namespace mlrt
