// Journals: a file of any name and content beside a store costs nothing but the slots in it. The
// input is the file's name, a line break, and its bytes; another writer's segment stands beside it.

#include <algorithm>
#include <cstring>

#include "../support/temp_dir.hpp"
#include "core/fs.hpp"
#include "fuzz_target.hpp"
#include "store/journal.hpp"

namespace {

const char kFuzzWriterId[] = "ffffffffffffffffffffffffffffffff";

void check_journal_segment(const mlrt::JournalSegment& segment, const std::string& writer_id) {
  const std::uint64_t seed = mlrt::journal_seed(writer_id);
  const std::string bytes = mlrt::fs::read_file(segment.path);
  mlrt::fuzz::require(segment.first > 0 && segment.slots >= 0, "slots are numbered from 1");
  mlrt::JournalSlots found;
  mlrt::fuzz::require(mlrt::read_journal(segment, seed, 1, segment.first + segment.slots, found),
                      "a segment that was found is there");
  mlrt::fuzz::require(found.slots.size() == found.numbers.size(), "each slot has a number");
  std::int64_t last = 0;
  for (std::size_t i = 0; i < found.slots.size(); ++i) {
    const std::int64_t number = found.numbers[i];
    mlrt::fuzz::require(number > last && number < segment.first + segment.slots,
                        "numbers rise, within the segment");
    last = number;
    const std::size_t at =
        static_cast<std::size_t>(number - segment.first + 1) * mlrt::kJournalSlotBytes;
    mlrt::fuzz::require(at + mlrt::kJournalSlotBytes <= bytes.size(), "a slot is in the file");
    const std::uint32_t checksum = mlrt::journal_checksum(seed, number, found.slots[i]);
    mlrt::fuzz::require(std::memcmp(&checksum, &bytes[at], sizeof(checksum)) == 0,
                        "a slot's checksum is right");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // One folder for all inputs: it costs more than they do.
  static const mlrt::test::TempDir folder;
  static const std::string store = folder.path("x.db");
  static mlrt::JournalWriter* writer = nullptr;
  if (writer == nullptr) {
    static mlrt::JournalWriter kept(store, kFuzzWriterId);
    writer = &kept;
    writer->begin_segment();
    writer->append({1, {2, 3, 4}});
  }
  const std::string_view input = mlrt::fuzz::input_text(data, size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string name(input.substr(0, end));
  const std::string_view content = end == input.size() ? "" : input.substr(end + 1);
  if (name.empty() || name == "." || name == ".." || name.size() > 200 ||
      name.find_first_of(std::string_view("/\0", 2)) != std::string::npos ||
      name.compare(0, 32, kFuzzWriterId) == 0) {
    return 0;
  }
  const std::string path = mlrt::fs::join(mlrt::journal_folder(store), name);
  {
    mlrt::fs::File file(path, mlrt::fs::File::Mode::kCreate);
    file.write_at(0, content.data(), content.size());
  }
  bool has_sound = false;
  for (const mlrt::JournalFiles& files : mlrt::find_journals(store)) {
    for (const mlrt::JournalSegment& segment : files.segments) {
      check_journal_segment(segment, files.writer_id);
    }
    if (files.writer_id == kFuzzWriterId) {
      has_sound = files.has_lock && files.segments.size() == 1;
    } else {
      mlrt::remove_journal(store, files.writer_id, mlrt::JournalLock::open(store, files.writer_id));
    }
  }
  mlrt::fuzz::require(has_sound, "another writer's journal is untouched");
  mlrt::fs::remove_file(path);
  return 0;
}
