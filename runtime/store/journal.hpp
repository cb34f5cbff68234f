#ifndef MLRT_STORE_JOURNAL_HPP_
#define MLRT_STORE_JOURNAL_HPP_

// Internal: append-only journals beside a store, one a writer.
//
// The journals of the store "x.db" lie in the folder "x.db-journals", which exists only while there
// are any. A writer has a lock file, "<writer id>.lock", and segments, "<writer id>-<16 hex digits
// of its first slot's number>.segment". Bytes of a segment: a header of 32 bytes (the 8 bytes
// "mlrtjrn1", the number of its first slot, that of its slots, a checksum of 8 bytes), then slots
// of 32 bytes. A slot is: checksum 4, tag 4, three words of 8 bytes, low byte first; all zero while
// it is not written. Slots are numbered from 1 over all segments of a writer, without a gap. A
// slot's checksum covers the writer's id and the slot's number too, so that old bytes in the wrong
// place are none, and is never 0.
//
// A writer id is 32 hex digits: files that are named in another way are somebody else's. A file is
// made under a temporary name and renamed when it is whole. A segment that is followed by another
// ends where that one begins.
//
// A process that is killed leaves whole slots and at most one torn one per writer, at the end; a
// loss of power leaves what was synced and any part of what was not.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/fs_file.hpp"

namespace mlrt {

struct JournalSlot {
  std::uint32_t tag = 0;
  std::array<std::uint64_t, 3> words{};
};

constexpr std::size_t kJournalSlotBytes = 32;

// What the checksums of a writer's slots begin with.
std::uint64_t journal_seed(std::string_view writer_id);
// Never 0. Inline: it is part of every logged metric.
inline std::uint32_t journal_checksum(std::uint64_t seed, std::int64_t number,
                                      const JournalSlot& slot) {
  constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15u;
  std::uint64_t hash = seed ^ (static_cast<std::uint64_t>(number) * kFactor);
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 29;
  };
  mix(slot.tag);
  mix(slot.words[0]);
  mix(slot.words[1]);
  mix(slot.words[2]);
  const auto checksum = static_cast<std::uint32_t>(hash >> 32 ^ hash);
  return checksum == 0 ? 1 : checksum;
}

// Segments are made up to this long, and found ones are read up to here.
constexpr std::size_t kMaxJournalSegmentBytes = 64 << 20;

struct JournalOptions {
  // Mapped memory makes an append some 10 ns; on a network file system, where a mapping does not
  // hold, each append is a write.
  bool mapped = true;
  std::size_t first_segment_bytes = 64 << 10;  // each next one is four times as large,
  std::size_t max_segment_bytes = 4 << 20;     // up to this
};

// The folder of a store's journals, and in it the files of a writer.
std::string journal_folder(const std::string& store_path);
std::string journal_lock_path(const std::string& store_path, const std::string& writer_id);
std::string journal_segment_path(const std::string& store_path, const std::string& writer_id,
                                 std::int64_t first);

// Who may touch a writer's files. Byte 0 of the lock file is locked as long as the writer lives,
// stopped or not; byte 1 while someone folds its records. Held by the open file, not the process.
class JournalLock {
 public:
  // For the writer itself: creates the lock file with byte 0 locked, so that nobody ever sees it
  // unlocked before the writer is gone. Creates the folder of the journals. Throws kIo,
  // kPermissionDenied. After an error nothing is left.
  static JournalLock create(const std::string& store_path, const std::string& writer_id);
  // For others; nothing if there is no such file. Throws kIo, kPermissionDenied (it is opened to be
  // written, as locks need that).
  static std::optional<JournalLock> open(const std::string& store_path,
                                         const std::string& writer_id);

  // False once byte 0 can be locked: it then is, by this object. Only for a lock that was opened.
  bool writer_is_alive();
  bool try_lock_folding();
  void unlock_folding();
  // Deletes the lock file, and the folder if it is empty. Fine if they are gone. What is locked
  // stays so, for those who opened the file before, until this object ends.
  void remove();
  // Closes the file without unlocking it for the process that this one was forked from.
  void abandon() noexcept { file_.close(); }

 private:
  explicit JournalLock(fs::File file) : file_(std::move(file)) {}
  fs::File file_;
};

class JournalUnfinishedFile;

// Appends. One thread at a time may call the methods that are not const, but sync_segments and
// release_segments (below), which work on files by name, may run at the same time elsewhere.
class JournalWriter {
 public:
  // Creates nothing yet: the first begin_segment() makes lock file and segment. Throws
  // kInvalidParameter for a writer id that is none.
  JournalWriter(std::string store_path, std::string writer_id, const JournalOptions& options = {});
  ~JournalWriter();  // closes its files and leaves them
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  const std::string& writer_id() const { return writer_id_; }
  // The number that the next slot gets.
  std::int64_t next() const { return next_; }
  // Changes whenever a segment begins, and is never the same for two segments of this process, of
  // whatever writer. 0 before the first one.
  std::uint64_t segment() const { return segment_; }
  // Slots that can still be appended to the segment; 0 before the first one.
  std::size_t room() const { return static_cast<std::size_t>(end_ - next_); }

