#include "store/journal.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "store_testing.hpp"
#include "support/temp_dir.hpp"

namespace {

using mlrt::JournalLock;
using mlrt::JournalOptions;
using mlrt::JournalSegment;
using mlrt::JournalSlot;
using mlrt::JournalSlots;
using mlrt::JournalWriter;
using mlrt::test::caught;
using mlrt::test::Caught;
namespace fs = mlrt::fs;

const std::string kJournalTestId = "00112233445566778899aabbccddeeff";
const std::string kJournalTestOtherId = "ffeeddccbbaa99887766554433221100";
constexpr std::int64_t kJournalTestEnd = std::numeric_limits<std::int64_t>::max();

JournalSlot journal_test_slot(std::int64_t number) {
  const auto n = static_cast<std::uint64_t>(number);
  return {static_cast<std::uint32_t>(n % 5), {n * 0x0123456789ABCDEFu, n, ~n}};
}

bool same_journal_slot(const JournalSlot& a, const JournalSlot& b) {
  return a.tag == b.tag && a.words == b.words;
}

// Segments of `slots`, `slots` * 4, ... slots.
JournalOptions journal_test_options(std::size_t slots, bool mapped = true,
                                    std::size_t max_slots = 1000) {
  JournalOptions options;
  options.mapped = mapped;
  options.first_segment_bytes = (slots + 1) * mlrt::kJournalSlotBytes;
  options.max_segment_bytes = (max_slots + 1) * mlrt::kJournalSlotBytes;
  return options;
}

void append_journal(JournalWriter& writer, int count) {
  for (int i = 0; i < count; ++i) {
    if (writer.room() == 0) writer.begin_segment();
    writer.append(journal_test_slot(writer.next()));
  }
}

// All slots of a writer; each is checked to be what append_journal wrote under its number.
JournalSlots read_journal_slots(const std::string& store, const std::string& id,
                                std::int64_t from = 1, std::int64_t until = kJournalTestEnd) {
  JournalSlots found;
  for (const JournalSegment& segment : mlrt::find_segments(store, id)) {
    mlrt::read_journal(segment, mlrt::journal_seed(id), from, until, found);
  }
  REQUIRE(found.slots.size() == found.numbers.size());
  bool right = true;
  for (std::size_t i = 0; i < found.slots.size(); ++i) {
    right = right && same_journal_slot(found.slots[i], journal_test_slot(found.numbers[i])) &&
            (i == 0 || found.numbers[i] > found.numbers[i - 1]);
  }
  CHECK(right);
  return found;
}

std::vector<std::int64_t> journal_numbers(std::int64_t from, std::int64_t until) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = from; i < until; ++i) numbers.push_back(i);
  return numbers;
}

std::vector<std::string> journal_file_names(const std::string& store) {
  const std::string folder = mlrt::journal_folder(store);
  return fs::exists(folder) ? fs::list(folder) : std::vector<std::string>{};
}

void overwrite_journal_file(const std::string& path, const std::string& content) {
  fs::remove_file(path);
  fs::File file(path, fs::File::Mode::kCreate);
  file.write_at(0, content.data(), content.size());
}

void set_journal_file_age(const std::string& path, int seconds) {
  struct timespec times[2] = {};
  times[0].tv_sec = times[1].tv_sec = static_cast<time_t>(mlrt::now_ms() / 1000 - seconds);
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

// A pipe for one byte between a test and its child process.
class JournalTestGate {
 public:
  JournalTestGate() { REQUIRE(::pipe(ends_) == 0); }
  ~JournalTestGate() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  JournalTestGate(const JournalTestGate&) = delete;
  JournalTestGate& operator=(const JournalTestGate&) = delete;
  void open() { mlrt::test::require_in_child(::write(ends_[1], "x", 1) == 1, "write to a pipe"); }
  void wait() {
    char byte = 0;
    mlrt::test::require_in_child(::read(ends_[0], &byte, 1) == 1, "read from a pipe");
  }

 private:
  int ends_[2] = {-1, -1};
};

[[noreturn]] void sleep_for_ever() {
  for (;;) ::pause();
}

// Runs `act` with its first system call failing, then its second, until none fails any more; with
// `stays`, all later ones fail too. `before` prepares, `after` looks after each failure and gets
// whether there was an error. The count of errors is the result.
template <typename Before, typename Act, typename After>
int fail_each_journal_call(bool stays, Before before, Act act, After after) {
  int errors = 0;
  for (int failing = 1; failing < 1000; ++failing) {
    before();
    int calls = 0;
    fs::set_fault_hook([&](fs::Op, const std::string&) {
      ++calls;
      return calls == failing || (stays && calls > failing) ? EIO : 0;
    });
    const Caught error = caught(act);
    fs::set_fault_hook({});
    if (calls < failing) return errors;
    CAPTURE(failing);
    CAPTURE(error.message);
    if (!error.message.empty()) {
      CHECK(error.message.rfind("cannot ", 0) == 0);
      CHECK(error.has("the disk reported an error"));
      ++errors;
    }
    after(!error.message.empty());
  }
  FAIL("the operation never got through");
  return errors;
}

}  // namespace

