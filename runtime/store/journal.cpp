#include "store/journal.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <string_view>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "store/journal_names.hpp"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a journal's slots are written as they stand in memory: low byte first"
#endif

namespace mlrt {
namespace {

constexpr std::string_view kJournalMagic = "mlrtjrn1";
constexpr int kJournalFolderTries = 100;

}  // namespace

std::uint64_t journal_seed(std::string_view writer_id) {
  std::uint64_t seed = 0xCBF29CE484222325u;
  for (const char c : writer_id) {
    seed = (seed ^ static_cast<unsigned char>(c)) * 0x9E3779B97F4A7C15u;
    seed ^= seed >> 29;
  }
  return seed;
}

JournalLock JournalLock::create(const std::string& store_path, const std::string& writer_id) {
  const std::string folder = journal_folder(store_path);
  for (int tries = 1;; ++tries) {
    try {
      // Not synced here: that would give others a millisecond to find it empty and remove it.
      fs::make_folder(folder);
      const std::string path = journal_lock_path(store_path, writer_id);
      JournalUnfinishedFile unfinished(path);
      if (!unfinished.file().try_lock(0)) {
        throw Error(ErrorCode::kIo, "cannot lock the new file " + quoted(path));
      }
      return JournalLock(unfinished.publish(path));
    } catch (const Error& error) {
      // Another process closed its journal and took the empty folder away in between.
      const bool raced =
          error.code() == ErrorCode::kNotFound || error.code() == ErrorCode::kAlreadyExists;
      if (raced && tries < kJournalFolderTries) continue;
      remove_journal_folder_if_empty(folder);
      throw;
    }
  }
}

std::optional<JournalLock> JournalLock::open(const std::string& store_path,
                                             const std::string& writer_id) {
  try {
    return JournalLock(
        fs::File(journal_lock_path(store_path, writer_id), fs::File::Mode::kReadWrite));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    return std::nullopt;
  }
}

bool JournalLock::writer_is_alive() { return !file_.try_lock(0); }

bool JournalLock::try_lock_folding() { return file_.try_lock(1); }

void JournalLock::unlock_folding() { file_.unlock(1); }

void JournalLock::remove() {
  fs::remove_file(file_.path());
  fs::remove_folder_if_empty(fs::parent(file_.path()));
}

JournalWriter::JournalWriter(std::string store_path, std::string writer_id,
                             const JournalOptions& options)
    : store_path_(std::move(store_path)),
      writer_id_(std::move(writer_id)),
      options_(options),
      seed_(journal_seed(writer_id_)) {
  if (!is_journal_writer_id(writer_id_)) {
    throw Error(ErrorCode::kInvalidParameter,
                "a journal's writer id must be 32 hex digits, not " + quoted(writer_id_));
  }
  for (std::size_t* bytes : {&options_.first_segment_bytes, &options_.max_segment_bytes}) {
    *bytes = std::clamp(*bytes, 2 * kJournalSlotBytes, kMaxJournalSegmentBytes) /
             kJournalSlotBytes * kJournalSlotBytes;
  }
}

JournalWriter::~JournalWriter() = default;

void JournalWriter::begin_segment() {
  if (abandoned_) {
    throw Error(ErrorCode::kInternal, "the journal of writer " + writer_id_ + " was abandoned");
  }
  const bool is_first = !lock_;
  if (is_first) {
    lock_.emplace(JournalLock::create(store_path_, writer_id_));
  } else {
    restore_files();
  }
  try {
    std::size_t bytes = options_.first_segment_bytes;
    if (segment_bytes_ != 0) bytes = segment_bytes_ * 4;
    bytes = std::min(bytes, options_.max_segment_bytes);
    while (!create_segment(bytes)) bytes = std::max(bytes / 4, options_.first_segment_bytes);
  } catch (const std::exception&) {
    if (is_first) {
      try {
        lock_->remove();
      } catch (const Error&) {  // whoever finds it, unlocked and with no segment, removes it
      }
      lock_.reset();
    }
    throw;
  }
}

// False if there may be room for a smaller one.
bool JournalWriter::create_segment(std::size_t bytes) {
  static std::atomic<std::uint64_t> segments_of_process{0};
  bytes = bytes / kJournalSlotBytes * kJournalSlotBytes;
  const std::string path = journal_segment_path(store_path_, writer_id_, next_);
  JournalUnfinishedFile unfinished(path);
  try {
    unfinished.file().allocate(bytes);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIo || bytes <= options_.first_segment_bytes) throw;
    return false;
  }
  // Makes the pages of the mapping in large pieces: measured five times as fast as by page faults.
  if (options_.mapped) unfinished.file().write_zeros(0, bytes);
  char header[kJournalSlotBytes] = {};
  JournalSlot checked;
  const std::uint64_t slots = bytes / kJournalSlotBytes - 1;
  checked.words = {static_cast<std::uint64_t>(next_), slots, 0};
  const std::uint64_t checksum = journal_checksum(seed_, 0, checked);
  kJournalMagic.copy(header, 8);
  std::memcpy(header + 8, &next_, 8);
  std::memcpy(header + 16, &slots, 8);
  std::memcpy(header + 24, &checksum, 8);
  unfinished.file().write_at(0, header, sizeof(header));
  publish_segment(unfinished, path, bytes);
  segment_bytes_ = bytes;
  first_ = next_;
  end_ = first_ + static_cast<std::int64_t>(bytes / kJournalSlotBytes) - 1;
  segment_ = ++segments_of_process;
  return true;
}

