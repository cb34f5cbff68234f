#include <doctest/doctest.h>

#include <string>

#include "bundle/bundle.hpp"
#include "bundle/zip_reader.hpp"
#include "bundle/zip_writer.hpp"
#include "bundle_support.hpp"
#include "core/hash.hpp"
#include "support/temp_dir.hpp"

using namespace mlrt::test;

namespace {

std::string written_zip(const mlrt::MemoryFiles& files, std::uint64_t zip64_from) {
  std::string bytes;
  mlrt::ZipWriter zip([&](std::string_view piece) { bytes.append(piece); }, zip64_from);
  for (const std::string& name : files.names()) {
    zip.add(name, files.read(name), mlrt::zip_crc32(files.read(name)));
  }
  zip.finish();
  return bytes;
}

bool holds(const mlrt::ZipReader& zip, const mlrt::MemoryFiles& files) {
  if (zip.entries().size() != files.names().size()) return false;
  for (const std::string& name : files.names()) {
    const mlrt::ZipEntry* entry = zip.find(name);
    if (entry == nullptr || zip.raw(*entry) != files.read(name) || entry->data_offset % 64 != 0) {
      return false;
    }
    std::string content;
    zip.unpack(*entry, [&](std::string_view piece) { content.append(piece); });
    if (content != files.read(name)) return false;
  }
  return true;
}

mlrt::MemoryFiles mixed_sizes() {
  mlrt::MemoryFiles files;
  for (std::size_t size : {0u, 1u, 99u, 100u, 101u, 250u, 5000u, 200000u}) {
    files.add("f" + std::to_string(size), noise_bytes(size));
  }
  return files;
}

}  // namespace

TEST_CASE("an archive of plain sizes has no ZIP64 record and no version above 2.0") {
  const std::string bytes = written_zip(mixed_sizes(), mlrt::kZipMax32);
  CHECK(bytes.find("PK\x06\x06") == std::string::npos);
  CHECK(bytes.find("PK\x06\x07") == std::string::npos);
  CHECK(mlrt::zip_get_u16(bytes, 4) == 20);
  CHECK(holds(mlrt::ZipReader(bytes, "'z'"), mixed_sizes()));
}

TEST_CASE("numbers beyond the plain fields go into ZIP64 records, each number for itself") {
  // The limit is set low; the reader can't tell.
  for (std::uint64_t limit : {0u, 1u, 100u, 101u, 1000u, 10000u, 150000u, 300000u}) {
    CAPTURE(limit);
    const std::string bytes = written_zip(mixed_sizes(), limit);
    CHECK(holds(mlrt::ZipReader(bytes, "'z'"), mixed_sizes()));
    const bool end64 = bytes.find("PK\x06\x06") != std::string::npos;
    CHECK(end64 == (limit < 207000));  // where the directory begins, about
  }
}

TEST_CASE("the reader and other people's reader agree about ZIP64") {
  if (!has_tool("python3")) {
    MESSAGE("python3 is not installed: this check is skipped");
    return;
  }
  TempDir dir;
  for (std::uint64_t limit : {0u, 100u, 10000u}) {
    mlrt::fs::write_file(dir.path("z.zip"), written_zip(mixed_sizes(), limit));
    CHECK(
        run_shell("python3 -c 'import sys,zipfile\n"
                  "z = zipfile.ZipFile(sys.argv[1])\n"
                  "assert z.testzip() is None\n"
                  "assert sorted(i.file_size for i in z.infolist()) == "
                  "[0, 1, 99, 100, 101, 250, 5000, 200000]' " +
                  shell_word(dir.path("z.zip"))));
  }
}

TEST_CASE("a bundle of 70,000 files needs ZIP64 for their number, and is read back") {
  TempDir dir;
  mlrt::MemoryFiles files;
  files.add("MLmodel", "flavors: {}\n");
  for (int i = 0; i < 70000; ++i) files.add("tree/" + std::to_string(i), std::to_string(i * 7));
  mlrt::write_bundle(dir.path("many.mlrt"), files);
  auto bundle = mlrt::Bundle::open(dir.path("many.mlrt"));
  CHECK(bundle->names().size() == 70001);
  CHECK(bundle->read("tree/69999") == "489993");
  CHECK(same_files(files, *bundle));
  const std::string bytes = mlrt::fs::read_file(dir.path("many.mlrt"));
  CHECK(mlrt::zip_get_u16(bytes, bytes.size() - 12) == 0xFFFF);
  CHECK(mlrt::zip_get_u32(bytes, bytes.size() - 42) == mlrt::kZip64LocatorSignature);
  // The offset fits in its plain field, so it stands there.
  CHECK(mlrt::zip_get_u32(bytes, bytes.size() - 6) < bytes.size());
}

TEST_CASE("a bundle holds 99,999 files beside its manifest and not one more") {
  TempDir dir;
  mlrt::MemoryFiles files;
  files.add("MLmodel", "");
  for (int i = 0; i < 99998; ++i) files.add(std::to_string(i), "");
  mlrt::write_bundle(dir.path("most.mlrt"), files);
  CHECK(mlrt::Bundle::open(dir.path("most.mlrt"))->names().size() == 99999);
  files.add("one more", "");
  CHECK(bundle_error([&] { mlrt::write_bundle(dir.path("more.mlrt"), files); }) ==
        "too_large: cannot write '" + dir.path("more.mlrt") +
            "': 100000 files; a bundle holds at most 99999");
}

TEST_CASE("the CRC-32 is that of zip") {
  CHECK(mlrt::zip_crc32("") == 0);
  CHECK(mlrt::zip_crc32("123456789") == 0xCBF43926u);
  CHECK(mlrt::zip_crc32("6789", mlrt::zip_crc32("12345")) == 0xCBF43926u);
}