TEST_CASE("slots come back with their numbers, over many segments, mapped or written") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("my st\xC3\xB6re.db");
  for (const bool mapped : {true, false}) {
    CAPTURE(mapped);
    JournalWriter writer(store, kJournalTestId, journal_test_options(3, mapped, 20));
    CHECK(writer.room() == 0);
    CHECK(writer.next() == 1);
    CHECK(writer.segment() == 0);
    CHECK(journal_file_names(store).empty());
    append_journal(writer, 1);
    CHECK(writer.room() == 2);
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 2));
    append_journal(writer, 199);
    CHECK(writer.next() == 201);
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 201));
    CHECK(read_journal_slots(store, kJournalTestId, 3, 17).numbers == journal_numbers(3, 17));
    CHECK(read_journal_slots(store, kJournalTestId, 200).numbers == journal_numbers(200, 201));
    CHECK(read_journal_slots(store, kJournalTestId, 201).numbers.empty());
    const auto journals = mlrt::find_journals(store);
    REQUIRE(journals.size() == 1);
    CHECK(journals[0].writer_id == kJournalTestId);
    CHECK(journals[0].has_lock);
    std::int64_t first = 1;
    std::vector<std::int64_t> sizes;
    for (const JournalSegment& segment : journals[0].segments) {
      CHECK(segment.first == first);
      CHECK(segment.path == mlrt::journal_segment_path(store, kJournalTestId, first));
      first += segment.slots;
      sizes.push_back(segment.slots);
    }
    REQUIRE(sizes.size() == 12);
    sizes.resize(4);
    CHECK(sizes ==
          std::vector<std::int64_t>{3, 15, 20, 20});  // 4, 16, 64 at most 21, less a header
    // Another writer's seed, or another place, makes other slots.
    JournalSlots none;
    CHECK(mlrt::read_journal(journals[0].segments[0], mlrt::journal_seed(kJournalTestOtherId), 1,
                             kJournalTestEnd, none));
    JournalSegment moved = journals[0].segments[0];
    moved.first += 1;
    CHECK(mlrt::read_journal(moved, mlrt::journal_seed(kJournalTestId), 1, kJournalTestEnd, none));
    CHECK(none.slots.empty());
    writer.remove();
    CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
  }
}

TEST_CASE("a segment's bytes are those of the format") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalWriter writer(store, kJournalTestId, journal_test_options(2));
  writer.begin_segment();
  writer.append({0x01020304, {0x1112131415161718u, 2, 3}});
  CHECK(journal_file_names(store) ==
        std::vector<std::string>{kJournalTestId + "-0000000000000001.segment",
                                 kJournalTestId + ".lock"});
  const std::string bytes = fs::read_file(mlrt::journal_segment_path(store, kJournalTestId, 1));
  REQUIRE(bytes.size() == 96);
  CHECK(bytes.substr(0, 24) == std::string("mlrtjrn1\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 24));
  CHECK(bytes.substr(36, 28) == std::string("\4\3\2\1\x18\x17\x16\x15\x14\x13\x12\x11"
                                            "\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0",
                                            28));
  CHECK(bytes.substr(64) == std::string(32, '\0'));
  // Both must stay as they are: journals outlive a program's version.
  CHECK(mlrt::journal_seed(kJournalTestId) == 6054210682781003409u);
  CHECK(mlrt::journal_checksum(mlrt::journal_seed(kJournalTestId), 1, journal_test_slot(1)) ==
        2844567745u);
}

TEST_CASE("segments grow four times each, and their space is taken before they are used") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalWriter writer(store, kJournalTestId);
  std::vector<std::uint64_t> seen;
  for (const std::uint64_t expected : {64 << 10, 256 << 10, 1 << 20, 4 << 20, 4 << 20}) {
    writer.begin_segment();
    CHECK(std::find(seen.begin(), seen.end(), writer.segment()) == seen.end());
    seen.push_back(writer.segment());
    CHECK(writer.segment() != 0);
    CHECK(writer.room() == expected / mlrt::kJournalSlotBytes - 1);
    const std::string path = mlrt::journal_segment_path(store, kJournalTestId, writer.next());
    fs::File(path, fs::File::Mode::kRead).sync();
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK(static_cast<std::uint64_t>(info.st_size) == expected);
    CHECK(static_cast<std::uint64_t>(info.st_blocks) * 512 >= expected);
    writer.append(journal_test_slot(writer.next()));
  }
  // Segments that were left with room end where the next one begins.
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 6));
  const auto segments = mlrt::find_segments(store, kJournalTestId);
  REQUIRE(segments.size() == 5);
  for (int i = 0; i < 4; ++i) CHECK(segments[static_cast<std::size_t>(i)].slots == 1);
  JournalWriter other(store, kJournalTestOtherId);
  other.begin_segment();
  CHECK(std::find(seen.begin(), seen.end(), other.segment()) == seen.end());
}

