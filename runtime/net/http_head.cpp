#include "net/http_head.hpp"

#include <algorithm>
#include <utility>

#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kHeadMethodBytes = 32;
constexpr std::size_t kHeadVersionBytes = 8;  // "HTTP/1.1"
constexpr std::size_t kHeadChunkLineBytes = 256;
constexpr std::size_t kHeadChunkSizeDigits = 15;  // fits 64 bits with no overflow
constexpr std::size_t kHeadTrailerBytes = 8192;

[[noreturn]] void head_refuse(std::string message) {
  throw HttpRejected(400, ErrorCode::kBadRequest, std::move(message));
}

// A Content-Length: digits only, so no sign, list or space.
std::uint64_t head_read_length(std::string_view text) {
  if (text.empty() ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    head_refuse("the Content-Length " + quoted(text) + " is not a whole number");
  }
  std::uint64_t value = 0;
  for (const char c : text) {
    // Beyond any limit already; stay there in place of wrapping around.
    if (value > UINT64_MAX / 10 - 1) return UINT64_MAX;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

void head_parse_request_line(std::string_view line, HttpHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || line.find(' ', first + 1) != last) {
    head_refuse("the request line is not 'METHOD ADDRESS HTTP/1.1'");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (!is_http_token(method) || method.size() > kHeadMethodBytes) {
    head_refuse("the request's method " + quoted(method) + " is not a word");
  }
  head.request.method = std::string(method);
  head.request.target = std::string(line.substr(first + 1, last - first - 1));
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    head_refuse("the protocol " + quoted(version) + " is not served; use HTTP/1.1");
  }
  head.http_1_0 = version == "HTTP/1.0";
}

void head_parse_field(std::string_view line, HttpFields& headers) {
  if (line[0] == ' ' || line[0] == '\t') {
    head_refuse("a header line starts with a space; folded headers are not served");
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_http_token(line.substr(0, colon))) {
    head_refuse("the header line " + quoted(line) + " is not 'Name: value'");
  }
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  if (!is_http_field_value(value)) head_refuse("a header has a control character in its value");
  headers.emplace_back(std::string(line.substr(0, colon)), std::string(value));
}

// The one value of a header that must not come twice, or null.
const std::string* head_single(const HttpFields& headers, std::string_view name) {
  const std::string* found = nullptr;
  const std::string wanted = to_lower(name);
  for (const auto& header : headers) {
    if (to_lower(header.first) != wanted) continue;
    if (found != nullptr) head_refuse("the header '" + std::string(name) + "' comes twice");
    found = &header.second;
  }
  return found;
}

void head_read_connection(HttpHead& head) {
  bool close = false;
  bool keep = false;
  for (const auto& header : head.request.headers) {
    if (to_lower(header.first) != "connection") continue;
    for (const std::string& word : split(header.second, ',')) {
      const std::string lower = to_lower(trim(word));
      close = close || lower == "close";
      keep = keep || lower == "keep-alive";
    }
  }
  head.keep_alive = !close && (!head.http_1_0 || keep);
}

void head_read_framing(HttpHead& head) {
  const std::string* length = head_single(head.request.headers, "Content-Length");
  const std::string* coding = head_single(head.request.headers, "Transfer-Encoding");
  if (coding != nullptr) {
    if (length != nullptr) {
      head_refuse("the request has both Content-Length and Transfer-Encoding; send one of them");
    }
    if (head.http_1_0) head_refuse("an HTTP/1.0 request cannot have a Transfer-Encoding");
    if (to_lower(*coding) != "chunked") {
      head_refuse("the Transfer-Encoding " + quoted(*coding) + " is not served; use chunked");
    }
    head.framing = HttpFraming::kChunked;
  } else if (length != nullptr) {
    head.content_length = head_read_length(*length);
    head.framing = head.content_length > 0 ? HttpFraming::kLength : HttpFraming::kNone;
  }
}

// A body that is not what it stands for would be stored or read as if it were.
void head_check_content(const HttpHead& head) {
  if (head.request.method == "PUT" && find_http_header(head.request.headers, "Content-Range")) {
    head_refuse("a PUT with a Content-Range is not served; send the whole");
  }
  if (head.framing == HttpFraming::kNone) return;
  const std::string* coding = head_single(head.request.headers, "Content-Encoding");
  if (coding != nullptr && !coding->empty() && to_lower(*coding) != "identity") {
    throw HttpRejected(
        415, ErrorCode::kUnsupportedMedia,
        "the Content-Encoding " + quoted(*coding, 100) + " is not served; send the body as it is");
  }
}

}  // namespace

void HttpHeadScanner::reset() {
  position_ = 0;
  line_start_ = 0;
  lines_ = 0;
  headers_start_ = 0;
  skipped_empty_line_ = false;
}

