#include "bundle/names.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/fs.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kBundleNameShownBytes = 200;

}  // namespace

std::string find_name_problem(std::string_view name) {
  bool control = std::any_of(name.begin(), name.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
  if (!control && fs::is_safe_relative(name)) return {};
  return "unsafe name " + quoted(name, kBundleNameShownBytes) +
         " (names are relative, with '/', without '..', backslashes or control characters, in "
         "UTF-8)";
}

std::string find_names_collision(const std::vector<std::string_view>& names) {
  // With '/' as the lowest byte, a file "a" comes right before whatever is in a folder "a", so that
  // neighbours are all that must be compared, however deep the names are.
  std::vector<std::pair<std::string, std::size_t>> keys;
  keys.reserve(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string key = to_lower(names[i]);
    std::replace(key.begin(), key.end(), '/', '\x01');
    keys.emplace_back(std::move(key), i);
  }
  std::sort(keys.begin(), keys.end());
  for (std::size_t i = 1; i < keys.size(); ++i) {
    std::string_view before = names[keys[i - 1].second];
    std::string_view name = names[keys[i].second];
    if (keys[i].first == keys[i - 1].first) {
      if (before == name) return "the name " + quoted(name, kBundleNameShownBytes) + " comes twice";
      return "the names " + quoted(before, kBundleNameShownBytes) + " and " +
             quoted(name, kBundleNameShownBytes) + " differ in case only";
    }
    if (starts_with(keys[i].first, keys[i - 1].first + '\x01')) {
      return quoted(before, kBundleNameShownBytes) + " is a file, and the folder of " +
             quoted(name, kBundleNameShownBytes);
    }
  }
  return {};
}

std::string find_nested_mlmodel(const std::vector<std::string>& names) {
  std::string found;
  std::ptrdiff_t found_depth = 0;
  for (const std::string& name : names) {
    if (!ends_with(name, "/MLmodel")) continue;
    std::ptrdiff_t depth = std::count(name.begin(), name.end(), '/');
    if (found.empty() || depth < found_depth) {
      found = name;
      found_depth = depth;
    }
  }
  return found;
}

}  // namespace mlrt
