#include "bundle/zip_reader.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "bundle/names.hpp"
#include "bundle/zip_format.hpp"
#include "bundle/zip_writer.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kZipNameShown = 200;
constexpr std::size_t kZipPieceSize = 256 * 1024;
constexpr std::size_t kZipMaxInput = std::size_t{1} << 30;  // zlib counts in 32 bits

constexpr std::uint16_t kZipFlagsDeflateLevel = 3 << 1;  // a hint without meaning for reading
constexpr std::uint16_t kZipFlagsStrongEncryption = (1 << 6) | (1 << 13);

constexpr std::uint32_t kZipUnixTypeMask = 0170000;
constexpr std::uint32_t kZipUnixRegular = 0100000;
constexpr std::uint32_t kZipUnixFolder = 0040000;
constexpr std::uint32_t kZipUnixLink = 0120000;

std::string zip_name(std::string_view name) { return quoted(name, kZipNameShown); }

std::string zip_name(const ZipEntry& entry) { return zip_name(entry.name); }

bool zip_is_folder(const ZipEntry& entry) { return ends_with(entry.name, "/"); }

struct ZipExtras {
  bool has_zip64 = false;
  std::string_view zip64;
  bool has_unicode_path = false;
  std::string_view unicode_path;
};

// Splits the extra fields of a header; false if they don't fill their space or come twice.
bool zip_split_extras(std::string_view bytes, ZipExtras& extras) {
  while (!bytes.empty()) {
    if (bytes.size() < 4) return false;
    const std::uint16_t id = zip_get_u16(bytes, 0);
    const std::size_t size = zip_get_u16(bytes, 2);
    bytes.remove_prefix(4);
    if (size > bytes.size()) return false;
    if (id == kZipExtraZip64) {
      if (extras.has_zip64) return false;
      extras.has_zip64 = true;
      extras.zip64 = bytes.substr(0, size);
    } else if (id == kZipExtraUnicodePath) {
      if (extras.has_unicode_path) return false;
      extras.has_unicode_path = true;
      extras.unicode_path = bytes.substr(0, size);
    }
    bytes.remove_prefix(size);
  }
  return true;
}

// Replaces a field that holds its largest value by the next number of the ZIP64 field.
bool zip_take_u64(std::string_view& zip64, std::uint64_t& field) {
  if (field != kZipMax32) return true;
  if (zip64.size() < 8) return false;
  field = zip_get_u64(zip64, 0);
  zip64.remove_prefix(8);
  return true;
}

// Info-ZIP's second name for an entry (version, CRC of the first name, name) must be its first one,
// or readers would differ about what the entry is called.
bool zip_path_agrees(const ZipExtras& extras, std::string_view name) {
  return !extras.has_unicode_path ||
         (extras.unicode_path.size() >= 5 && extras.unicode_path.substr(5) == name);
}

// zlib's state, freed on every way out.
class ZipInflater {
 public:
  ZipInflater() {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) {
      throw Error(ErrorCode::kInternal, "zlib could not start", "inflateInit2");
    }
  }
  ~ZipInflater() { inflateEnd(&stream_); }
  ZipInflater(const ZipInflater&) = delete;
  ZipInflater& operator=(const ZipInflater&) = delete;
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
};

}  // namespace

ZipReader::ZipReader(std::string_view bytes, std::string what)
    : bytes_(bytes), what_(std::move(what)) {
  const Directory directory = read_end(find_end());
  std::vector<Record> records = read_directory(directory);
  check_names(records);
  check_sizes(records);
  check_layout(records, directory.offset);
  for (const Record& record : records) {
    if (!zip_is_folder(record.entry)) entries_.push_back(record.entry);
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const ZipEntry& a, const ZipEntry& b) { return a.name < b.name; });
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  auto found =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const ZipEntry& entry, std::string_view n) { return entry.name < n; });
  return found == entries_.end() || found->name != name ? nullptr : &*found;
}

std::string_view ZipReader::raw(const ZipEntry& entry) const {
  return bytes_.substr(static_cast<std::size_t>(entry.data_offset),
                       static_cast<std::size_t>(entry.stored_size_bytes));
}

void ZipReader::unpack(const ZipEntry& entry, const Sink& sink) const {
  if (entry.deflated) return unpack_deflated(entry, sink);
  std::string_view content = raw(entry);
  if (zip_crc32(content) != entry.crc) fail_damaged(entry, "does not match its CRC-32");
  sink(content);
}

