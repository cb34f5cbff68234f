#ifndef MLRT_BUNDLE_ARCHIVE_HPP_
#define MLRT_BUNDLE_ARCHIVE_HPP_

// Internal: a bundle in memory, wherever its bytes come from.

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "bundle/zip_reader.hpp"

namespace mlrt {

// The container, its manifest and the content checks of a bundle over bytes that outlive it. Any
// thread may use it.
class BundleArchive {
 public:
  // Checks all that Bundle::open promises; `what` (the quoted path) begins each message.
  BundleArchive(std::string_view bytes, std::string what);

  bool has_manifest() const { return has_manifest_; }
  const std::vector<std::string>& names() const { return names_; }  // sorted, without the manifest
  bool contains(std::string_view name) const { return find(name) != kNoFile; }

  // As Bundle::read: the content, checked the first time. A deflated file is kept in memory from
  // then on.
  std::string_view read(std::string_view name) const;

  // Reads and checks every file, in constant memory. Throws kDataCorrupt for the first bad one.
  void verify() const;

 private:
  static constexpr std::size_t kNoFile = static_cast<std::size_t>(-1);

  struct File {
    const ZipEntry* entry = nullptr;
    std::atomic<bool> checked{false};
    std::string inflated;  // set before `checked`, then never again
  };

  void read_manifest();
  void check_mlmodel() const;
  std::size_t find(std::string_view name) const;
  void check_content(std::size_t index, const ZipReader::Sink& sink) const;

  std::string what_;
  ZipReader zip_;
  std::vector<std::string> names_;
  bool has_manifest_ = false;
  std::vector<std::string> digests_;  // of the files of names_; empty without a manifest
  std::unique_ptr<File[]> files_;
  mutable std::mutex inflate_mutex_;  // guards `inflated` until `checked` is set
};

}  // namespace mlrt

#endif  // MLRT_BUNDLE_ARCHIVE_HPP_