TEST_CASE(
    "a segment that is begun anew before anything was appended takes the place of the old one") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalWriter writer(store, kJournalTestId, journal_test_options(1));
  writer.begin_segment();
  writer.begin_segment();
  append_journal(writer, 7);
  CHECK(journal_file_names(store).size() == 2);
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 8));
}

TEST_CASE("options out of range are brought into it, and a writer id that is none is refused") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalOptions options;
  options.first_segment_bytes = 0;
  options.max_segment_bytes = 71;
  JournalWriter writer(store, kJournalTestId, options);
  append_journal(writer, 3);
  CHECK(mlrt::find_segments(store, kJournalTestId).size() == 3);
  options.first_segment_bytes = options.max_segment_bytes = std::size_t{1} << 40;
  options.mapped = false;
  {
    JournalWriter large(store, kJournalTestOtherId, options);
    large.begin_segment();
    CHECK(large.room() == mlrt::kMaxJournalSegmentBytes / mlrt::kJournalSlotBytes - 1);
    large.remove();
  }
  for (const char* id : {"", "abc", "../../../../../../etc/passwd0000",
                         "00112233445566778899AABBCCDDEEFF", "00112233445566778899aabbccddeeff0"}) {
    const Caught error = caught([&] { JournalWriter refused(store, id); });
    CHECK(static_cast<int>(error.code) == static_cast<int>(mlrt::ErrorCode::kInvalidParameter));
    CHECK(error.has("a journal's writer id must be 32 hex digits"));
  }
}

TEST_CASE("a writer that removed its files goes on with the numbers that follow") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalWriter writer(store, kJournalTestId, journal_test_options(3));
  writer.remove();  // nothing there yet
  append_journal(writer, 10);
  writer.remove();
  CHECK(writer.room() == 0);
  CHECK(writer.segment() == 0);
  CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
  append_journal(writer, 4);
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(11, 15));
  auto lock = JournalLock::open(store, kJournalTestId);
  REQUIRE(lock);
  CHECK(lock->writer_is_alive());
  writer.remove();
  writer.remove();
  CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
}

TEST_CASE("files that were removed come back with what was appended to the last segment") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  const std::string journals = mlrt::journal_folder(store);
  for (const bool mapped : {true, false}) {
    CAPTURE(mapped);
    JournalWriter writer(store, kJournalTestId, journal_test_options(4, mapped, 4));
    CHECK_FALSE(writer.restore_files());
    append_journal(writer, 10);
    CHECK_FALSE(writer.restore_files());
    const std::uint64_t segment = writer.segment();
    fs::remove_tree(journals);
    CHECK(writer.restore_files());
    CHECK_FALSE(writer.restore_files());
    CHECK(writer.segment() == segment);
    append_journal(writer, 1);
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(9, 12));
    auto lock = JournalLock::open(store, kJournalTestId);
    REQUIRE(lock);
    CHECK(lock->writer_is_alive());
    lock.reset();
    // The next segment brings them back too.
    fs::remove_tree(journals);
    append_journal(writer, 2);
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(9, 14));
    fs::remove_file(mlrt::journal_lock_path(store, kJournalTestId));
    CHECK(writer.restore_files());
    CHECK(JournalLock::open(store, kJournalTestId)->writer_is_alive());

    const int errors = fail_each_journal_call(
        false, [&] { fs::remove_tree(journals); }, [&] { writer.restore_files(); },
        [&](bool) {
          for (const std::string& name : journal_file_names(store))
            CHECK_FALSE(fs::is_temporary_name(name));
          writer.restore_files();
          CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(13, 14));
        });
    CHECK(errors >= 8);
    writer.leave_segment();
    CHECK(writer.room() == 0);
    append_journal(writer, 1);
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(13, 15));
    writer.remove();
  }
}

TEST_CASE("a journal whose folder cannot be made anew says so, and keeps what it has") {
  mlrt::test::TempDir folder;
  const std::string inner = folder.path("inner"), store = fs::join(inner, "x.db");
  fs::make_folders(inner);
  JournalWriter writer(store, kJournalTestId, journal_test_options(4));
  append_journal(writer, 4);
  fs::remove_tree(inner);
  const Caught error = caught([&] { writer.begin_segment(); });
  CHECK(error.code == mlrt::ErrorCode::kIo);
  CHECK(error.has("were removed and cannot be made anew"));
  fs::make_folders(inner);
  append_journal(writer, 1);
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 6));
}