void ZipReader::unpack_deflated(const ZipEntry& entry, const Sink& sink) const {
  ZipInflater inflater;
  z_stream& stream = inflater.stream();
  std::string_view input = raw(entry);
  const auto piece_size =
      static_cast<std::size_t>(std::min<std::uint64_t>(kZipPieceSize, entry.size_bytes + 1));
  auto piece = std::make_unique<Bytef[]>(piece_size);
  std::uint64_t produced = 0;
  std::uint32_t crc = 0;
  int result = Z_OK;
  while (result != Z_STREAM_END) {
    if (stream.avail_in == 0 && !input.empty()) {
      const std::size_t size = std::min(input.size(), kZipMaxInput);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
      stream.avail_in = static_cast<uInt>(size);
      input.remove_prefix(size);
    }
    stream.next_out = piece.get();
    stream.avail_out = static_cast<uInt>(piece_size);
    result = inflate(&stream, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) throw Error(ErrorCode::kUnavailable, "out of memory", "inflate");
    if (result == Z_BUF_ERROR) fail_damaged(entry, "is cut off");
    if (result != Z_OK && result != Z_STREAM_END) {
      fail_damaged(entry, "is not deflated data");
    }
    const std::size_t size = piece_size - stream.avail_out;
    produced += size;
    if (produced > entry.size_bytes) fail_damaged(entry, "is larger than it declares");
    std::string_view made(reinterpret_cast<const char*>(piece.get()), size);
    crc = zip_crc32(made, crc);
    if (!made.empty()) sink(made);
  }
  if (stream.avail_in != 0 || !input.empty()) fail_damaged(entry, "has bytes behind its data");
  if (produced != entry.size_bytes) fail_damaged(entry, "is smaller than it declares");
  if (crc != entry.crc) fail_damaged(entry, "does not match its CRC-32");
}

void ZipReader::fail(const std::string& why) const {
  throw Error(ErrorCode::kDataCorrupt, what_ + " is not a bundle: " + why);
}

void ZipReader::fail_damaged(const ZipEntry& entry, const std::string& why) const {
  throw Error(ErrorCode::kDataCorrupt, what_ + " is damaged: " + zip_name(entry) + " " + why);
}

// The end record is the last thing in the file, its comment reaching exactly to the end.
std::uint64_t ZipReader::find_end() const {
  if (bytes_.empty()) fail("it is empty");
  const bool begins_as_zip = bytes_.size() >= 4 && (zip_get_u32(bytes_, 0) == kZipLocalSignature ||
                                                    zip_get_u32(bytes_, 0) == kZipEndSignature);
  constexpr std::string_view kEnd("PK\x05\x06", 4);
  const std::size_t window = std::min(bytes_.size(), kZipEndSize + kZipMax16);
  const std::size_t first = bytes_.size() - window;
  std::size_t found = std::string_view::npos;
  bool any = false;
  for (std::size_t at = bytes_.find(kEnd, first); at != std::string_view::npos;
       at = bytes_.find(kEnd, at + 1)) {
    any = true;
    const bool whole = bytes_.size() - at >= kZipEndSize &&
                       at + kZipEndSize + zip_get_u16(bytes_, at + 20) == bytes_.size();
    if (found != std::string_view::npos) fail("it has more than one end record");
    if (whole) found = at;
  }
  if (found != std::string_view::npos) return found;
  if (!begins_as_zip) {
    fail(any ? "other bytes come before the zip data" : "it is not a zip file");
  }
  fail(any ? "bytes follow its end record, or its end was cut off"
           : "its end is missing; it was cut off while it was written or copied");
}

