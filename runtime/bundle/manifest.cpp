#include "bundle/manifest.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "core/version.hpp"

namespace mlrt {
namespace {

constexpr std::string_view kManifestHeading = "# mlrt bundle ";
constexpr std::size_t kManifestDigestSize = 64;

[[noreturn]] void fail_manifest(const std::string& what, std::size_t line, const std::string& why) {
  throw Error(ErrorCode::kDataCorrupt, what + " is not a bundle: " + kManifestName + " line " +
                                           std::to_string(line) + " " + why);
}

// The format number that `line` states, or 0 if it is no heading; `rest` is what follows it.
long long manifest_format_of(std::string_view line, std::string_view& rest) {
  if (!starts_with(line, kManifestHeading)) return 0;
  line.remove_prefix(kManifestHeading.size());
  std::size_t size = 0;
  while (size < line.size() && line[size] >= '0' && line[size] <= '9') ++size;
  rest = line.substr(size);
  long long format = 0;
  if (!parse_int64(line.substr(0, size), format)) return 0;
  return format;
}

}  // namespace

std::string format_manifest(const std::vector<ManifestLine>& lines) {
  std::string text = std::string(kManifestHeading) + std::to_string(kBundleFormat) + "\n";
  for (const ManifestLine& line : lines) text += line.sha256_hex + "  " + line.name + "\n";
  return text;
}

void check_manifest_format(std::string_view text, const std::string& what) {
  std::string_view rest;
  long long format = manifest_format_of(text.substr(0, text.find('\n')), rest);
  if (format <= kBundleFormat) return;
  std::string needs = "an mlrt that reads bundle format " + std::to_string(format);
  constexpr std::string_view kNeeds = " needs mlrt ";
  if (starts_with(rest, kNeeds) && rest.size() > kNeeds.size()) {
    std::string version = quoted(rest.substr(kNeeds.size()), 20);
    needs = "mlrt " + version.substr(1, version.size() - 2) + " or newer";
  }
  throw Error(ErrorCode::kDataCorrupt, what + " was written by a newer mlrt: it needs " + needs +
                                           " (this is " MLRT_VERSION ", which reads format " +
                                           std::to_string(kBundleFormat) + ")");
}

std::vector<ManifestLine> parse_manifest(std::string_view text, const std::string& what) {
  check_manifest_format(text, what);
  std::vector<ManifestLine> lines;
  std::size_t number = 0;
  while (!text.empty() || number == 0) {
    ++number;
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (number == 1) {
      std::string_view rest;
      if (manifest_format_of(line, rest) != kBundleFormat || !rest.empty()) {
        fail_manifest(what, number, "is not '# mlrt bundle " + std::to_string(kBundleFormat) + "'");
      }
    }
    if (end == std::string_view::npos) fail_manifest(what, number, "is cut off");
    text.remove_prefix(end + 1);
    if (line.substr(0, 1) == "#") continue;
    std::size_t digits = line.find_first_not_of("0123456789abcdef");
    if (digits != kManifestDigestSize || line.substr(digits, 2) != "  " ||
        line.size() == kManifestDigestSize + 2) {
      fail_manifest(what, number, "is not '<64 hex digits>  <name>'");
    }
    lines.push_back({std::string(line.substr(digits + 2)), std::string(line.substr(0, digits))});
  }
  std::sort(lines.begin(), lines.end(),
            [](const ManifestLine& a, const ManifestLine& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].name != lines[i - 1].name) continue;
    throw Error(ErrorCode::kDataCorrupt, what + " is not a bundle: " + kManifestName + " names " +
                                             quoted(lines[i].name, 200) + " twice");
  }
  return lines;
}

}  // namespace mlrt
