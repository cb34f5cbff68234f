#ifndef MLRT_NET_HTTP_FILE_HPP_
#define MLRT_NET_HTTP_FILE_HPP_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.hpp"

namespace mlrt {

// The answer to a GET or HEAD for the regular file `path`, which is read while it is sent: memory
// does not grow with it. Takes one range of bytes (206 or 416; several ranges get the whole file,
// as RFC 9110 allows), If-Range and If-None-Match (304). `etag` is a text that changes whenever the
// bytes do; empty: one is made of the file's time and size. The bytes sent are those of the file as
// it was opened, even if it is replaced. Throws what fs::FileReader throws.
HttpResponse http_file_response(const HttpRequest& request, const std::string& path,
                                const std::string& content_type, std::string etag = {});

struct HttpRange {
  std::uint64_t first = 0;
  std::uint64_t size = 0;  // 0: there is nothing of the file in it
};

// Reads the header Range ("bytes=0-99", "bytes=100-", "bytes=-5") for a file of `size` bytes. None
// for anything else, which is then ignored.
std::optional<HttpRange> parse_http_range(std::string_view header, std::uint64_t size);

}  // namespace mlrt

#endif  // MLRT_NET_HTTP_FILE_HPP_
