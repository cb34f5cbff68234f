#include "bundle/archive.hpp"

#include <algorithm>
#include <utility>

#include "bundle/manifest.hpp"
#include "bundle/names.hpp"
#include "bundle/zip_format.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

// The first lines of a bundle's manifest if `bytes` begin with one; for a look before anything is
// checked.
std::string_view peek_manifest(std::string_view bytes) {
  constexpr std::string_view kName(kManifestName);
  if (bytes.size() < kZipLocalSize || zip_get_u32(bytes, 0) != kZipLocalSignature) return {};
  const std::size_t name_size = zip_get_u16(bytes, 26);
  const std::size_t data = kZipLocalSize + name_size + zip_get_u16(bytes, 28);
  if (bytes.substr(kZipLocalSize, name_size) != kName || bytes.size() < data) return {};
  return bytes.substr(data, 200);
}

ZipReader open_archive_zip(std::string_view bytes, const std::string& what) {
  // A later format may hold what this reader would take for damage, so its number is looked at
  // first.
  check_manifest_format(peek_manifest(bytes), what);
  return ZipReader(bytes, what);
}

}  // namespace

BundleArchive::BundleArchive(std::string_view bytes, std::string what)
    : what_(std::move(what)), zip_(open_archive_zip(bytes, what_)) {
  for (const ZipEntry& entry : zip_.entries()) {
    if (entry.name != kManifestName) names_.emplace_back(entry.name);
  }
  files_ = std::make_unique<File[]>(names_.size());
  for (std::size_t i = 0; i < names_.size(); ++i) files_[i].entry = zip_.find(names_[i]);
  check_mlmodel();
  read_manifest();
}

void BundleArchive::check_mlmodel() const {
  if (contains(kMlmodelName)) return;
  const std::string nested = find_nested_mlmodel(names_);
  zip_.fail("no MLmodel at its root" + (nested.empty()
                                            ? std::string()
                                            : " (found " + quoted(nested, 200) +
                                                  ": zip the folder's content, not the folder)"));
}

// The manifest names exactly the files that are there.
void BundleArchive::read_manifest() {
  const ZipEntry* entry = zip_.find(kManifestName);
  if (entry == nullptr) return;
  has_manifest_ = true;
  std::string text;
  zip_.unpack(*entry, [&](std::string_view piece) { text.append(piece); });
  std::vector<ManifestLine> lines = parse_manifest(text, what_);
  const std::size_t count = std::max(lines.size(), names_.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (i < lines.size() && (i >= names_.size() || lines[i].name < names_[i])) {
      zip_.fail(std::string(kManifestName) + " names " + quoted(lines[i].name, 200) +
                ", which is not in it");
    }
    if (i >= lines.size() || lines[i].name != names_[i]) {
      zip_.fail(quoted(names_[i], 200) + " is not in its " + kManifestName);
    }
    digests_.push_back(std::move(lines[i].sha256_hex));
  }
}

std::size_t BundleArchive::find(std::string_view name) const {
  auto found = std::lower_bound(names_.begin(), names_.end(), name);
  if (found == names_.end() || *found != name) return kNoFile;
  return static_cast<std::size_t>(found - names_.begin());
}

// Gives the content to `sink` in pieces and throws at its end if it isn't what was written.
void BundleArchive::check_content(std::size_t index, const ZipReader::Sink& sink) const {
  const ZipEntry& entry = *files_[index].entry;
  Sha256 hash;
  zip_.unpack(entry, [&](std::string_view piece) {
    if (has_manifest()) hash.update(piece);
    sink(piece);
  });
  if (has_manifest() && sha256_hex(hash.finish()) != digests_[index]) {
    zip_.fail_damaged(entry, std::string("does not match its SHA-256 in ") + kManifestName);
  }
}

std::string_view BundleArchive::read(std::string_view name) const {
  const std::size_t index = find(name);
  if (index == kNoFile) {
    throw Error(ErrorCode::kNotFound, what_ + " has no file " + quoted(name, 200));
  }
  File& file = files_[index];
  if (!file.entry->deflated) {
    // Two threads may both check it; that is cheaper than to make one wait for the other.
    if (!file.checked.load(std::memory_order_acquire)) {
      check_content(index, [](std::string_view) {});
      file.checked.store(true, std::memory_order_release);
    }
    return zip_.raw(*file.entry);
  }
  if (!file.checked.load(std::memory_order_acquire)) {
    std::lock_guard<std::mutex> lock(inflate_mutex_);
    if (!file.checked.load(std::memory_order_relaxed)) {
      std::string content;
      check_content(index, [&](std::string_view piece) { content.append(piece); });
      file.inflated = std::move(content);
      file.checked.store(true, std::memory_order_release);
    }
  }
  return file.inflated;
}

void BundleArchive::verify() const {
  for (std::size_t i = 0; i < names_.size(); ++i) check_content(i, [](std::string_view) {});
}

}  // namespace mlrt
