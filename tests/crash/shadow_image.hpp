#ifndef MLRT_TESTS_CRASH_SHADOW_IMAGE_HPP_
#define MLRT_TESTS_CRASH_SHADOW_IMAGE_HPP_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "crash_support.hpp"
#include "crash_vfs.hpp"

namespace mlrt {
namespace test {

// What the disk below a folder would hold if the power failed now, by a model that promises less
// than file systems do:
// - A file's bytes are those of its last sync (a file that never was synced is empty), whatever was
//   written since.
// - A name, new, renamed or removed, is as it was at the last sync of the very folder that holds
//   it; a file is there only if its folder's own name is, and so on upwards.
// - In a mixed image, of the blocks of 4096 bytes that were written since the last sync any are
//   there and any are not.
// It sees SQLite's files through its VFS, all others through the fault hook of core/fs. An image is
// taken before each sync begins.
class ShadowImage : public VfsObserver {
 public:
  using Block = std::shared_ptr<const std::string>;
  struct Content {
    std::vector<Block> blocks;
  };
  struct Entry {
    ino_t inode = 0;
    bool is_folder = false;
  };
  // By the folder's path.
  using Folders = std::map<std::string, std::map<std::string, Entry>>;
  struct Snapshot {
    std::int64_t time_ms = 0;         // monotonic
    std::vector<std::int64_t> acked;  // by writer
    std::string at;                   // what was about to be synced
    Folders folders;
    std::map<ino_t, Content> files;
  };

  // `acked`: how many actions each writer has seen acknowledged; must stay.
  ShadowImage(std::string folder, std::uint64_t seed,
              std::vector<std::atomic<std::int64_t>>& acked);
  ~ShadowImage() override;

  // Sees everything from now on, in this process.
  void begin();
  void end();
  // Takes an image now, not only at the next sync.
  void take(const std::string& at);
  const std::vector<Snapshot>& snapshots() const { return snapshots_; }

  // Makes the image's files in `folder`, which is empty.
  void write(const Snapshot& snapshot, const std::string& folder) const;

  int before(VfsCall call, const char* path) override;
  void synced(const char* path, bool with_folder,
              const std::function<std::string()>& content) override;

 private:
  void before_file_sync(const std::string& path);
  void take_locked(const std::string& at);
  void sync_content(ino_t inode, const std::string& bytes);
  void sync_names(const std::string& folder);
  std::string read_live(const std::string& path, ino_t inode);
  void write_folder(const Snapshot& snapshot, const std::string& from, const std::string& to) const;

  const std::string folder_;
  CrashRandom random_;
  std::vector<std::atomic<std::int64_t>>& acked_;
  std::mutex mutex_;
  bool is_seeing_ = false;
  Folders folders_;
  std::map<ino_t, Content> files_;
  // Closing a file would drop the locks that SQLite has on it, so what is read stays open.
  std::map<ino_t, int> descriptors_;
  std::vector<Snapshot> snapshots_;
};

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_CRASH_SHADOW_IMAGE_HPP_
