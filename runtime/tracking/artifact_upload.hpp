#ifndef MLRT_TRACKING_ARTIFACT_UPLOAD_HPP_
#define MLRT_TRACKING_ARTIFACT_UPLOAD_HPP_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/fs.hpp"
#include "core/hash.hpp"
#include "tracking/artifact_batch.hpp"

namespace mlrt {

// One artifact whose bytes come in pieces, in constant memory; ArtifactStore::begin_upload makes
// it. They wait beside the artifact's place until commit(). One that is dropped, or whose write()
// or commit() threw, leaves what was there before. For one thread.
class ArtifactUpload {
 public:
  ArtifactUpload(std::shared_ptr<Database> database, const std::string& owner,
                 const std::string& folder, const std::string& path);

  void write(std::string_view bytes);
  // Puts the file in its place, synced, and records its SHA-256.
  void commit();

 private:
  ArtifactBatch batch_;
  std::string path_, staged_;
  fs::AtomicWriter writer_;
  Sha256 sha256_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace mlrt

#endif  // MLRT_TRACKING_ARTIFACT_UPLOAD_HPP_
