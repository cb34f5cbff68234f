#include "tracking/artifact_upload.hpp"

#include <utility>

namespace mlrt {

ArtifactUpload::ArtifactUpload(std::shared_ptr<Database> database, const std::string& owner,
                               const std::string& folder, const std::string& path)
    : batch_(std::move(database), owner, folder),
      path_(path),
      staged_(batch_.reserve(path)),
      writer_(staged_) {}

void ArtifactUpload::write(std::string_view bytes) {
  writer_.write(bytes);
  sha256_.update(bytes);
  size_bytes_ += bytes.size();
}

void ArtifactUpload::commit() {
  writer_.commit();
  batch_.add_written(path_, staged_, size_bytes_, sha256_hex(sha256_.finish()));
  batch_.commit();
}

}  // namespace mlrt
