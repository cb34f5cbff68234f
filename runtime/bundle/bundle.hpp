#ifndef MLRT_BUNDLE_BUNDLE_HPP_
#define MLRT_BUNDLE_BUNDLE_HPP_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_set.hpp"

namespace mlrt {

// A model bundle: the files of a model folder in one zip file. Written by us it has
//   - "MANIFEST.sha256" first: a format line, then "<sha256>  <name>" of every other entry,
//     sorted, which `sha256sum -c` reads after a plain unzip
//   - entries sorted by byte, STORED, each beginning at a multiple of 64 bytes, so that a mapped
//     file is read in place
//   - fixed times and modes: the same files give the same bytes
// The format number in the manifest is raised only for what an older reader could not read rightly.
class Bundle final : public FileSet {
 public:
  // Maps the file and checks its structure: one end record, local headers that agree with the
  // central directory, no overlaps, no links, no unsafe, doubled or case-colliding names, declared
  // sizes within limits, the set of entries equal to the manifest's, an MLmodel at the root.
  // Entries that others deflated are accepted, and so is a zip without a manifest. Throws
  // kNotFound, or kDataCorrupt with the file, what is wrong and where.
  static std::shared_ptr<const Bundle> open(const std::string& path);
  ~Bundle() override;

  const std::string& path() const;
  bool has_manifest() const;
  std::vector<std::string> names() const override;  // without the manifest
  bool contains(const std::string& name) const override;

  // Checked against its CRC and, if there is a manifest, its SHA-256 at the first read. Points into
  // the mapped file for a stored entry. Safe from any thread.
  std::string_view read(const std::string& name) const override;

  // Reads and checks every entry. Throws kDataCorrupt for the first bad one.
  void verify() const;

  // SHA-256 of the whole file, 64 hex digits.
  std::string digest() const;

 private:
  struct State;
  explicit Bundle(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Writes `files` as a bundle, atomically: after a failure the old file stands and nothing is left
// beside it. Returns the SHA-256 of the bundle file, 64 hex digits. Throws kInvalidParameter for an
// unsafe or case-colliding name (control characters are unsafe too), a set without MLmodel, or a
// file named MANIFEST.sha256; kTooLarge for more than 99,999 files or 16 GiB; kConflict for a file
// whose content changes meanwhile; and what core/fs throws.
std::string write_bundle(const std::string& path, const FileSet& files);

// The files of a model folder on disk, listed now and mapped when first read; any thread may use
// them. The MANIFEST.sha256 of an unzipped bundle is passed over: files in a folder may have been
// edited since. Throws kNotFound for a folder that isn't there or has no MLmodel at its root,
// kPermissionDenied for a symbolic link in it.
std::shared_ptr<const FileSet> open_model_folder(const std::string& path);

// Writes `files` into `folder`, which must not exist or be empty: all or nothing (written beside
// it, then renamed). Throws kAlreadyExists if it holds something, kNotFound if its parent isn't
// there, kInvalidParameter for unsafe or colliding names, and what core/fs throws.
void write_model_folder(const std::string& folder, const FileSet& files);

// The bundle if `path` is a file, the folder if it is one. Throws as these do.
std::shared_ptr<const FileSet> open_model_files(const std::string& path);

}  // namespace mlrt

#endif  // MLRT_BUNDLE_BUNDLE_HPP_
