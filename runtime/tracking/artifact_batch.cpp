#include "tracking/artifact_batch.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/hash.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "store/database.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

constexpr char kStagingPrefix[] = ".mlrt-";
constexpr char kStagingSuffix[] = ".tmp";
constexpr std::size_t kStagingHexDigits = 16;

void batch_record(Transaction& transaction, const std::string& owner, const std::string& path,
                  std::uint64_t size_bytes, const std::string& sha256) {
  transaction.run(
      "INSERT INTO artifacts (owner, path, size, sha256) VALUES (?, ?, ?, ?) "
      "ON CONFLICT (owner, path) DO UPDATE SET size = excluded.size, sha256 = excluded.sha256",
      owner, path, size_bytes, sha256);
}

// Of the entry itself and of what lies directly in it, where an upload is being written.
std::int64_t batch_changed_ms(const std::string& path) {
  std::int64_t newest = fs::modified_ms(path);
  if (!fs::is_folder(path)) return newest;
  for (const std::string& name : fs::list(path))
    newest = std::max(newest, fs::modified_ms(fs::join(path, name)));
  return newest;
}

void batch_remove_staging(const std::string& folder, std::int64_t until_ms, bool dry_run,
                          fs::TreeSize& size) {
  if (!fs::is_folder(folder)) return;
  for (const std::string& name : fs::list(folder)) {
    const std::string path = fs::join(folder, name);
    if (!is_artifact_staging(name) || batch_changed_ms(path) > until_ms) continue;
    const bool is_file = fs::is_file(path);  // one that was being deleted
    const fs::TreeSize found = is_file ? fs::TreeSize{fs::file_size(path), 1} : fs::tree_size(path);
    size.bytes += found.bytes;
    size.files += found.files;
    if (!dry_run) fs::remove_tree(path);
  }
}

}  // namespace

fs::TreeSize remove_artifact_staging(const std::string& experiment_folder, std::int64_t until_ms,
                                     bool dry_run, const std::set<std::string>& left_out) {
  fs::TreeSize size;
  for (const std::string& above : {experiment_folder, fs::join(experiment_folder, "models")}) {
    if (!fs::is_folder(above)) continue;
    for (const std::string& owner : fs::list(above)) {
      const std::string folder = fs::join(above, owner);
      if (left_out.count(folder) == 0)
        batch_remove_staging(fs::join(folder, "artifacts"), until_ms, dry_run, size);
    }
  }
  return size;
}

bool is_artifact_staging(const std::string& name) {
  const std::string_view prefix(kStagingPrefix), suffix(kStagingSuffix);
  if (name.size() != prefix.size() + kStagingHexDigits + suffix.size()) return false;
  return starts_with(name, prefix) && ends_with(name, suffix) &&
         name.find_first_not_of("0123456789abcdef", prefix.size()) ==
             prefix.size() + kStagingHexDigits;
}

std::string new_artifact_staging_name() {
  return kStagingPrefix + random_hex(kStagingHexDigits / 2) + kStagingSuffix;
}

// The renames of a commit; undone unless they are kept.
class ArtifactBatch::Placement {
 public:
  explicit Placement(const std::string& folder) : folder_(folder) {}
  ~Placement() {
    if (kept_) return;
    // The last first, should a path have been given twice.
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) undo(*step);
  }
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;

  void place(const File& file) {
    Step step;
    step.target = fs::join(folder_, file.path);
    fs::make_folders(fs::parent(step.target));
    // Mapped, the old bytes stay readable when the file is replaced.
    if (fs::exists(step.target)) step.old.emplace(step.target);
    fs::rename(file.staged, step.target);
    touched_.insert(fs::parent(step.target));
    steps_.push_back(std::move(step));
  }
  void sync() {
    for (const std::string& folder : touched_) fs::sync_folder(folder);
  }
  void keep() { kept_ = true; }

 private:
  struct Step {
    std::string target;
    std::optional<fs::MappedFile> old;
  };

  static void undo(const Step& step) noexcept {
    try {
      if (step.old) {
        fs::write_file(step.target, step.old->bytes());
      } else {
        fs::remove_file(step.target);
      }
    } catch (const std::exception& error) {
      log_error("an artifact that was not logged could not be taken back",
                {{"path", step.target}, {"error", error.what()}});
    }
  }

  const std::string& folder_;
  std::vector<Step> steps_;
  std::set<std::string> touched_;
  bool kept_ = false;
};

