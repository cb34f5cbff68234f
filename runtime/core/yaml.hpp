#ifndef MLRT_CORE_YAML_HPP_
#define MLRT_CORE_YAML_HPP_

// Internal: YAML (MLmodel, MLproject) as JSON values. The one place that uses libyaml.

#include <string>
#include <string_view>

#include "core/json.hpp"

namespace mlrt {

// Reads the first document of `text` by YAML's core schema: plain null, booleans, integers and
// floats become such, everything else a string. Throws kInvalidParameter with `what`, line and
// column for text that is not YAML, has a key twice, is deeper than 64 levels, holds more than a
// million values or 16 MiB, or uses aliases (which can make a small file expand without bound).
Json parse_yaml(std::string_view text, std::string_view what);

// Block style, keys in the order of `value`, strings quoted where YAML would read them as another
// type. The same value gives the same bytes.
std::string dump_yaml(const OrderedJson& value);

}  // namespace mlrt

#endif  // MLRT_CORE_YAML_HPP_
