#ifndef MLRT_BUNDLE_MANIFEST_HPP_
#define MLRT_BUNDLE_MANIFEST_HPP_

// Internal: the manifest of a bundle.

#include <string>
#include <string_view>
#include <vector>

namespace mlrt {

inline constexpr char kManifestName[] = "MANIFEST.sha256";
inline constexpr char kMlmodelName[] = "MLmodel";

// The newest bundle format that this code reads, and the one it writes.
constexpr int kBundleFormat = 1;

struct ManifestLine {
  std::string name;
  std::string sha256_hex;  // 64 lower-case digits
};

// The text of the manifest of `lines`, which are sorted by name:
//   # mlrt bundle 1
//   <sha256>  <name>
//   ...
// `sha256sum -c` takes the first line for a comment. A format above 1 states there who can read it,
// as in "# mlrt bundle 2 needs mlrt 1.3.0", so that an older reader can tell its user.
std::string format_manifest(const std::vector<ManifestLine>& lines);

// Reads a manifest; the lines come back sorted by name. Lines that start with '#' after the first
// are comments. Throws kDataCorrupt, its message starting with `what` (the quoted path), for text
// that isn't one, with the line; for a name that comes twice; and for a newer format.
std::vector<ManifestLine> parse_manifest(std::string_view text, const std::string& what);

// Throws as parse_manifest does if `text` begins like the manifest of a newer format; else does
// nothing.
void check_manifest_format(std::string_view text, const std::string& what);

}  // namespace mlrt

#endif  // MLRT_BUNDLE_MANIFEST_HPP_