ZipReader::Directory ZipReader::read_end(std::uint64_t end_offset) const {
  const auto end = static_cast<std::size_t>(end_offset);
  if (zip_get_u16(bytes_, end + 4) != 0 || zip_get_u16(bytes_, end + 6) != 0) {
    fail("it is one part of a zip file in several parts");
  }
  const std::uint64_t count_here = zip_get_u16(bytes_, end + 8);
  Directory directory{zip_get_u32(bytes_, end + 16), zip_get_u32(bytes_, end + 12),
                      zip_get_u16(bytes_, end + 10)};
  if (count_here != directory.count) fail("its end record states two numbers of entries");

  std::size_t directory_end = end;
  const bool has_zip64 = end >= kZip64LocatorSize + kZip64EndSize &&
                         zip_get_u32(bytes_, end - kZip64LocatorSize) == kZip64LocatorSignature;
  const bool needs_zip64 = directory.count == kZipMax16 || directory.size_bytes == kZipMax32 ||
                           directory.offset == kZipMax32;
  if (needs_zip64 && !has_zip64) fail("its ZIP64 end record is missing");
  if (has_zip64) {
    const std::size_t locator = end - kZip64LocatorSize;
    const std::size_t large = locator - kZip64EndSize;
    const Directory small = directory;
    const bool sound =
        zip_get_u32(bytes_, locator + 4) == 0 && zip_get_u64(bytes_, locator + 8) == large &&
        zip_get_u32(bytes_, locator + 16) == 1 &&
        zip_get_u32(bytes_, large) == kZip64EndSignature &&
        zip_get_u64(bytes_, large + 4) == kZip64EndSize - 12 &&
        zip_get_u32(bytes_, large + 16) == 0 && zip_get_u32(bytes_, large + 20) == 0 &&
        zip_get_u64(bytes_, large + 24) == zip_get_u64(bytes_, large + 32);
    if (!sound) fail("its ZIP64 end record is not sound");
    directory = {zip_get_u64(bytes_, large + 48), zip_get_u64(bytes_, large + 40),
                 zip_get_u64(bytes_, large + 32)};
    const bool agree =
        (small.count == kZipMax16 || small.count == directory.count) &&
        (small.size_bytes == kZipMax32 || small.size_bytes == directory.size_bytes) &&
        (small.offset == kZipMax32 || small.offset == directory.offset);
    if (!agree) fail("its end records contradict each other");
    directory_end = large;
  }
  if (directory.offset > directory_end ||
      directory.size_bytes != directory_end - directory.offset) {
    // What an archive that was appended to something looks like: its numbers count from its own
    // start.
    if (directory_end >= 4 && zip_get_u32(bytes_, 0) != kZipLocalSignature) {
      fail("other bytes come before the zip data");
    }
    fail("its directory is not where its end record says (was it cut or added to?)");
  }
  if (directory.count > kZipMaxEntries) {
    fail("it has " + std::to_string(directory.count) + " entries, more than " +
         std::to_string(kZipMaxEntries));
  }
  if (directory.count > directory.size_bytes / kZipCentralSize) {
    fail("its directory is too small for its " + std::to_string(directory.count) + " entries");
  }
  return directory;
}

std::vector<ZipReader::Record> ZipReader::read_directory(const Directory& directory) const {
  std::vector<Record> records;
  records.reserve(static_cast<std::size_t>(directory.count));
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.count; ++i) records.push_back(read_record(directory, at));
  if (at != directory.offset + directory.size_bytes) {
    fail("its directory holds more than the entries that its end record counts");
  }
  return records;
}

ZipReader::Record ZipReader::read_record(const Directory& directory, std::uint64_t& at) const {
  const std::uint64_t left = directory.offset + directory.size_bytes - at;
  const std::string_view header =
      bytes_.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(left));
  if (left < kZipCentralSize || zip_get_u32(header, 0) != kZipCentralSignature) {
    fail("its directory is damaged at byte " + std::to_string(at));
  }
  const std::size_t name_size = zip_get_u16(header, 28);
  const std::size_t extra_size = zip_get_u16(header, 30);
  const std::size_t comment_size = zip_get_u16(header, 32);
  const std::size_t size = kZipCentralSize + name_size + extra_size + comment_size;
  if (size > left) fail("its directory is damaged at byte " + std::to_string(at));

  Record record{};
  record.flags = zip_get_u16(header, 8);
  record.method = zip_get_u16(header, 10);
  record.local_offset = zip_get_u32(header, 42);
  ZipEntry& entry = record.entry;
  entry.name = header.substr(kZipCentralSize, name_size);
  entry.deflated = record.method == kZipMethodDeflated;
  entry.crc = zip_get_u32(header, 16);
  entry.stored_size_bytes = zip_get_u32(header, 20);
  entry.size_bytes = zip_get_u32(header, 24);

  std::string_view path = entry.name;
  if (zip_is_folder(entry)) path.remove_suffix(1);
  const std::string problem = find_name_problem(path);
  if (!problem.empty()) fail("it has an entry with the " + problem);

  ZipExtras extras;
  if (!zip_split_extras(header.substr(kZipCentralSize + name_size, extra_size), extras)) {
    fail("the extra fields of " + zip_name(entry) + " are damaged");
  }
  if (!zip_path_agrees(extras, entry.name)) fail(zip_name(entry) + " has two names");
  std::string_view zip64 = extras.zip64;
  if (!zip_take_u64(zip64, entry.size_bytes) || !zip_take_u64(zip64, entry.stored_size_bytes) ||
      !zip_take_u64(zip64, record.local_offset)) {
    fail("the ZIP64 field of " + zip_name(entry) + " is missing or too small");
  }
  if (zip_get_u16(header, 34) != 0) fail("it is one part of a zip file in several parts");
  check_attributes(record, zip_get_u32(header, 38));
  at += size;
  return record;
}