TEST_CASE("each bit of a segment that flips costs the slot it is in and no other") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalWriter writer(store, kJournalTestId, journal_test_options(8));
  append_journal(writer, 6);
  const JournalSegment segment = mlrt::find_segments(store, kJournalTestId).at(0);
  const std::string sound = fs::read_file(segment.path);
  REQUIRE(sound.size() == 9 * 32);
  const std::string copy = folder.path("copy");
  fs::File file(copy, fs::File::Mode::kCreate);
  file.write_at(0, sound.data(), sound.size());
  const JournalSegment damaged{copy, 1, 8};
  int flips = 0;
  for (std::size_t at = 0; at < sound.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      const char flipped = static_cast<char>(sound[at] ^ (1 << bit));
      file.write_at(at, &flipped, 1);
      JournalSlots found;
      REQUIRE(mlrt::read_journal(damaged, mlrt::journal_seed(kJournalTestId), 1, kJournalTestEnd,
                                 found));
      std::vector<std::int64_t> expected = journal_numbers(1, 7);
      const auto hit = static_cast<std::int64_t>(at / 32);
      if (hit >= 1 && hit <= 6) expected.erase(expected.begin() + (hit - 1));
      bool right = found.numbers == expected && found.slots.size() == expected.size();
      for (std::size_t i = 0; right && i < expected.size(); ++i) {
        right = same_journal_slot(found.slots[i], journal_test_slot(expected[i]));
      }
      CAPTURE(at);
      CAPTURE(bit);
      REQUIRE(right);
      ++flips;
    }
    file.write_at(at, &sound[at], 1);
  }
  CHECK(flips == 9 * 32 * 8);
}

TEST_CASE("a segment that was cut off anywhere gives the slots that are whole") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  std::string sound;
  JournalSegment whole;
  {
    JournalWriter writer(store, kJournalTestId, journal_test_options(8));
    append_journal(writer, 8);
    whole = mlrt::find_segments(store, kJournalTestId).at(0);
    sound = fs::read_file(whole.path);
  }
  for (std::size_t size = 0; size <= sound.size(); ++size) {
    CAPTURE(size);
    overwrite_journal_file(whole.path, sound.substr(0, size));
    const auto slots = std::max<std::int64_t>(static_cast<std::int64_t>(size / 32) - 1, 0);
    const auto segments = mlrt::find_segments(store, kJournalTestId);
    REQUIRE(segments.size() == 1);
    CHECK(segments[0].slots == slots);
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, slots + 1));
    // Found while it was still whole.
    JournalSlots found;
    CHECK(mlrt::read_journal(whole, mlrt::journal_seed(kJournalTestId), 1, kJournalTestEnd, found));
    CHECK(found.numbers == journal_numbers(1, slots + 1));
  }
}

TEST_CASE("a segment with its middle lost, or old bytes in place of new ones, gives what is left") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalWriter writer(store, kJournalTestId, journal_test_options(8, true, 8));
  append_journal(writer, 16);
  const std::string first = mlrt::journal_segment_path(store, kJournalTestId, 1);
  const std::string second = mlrt::journal_segment_path(store, kJournalTestId, 9);
  std::string bytes = fs::read_file(first);
  overwrite_journal_file(first, bytes.substr(0, 96) + std::string(96, '\0') + bytes.substr(192));
  CHECK(read_journal_slots(store, kJournalTestId, 1, 9).numbers ==
        std::vector<std::int64_t>{1, 2, 6, 7, 8});
  overwrite_journal_file(second, bytes);  // sound slots, of other numbers
  CHECK(read_journal_slots(store, kJournalTestId, 9).numbers.empty());
  // Slots that changed places.
  overwrite_journal_file(
      first, bytes.substr(0, 32) + bytes.substr(64, 32) + bytes.substr(32, 32) + bytes.substr(96));
  CHECK(read_journal_slots(store, kJournalTestId, 1, 9).numbers == journal_numbers(3, 9));
}

TEST_CASE("files with other names in the folder of the journals are left alone") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  const std::string journals = mlrt::journal_folder(store);
  CHECK(mlrt::find_journals(store).empty());
  CHECK(mlrt::find_segments(store, kJournalTestId).empty());
  fs::make_folders(journals);
  const std::vector<std::string> foreign = {
      ".hidden",
      ".note.0123456789abcdef.tmp",
      "README.txt",
      "notes.lock",
      kJournalTestId,
      kJournalTestId + "-.segment",
      kJournalTestId + "-0000000000000000.segment",
      kJournalTestId + "-0000000000000001.segment2",
      kJournalTestId + "-000000000000000G.segment",
      kJournalTestId + "-00000000000001.segment",
      kJournalTestId + "-ffffffffffffffff.segment",
      kJournalTestId + ".lock~",
      kJournalTestId + "0.lock",
      "F" + kJournalTestId.substr(1) + ".lock",
      "\xFF\xFE.segment",
      "z \xC3\xBC",
  };
  for (const std::string& name : foreign) {
    overwrite_journal_file(fs::join(journals, name), "something");
    set_journal_file_age(fs::join(journals, name), 100000);
  }
  fs::make_folders(fs::join(journals, kJournalTestOtherId + ".lock"));
  fs::make_folders(fs::join(journals, kJournalTestOtherId + "-0000000000000001.segment"));
  REQUIRE(::symlink(
              "README.txt",
              fs::join(journals, kJournalTestOtherId + "-0000000000000002.segment").c_str()) == 0);
  CHECK(mlrt::find_journals(store).empty());
  CHECK(mlrt::find_segments(store, kJournalTestOtherId).empty());
  JournalWriter writer(store, kJournalTestId, journal_test_options(3));
  append_journal(writer, 20);
  const auto found = mlrt::find_journals(store);
  REQUIRE(found.size() == 1);
  CHECK(found[0].writer_id == kJournalTestId);
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 21));
  writer.remove();
  CHECK(journal_file_names(store).size() == foreign.size() + 3);
}