ArtifactBatch::ArtifactBatch(std::shared_ptr<Database> database, std::string owner,
                             std::string folder)
    : database_(std::move(database)),
      owner_(std::move(owner)),
      folder_(std::move(folder)),
      staging_(fs::join(folder_, new_artifact_staging_name())) {}

ArtifactBatch::~ArtifactBatch() {
  try {
    fs::remove_tree(staging_);
  } catch (const std::exception& error) {
    log_warn("a temporary folder was left behind", {{"path", staging_}, {"error", error.what()}});
  }
}

std::string ArtifactBatch::next_place(const std::string& path) {
  check_artifact_path(path);
  if (fs::is_folder(fs::join(folder_, path))) {
    throw Error(ErrorCode::kAlreadyExists,
                "the artifact " + quoted(path, 300) + " is a folder, which no file can replace");
  }
  fs::make_folders(staging_);
  return fs::join(staging_, std::to_string(files_.size()));
}

void ArtifactBatch::add_staged(const std::string& path, const std::string& staged) {
  // Of the copy, which nobody else changes.
  const fs::MappedFile file(staged);
  files_.push_back({path, staged, file.bytes().size(), sha256_hex(file.bytes())});
}

void ArtifactBatch::add_file(const std::string& local_file, const std::string& path) {
  const std::string staged = next_place(path);
  fs::copy_file(local_file, staged);
  add_staged(path, staged);
}

void ArtifactBatch::add_bytes(std::string_view bytes, const std::string& path) {
  const std::string staged = next_place(path);
  fs::write_file(staged, bytes);
  files_.push_back({path, staged, bytes.size(), sha256_hex(bytes)});
}

// A crash between a rename and the commit must not make a sound file look damaged: no digest is
// better than that of other bytes.
std::vector<ArtifactBatch::File> ArtifactBatch::forget_replaced() {
  std::vector<File> replaced;
  {
    Transaction transaction(*database_, Transaction::Mode::kReadStored);
    for (const File& file : files_) {
      Statement found = transaction.query(
          "SELECT size, sha256 FROM artifacts WHERE owner = ? AND path = ?", owner_, file.path);
      if (!found.step()) continue;
      replaced.push_back(
          {file.path, "", static_cast<std::uint64_t>(found.integer(0)), found.text(1)});
    }
  }
  if (replaced.empty()) return replaced;
  Transaction transaction(*database_, Transaction::Mode::kWrite);
  for (const File& file : replaced) {
    transaction.run("DELETE FROM artifacts WHERE owner = ? AND path = ?", owner_, file.path);
  }
  transaction.commit();
  return replaced;
}

void ArtifactBatch::remember(const std::vector<File>& files) noexcept {
  if (files.empty()) return;
  try {
    Transaction transaction(*database_, Transaction::Mode::kWrite);
    for (const File& file : files) {
      batch_record(transaction, owner_, file.path, file.size_bytes, file.sha256);
    }
    transaction.commit();
  } catch (const std::exception& error) {
    log_warn("the digests of some artifacts are lost",
             {{"owner", owner_}, {"error", error.what()}});
  }
}

void ArtifactBatch::commit() {
  if (files_.empty()) return;
  const std::vector<File> replaced = forget_replaced();
  try {
    // Under the store's write lock, so that of two that log the same path at once the bytes and the
    // digest are of the same one.
    Transaction transaction(*database_, Transaction::Mode::kWrite);
    Placement placement(folder_);
    for (const File& file : files_) placement.place(file);
    placement.sync();
    for (const File& file : files_) {
      batch_record(transaction, owner_, file.path, file.size_bytes, file.sha256);
    }
    transaction.commit();
    placement.keep();
  } catch (const std::exception&) {
    remember(replaced);
    throw;
  }
}

}  // namespace mlrt
