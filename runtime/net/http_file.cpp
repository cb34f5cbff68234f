#include "net/http_file.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/fs.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr int kHttpPartialContent = 206;
constexpr int kHttpNotModified = 304;
constexpr int kHttpRangeNotSatisfiable = 416;

// A part of a file.
class HttpFileSource final : public HttpBodySource {
 public:
  HttpFileSource(std::unique_ptr<const fs::FileReader> file, HttpRange range)
      : file_(std::move(file)), range_(range) {}

  std::uint64_t size() const override { return range_.size; }
  std::size_t read(std::uint64_t offset, char* out, std::size_t size) const override {
    if (offset >= range_.size) return 0;
    const std::uint64_t left = range_.size - offset;
    return file_->read_at(range_.first + offset, out,
                          static_cast<std::size_t>(std::min<std::uint64_t>(size, left)));
  }

 private:
  std::unique_ptr<const fs::FileReader> file_;
  HttpRange range_;
};

// Digits only; a number beyond 64 bits stays beyond any file.
bool http_file_number(std::string_view text, std::uint64_t& value) {
  value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value > UINT64_MAX / 10 - 1 ? UINT64_MAX / 2
                                        : value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return !text.empty();
}

bool http_file_etag_listed(std::string_view header, const std::string& etag) {
  for (const std::string& item : split(header, ',')) {
    std::string_view one = trim(item);
    if (starts_with(one, "W/")) one.remove_prefix(2);
    if (one == etag || one == "*") return true;
  }
  return false;
}

}  // namespace

std::optional<HttpRange> parse_http_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  if (!starts_with(header, unit)) return std::nullopt;
  const std::string_view spec = trim(header.substr(unit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  std::uint64_t first = 0, last = 0;
  if (dash == 0) {
    // The last bytes.
    if (!http_file_number(spec.substr(1), last)) return std::nullopt;
    const std::uint64_t count = std::min(last, size);
    return HttpRange{size - count, count};
  }
  if (!http_file_number(spec.substr(0, dash), first)) return std::nullopt;
  if (dash + 1 == spec.size()) {
    last = UINT64_MAX - 1;
  } else if (!http_file_number(spec.substr(dash + 1), last) || last < first) {
    return std::nullopt;
  }
  if (first >= size) return HttpRange{};
  return HttpRange{first, std::min(last, size - 1) - first + 1};
}

HttpResponse http_file_response(const HttpRequest& request, const std::string& path,
                                const std::string& content_type, std::string etag) {
  auto file = std::make_unique<const fs::FileReader>(path);
  const std::uint64_t size = file->size();
  if (etag.empty()) etag = std::to_string(file->modified_ns()) + "-" + std::to_string(size);
  etag = "\"" + etag + "\"";
  HttpResponse response;
  response.set_header("ETag", etag);
  response.set_header("Accept-Ranges", "bytes");
  const std::string_view none_match = request.header("If-None-Match");
  if (!none_match.empty() && http_file_etag_listed(none_match, etag)) {
    response.status = kHttpNotModified;
    return response;
  }
  response.content_type = content_type;
  HttpRange range{0, size};
  const std::string_view range_header = request.header("Range");
  const std::string_view if_range = trim(request.header("If-Range"));
  if (!range_header.empty() && (if_range.empty() || if_range == etag)) {
    if (const auto wanted = parse_http_range(range_header, size)) {
      const std::string whole = "/" + std::to_string(size);
      if (wanted->size == 0) {
        response.status = kHttpRangeNotSatisfiable;
        response.set_header("Content-Range", "bytes *" + whole);
        return response;
      }
      range = *wanted;
      response.status = kHttpPartialContent;
      response.set_header("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                               std::to_string(range.first + range.size - 1) +
                                               whole);
    }
  }
  response.source = std::make_shared<const HttpFileSource>(std::move(file), range);
  return response;
}

}  // namespace mlrt
