#include <algorithm>
#include <limits>
#include <memory>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/ids.hpp"
#include "store/journal.hpp"
#include "store/journal_names.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kJournalIdDigits = 32;
constexpr std::size_t kJournalFirstDigits = 16;
constexpr std::string_view kJournalLockEnd = ".lock";
constexpr std::string_view kJournalSegmentEnd = ".segment";
constexpr std::size_t kJournalReadSlots = 8192;  // 256 KB
constexpr std::int64_t kJournalLeftoverMs = 60000;
// Higher ones are damage: there they could not be counted on any more.
constexpr std::int64_t kJournalMaxFirst = std::numeric_limits<std::int64_t>::max() / 2;

bool is_journal_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool journal_ends_with(std::string_view name, std::string_view end) {
  return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
}

// "<writer id>-<16 hex digits>.segment": the number of the first slot; 0 for another name.
std::int64_t parse_journal_segment(std::string_view name) {
  if (name.size() != kJournalIdDigits + 1 + kJournalFirstDigits + kJournalSegmentEnd.size())
    return 0;
  if (!is_journal_writer_id(name.substr(0, kJournalIdDigits))) return 0;
  if (name[kJournalIdDigits] != '-' || !journal_ends_with(name, kJournalSegmentEnd)) return 0;
  const std::string_view digits = name.substr(kJournalIdDigits + 1, kJournalFirstDigits);
  if (!is_journal_hex(digits)) return 0;
  std::uint64_t first = 0;
  for (const char c : digits)
    first = first << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  return first > static_cast<std::uint64_t>(kJournalMaxFirst) ? 0
                                                              : static_cast<std::int64_t>(first);
}

// None if the folder is not there.
std::vector<std::string> list_journal_folder(const std::string& folder) {
  if (!fs::is_folder(folder)) return {};
  try {
    return fs::list(folder);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    return {};
  }
}

// `names` are sorted, so the segments of a writer come by their first slot.
std::vector<JournalSegment> journal_segments_among(const std::string& folder,
                                                   const std::vector<std::string>& names,
                                                   std::size_t from, std::size_t until) {
  std::vector<JournalSegment> segments;
  for (std::size_t i = from; i < until; ++i) {
    const std::int64_t first = parse_journal_segment(names[i]);
    if (first == 0) continue;
    std::string path = fs::join(folder, names[i]);
    const auto status = fs::file_status(path);
    if (!status || !status->is_regular) continue;
    const std::uint64_t bytes =
        std::min<std::uint64_t>(status->size_bytes, kMaxJournalSegmentBytes);
    const auto slots = static_cast<std::int64_t>(bytes / kJournalSlotBytes);
    if (!segments.empty()) {
      JournalSegment& before = segments.back();
      before.slots = std::min(before.slots, first - before.first);
    }
    segments.push_back({std::move(path), first, std::max<std::int64_t>(slots - 1, 0)});
  }
  return segments;
}

