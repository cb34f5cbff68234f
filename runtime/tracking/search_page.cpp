#include "tracking/search_page.hpp"

#include <string_view>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr char kPageAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kMaxPageTokenBytes = 200;
// Beyond it, adding a page would leave 64 bits.
constexpr std::int64_t kMaxPageOffset = std::int64_t{1} << 60;

// RFC 4648 with padding.
std::string page_base64(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kPageAlphabet[group >> (18 - 6 * j) & 63];
    }
  }
  return out;
}

}  // namespace

bool decode_base64(std::string_view text, std::string& bytes) {
  if (text.size() % 4 != 0) return false;
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  unsigned group = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t digit = std::string_view(kPageAlphabet).find(c);
    if (digit == std::string_view::npos) return false;
    group = (group << 6 | static_cast<unsigned>(digit)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xff);
  }
  return true;
}

std::size_t search_page_size(SearchTarget target, std::size_t max_results) {
  const SearchTargetInfo& info = search_target_info(target);
  if (max_results == 0) return info.default_results;
  if (max_results > info.max_results) {
    throw Error(ErrorCode::kInvalidParameter,
                "Invalid value " + std::to_string(max_results) +
                    " for parameter 'max_results' supplied. It must be at most " +
                    std::to_string(info.max_results));
  }
  return max_results;
}

std::string make_page_token(std::int64_t offset) {
  return page_base64("{\"offset\": " + std::to_string(offset) + "}");
}

std::int64_t parse_page_token(const std::string& token) {
  if (token.empty()) return 0;
  std::string bytes;
  if (token.size() > kMaxPageTokenBytes || !decode_base64(token, bytes)) {
    throw Error(ErrorCode::kInvalidParameter, "Invalid page token, could not base64-decode");
  }
  const Json json = parse_json(bytes, "page token");
  if (json.is_object()) {
    const auto offset = json.find("offset");
    if (offset != json.end() && offset->is_number_integer()) {
      const auto value = offset->get<std::int64_t>();
      if (value > 0 && value <= kMaxPageOffset) return value;
    }
  }
  throw Error(ErrorCode::kInvalidParameter, "Invalid page token, decoded value=" + quoted(bytes));
}

}  // namespace mlrt