// What kind of entry it is: a plain file or a folder, packed in a way that we read.
void ZipReader::check_attributes(const Record& record, std::uint32_t external) const {
  const ZipEntry& entry = record.entry;
  if ((record.flags & (kZipFlagEncrypted | kZipFlagsStrongEncryption)) != 0) {
    fail(zip_name(entry) + " is encrypted");
  }
  if ((record.flags & ~(kZipFlagsDeflateLevel | kZipFlagDescriptor | kZipFlagUtf8)) != 0) {
    fail(zip_name(entry) + " uses a zip feature that bundles don't (flags " +
         std::to_string(record.flags) + ")");
  }
  if (record.method != kZipMethodStored && record.method != kZipMethodDeflated) {
    fail(zip_name(entry) + " is compressed by method " + std::to_string(record.method) +
         "; bundles are stored or deflated");
  }
  const std::uint32_t type = external >> 16 & kZipUnixTypeMask;
  if (type == kZipUnixLink) fail(zip_name(entry) + " is a symbolic link");
  const std::uint32_t expected = zip_is_folder(entry) ? kZipUnixFolder : kZipUnixRegular;
  if (type != 0 && type != expected) fail(zip_name(entry) + " is not a regular file");
  if (zip_is_folder(entry) && entry.size_bytes != 0)
    fail("the folder " + zip_name(entry) + " has content");
}

// Before anything is unpacked: can it be what it declares, and is that within the limits?
void ZipReader::check_sizes(const std::vector<Record>& records) const {
  std::uint64_t total = 0;
  std::uint64_t inflated_total = 0;
  for (const Record& record : records) {
    const ZipEntry& entry = record.entry;
    if (entry.stored_size_bytes > bytes_.size()) {
      fail(zip_name(entry) + " reaches beyond the end of the file");
    }
    if (!entry.deflated && entry.size_bytes != entry.stored_size_bytes) {
      fail(zip_name(entry) + " is stored, but declares two sizes");
    }
    if (entry.size_bytes > kZipMaxTotalBytes) fail(zip_name(entry) + " declares more than 16 GiB");
    total += entry.size_bytes;  // at most 100,000 times 16 GiB: no overflow
    if (total > kZipMaxTotalBytes) fail("its files declare more than 16 GiB together");
    if (!entry.deflated) continue;
    if (entry.size_bytes > kZipMaxInflatedBytes) {
      fail(zip_name(entry) + " inflates to more than 1 GiB");
    }
    if (entry.size_bytes > entry.stored_size_bytes * kZipMaxRatio) {
      fail(zip_name(entry) + " declares more than " + std::to_string(kZipMaxRatio) +
           " times its deflated size");
    }
    inflated_total += entry.size_bytes;
    if (inflated_total > kZipMaxInflatedTotalBytes) {
      fail("its deflated files inflate to more than 4 GiB together");
    }
  }
}

void ZipReader::check_names(const std::vector<Record>& records) const {
  std::vector<std::string_view> names;
  names.reserve(records.size());
  for (const Record& record : records) names.push_back(record.entry.name);
  const std::string problem = find_names_collision(names);
  if (!problem.empty()) fail(problem);
}

