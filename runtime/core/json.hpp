#ifndef MLRT_CORE_JSON_HPP_
#define MLRT_CORE_JSON_HPP_

// Internal: the one place that names nlohmann_json. Headers for C++ users do not include this.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#if NLOHMANN_JSON_VERSION_MAJOR < 3 || \
    (NLOHMANN_JSON_VERSION_MAJOR == 3 && NLOHMANN_JSON_VERSION_MINOR < 10)
#error "mlrt needs nlohmann_json 3.10 or newer"
#endif

namespace mlrt {

// Keys keep no order of their own (sorted): text made from it is deterministic.
using Json = nlohmann::json;
// For text whose key order is meant for readers.
using OrderedJson = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t max_depth = 64;
  // Take the bare words NaN, Infinity and -Infinity, as Python writes them, for the doubles they
  // name.
  bool allow_nan = false;
};

// Reads one JSON text. Throws kInvalidParameter with `what` (as in "MLmodel signature"), the line
// and the column (in characters), for text that is not JSON, too deep, has a key twice in one
// object, or a number beyond a double's range.
Json parse_json(std::string_view text, std::string_view what, const JsonLimits& limits = {});

// Compact, keys sorted. NaN and infinities, which JSON cannot hold, become null; invalid UTF-8 is
// replaced.
std::string dump_json(const Json& value);

// The member `key` of the object `parent`, checked for its type. Throw kInvalidParameter that names
// `what` and the key when it is absent or of another type.
const Json& json_member(const Json& parent, const char* key, std::string_view what);
std::string json_string(const Json& parent, const char* key, std::string_view what);
double json_number(const Json& parent, const char* key, std::string_view what);
const Json& json_array(const Json& parent, const char* key, std::string_view what);
const Json& json_object(const Json& parent, const char* key, std::string_view what);

}  // namespace mlrt

#endif  // MLRT_CORE_JSON_HPP_
