#include "bundle/bundle.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "bundle/archive.hpp"
#include "bundle/manifest.hpp"
#include "bundle/names.hpp"
#include "bundle/zip_format.hpp"
#include "bundle/zip_writer.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/hash.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kBundlePathShown = 4096;

[[noreturn]] void refuse_bundle_files(const std::string& path, ErrorCode code,
                                      const std::string& why) {
  throw Error(code, "cannot write " + quoted(path, kBundlePathShown) + ": " + why);
}

// The names of `files`, sorted, if a bundle can hold them.
std::vector<std::string> checked_bundle_names(const std::string& path, const FileSet& files) {
  std::vector<std::string> names = files.names();
  std::sort(names.begin(), names.end());
  std::vector<std::string_view> all(names.begin(), names.end());
  for (std::string_view name : all) {
    const std::string problem = find_name_problem(name);
    if (!problem.empty()) refuse_bundle_files(path, ErrorCode::kInvalidParameter, problem);
    if (name == kManifestName) {
      refuse_bundle_files(
          path, ErrorCode::kInvalidParameter,
          std::string("the name ") + kManifestName + " is taken by the bundle's own manifest");
    }
  }
  all.push_back(kManifestName);
  const std::string collision = find_names_collision(all);
  if (!collision.empty()) refuse_bundle_files(path, ErrorCode::kInvalidParameter, collision);
  if (!std::binary_search(names.begin(), names.end(), std::string(kMlmodelName))) {
    refuse_bundle_files(path, ErrorCode::kInvalidParameter, "the model has no MLmodel");
  }
  if (all.size() > kZipMaxEntries) {
    refuse_bundle_files(path, ErrorCode::kTooLarge,
                        std::to_string(names.size()) + " files; a bundle holds at most " +
                            std::to_string(kZipMaxEntries - 1));
  }
  return names;
}

}  // namespace

struct Bundle::State {
  explicit State(const std::string& path)
      : file(path), archive(file.bytes(), quoted(path, kBundlePathShown)) {}

  fs::MappedFile file;
  BundleArchive archive;  // points into `file`
};

std::shared_ptr<const Bundle> Bundle::open(const std::string& path) {
  if (fs::is_folder(path)) {
    throw Error(ErrorCode::kDataCorrupt,
                quoted(path, kBundlePathShown) + " is not a bundle: it is a folder");
  }
  return std::shared_ptr<const Bundle>(new Bundle(std::make_unique<State>(path)));
}

Bundle::Bundle(std::unique_ptr<State> state) : state_(std::move(state)) {}
Bundle::~Bundle() = default;

const std::string& Bundle::path() const { return state_->file.path(); }
bool Bundle::has_manifest() const { return state_->archive.has_manifest(); }
std::vector<std::string> Bundle::names() const { return state_->archive.names(); }
bool Bundle::contains(const std::string& name) const { return state_->archive.contains(name); }
std::string_view Bundle::read(const std::string& name) const { return state_->archive.read(name); }
void Bundle::verify() const { state_->archive.verify(); }
std::string Bundle::digest() const { return sha256_hex(state_->file.bytes()); }

std::string write_bundle(const std::string& path, const FileSet& files) {
  const std::vector<std::string> names = checked_bundle_names(path, files);
  std::vector<ManifestLine> lines;
  std::vector<std::uint32_t> crcs;
  std::uint64_t total = 0;
  for (const std::string& name : names) {
    std::string_view content = files.read(name);
    total += content.size();
    if (total > kZipMaxTotalBytes) {
      refuse_bundle_files(path, ErrorCode::kTooLarge, "the files are larger than 16 GiB together");
    }
    lines.push_back({name, sha256_hex(content)});
    crcs.push_back(zip_crc32(content));
  }
  const std::string manifest = format_manifest(lines);
  if (total + manifest.size() > kZipMaxTotalBytes) {
    refuse_bundle_files(path, ErrorCode::kTooLarge, "the files are larger than 16 GiB together");
  }

  fs::AtomicWriter out(path);
  Sha256 hash;
  ZipWriter zip([&](std::string_view bytes) {
    hash.update(bytes);
    out.write(bytes);
  });
  zip.add(kManifestName, manifest, zip_crc32(manifest));
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string_view content = files.read(names[i]);
    // A folder's files could be written to since they were hashed; the bundle would be damaged from
    // birth.
    const std::uint32_t crc = zip_crc32(content);
    if (crc != crcs[i]) {
      refuse_bundle_files(path, ErrorCode::kConflict,
                          quoted(names[i], 200) + " was changed while it was packed");
    }
    zip.add(names[i], content, crc);
  }
  zip.finish();
  out.commit();
  return sha256_hex(hash.finish());
}

std::shared_ptr<const FileSet> open_model_files(const std::string& path) {
  if (fs::is_folder(path)) return open_model_folder(path);
  return Bundle::open(path);
}

}  // namespace mlrt