TEST_CASE(
    "a segment of any length is read up to a limit, one of any number up to what can be counted") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  fs::make_folders(mlrt::journal_folder(store));
  const std::string huge = mlrt::journal_segment_path(store, kJournalTestId, 5);
  {
    fs::File file(huge, fs::File::Mode::kCreate);
    REQUIRE(::ftruncate(file.descriptor(), off_t{1} << 40) == 0);
  }
  const std::string last =
      mlrt::journal_segment_path(store, kJournalTestOtherId, kJournalTestEnd / 2);
  overwrite_journal_file(last, std::string(320, 'x'));
  const auto found = mlrt::find_journals(store);
  REQUIRE(found.size() == 2);
  CHECK_FALSE(found[0].has_lock);
  CHECK(found[0].segments.at(0).slots ==
        static_cast<std::int64_t>(mlrt::kMaxJournalSegmentBytes / mlrt::kJournalSlotBytes) - 1);
  CHECK(found[1].segments.at(0).first == kJournalTestEnd / 2);
  for (const std::string& id : {kJournalTestId, kJournalTestOtherId}) {
    CHECK(read_journal_slots(store, id).numbers.empty());
    mlrt::remove_journal(store, id, {});
  }
  CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
}

TEST_CASE("what a killed writer had not finished goes a minute later, and the folder with it") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  const std::string journals = mlrt::journal_folder(store);
  for (const int age_seconds : {120, -86400}) {  // the second: the clock was set back since
    CAPTURE(age_seconds);
    fs::make_folders(journals);
    const std::string old = fs::join(journals, "." + kJournalTestId + ".lock.0123456789abcdef.tmp");
    const std::string young =
        fs::join(journals, "." + kJournalTestId + "-0000000000000001.segment.0123456789abcdef.tmp");
    overwrite_journal_file(old, "");
    overwrite_journal_file(young, "half");
    set_journal_file_age(old, age_seconds);
    set_journal_file_age(young, 30);
    CHECK(mlrt::find_journals(store).empty());
    CHECK_FALSE(fs::exists(old));
    CHECK(fs::exists(young));
    set_journal_file_age(young, 61);
    CHECK(mlrt::find_journals(store).empty());
    CHECK_FALSE(fs::exists(journals));
  }
  // Who knows that the writer is gone need not wait.
  fs::make_folders(journals);
  overwrite_journal_file(fs::join(journals, "." + kJournalTestId + ".lock.0123456789abcdef.tmp"),
                         "");
  mlrt::remove_journal(store, kJournalTestId, {});
  CHECK_FALSE(fs::exists(journals));
  fs::make_folders(journals);
  CHECK(mlrt::find_journals(store).empty());
  CHECK_FALSE(fs::exists(journals));
}

TEST_CASE(
    "a writer is alive to all others as long as its journal is open, in its own process too") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  CHECK_FALSE(JournalLock::open(store, kJournalTestId));
  {
    JournalWriter writer(store, kJournalTestId, journal_test_options(3));
    append_journal(writer, 5);
    auto one = JournalLock::open(store, kJournalTestId);
    auto two = JournalLock::open(store, kJournalTestId);
    REQUIRE(one);
    REQUIRE(two);
    CHECK(one->writer_is_alive());
    CHECK(one->try_lock_folding());
    CHECK_FALSE(two->try_lock_folding());
    one->unlock_folding();
    CHECK(two->try_lock_folding());
    CHECK(two->writer_is_alive());
  }
  auto lock = JournalLock::open(store, kJournalTestId);
  REQUIRE(lock);
  CHECK_FALSE(lock->writer_is_alive());
  CHECK_FALSE(lock->writer_is_alive());
  auto late = JournalLock::open(store, kJournalTestId);
  REQUIRE(late);
  CHECK(late->writer_is_alive());  // this one has byte 0 now
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 6));
  mlrt::remove_journal(store, kJournalTestId, std::move(lock));
  CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
  // It opened the file before it was removed.
  CHECK_FALSE(late->writer_is_alive());
  mlrt::remove_journal(store, kJournalTestId, std::move(late));
}