  // Begins the next segment: its space is allocated before it is mapped, so that a full disk is
  // an error here and never a signal later; on a disk that is nearly full the segment is smaller.
  // What the old one has room for is not used any more. Files that were taken away come back first,
  // as restore_files() does it. After an error (kIo, kPermissionDenied) no file is left and the old
  // segment is still current; the same call may succeed later. Throws kInternal after abandon().
  void begin_segment();
  // Makes folder, lock file and the current segment anew where somebody removed them, with all that
  // was appended to that segment. True if there was something to do. Throws kIo, kPermissionDenied;
  // the call may be repeated.
  bool restore_files();
  // There is no room() any more: the next append needs another segment.
  void leave_segment() noexcept { let_go(); }

  // Needs room(). Cannot fail where the journal is mapped; else throws kIo, with the slot not
  // there.
  void append(const JournalSlot& slot) {
    if (map_ == nullptr) return append_by_write(slot);
    // The checksum comes last: whoever sees it sees the rest.
    char* place = map_ + static_cast<std::size_t>(next_ - first_ + 1) * kJournalSlotBytes;
    put(place, slot, journal_checksum(seed_, next_, slot));
    ++next_;
  }

  // Deletes all files of the writer: everything in them is safe elsewhere. It may go on with
  // begin_segment(), with a small segment again; numbers go on. After an error there is no room(),
  // and the call may be repeated.
  void remove();
  // In the child of a fork: lets go of everything without touching the files, which are the
  // parent's.
  void abandon() noexcept;

 private:
  static void put(char* place, const JournalSlot& slot, std::uint32_t checksum) {
    std::memcpy(place + 4, &slot.tag, sizeof(slot.tag));
    std::memcpy(place + 8, slot.words.data(), sizeof(slot.words));
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(place), checksum, __ATOMIC_RELEASE);
  }
  void append_by_write(const JournalSlot& slot);
  bool create_segment(std::size_t bytes);
  void publish_segment(JournalUnfinishedFile& unfinished, const std::string& path,
                       std::size_t bytes);
  void let_go() noexcept;

  std::string store_path_, writer_id_;
  JournalOptions options_;
  std::uint64_t seed_;
  std::uint64_t segment_ = 0;
  std::int64_t first_ = 1, next_ = 1, end_ = 1;  // slots of the segment: [first_, end_)
  char* map_ = nullptr;
  std::optional<JournalLock> lock_;
  std::optional<fs::File> file_;  // of a segment that is not mapped
  std::optional<fs::WritableMap> mapping_;
  std::size_t segment_bytes_ = 0;
  bool abandoned_ = false;
};

// One segment as it is found on the disk; `slots` follows from the file's size and from where the
// next one begins.
struct JournalSegment {
  std::string path;
  std::int64_t first = 0;
  std::int64_t slots = 0;
};
struct JournalFiles {
  std::string writer_id;
  bool has_lock = false;                 // else the writer is gone
  std::vector<JournalSegment> segments;  // by their first slot
};

// The journals of a store, by writer id; files with other names are left alone, but for temporary
// ones that a killed writer left a minute ago: they are removed, as is a folder that is empty then.
// Cheap when there are none. Throws kIo, kPermissionDenied.
std::vector<JournalFiles> find_journals(const std::string& store_path);
// The segments of one writer; none if there is no folder. Throws as find_journals.
std::vector<JournalSegment> find_segments(const std::string& store_path,
                                          const std::string& writer_id);

// Slots as they were read. What is not valid is left out.
struct JournalSlots {
  std::vector<JournalSlot> slots;
  std::vector<std::int64_t> numbers;  // of each slot, rising
  // The last one whose bytes are neither a slot nor zeros, which a killed writer leaves nowhere: it
  // writes the checksum last. 0: none.
  std::int64_t damaged = 0;
};

// Appends the valid slots numbered [from, until) of a segment to `found`. False if the file is
// gone. Safe while the writer appends: it sees what was appended before the call, and maybe more.
// A header that is damaged does no harm: name and size say the same; a file that is shorter than it
// was when it was found has fewer slots. Throws kIo, kPermissionDenied, with `found` as it was or
// with more in it.
bool read_journal(const JournalSegment& segment, std::uint64_t seed, std::int64_t from,
                  std::int64_t until, JournalSlots& found);

// True if the file of a segment is shorter than it was made: what stood behind its end is lost.
bool is_cut_off(const JournalSegment& segment, std::uint64_t seed);

// Makes the slots below `until` of a writer, and the files that hold them, last through a power
// cut; earlier calls did so for those below `from` (1 for the first call). Segments that were
// released meanwhile are fine. Throws kIo, kPermissionDenied: nothing is sure then, and the same
// call must be repeated.
void sync_segments(const std::string& store_path, const std::string& writer_id, std::int64_t from,
                   std::int64_t until);

// Deletes the segments all of whose slots are below `kept`, but never the last one. After an error
// some are gone, lower ones first.
void release_segments(const std::string& store_path, const std::string& writer_id,
                      std::int64_t kept);

// Deletes all files of a writer that is gone, unfinished ones too, and the folder if it is empty
// then; `lock` has byte 0, or is none if there is no lock file. After an error the lock file is
// still there, if there was one, and the call may be repeated.
void remove_journal(const std::string& store_path, const std::string& writer_id,
                    std::optional<JournalLock> lock);

}  // namespace mlrt

#endif  // MLRT_STORE_JOURNAL_HPP_