// Removes what a writer that was killed had not finished; what cannot be removed now is tried again
// next time. True if it is gone.
bool remove_journal_leftover(const std::string& path, std::int64_t now) {
  try {
    const auto status = fs::file_status(path);
    if (!status) return true;
    const std::int64_t age_ms = now - status->modified_ms;
    // From the future: the clock was set back since.
    if (!status->is_regular || (age_ms <= kJournalLeftoverMs && age_ms >= -kJournalLeftoverMs)) {
      return false;
    }
    fs::remove_file(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// ".<writer id><...>.<16 hex digits>.tmp"
bool is_journal_leftover(std::string_view name) {
  return fs::is_temporary_name(name) && name.size() > kJournalIdDigits + 1 &&
         is_journal_writer_id(name.substr(1, kJournalIdDigits));
}

}  // namespace

bool is_journal_writer_id(std::string_view text) {
  return text.size() == kJournalIdDigits && is_journal_hex(text);
}

std::string journal_folder(const std::string& store_path) { return store_path + "-journals"; }

std::string journal_lock_path(const std::string& store_path, const std::string& writer_id) {
  return fs::join(journal_folder(store_path), writer_id + std::string(kJournalLockEnd));
}

std::string journal_segment_path(const std::string& store_path, const std::string& writer_id,
                                 std::int64_t first) {
  std::string name = writer_id + "-";
  for (int shift = 60; shift >= 0; shift -= 4) name += "0123456789abcdef"[first >> shift & 15];
  return fs::join(journal_folder(store_path), name + std::string(kJournalSegmentEnd));
}

JournalUnfinishedFile::JournalUnfinishedFile(const std::string& path)
    : file_(fs::join(fs::parent(path), "." + fs::basename(path) + "." + random_hex(8) + ".tmp"),
            fs::File::Mode::kCreate) {}

JournalUnfinishedFile::~JournalUnfinishedFile() {
  if (published_) return;
  try {
    fs::remove_file(file_.path());
  } catch (const Error&) {  // find_journals removes it later
  }
}

fs::File JournalUnfinishedFile::publish(const std::string& path) {
  file_.rename_to(path);
  published_ = true;
  return std::move(file_);
}

void remove_journal_folder_if_empty(const std::string& folder) {
  try {
    fs::remove_folder_if_empty(folder);
  } catch (const Error&) {  // it does no harm, and the next one tries again
  }
}

void remove_journal_segments(const std::string& store_path, const std::string& writer_id) {
  const std::string folder = journal_folder(store_path);
  for (const std::string& name : list_journal_folder(folder)) {
    const bool is_segment =
        name.compare(0, kJournalIdDigits, writer_id) == 0 && parse_journal_segment(name) != 0;
    const bool is_unfinished =
        is_journal_leftover(name) && name.compare(1, kJournalIdDigits, writer_id) == 0;
    if (is_segment || is_unfinished) fs::remove_file(fs::join(folder, name));
  }
}

std::vector<JournalFiles> find_journals(const std::string& store_path) {
  const std::string folder = journal_folder(store_path);
  const std::vector<std::string> names = list_journal_folder(folder);
  std::vector<JournalFiles> journals;
  std::size_t left = names.size();
  for (std::size_t i = 0; i < names.size();) {
    const std::string_view name = names[i];
    if (is_journal_leftover(name)) {
      if (remove_journal_leftover(fs::join(folder, names[i]), now_ms())) --left;
      ++i;
      continue;
    }
    // '-' and '.' come before any digit: what belongs to one writer stands together.
    const std::string_view id = name.substr(0, kJournalIdDigits);
    std::size_t end = i + 1;
    if (is_journal_writer_id(id)) {
      while (end < names.size() && names[end].compare(0, kJournalIdDigits, id) == 0) ++end;
      JournalFiles files;
      files.writer_id = std::string(id);
      files.segments = journal_segments_among(folder, names, i, end);
      const std::string lock_path = journal_lock_path(store_path, files.writer_id);
      const auto lock = fs::file_status(lock_path);
      files.has_lock = lock && lock->is_regular;
      if (files.has_lock || !files.segments.empty()) journals.push_back(std::move(files));
    }
    i = end;
  }
  if (left == 0 && (!names.empty() || fs::is_folder(folder))) {
    remove_journal_folder_if_empty(folder);
  }
  return journals;
}

std::vector<JournalSegment> find_segments(const std::string& store_path,
                                          const std::string& writer_id) {
  const std::string folder = journal_folder(store_path);
  const std::vector<std::string> names = list_journal_folder(folder);
  const auto from = std::lower_bound(names.begin(), names.end(), writer_id + "-");
  const auto until = std::lower_bound(from, names.end(), writer_id + ".");
  return journal_segments_among(folder, names, static_cast<std::size_t>(from - names.begin()),
                                static_cast<std::size_t>(until - names.begin()));
}

bool is_cut_off(const JournalSegment& segment, std::uint64_t seed) {
  std::uint64_t header[4] = {};
  try {
    const fs::File file(segment.path, fs::File::Mode::kRead);
    if (file.read_at(0, header, sizeof(header)) != sizeof(header)) return true;
    JournalSlot checked;
    checked.words = {header[1], header[2], 0};
    if (journal_checksum(seed, 0, checked) != header[3]) return false;  // it cannot tell
    return file.size() < (header[2] + 1) * kJournalSlotBytes;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    return false;  // another process brought all of it in
  }
}

bool read_journal(const JournalSegment& segment, std::uint64_t seed, std::int64_t from,
                  std::int64_t until, JournalSlots& found) {
  from = std::max(from, segment.first);
  until = std::min(until, segment.first + segment.slots);
  std::optional<fs::File> file;
  try {
    file.emplace(segment.path, fs::File::Mode::kRead);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    return false;
  }
  if (from >= until) return true;
  const std::size_t block_slots =
      static_cast<std::size_t>(std::min<std::int64_t>(until - from, kJournalReadSlots));
  const std::unique_ptr<char[]> block(new char[block_slots * kJournalSlotBytes]);
  while (from < until) {
    const auto wanted = static_cast<std::size_t>(
        std::min<std::int64_t>(until - from, static_cast<std::int64_t>(block_slots)));
    const std::size_t got =
        file->read_at(static_cast<std::uint64_t>(from - segment.first + 1) * kJournalSlotBytes,
                      block.get(), wanted * kJournalSlotBytes) /
        kJournalSlotBytes;
    const char* at = block.get();
    for (std::size_t i = 0; i < got; ++i, at += kJournalSlotBytes) {
      std::uint32_t checksum = 0;
      std::memcpy(&checksum, at, sizeof(checksum));
      if (checksum == 0) continue;  // not written
      JournalSlot slot;
      std::memcpy(&slot.tag, at + 4, sizeof(slot.tag));
      std::memcpy(slot.words.data(), at + 8, sizeof(slot.words));
      const std::int64_t number = from + static_cast<std::int64_t>(i);
      if (checksum != journal_checksum(seed, number, slot)) {
        found.damaged = number;
        continue;
      }
      found.slots.push_back(slot);
      found.numbers.push_back(number);
    }
    if (got < wanted) break;
    from += static_cast<std::int64_t>(got);
  }
  return true;
}

void sync_segments(const std::string& store_path, const std::string& writer_id, std::int64_t from,
                   std::int64_t until) {
  bool is_new = false;
  for (const JournalSegment& segment : find_segments(store_path, writer_id)) {
    if (segment.first >= until || segment.first + segment.slots <= from) continue;
    try {
      fs::File(segment.path, fs::File::Mode::kRead).sync();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
    }
    is_new = is_new || segment.first >= from;
  }
  // The name of a segment that holds older slots too was synced with them.
  if (!is_new) return;
  const std::string folder = journal_folder(store_path);
  fs::sync_folder(folder);
  // Nobody synced the folder's own name when it was made.
  fs::sync_folder(fs::parent(folder));
}

void release_segments(const std::string& store_path, const std::string& writer_id,
                      std::int64_t kept) {
  const std::vector<JournalSegment> segments = find_segments(store_path, writer_id);
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    if (segments[i].first + segments[i].slots <= kept) fs::remove_file(segments[i].path);
  }
}

void remove_journal(const std::string& store_path, const std::string& writer_id,
                    std::optional<JournalLock> lock) {
  remove_journal_segments(store_path, writer_id);
  if (lock) return lock->remove();
  fs::remove_folder_if_empty(journal_folder(store_path));
}

}  // namespace mlrt