TEST_CASE("a writer in another process is alive while it is stopped, and gone once it is killed") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalTestGate ready;
  const pid_t child = mlrt::test::start_child([&] {
    JournalWriter writer(store, kJournalTestId, journal_test_options(10));
    for (int i = 0; i < 25; ++i) {
      if (writer.room() == 0) writer.begin_segment();
      writer.append(journal_test_slot(writer.next()));
    }
    ready.open();
    sleep_for_ever();
  });
  ready.wait();
  REQUIRE(::kill(child, SIGSTOP) == 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, WUNTRACED) == child);
  REQUIRE(WIFSTOPPED(status));
  {
    auto lock = JournalLock::open(store, kJournalTestId);
    REQUIRE(lock);
    CHECK(lock->writer_is_alive());
    CHECK(lock->try_lock_folding());
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 26));
  }
  REQUIRE(::kill(child, SIGKILL) == 0);
  REQUIRE(::waitpid(child, &status, 0) == child);
  auto lock = JournalLock::open(store, kJournalTestId);
  REQUIRE(lock);
  CHECK_FALSE(lock->writer_is_alive());
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 26));
  mlrt::remove_journal(store, kJournalTestId, std::move(lock));
  CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
}

TEST_CASE("a forked child that abandons the journal neither harms it nor keeps its writer alive") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  for (const bool abandons : {true, false}) {
    CAPTURE(abandons);
    JournalTestGate ready;
    pid_t grandchild_ids[2];
    int ids[2];
    REQUIRE(::pipe(ids) == 0);
    const pid_t writer_process = mlrt::test::start_child([&] {
      JournalWriter writer(store, kJournalTestId, journal_test_options(10));
      append_journal(writer, 5);
      JournalTestGate abandoned;
      const pid_t grandchild = mlrt::test::start_child([&] {
        if (abandons) {
          writer.abandon();
          mlrt::test::require_in_child(writer.room() == 0 && writer.segment() == 0, "let go");
          writer.abandon();
          writer.remove();  // nothing of ours
          const Caught error = caught([&] { writer.begin_segment(); });
          mlrt::test::require_in_child(error.has("was abandoned"), "begins no segment");
        }
        abandoned.open();
        sleep_for_ever();
      });
      abandoned.wait();
      append_journal(writer, 20);
      mlrt::test::require_in_child(
          ::write(ids[1], &grandchild, sizeof(grandchild)) == sizeof(grandchild),
          "write to a pipe");
      ready.open();
      sleep_for_ever();
    });
    ready.wait();
    REQUIRE(::read(ids[0], grandchild_ids, sizeof(pid_t)) == sizeof(pid_t));
    ::close(ids[0]);
    ::close(ids[1]);
    auto lock = JournalLock::open(store, kJournalTestId);
    REQUIRE(lock);
    CHECK(lock->writer_is_alive());
    REQUIRE(::kill(writer_process, SIGKILL) == 0);
    CHECK_FALSE(mlrt::test::child_succeeded(writer_process));
    CHECK(lock->writer_is_alive() == !abandons);
    ::kill(grandchild_ids[0], SIGKILL);
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 26));
    mlrt::remove_journal(store, kJournalTestId, std::move(lock));
    CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
  }
}

TEST_CASE("segments are released from the low end, but never the last one") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  mlrt::release_segments(store, kJournalTestId, 100);
  JournalWriter writer(store, kJournalTestId, journal_test_options(4, true, 4));
  append_journal(writer, 12);
  JournalWriter other(store, kJournalTestOtherId, journal_test_options(4, true, 4));
  append_journal(other, 12);
  mlrt::release_segments(store, kJournalTestId, 4);
  CHECK(mlrt::find_segments(store, kJournalTestId).size() == 3);
  mlrt::release_segments(store, kJournalTestId, 5);
  CHECK(mlrt::find_segments(store, kJournalTestId).size() == 2);
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(5, 13));
  mlrt::release_segments(store, kJournalTestId, 1000);
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(9, 13));
  append_journal(writer, 3);
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(9, 16));
  CHECK(mlrt::find_segments(store, kJournalTestOtherId).size() == 3);
}

TEST_CASE(
    "a sync reaches the segments of the slots that are asked for, and the folder of new ones") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  mlrt::sync_segments(store, kJournalTestId, 1, 100);
  JournalWriter writer(store, kJournalTestId, journal_test_options(4, true, 4));
  append_journal(writer, 10);
  const auto synced = [&](std::int64_t from, std::int64_t until) {
    std::vector<std::string> names;
    fs::set_fault_hook([&](fs::Op op, const std::string& path) {
      if (op == fs::Op::kSync) names.push_back(path);
      return 0;
    });
    mlrt::sync_segments(store, kJournalTestId, from, until);
    fs::set_fault_hook({});
    return names;
  };
  const auto path = [&](std::int64_t first) {
    return mlrt::journal_segment_path(store, kJournalTestId, first);
  };
  using Paths = std::vector<std::string>;
  CHECK(synced(1, 3) == Paths{path(1), mlrt::journal_folder(store), folder.path()});
  CHECK(synced(3, 5) == Paths{path(1)});
  CHECK(synced(5, 11) == Paths{path(5), path(9), mlrt::journal_folder(store), folder.path()});
  CHECK(synced(11, 12) == Paths{path(9)});
  CHECK(synced(13, 13).empty());
}

