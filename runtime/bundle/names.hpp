#ifndef MLRT_BUNDLE_NAMES_HPP_
#define MLRT_BUNDLE_NAMES_HPP_

// Internal: which sets of names can be unpacked into a folder on any system.

#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

// What is wrong with `name` as that of a file in a bundle ("unsafe name '../x'"), or "". Beyond
// fs::is_safe_relative it may hold no control characters: they would break the manifest's lines.
std::string find_name_problem(std::string_view name);

// What is wrong with safe `names` taken together, or "": a name that comes twice, names that differ
// in (ASCII) case only, a name that is both a file and a folder. A name that ends in '/' is a
// folder's.
std::string find_names_collision(const std::vector<std::string_view>& names);

// Where an MLmodel lies among `names` when it isn't at the root: "x/MLmodel", or "". The nearest to
// the root, then the first.
std::string find_nested_mlmodel(const std::vector<std::string>& names);

}  // namespace mlrt

#endif  // MLRT_BUNDLE_NAMES_HPP_
