#ifndef MLRT_SERVER_FILE_HEADERS_HPP_
#define MLRT_SERVER_FILE_HEADERS_HPP_

#include <string>
#include <string_view>

#include "net/http.hpp"

namespace mlrt {

// The media type by the name's extension, as MLflow's server tells it: all kinds of text, and
// MLmodel and MLproject, are text/plain; what is not known is application/octet-stream.
std::string guess_mime_type(std::string_view name);

// Makes the answer a download under the last part of `path`: a browser must not show it as a page
// of this server, in whose name its scripts would run.
void add_attachment_headers(HttpResponse& response, std::string_view path);

}  // namespace mlrt

#endif  // MLRT_SERVER_FILE_HEADERS_HPP_