TEST_CASE("each call that fails is a clean error, leaves no file, and does not stop what follows") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  for (const bool mapped : {true, false}) {
    CAPTURE(mapped);
    std::optional<JournalWriter> writer;
    // The lock file and the first segment.
    int errors = fail_each_journal_call(
        false, [&] { writer.emplace(store, kJournalTestId, journal_test_options(4, mapped)); },
        [&] { writer->begin_segment(); },
        [&](bool failed) {
          CHECK(failed != (writer->segment() != 0));
          if (failed) CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
          append_journal(*writer, 4);
          CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 5));
          writer->remove();
          CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
        });
    CHECK(errors == (mapped ? 13 : 9));  // all calls there are
    // A later segment.
    writer.emplace(store, kJournalTestId, journal_test_options(4, mapped, 4));
    append_journal(*writer, 3);
    errors = fail_each_journal_call(
        false, [] {}, [&] { writer->begin_segment(); },
        [&](bool failed) {
          for (const std::string& name : journal_file_names(store)) {
            CHECK_FALSE(fs::is_temporary_name(name));
          }
          const std::int64_t next = writer->next();
          append_journal(*writer, 1);
          CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, next + 1));
          (void)failed;
        });
    CHECK(errors >= 5);
    const std::int64_t next = writer->next();
    if (writer->room() == 0) writer->begin_segment();
    errors = fail_each_journal_call(
        false, [] {}, [&] { writer->append(journal_test_slot(next)); },
        [&](bool failed) {
          CHECK(failed);
          CHECK(writer->next() == next);
          CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, next));
        });
    CHECK(errors == (mapped ? 0 : 1));
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, next + 1));
    writer->remove();
  }
}

TEST_CASE("reading, syncing, releasing and removing fail cleanly and succeed afterwards") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalWriter writer(store, kJournalTestId, journal_test_options(4, true, 4));
  append_journal(writer, 12);
  const auto nothing = [] {};
  const auto all_there = [&](bool) {
    CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 13));
  };
  CHECK(fail_each_journal_call(
            false, nothing, [&] { mlrt::find_journals(store); }, all_there) >= 5);
  CHECK(fail_each_journal_call(
            false, nothing, [&] { mlrt::sync_segments(store, kJournalTestId, 1, 13); },
            all_there) >= 10);
  CHECK(fail_each_journal_call(
            false, nothing,
            [&] {
              JournalSlots found;
              for (const auto& segment : mlrt::find_segments(store, kJournalTestId)) {
                mlrt::read_journal(segment, 1, 1, 13, found);
              }
            },
            all_there) >= 10);
  CHECK(fail_each_journal_call(
            false, nothing,
            [&] {
              auto lock = JournalLock::open(store, kJournalTestId);
              if (lock && lock->writer_is_alive()) lock->try_lock_folding();
            },
            all_there) == 4);
  CHECK(fail_each_journal_call(
            false, nothing, [&] { mlrt::release_segments(store, kJournalTestId, 100); },
            [&](bool) {
              const auto numbers = read_journal_slots(store, kJournalTestId).numbers;
              REQUIRE(!numbers.empty());
              CHECK(numbers == journal_numbers(numbers[0], 13));
            }) >= 5);
  CHECK(mlrt::find_segments(store, kJournalTestId).size() == 1);
  const auto refill = [&] { append_journal(writer, 12); };
  CHECK(fail_each_journal_call(
            false, refill, [&] { writer.remove(); },
            [&](bool failed) {
              CHECK(failed);
              CHECK(writer.room() == 0);
              const std::int64_t next = writer.next();
              writer.remove();
              CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
              CHECK(writer.next() == next);
            }) >= 5);
}

TEST_CASE("a disk that fails for good is a clean error too, and a writer of later works") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  std::optional<JournalWriter> writer;
  const int errors = fail_each_journal_call(
      true, [&] { writer.emplace(store, kJournalTestId, journal_test_options(4)); },
      [&] {
        append_journal(*writer, 10);
        mlrt::sync_segments(store, kJournalTestId, 1, writer->next());
        writer->remove();
      },
      [&](bool failed) {
        CHECK(failed);
        const std::int64_t next = writer->next();
        append_journal(*writer, 10);
        const auto numbers = read_journal_slots(store, kJournalTestId).numbers;
        REQUIRE(numbers.size() >= 10);
        CHECK(numbers == journal_numbers(numbers[0], next + 10));
        writer->remove();
        CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
      });
  CHECK(errors >= 30);
}

TEST_CASE("a full disk is an error when a segment begins, and appends go on in the old one") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalWriter writer(store, kJournalTestId, journal_test_options(4));
  append_journal(writer, 3);
  fs::set_fault_hook(
      [](fs::Op op, const std::string&) { return op == fs::Op::kAllocate ? ENOSPC : 0; });
  const Caught error = caught([&] { writer.begin_segment(); });
  fs::set_fault_hook({});
  CHECK(static_cast<int>(error.code) == static_cast<int>(mlrt::ErrorCode::kIo));
  CHECK(error.has("no space left on the disk"));
  CHECK(journal_file_names(store).size() == 2);
  CHECK(writer.room() == 1);
  append_journal(writer, 5);
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 9));
}