// Walks the entries in the order in which they lie: each begins where the one before it ends.
void ZipReader::check_layout(std::vector<Record>& records, std::uint64_t directory_offset) const {
  std::sort(records.begin(), records.end(),
            [](const Record& a, const Record& b) { return a.local_offset < b.local_offset; });
  if (!records.empty() && records.front().local_offset != 0) {
    fail("other bytes come before the zip data");
  }
  if (records.empty() && directory_offset != 0) fail("other bytes come before the zip data");
  if (!records.empty() && records.back().local_offset > directory_offset) {
    fail(zip_name(records.back().entry) + " lies in the directory or beyond the end of the file");
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    Record& record = records[i];
    const std::uint64_t next =
        i + 1 < records.size() ? records[i + 1].local_offset : directory_offset;
    check_local(record, next);
    const std::uint64_t end = record.entry.data_offset + record.entry.stored_size_bytes;
    if ((record.flags & kZipFlagDescriptor) != 0) {
      check_descriptor(record, end, next);
    } else if (end != next) {
      fail("bytes behind " + zip_name(record.entry) + " belong to no entry");
    }
  }
}

// The header in front of the data must say what the directory says; sets the entry's data_offset.
void ZipReader::check_local(Record& record, std::uint64_t limit) const {
  ZipEntry& entry = record.entry;
  const std::uint64_t room = limit - record.local_offset;
  const std::string_view header =
      bytes_.substr(static_cast<std::size_t>(record.local_offset), static_cast<std::size_t>(room));
  if (room < kZipLocalSize) fail(zip_name(entry) + " overlaps another entry");
  if (zip_get_u32(header, 0) != kZipLocalSignature) {
    fail("the header of " + zip_name(entry) + " is not where the directory says");
  }
  const std::size_t name_size = zip_get_u16(header, 26);
  const std::size_t extra_size = zip_get_u16(header, 28);
  const std::uint64_t data = kZipLocalSize + name_size + extra_size;
  if (data > room || entry.stored_size_bytes > room - data) {
    fail(zip_name(entry) + " overlaps another entry");
  }
  entry.data_offset = record.local_offset + data;

  const auto check_same = [&](bool same, const char* field) {
    if (!same) {
      fail("the header of " + zip_name(entry) + " and the directory differ in the " + field);
    }
  };
  check_same(header.substr(kZipLocalSize, name_size) == entry.name, "name");
  check_same(zip_get_u16(header, 6) == record.flags, "flags");
  check_same(zip_get_u16(header, 8) == record.method, "method");

  ZipExtras extras;
  std::uint64_t size = zip_get_u32(header, 22);
  std::uint64_t stored_size = zip_get_u32(header, 18);
  const std::uint32_t crc = zip_get_u32(header, 14);
  if (!zip_split_extras(header.substr(kZipLocalSize + name_size, extra_size), extras)) {
    fail("the extra fields of " + zip_name(entry) + " are damaged");
  }
  if (!zip_path_agrees(extras, entry.name)) fail(zip_name(entry) + " has two names");
  std::string_view zip64 = extras.zip64;
  if (!zip_take_u64(zip64, size) || !zip_take_u64(zip64, stored_size)) {
    fail("the ZIP64 field of " + zip_name(entry) + " is missing or too small");
  }
  // Who writes a stream doesn't know them yet: zero, then, and the descriptor behind the data has
  // them.
  const bool later = (record.flags & kZipFlagDescriptor) != 0;
  check_same((later && crc == 0) || crc == entry.crc, "CRC-32");
  check_same((later && size == 0) || size == entry.size_bytes, "size");
  check_same((later && stored_size == 0) || stored_size == entry.stored_size_bytes, "stored size");
}

// CRC and both sizes, behind the data from `at` to `end`: sizes of 4 or 8 bytes, a signature or
// none. The room that is there tells which of the four it is.
void ZipReader::check_descriptor(const Record& record, std::uint64_t at, std::uint64_t end) const {
  const ZipEntry& entry = record.entry;
  std::string_view descriptor =
      bytes_.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(end - at));
  bool sound = true;
  if (descriptor.size() == 16 || descriptor.size() == 24) {
    sound = zip_get_u32(descriptor, 0) == kZipDescriptorSignature;
    descriptor.remove_prefix(4);
  }
  if (descriptor.size() == 12) {
    sound = sound && zip_get_u32(descriptor, 4) == entry.stored_size_bytes &&
            zip_get_u32(descriptor, 8) == entry.size_bytes;
  } else if (descriptor.size() == 20) {
    sound = sound && zip_get_u64(descriptor, 4) == entry.stored_size_bytes &&
            zip_get_u64(descriptor, 12) == entry.size_bytes;
  } else {
    sound = false;
  }
  if (!sound || zip_get_u32(descriptor, 0) != entry.crc) {
    fail("the data descriptor of " + zip_name(entry) + " is missing or contradicts the directory");
  }
}

}  // namespace mlrt
