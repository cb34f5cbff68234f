#ifndef MLRT_TRACKING_SEARCH_PAGE_HPP_
#define MLRT_TRACKING_SEARCH_PAGE_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tracking/search_target.hpp"

namespace mlrt {

// How many rows a page has: `max_results`, or the target's default if it is 0. Throws
// kInvalidParameter with MLflow's words for one beyond the target's limit.
std::size_t search_page_size(SearchTarget target, std::size_t max_results);

// Where the next page begins, as MLflow writes it: base64 of {"offset": N}. Callers are to hand it
// back unread.
std::string make_page_token(std::int64_t offset);

// Reads base64 (RFC 4648) with its padding; false for what is none. Appends to `bytes`.
bool decode_base64(std::string_view text, std::string& bytes);

// The offset of a token; 0 for the empty one. Throws kInvalidParameter for what make_page_token
// does not make.
std::int64_t parse_page_token(const std::string& token);

}  // namespace mlrt

#endif  // MLRT_TRACKING_SEARCH_PAGE_HPP_