TEST_CASE("on a disk that is nearly full a segment is as large as there is room for") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  JournalWriter writer(store, kJournalTestId, journal_test_options(4));
  append_journal(writer, 4 + 19);
  bool refused = false;
  fs::set_fault_hook([&](fs::Op op, const std::string&) {
    return op == fs::Op::kAllocate && !std::exchange(refused, true) ? ENOSPC : 0;
  });
  append_journal(writer, 1);
  fs::set_fault_hook({});
  const auto segments = mlrt::find_segments(store, kJournalTestId);
  REQUIRE(segments.size() == 3);
  CHECK(segments[1].slots == 19);
  CHECK(segments[2].slots == 19);  // it was to be 79
  CHECK(journal_file_names(store).size() == 4);
  append_journal(writer, 100);
  CHECK(read_journal_slots(store, kJournalTestId).numbers == journal_numbers(1, 125));
}

TEST_CASE("a folder that may not be written is told, and so is a file in its place") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  fs::write_file(mlrt::journal_folder(store), "");
  JournalWriter writer(store, kJournalTestId);
  CHECK(caught([&] { writer.begin_segment(); }).has("it exists already"));
  CHECK(fs::exists(mlrt::journal_folder(store)));
  CHECK(mlrt::find_journals(store).empty());
  fs::remove_file(mlrt::journal_folder(store));
  REQUIRE(::chmod(folder.path().c_str(), 0555) == 0);
  const bool refused = mlrt::test::child_succeeded(mlrt::test::start_child([&] {
    mlrt::test::become_ordinary_user();
    const Caught error = caught([&] { writer.begin_segment(); });
    mlrt::test::require_in_child(error.code == mlrt::ErrorCode::kPermissionDenied, error.message);
  }));
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  CHECK(refused);
  writer.begin_segment();
  writer.remove();
}

TEST_CASE(
    "a segment that is read while it is written gives whole slots, and all that were appended") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  constexpr std::int64_t kCount = 60000;
  std::atomic<std::int64_t> published{0};
  JournalWriter writer(store, kJournalTestId, journal_test_options(1000, true, 4000));
  std::thread appender([&] {
    for (std::int64_t i = 1; i <= kCount; ++i) {
      if (writer.room() == 0) writer.begin_segment();
      writer.append(journal_test_slot(i));
      published.store(i, std::memory_order_release);
    }
  });
  std::int64_t from = 1;
  int looks = 0, missing = 0, wrong = 0;
  while (from <= kCount) {
    const std::int64_t there = published.load(std::memory_order_acquire);
    JournalSlots found;
    for (const JournalSegment& segment : mlrt::find_segments(store, kJournalTestId)) {
      mlrt::read_journal(segment, mlrt::journal_seed(kJournalTestId), from, kJournalTestEnd, found);
    }
    std::size_t read = 0;  // without a gap
    while (read < found.numbers.size() &&
           found.numbers[read] == from + static_cast<std::int64_t>(read)) {
      if (!same_journal_slot(found.slots[read], journal_test_slot(found.numbers[read]))) ++wrong;
      ++read;
    }
    from += static_cast<std::int64_t>(read);
    if (from <= there) ++missing;
    mlrt::sync_segments(store, kJournalTestId, 1, from);
    mlrt::release_segments(store, kJournalTestId, from);
    ++looks;
  }
  appender.join();
  CAPTURE(looks);
  CHECK(missing == 0);
  CHECK(wrong == 0);
  CHECK(mlrt::find_segments(store, kJournalTestId).size() == 1);
  writer.remove();
}

TEST_CASE("journals that begin and end all the time do not take the folder from each other") {
  mlrt::test::TempDir folder;
  const std::string store = folder.path("x.db");
  constexpr int kThreads = 4;
  constexpr int kRounds = 40;
  std::atomic<int> failures{0}, done{0};
  std::string message;
  std::atomic_flag told = ATOMIC_FLAG_INIT;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < kRounds; ++round) {
        try {
          std::string id = kJournalTestId;
          id[0] = static_cast<char>('0' + t);
          JournalWriter writer(store, id, journal_test_options(2));
          for (int i = 0; i < 3; ++i) {
            if (writer.room() == 0) writer.begin_segment();
            writer.append(journal_test_slot(writer.next()));
          }
          mlrt::find_journals(store);
          writer.remove();
        } catch (const mlrt::Error& error) {
          ++failures;
          if (!told.test_and_set()) message = error.message();
        }
        ++done;
      }
    });
  }
  while (done < kThreads * kRounds) mlrt::find_journals(store);
  for (std::thread& thread : threads) thread.join();
  CAPTURE(message);
  CHECK(failures == 0);
  CHECK_FALSE(fs::exists(mlrt::journal_folder(store)));
}
