#include "shadow_image.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "core/clock.hpp"
#include "core/fs.hpp"

namespace mlrt {
namespace test {
namespace {

constexpr std::size_t kShadowBlockBytes = 4096;
constexpr std::uint64_t kMixedEvery = 4;

bool shadow_status(const std::string& path, struct stat& info) {
  return ::lstat(path.c_str(), &info) == 0;
}

// The index of shared memory is made anew after a crash.
bool is_never_kept(const std::string& name) {
  return name.size() > 4 && name.compare(name.size() - 4, 4, "-shm") == 0;
}

ShadowImage::Content shadow_content(const std::string& bytes, const ShadowImage::Content& old) {
  ShadowImage::Content content;
  for (std::size_t at = 0; at < bytes.size(); at += kShadowBlockBytes) {
    const std::size_t index = at / kShadowBlockBytes;
    const std::size_t size = std::min(kShadowBlockBytes, bytes.size() - at);
    const bool same = index < old.blocks.size() && old.blocks[index]->size() == size &&
                      bytes.compare(at, size, *old.blocks[index]) == 0;
    content.blocks.push_back(same ? old.blocks[index]
                                  : std::make_shared<const std::string>(bytes, at, size));
  }
  return content;
}

}  // namespace

ShadowImage::ShadowImage(std::string folder, std::uint64_t seed,
                         std::vector<std::atomic<std::int64_t>>& acked)
    : folder_(std::move(folder)), random_(seed), acked_(acked) {}

ShadowImage::~ShadowImage() {
  end();
  for (const auto& item : descriptors_) ::close(item.second);
}

void ShadowImage::begin() {
  folders_[folder_];
  is_seeing_ = true;
  observe_vfs(this);
  fs::set_fault_hook([this](fs::Op op, const std::string& path) {
    if (op == fs::Op::kSync) before_file_sync(path);
    return 0;
  });
}

void ShadowImage::end() {
  fs::set_fault_hook({});
  const std::lock_guard<std::mutex> lock(mutex_);
  is_seeing_ = false;
}

void ShadowImage::take(const std::string& at) {
  const std::lock_guard<std::mutex> lock(mutex_);
  take_locked(at);
}

void ShadowImage::take_locked(const std::string& at) {
  if (!is_seeing_) return;
  Snapshot snapshot;
  snapshot.time_ms = monotonic_ms();
  // First: what is acknowledged while the image is taken need not be in it.
  for (const auto& acked : acked_) snapshot.acked.push_back(acked.load());
  snapshot.at = at;
  snapshot.folders = folders_;
  snapshot.files = files_;
  snapshots_.push_back(snapshot);
  if (!random_.one_in(kMixedEvery)) return;
  snapshot.at += ", mixed";
  for (const auto& [folder, entries] : folders_) {
    for (const auto& [name, entry] : entries) {
      struct stat info {};
      const std::string path = fs::join(folder, name);
      if (entry.is_folder || !shadow_status(path, info) || info.st_ino != entry.inode) continue;
      Content& content = snapshot.files[entry.inode];
      const Content live = shadow_content(read_live(path, entry.inode), content);
      // The length is the old one or the new one; what was cut off and came back is zeros.
      const bool is_new_length = random_.one_in(2);
      const std::size_t count = is_new_length ? live.blocks.size() : content.blocks.size();
      for (std::size_t i = 0; i < count; ++i) {
        const bool is_there = i < content.blocks.size();
        const bool takes_live = i < live.blocks.size() && random_.one_in(2);
        if (!is_there) {
          content.blocks.push_back(
              takes_live ? live.blocks[i]
                         : std::make_shared<const std::string>(live.blocks[i]->size(), '\0'));
        } else if (takes_live) {
          content.blocks[i] = live.blocks[i];
        }
      }
      content.blocks.resize(count);
    }
  }
  snapshots_.push_back(std::move(snapshot));
}

std::string ShadowImage::read_live(const std::string& path, ino_t inode) {
  auto found = descriptors_.find(inode);
  if (found == descriptors_.end()) {
    const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (opened < 0) return {};
    found = descriptors_.emplace(inode, opened).first;
  }
  struct stat info {};
  if (::fstat(found->second, &info) != 0) return {};
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  const ssize_t got = ::pread(found->second, &bytes[0], bytes.size(), 0);
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

void ShadowImage::sync_content(ino_t inode, const std::string& bytes) {
  Content& content = files_[inode];
  content = shadow_content(bytes, content);
}

void ShadowImage::sync_names(const std::string& folder) {
  std::map<std::string, Entry> entries;
  DIR* opened = ::opendir(folder.c_str());
  if (opened == nullptr) return;
  while (const dirent* entry = ::readdir(opened)) {
    const std::string name = entry->d_name;
    struct stat info {};
    if (name == "." || name == ".." || is_never_kept(name)) continue;
    if (shadow_status(fs::join(folder, name), info))
      entries[name] = {info.st_ino, S_ISDIR(info.st_mode)};
  }
  ::closedir(opened);
  folders_[folder] = std::move(entries);
}

// core/fs says which path a sync is for. For a file that is being written beside it and not renamed
// yet, that is the path that it will have.
void ShadowImage::before_file_sync(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!is_seeing_ || path.compare(0, folder_.size(), folder_) != 0) return;
  take_locked(path.substr(folder_.size()));
  struct stat info {};
  if (shadow_status(path, info) && S_ISDIR(info.st_mode)) return sync_names(path);
  if (shadow_status(path, info)) sync_content(info.st_ino, read_live(path, info.st_ino));
  const std::string folder = fs::parent(path), prefix = "." + fs::basename(path) + ".";
  DIR* opened = ::opendir(folder.c_str());
  if (opened == nullptr) return;
  while (const dirent* entry = ::readdir(opened)) {
    const std::string name = entry->d_name;
    if (name.compare(0, prefix.size(), prefix) != 0 || !fs::is_temporary_name(name)) continue;
    const std::string temporary = fs::join(folder, name);
    if (shadow_status(temporary, info))
      sync_content(info.st_ino, read_live(temporary, info.st_ino));
  }
  ::closedir(opened);
}

int ShadowImage::before(VfsCall call, const char* path) {
  if (call != VfsCall::kSync) return 0;
  const std::lock_guard<std::mutex> lock(mutex_);
  take_locked(std::string("SQLite: ") + path);
  return 0;
}

void ShadowImage::synced(const char* path, bool with_folder,
                         const std::function<std::string()>& content) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!is_seeing_) return;
  struct stat info {};
  if (content && shadow_status(path, info)) sync_content(info.st_ino, content());
  if (with_folder) sync_names(fs::parent(path));
}

void ShadowImage::write_folder(const Snapshot& snapshot, const std::string& from,
                               const std::string& to) const {
  std::filesystem::create_directories(to);
  const auto entries = snapshot.folders.find(from);
  if (entries == snapshot.folders.end()) return;
  for (const auto& [name, entry] : entries->second) {
    const std::string path = fs::join(to, name);
    if (entry.is_folder) {
      write_folder(snapshot, fs::join(from, name), path);
      continue;
    }
    FILE* file = std::fopen(path.c_str(), "wb");
    crash_require(file != nullptr, "cannot write " + path);
    const auto content = snapshot.files.find(entry.inode);
    if (content != snapshot.files.end()) {
      for (const Block& block : content->second.blocks)
        std::fwrite(block->data(), 1, block->size(), file);
    }
    std::fclose(file);
  }
}

void ShadowImage::write(const Snapshot& snapshot, const std::string& folder) const {
  write_folder(snapshot, folder_, folder);
}

}  // namespace test
}  // namespace mlrt