std::size_t HttpHeadScanner::scan(std::string_view buffer) {
  for (; position_ < buffer.size(); ++position_) {
    const auto byte = static_cast<unsigned char>(buffer[position_]);
    const bool after_return = position_ > line_start_ && buffer[position_ - 1] == '\r';
    if (after_return && byte != '\n') head_refuse("a carriage return stands inside of a line");
    if (byte != '\n') {
      if ((byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7f) {
        head_refuse(byte == 0 ? "the request's header has a NUL byte"
                              : "the request's header has a control character; is it HTTP?");
      }
      if (lines_ == 0 && position_ - line_start_ >
                             limits_.max_target_bytes + kHeadMethodBytes + kHeadVersionBytes + 4) {
        throw HttpRejected(414, ErrorCode::kTooLarge,
                           "the request's address is longer than " +
                               std::to_string(limits_.max_target_bytes) + " bytes");
      }
      if (lines_ > 0 && position_ - headers_start_ >= limits_.max_header_bytes) {
        throw HttpRejected(431, ErrorCode::kTooLarge,
                           "the request's header is larger than " +
                               std::to_string(limits_.max_header_bytes) + " bytes");
      }
      continue;
    }
    if (!after_return) head_refuse("a line ends in a line feed with no carriage return before it");
    const bool empty = position_ - line_start_ == 1;
    if (empty && lines_ > 0) return position_ + 1;
    if (empty) {
      // Some old clients send one more line break after a body: RFC 9112 section 2.2.
      if (skipped_empty_line_) head_refuse("the request starts with empty lines");
      skipped_empty_line_ = true;
    } else if (++lines_ == 1) {
      headers_start_ = position_ + 1;
    } else if (lines_ - 1 > limits_.max_header_count) {
      throw HttpRejected(
          431, ErrorCode::kTooLarge,
          "the request has more than " + std::to_string(limits_.max_header_count) + " headers");
    }
    line_start_ = position_ + 1;
  }
  return 0;
}

void parse_http_head(std::string_view text, HttpHead& head) {
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) head_refuse("the request's header is cut short");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (line.empty()) continue;  // the scanner lets one pass before, and ends at one after
    if (first) {
      head_parse_request_line(line, head);
      first = false;
    } else {
      head_parse_field(line, head.request.headers);
    }
  }
  if (first) head_refuse("the request has no request line");
  head_read_connection(head);
  head_read_framing(head);
  head_check_content(head);
  const std::string* host = head_single(head.request.headers, "Host");
  if (host == nullptr && !head.http_1_0) head_refuse("the request has no Host header");
  if (host != nullptr && host->find_first_of(" \t,/@") != std::string::npos) {
    head_refuse("the Host header " + quoted(*host) + " is not a host");
  }
  head_single(head.request.headers, "Origin");  // else rules could read another one than is meant
  const std::string* expect = head_single(head.request.headers, "Expect");
  if (expect != nullptr && !head.http_1_0) {
    if (to_lower(*expect) != "100-continue") {
      throw HttpRejected(417, ErrorCode::kBadRequest,
                         "the expectation " + quoted(*expect) + " is not served");
    }
    head.expects_continue = head.framing != HttpFraming::kNone;
  }
  try {
    parse_http_target(head.request);
  } catch (const Error& error) {
    throw HttpRejected(400, error.code(), error.message());
  }
}

void HttpChunkDecoder::end_line() {
  if (state_ == State::kTrailer) {
    if (line_.empty()) {
      state_ = State::kDone;
    } else {
      HttpFields dropped;
      head_parse_field(line_, dropped);
    }
    return;
  }
  if (state_ == State::kDataEnd) {
    if (!line_.empty()) head_refuse("a chunk is longer than its size says");
    state_ = State::kSizeLine;
    return;
  }
  const std::string_view size_text = std::string_view(line_).substr(0, line_.find(';'));
  if (size_text.empty() || size_text.size() > kHeadChunkSizeDigits) {
    head_refuse("a chunk's size is not a hex number of at most " +
                std::to_string(kHeadChunkSizeDigits) + " digits");
  }
  std::uint64_t size = 0;
  for (const char c : size_text) {
    const std::size_t digit =
        std::string_view("0123456789abcdef")
            .find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    if (digit == std::string_view::npos) head_refuse("a chunk's size is not a hex number");
    size = size * 16 + digit;
  }
  if (size > max_body_bytes_ || total_ > max_body_bytes_ - size) {
    throw HttpRejected(413, ErrorCode::kTooLarge,
                       "the request's body is larger than the limit of " +
                           std::to_string(max_body_bytes_) + " bytes");
  }
  total_ += size;
  remaining_ = size;
  state_ = size == 0 ? State::kTrailer : State::kData;
}

std::size_t HttpChunkDecoder::decode(std::string_view bytes, std::string& body) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ != State::kDone) {
    if (state_ == State::kData) {
      const std::size_t take =
          static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size() - used));
      body.append(bytes.substr(used, take));
      used += take;
      remaining_ -= take;
      if (remaining_ == 0) state_ = State::kDataEnd;
      continue;
    }
    const char c = bytes[used++];
    const bool after_return = !line_.empty() && line_.back() == '\r';
    if (after_return != (c == '\n'))
      head_refuse("a line of the chunked body does not end in CR LF");
    if (c == '\n') {
      line_.pop_back();
      end_line();
      line_.clear();
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7f) {
      head_refuse("a line of the chunked body has a control character");
    }
    line_.push_back(c);
    if (state_ == State::kTrailer && ++trailer_bytes_ > kHeadTrailerBytes) {
      head_refuse("the trailer of the chunked body is too large");
    }
    if (state_ != State::kTrailer && line_.size() > kHeadChunkLineBytes) {
      head_refuse("a line of the chunked body is too long");
    }
  }
  return used;
}

}  // namespace mlrt