// Nothing fails behind it.
void JournalWriter::publish_segment(JournalUnfinishedFile& unfinished, const std::string& path,
                                    std::size_t bytes) {
  std::optional<fs::WritableMap> mapping;
  if (options_.mapped) mapping.emplace(unfinished.file(), bytes);
  fs::File file = unfinished.publish(path);
  mapping_ = std::move(mapping);
  map_ = mapping_ ? mapping_->data() : nullptr;
  file_.reset();
  if (!mapping_) file_.emplace(std::move(file));
}

bool JournalWriter::restore_files() {
  if (!lock_) return false;
  const std::string path = journal_segment_path(store_path_, writer_id_, first_);
  const bool has_lock = fs::file_status(journal_lock_path(store_path_, writer_id_)).has_value();
  const bool has_segment = segment_ == 0 || fs::file_status(path).has_value();
  if (has_lock && has_segment) return false;
  try {
    if (!has_lock) lock_ = JournalLock::create(store_path_, writer_id_);
    if (has_segment) return true;
    JournalUnfinishedFile unfinished(path);
    unfinished.file().allocate(segment_bytes_);
    // A file that has no name any more is there as long as it is open or mapped.
    std::string copy;
    if (file_) {
      copy.resize(segment_bytes_);
      file_->read_at(0, copy.data(), copy.size());
    }
    unfinished.file().write_at(0, file_ ? copy.data() : map_, segment_bytes_);
    unfinished.file().sync();  // some of it may have been promised to last
    publish_segment(unfinished, path, segment_bytes_);
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    throw Error(ErrorCode::kIo, "the files of the journal " + quoted(journal_folder(store_path_)) +
                                    " were removed and cannot be made anew: " + error.message());
  }
}

void JournalWriter::append_by_write(const JournalSlot& slot) {
  char bytes[kJournalSlotBytes];
  put(bytes, slot, journal_checksum(seed_, next_, slot));
  // A part of it is no slot, and the next try writes over it.
  file_->write_at(static_cast<std::uint64_t>(next_ - first_ + 1) * kJournalSlotBytes, bytes,
                  sizeof(bytes));
  ++next_;
}

void JournalWriter::let_go() noexcept {
  map_ = nullptr;
  mapping_.reset();
  file_.reset();
  end_ = next_;
  segment_ = 0;
}

void JournalWriter::remove() {
  let_go();
  if (!lock_) return;  // nothing was made
  remove_journal_segments(store_path_, writer_id_);
  lock_->remove();
  lock_.reset();
  segment_bytes_ = 0;
}

void JournalWriter::abandon() noexcept {
  abandoned_ = true;
  let_go();
  if (lock_) lock_->abandon();
  lock_.reset();
}

}  // namespace mlrt
