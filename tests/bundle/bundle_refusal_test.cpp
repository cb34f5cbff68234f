#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "bundle/archive.hpp"
#include "bundle/bundle.hpp"
#include "bundle_support.hpp"
#include "core/hash.hpp"
#include "core/version.hpp"
#include "support/temp_dir.hpp"
#include "zip_builder.hpp"

using mlrt::Bundle;
using namespace mlrt::test;

namespace {

// The reason why `bytes` are refused when they are opened or read, without "data_corrupt: 'x.mlrt'
// ".
std::string refusal(const std::string& bytes) {
  const std::string error = bundle_error([&] {
    mlrt::BundleArchive archive(bytes, "'x.mlrt'");
    archive.verify();
    for (const std::string& name : archive.names()) archive.read(name);
  });
  const std::string start = "data_corrupt: 'x.mlrt' ";
  REQUIRE_MESSAGE(error.substr(0, start.size()) == start, "'" << error << "'");
  return error.substr(start.size());
}

// Of an archive whose second entry (the first is a sound MLmodel) was changed.
template <typename Change>
std::string part_refusal(Change change, std::uint16_t method = 0) {
  ZipBuilder zip;
  zip.parts = {zip_part("MLmodel", "m"), zip_part("data.bin", std::string(100, 'd'), method),
               zip_part("last", "l")};
  change(zip.parts[1]);
  return refusal(zip.build());
}

template <typename Change>
std::string zip_refusal(Change change) {
  ZipBuilder zip;
  zip.parts = {zip_part("MLmodel", "m"), zip_part("data.bin", std::string(100, 'd'))};
  change(zip);
  return refusal(zip.build());
}

// Of a manifest's text beside MLmodel ("m") and data.bin ("d").
std::string manifest_refusal(const std::string& text) {
  ZipBuilder zip;
  zip.parts = {zip_part("MANIFEST.sha256", text), zip_part("MLmodel", "m"),
               zip_part("data.bin", "d")};
  return refusal(zip.build());
}

std::string opened_names(const std::string& bytes) {
  mlrt::BundleArchive archive(bytes, "'x.mlrt'");
  archive.verify();
  std::string names;
  for (const std::string& name : archive.names())
    names += name + "=" + std::string(archive.read(name)) + ";";
  return names;
}

std::string zip64_field(const std::vector<std::uint64_t>& numbers) {
  std::string body;
  for (std::uint64_t number : numbers) body += zip_le(number, 8);
  return zip_le(1, 2) + zip_le(body.size(), 2) + body;
}

std::string manifest_line(const std::string& content, const std::string& name) {
  return mlrt::sha256_hex(content) + "  " + name + "\n";
}

std::string tiny_bundle_bytes() { return mlrt::fs::read_file(bundle_fixture("tiny_format1.mlrt")); }

}  // namespace

TEST_CASE("what is no zip file at all is refused by a line that says so, with its path") {
  TempDir dir;
  const std::string path = dir.path("x.mlrt");
  const auto opened = [&](const std::string& bytes) {
    mlrt::fs::write_file(path, bytes);
    return bundle_error([&] { Bundle::open(path); });
  };
  CHECK(opened("") == "data_corrupt: '" + path + "' is not a bundle: it is empty");
  CHECK(opened("a,b\n1,2\n") ==
        "data_corrupt: '" + path + "' is not a bundle: it is not a zip file");
  CHECK(opened(std::string(100000, 'x')) ==
        "data_corrupt: '" + path + "' is not a bundle: it is not a zip file");
  CHECK(opened("PK") == "data_corrupt: '" + path + "' is not a bundle: it is not a zip file");
  CHECK(opened(tiny_bundle_bytes().substr(0, 500)) ==
        "data_corrupt: '" + path +
            "' is not a bundle: its end is missing; it was cut off while it was written or copied");
}

TEST_CASE(
    "the helper's untouched archives open, so that what the next tests refuse is the change") {
  ZipBuilder zip;
  zip.parts = {zip_part("MLmodel", "m"), zip_part("a/b", "stored"), zip_part("z", "deflated", 8)};
  CHECK(opened_names(zip.build()) == "MLmodel=m;a/b=stored;z=deflated;");
  zip.comment = "a comment";
  CHECK(opened_names(zip.build()) == "MLmodel=m;a/b=stored;z=deflated;");
}

TEST_CASE("every truncation of a bundle is refused") {
  const std::string bytes = tiny_bundle_bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string error =
        bundle_error([&] { mlrt::BundleArchive(std::string_view(bytes).substr(0, size), "'x'"); });
    REQUIRE_MESSAGE(error.find("data_corrupt: 'x' is not a bundle: ") == 0, size << error);
  }
}

TEST_CASE("every single changed byte of a bundle is detected or leaves the content the same") {
  std::size_t detected = 0;
  for (const char* fixture : {"tiny_format1.mlrt", "python_streamed.zip"}) {
    const std::string original = mlrt::fs::read_file(bundle_fixture(fixture));
    mlrt::BundleArchive expected(original, "'x'");
    for (std::size_t i = 0; i < original.size(); ++i) {
      for (int flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF}) {
        std::string bytes = original;
        bytes[i] = static_cast<char>(bytes[i] ^ flip);
        bool same = true;
        const std::string error = bundle_error([&] {
          mlrt::BundleArchive archive(bytes, "'x'");
          for (const std::string& name : archive.names()) {
            same = same && expected.contains(name) && archive.read(name) == expected.read(name);
          }
          same = same && archive.names() == expected.names();
        });
        REQUIRE_MESSAGE(same, fixture << " byte " << i);
        if (!error.empty()) ++detected;
        REQUIRE_MESSAGE((error.empty() || error.find("data_corrupt: 'x' ") == 0), error);
      }
    }
  }
  CHECK(detected > 10000);
}

TEST_CASE("a file whose content changed is named, whether the CRC or the manifest finds it") {
  const std::string sound = tiny_bundle_bytes();
  std::string bytes = sound;
  const std::size_t at = bytes.find("{\"intercept\"");
  REQUIRE(at != std::string::npos);
  bytes[at + 13] = '1';
  mlrt::BundleArchive archive(bytes, "'x.mlrt'");
  CHECK(bundle_error([&] { archive.read("linear.json"); }) ==
        "data_corrupt: 'x.mlrt' is damaged: 'linear.json' does not match its CRC-32");
  CHECK(bundle_error([&] { archive.verify(); }) ==
        "data_corrupt: 'x.mlrt' is damaged: 'linear.json' does not match its CRC-32");
  CHECK(archive.read("MLmodel") == tiny_model_files().read("MLmodel"));

  CHECK(manifest_refusal("# mlrt bundle 1\n" + manifest_line("m", "MLmodel") +
                         manifest_line("e", "data.bin")) ==
        "is damaged: 'data.bin' does not match its SHA-256 in MANIFEST.sha256");
}

TEST_CASE("a bundle without MLmodel at its root says where one is") {
  ZipBuilder zip;
  zip.parts = {zip_part("m/data/MLmodel", "far"), zip_part("m/MLmodel", "m"), zip_part("m/x", "")};
  CHECK(refusal(zip.build()) ==
        "is not a bundle: no MLmodel at its root (found 'm/MLmodel': zip the folder's content, not "
        "the "
        "folder)");
  zip.parts = {zip_part("mlmodel", "m"), zip_part("xMLmodel", "m")};
  CHECK(refusal(zip.build()) == "is not a bundle: no MLmodel at its root");
  zip.parts = {};
  CHECK(refusal(zip.build()) == "is not a bundle: no MLmodel at its root");
}

TEST_CASE("the manifest and the entries are the same set") {
  const std::string head = "# mlrt bundle 1\n";
  const std::string both = manifest_line("m", "MLmodel") + manifest_line("d", "data.bin");
  CHECK(manifest_refusal(head + both + manifest_line("e", "extra")) ==
        "is not a bundle: MANIFEST.sha256 names 'extra', which is not in it");
  CHECK(manifest_refusal(head + manifest_line("a", "A") + both) ==
        "is not a bundle: MANIFEST.sha256 names 'A', which is not in it");
  CHECK(manifest_refusal(head + manifest_line("m", "MLmodel")) ==
        "is not a bundle: 'data.bin' is not in its MANIFEST.sha256");
  CHECK(manifest_refusal(head + manifest_line("d", "data.bin")) ==
        "is not a bundle: 'MLmodel' is not in its MANIFEST.sha256");
  CHECK(manifest_refusal(head) == "is not a bundle: 'MLmodel' is not in its MANIFEST.sha256");
  CHECK(manifest_refusal(head + both + manifest_line("d", "data.bin")) ==
        "is not a bundle: MANIFEST.sha256 names 'data.bin' twice");
}

TEST_CASE("a manifest that is not one is refused with its line") {
  const std::string head = "# mlrt bundle 1\n";
  const std::string both = manifest_line("m", "MLmodel") + manifest_line("d", "data.bin");
  const std::string line1 = "is not a bundle: MANIFEST.sha256 line 1 is not '# mlrt bundle 1'";
  CHECK(manifest_refusal("") == line1);
  CHECK(manifest_refusal(both) == line1);
  CHECK(manifest_refusal("# mlrt bundle 0\n" + both) == line1);
  CHECK(manifest_refusal("# mlrt bundle 1 \n" + both) == line1);
  CHECK(manifest_refusal("# mlrt bundle one\n" + both) == line1);
  CHECK(manifest_refusal("# mlrt bundle 99999999999999999999\n" + both) == line1);
  CHECK(manifest_refusal("# mlrt bundle 1") ==
        "is not a bundle: MANIFEST.sha256 line 1 is cut off");
  CHECK(manifest_refusal(head + both.substr(0, both.size() - 1)) ==
        "is not a bundle: MANIFEST.sha256 line 3 is cut off");
  const std::string line2 =
      "is not a bundle: MANIFEST.sha256 line 2 is not '<64 hex digits>  <name>'";
  CHECK(manifest_refusal(head + "\n") == line2);
  CHECK(manifest_refusal(head + both.substr(1)) == line2);
  CHECK(manifest_refusal(head + std::string(64, 'A') + "  MLmodel\n") == line2);
  CHECK(manifest_refusal(head + std::string(64, 'a') + " *MLmodel\n") == line2);
  CHECK(manifest_refusal(head + std::string(64, 'a') + "  \n") == line2);
  CHECK(manifest_refusal(head + std::string(65, 'a') + "  MLmodel\n") == line2);
  // Comments may stand below the first line.
  CHECK(manifest_refusal(head + "# a comment\n" + manifest_line("m", "MLmodel")) ==
        "is not a bundle: 'data.bin' is not in its MANIFEST.sha256");
}

TEST_CASE("a bundle of a newer format says what it needs, even if its container can't be read") {
  const std::string here = std::string(" (this is ") + MLRT_VERSION + ", which reads format 1)";
  CHECK(manifest_refusal("# mlrt bundle 2\nwhatever comes\n") ==
        "was written by a newer mlrt: it needs an mlrt that reads bundle format 2" + here);
  CHECK(manifest_refusal("# mlrt bundle 12 needs mlrt 3.4.5\n") ==
        "was written by a newer mlrt: it needs mlrt 3.4.5 or newer" + here);
  ZipBuilder zip;
  zip.parts = {zip_part("MANIFEST.sha256", "# mlrt bundle 2 needs mlrt 1.0.0\n"),
               zip_part("MLmodel", "m")};
  zip.parts[1].method = 93;
  CHECK(refusal(zip.build()) == "was written by a newer mlrt: it needs mlrt 1.0.0 or newer" + here);
}

TEST_CASE("header and directory that differ are refused") {
  const std::string differ =
      "is not a bundle: the header of 'data.bin' and the directory differ in the ";
  CHECK(part_refusal([](ZipPart& p) { p.local_name = "data.bim"; }) == differ + "name");
  CHECK(part_refusal([](ZipPart& p) { p.local_name = "data.bin2"; }) == differ + "name");
  CHECK(part_refusal([](ZipPart& p) { p.local_flags = 0; }) == differ + "flags");
  CHECK(part_refusal([](ZipPart& p) { p.local_method = 8; }) == differ + "method");
  CHECK(part_refusal([](ZipPart& p) { p.local_crc = 1; }) == differ + "CRC-32");
  CHECK(part_refusal([](ZipPart& p) { p.local_crc = 0; }) == differ + "CRC-32");
  CHECK(part_refusal([](ZipPart& p) { p.local_size = 99; }) == differ + "size");
  CHECK(part_refusal([](ZipPart& p) { p.local_stored_size = 0; }) == differ + "stored size");
  CHECK(part_refusal([](ZipPart& p) { p.offset = 1; }) ==
        "is not a bundle: 'MLmodel' overlaps another entry");
}

TEST_CASE("what is encrypted, packed otherwise, a link or a device is refused") {
  CHECK(part_refusal([](ZipPart& p) { p.flags = 1; }) ==
        "is not a bundle: 'data.bin' is encrypted");
  CHECK(part_refusal([](ZipPart& p) { p.flags = 0x2000; }) ==
        "is not a bundle: 'data.bin' is encrypted");
  CHECK(part_refusal([](ZipPart& p) { p.flags = 0x20; }) ==
        "is not a bundle: 'data.bin' uses a zip feature that bundles don't (flags 32)");
  CHECK(part_refusal([](ZipPart& p) { p.method = 14; }) ==
        "is not a bundle: 'data.bin' is compressed by method 14; bundles are stored or deflated");
  CHECK(part_refusal([](ZipPart& p) { p.external = 0120777u << 16; }) ==
        "is not a bundle: 'data.bin' is a symbolic link");
  CHECK(part_refusal([](ZipPart& p) { p.external = 0010644u << 16; }) ==
        "is not a bundle: 'data.bin' is not a regular file");
  CHECK(part_refusal([](ZipPart& p) { p.external = 0040755u << 16; }) ==
        "is not a bundle: 'data.bin' is not a regular file");
  CHECK(part_refusal([](ZipPart& p) { p.disk = 1; }) ==
        "is not a bundle: it is one part of a zip file in several parts");
}

TEST_CASE("names that could lead elsewhere or fall together are refused") {
  const auto named = [](const std::string& name) {
    return part_refusal([&](ZipPart& p) { p.name = name; });
  };
  const std::string rule =
      " (names are relative, with '/', without '..', backslashes or control characters, in UTF-8)";
  const std::string unsafe = "is not a bundle: it has an entry with the unsafe name ";
  CHECK(named("../x") == unsafe + "'../x'" + rule);
  CHECK(named("a/../../x") == unsafe + "'a/../../x'" + rule);
  CHECK(named("/etc/x") == unsafe + "'/etc/x'" + rule);
  CHECK(named("..\\x") == unsafe + "'..\\x'" + rule);
  CHECK(named("./x") == unsafe + "'./x'" + rule);
  CHECK(named("") == unsafe + "''" + rule);
  CHECK(named("/") == unsafe + "''" + rule);
  CHECK(named("a//") == unsafe + "'a/'" + rule);
  CHECK(named(std::string("a\0b", 3)) == unsafe + "'a\\x00b'" + rule);
  CHECK(named("a\nb") == unsafe + "'a\\x0ab'" + rule);
  CHECK(named("\xc3(") == unsafe + "'\\xc3('" + rule);
  CHECK(named("last") == "is not a bundle: the name 'last' comes twice");
  CHECK(named("LAST") == "is not a bundle: the names 'LAST' and 'last' differ in case only");
}

TEST_CASE("a name is a file or a folder, not both") {
  CHECK(part_refusal([](ZipPart& p) { p.name = "last/x"; }) ==
        "is not a bundle: 'last' is a file, and the folder of 'last/x'");
  CHECK(part_refusal([](ZipPart& p) {
          p.name = "last/";
          p.content = "";
          p.external = 0040755u << 16;
        }) == "is not a bundle: 'last' is a file, and the folder of 'last/'");
}

TEST_CASE("empty folders are passed over and folders with content are refused") {
  ZipBuilder zip;
  zip.parts = {zip_part("data/", ""), zip_part("MLmodel", "m"), zip_part("data/x", "x")};
  zip.parts[0].external = (0040755u << 16) | 0x10;
  CHECK(opened_names(zip.build()) == "MLmodel=m;data/x=x;");
  zip.parts[0].content = "hidden";
  CHECK(refusal(zip.build()) == "is not a bundle: the folder 'data/' has content");
}

TEST_CASE("every byte belongs to one entry: no overlap, no gap, nothing before or behind") {
  CHECK(part_refusal([](ZipPart& p) { p.gap = "?"; }) ==
        "is not a bundle: bytes behind 'data.bin' belong to no entry");
  CHECK(part_refusal([](ZipPart& p) { p.offset = 0; }).find("overlaps another entry") !=
        std::string::npos);
  CHECK(part_refusal([](ZipPart& p) { p.offset = 3000000000u; }) ==
        "is not a bundle: 'data.bin' lies in the directory or beyond the end of the file");
  CHECK(part_refusal([](ZipPart& p) { p.size = p.stored_size = 5000; }) ==
        "is not a bundle: 'data.bin' reaches beyond the end of the file");
  CHECK(part_refusal([](ZipPart& p) { p.size = p.stored_size = 150; }) ==
        "is not a bundle: 'data.bin' overlaps another entry");
  CHECK(part_refusal([](ZipPart& p) { p.size = p.stored_size = 99; }) ==
        "is not a bundle: bytes behind 'data.bin' belong to no entry");
  CHECK(part_refusal([](ZipPart& p) { p.size = 101; }) ==
        "is not a bundle: 'data.bin' is stored, but declares two sizes");
  CHECK(zip_refusal([](ZipBuilder& z) { z.prefix = "#!/bin/sh\n"; }) ==
        "is not a bundle: other bytes come before the zip data");
  CHECK(zip_refusal([](ZipBuilder& z) { z.prefix = "PK\x03\x04"; }) ==
        "is not a bundle: other bytes come before the zip data");
  CHECK(zip_refusal([](ZipBuilder& z) { z.suffix = "?"; }) ==
        "is not a bundle: bytes follow its end record, or its end was cut off");
  CHECK(zip_refusal([](ZipBuilder& z) { z.comment_size = 1; }) ==
        "is not a bundle: bytes follow its end record, or its end was cut off");
  CHECK(
      zip_refusal([](ZipBuilder& z) { z.before_end = "?"; }) ==
      "is not a bundle: its directory is not where its end record says (was it cut or added to?)");
  CHECK(
      zip_refusal([](ZipBuilder& z) { z.directory_offset = 0; }) ==
      "is not a bundle: its directory is not where its end record says (was it cut or added to?)");
}

TEST_CASE("there is exactly one end record, however one looks for it") {
  ZipBuilder inner;
  inner.parts = {zip_part("MLmodel", "other")};
  // A reader that searches from the front finds one, a reader that searches from the back the
  // other.
  CHECK(zip_refusal([&](ZipBuilder& z) { z.comment = inner.build(); }) ==
        "is not a bundle: it has more than one end record");
  CHECK(zip_refusal([&](ZipBuilder& z) { z.comment = "PK\x05\x06 hello"; }) ==
        "is not a bundle: it has more than one end record");
  // A zip in a zip is a file like any other.
  ZipBuilder outer;
  outer.parts = {zip_part("MLmodel", "m"), zip_part("inner.zip", inner.build())};
  CHECK(opened_names(outer.build()) == "MLmodel=m;inner.zip=" + inner.build() + ";");
}

TEST_CASE("an end record that contradicts itself or the directory is refused") {
  CHECK(zip_refusal([](ZipBuilder& z) { z.disk = 1; }) ==
        "is not a bundle: it is one part of a zip file in several parts");
  CHECK(zip_refusal([](ZipBuilder& z) { z.disk_count = 1; }) ==
        "is not a bundle: its end record states two numbers of entries");
  CHECK(zip_refusal([](ZipBuilder& z) { z.count = 1; }) ==
        "is not a bundle: its directory holds more than the entries that its end record counts");
  CHECK(zip_refusal([](ZipBuilder& z) { z.count = 3; }) ==
        "is not a bundle: its directory is too small for its 3 entries");
  CHECK(zip_refusal([](ZipBuilder& z) { z.count = 0xFFFF; }) ==
        "is not a bundle: its ZIP64 end record is missing");
  CHECK(zip_refusal([](ZipBuilder& z) { z.directory_size = 0xFFFFFFFF; }) ==
        "is not a bundle: its ZIP64 end record is missing");
  const std::string damaged = zip_refusal([](ZipBuilder& z) {
    z.parts[0].name += std::string(60, 'x');
    z.count = 3;
  });
  CHECK_MESSAGE(damaged.find("is not a bundle: its directory is damaged at byte ") == 0, damaged);
}

TEST_CASE("ZIP64 records that are missing, short or contradictory are refused") {
  const auto end64 = [](std::uint64_t count, std::uint64_t size, std::uint64_t offset,
                        std::uint64_t at) {
    return zip_le(0x06064B50, 4) + zip_le(44, 8) + zip_le(45, 2) + zip_le(45, 2) + zip_le(0, 8) +
           zip_le(count, 8) + zip_le(count, 8) + zip_le(size, 8) + zip_le(offset, 8) +
           zip_le(0x07064B50, 4) + zip_le(0, 4) + zip_le(at, 8) + zip_le(1, 4);
  };
  ZipBuilder zip;
  zip.parts = {zip_part("MLmodel", "m")};
  const std::uint64_t offset = 30 + 7 + 1, size = 46 + 7;
  const auto with = [&](const std::string& records, std::uint16_t count) {
    zip.before_end = records;
    zip.count = count;
    return zip.build();
  };
  CHECK(opened_names(with(end64(1, size, offset, offset + size), 0xFFFF)) == "MLmodel=m;");
  CHECK(opened_names(with(end64(1, size, offset, offset + size), 1)) == "MLmodel=m;");
  CHECK(refusal(with(end64(2, size, offset, offset + size), 1)) ==
        "is not a bundle: its end records contradict each other");
  CHECK(refusal(with(end64(1, size, offset, offset + size + 1), 1)) ==
        "is not a bundle: its ZIP64 end record is not sound");
  CHECK(refusal(with(end64(100001, size, offset, offset + size), 0xFFFF)) ==
        "is not a bundle: it has 100001 entries, more than 100000");
  CHECK(refusal(with(end64(~0ull, size, offset, offset + size), 0xFFFF)) ==
        "is not a bundle: it has 18446744073709551615 entries, more than 100000");
  CHECK(refusal(with(end64(99999, size, offset, offset + size), 0xFFFF)) ==
        "is not a bundle: its directory is too small for its 99999 entries");

  const std::string missing =
      "is not a bundle: the ZIP64 field of 'data.bin' is missing or too small";
  CHECK(part_refusal([](ZipPart& p) { p.size = 0xFFFFFFFF; }) == missing);
  CHECK(part_refusal([](ZipPart& p) {
          p.size = p.stored_size = 0xFFFFFFFF;
          p.central_extra = zip64_field({100});
        }) == missing);
  CHECK(part_refusal([](ZipPart& p) {
          p.size = p.stored_size = 0xFFFFFFFF;
          p.central_extra = p.local_extra = zip64_field({100, 99});
        }) == "is not a bundle: 'data.bin' is stored, but declares two sizes");
  CHECK(part_refusal([](ZipPart& p) {
          p.size = p.stored_size = 0xFFFFFFFF;
          p.central_extra = zip64_field({100, 100});
        }) == missing);
  CHECK(part_refusal([](ZipPart& p) {
          p.size = p.stored_size = 0xFFFFFFFF;
          p.central_extra = zip64_field({100, 100});
          p.local_extra = zip64_field({100, 101});
        }) ==
        "is not a bundle: the header of 'data.bin' and the directory differ in the stored size");
  CHECK(part_refusal([](ZipPart& p) {
          p.offset = 0xFFFFFFFF;
          p.central_extra = zip64_field({~0ull});
        }) == "is not a bundle: 'data.bin' lies in the directory or beyond the end of the file");
}

TEST_CASE("extra fields that don't fill their space, or name the entry otherwise, are refused") {
  const std::string damaged = "is not a bundle: the extra fields of 'data.bin' are damaged";
  CHECK(part_refusal([](ZipPart& p) { p.central_extra = "abc"; }) == damaged);
  CHECK(part_refusal([](ZipPart& p) { p.local_extra = "abc"; }) == damaged);
  CHECK(part_refusal([](ZipPart& p) { p.local_extra = zip_le(9, 2) + zip_le(1, 2); }) == damaged);
  CHECK(part_refusal([](ZipPart& p) { p.central_extra = zip64_field({1}) + zip64_field({1}); }) ==
        damaged);
  const auto path = [](const std::string& name) {
    return zip_le(0x7075, 2) + zip_le(5 + name.size(), 2) + zip_le(1, 1) + zip_le(0, 4) + name;
  };
  CHECK(part_refusal([&](ZipPart& p) { p.central_extra = path("../x"); }) ==
        "is not a bundle: 'data.bin' has two names");
  CHECK(part_refusal([&](ZipPart& p) { p.local_extra = path("other"); }) ==
        "is not a bundle: 'data.bin' has two names");
  ZipBuilder zip;
  zip.parts = {zip_part("MLmodel", "m")};
  zip.parts[0].central_extra = zip.parts[0].local_extra = path("MLmodel");
  CHECK(opened_names(zip.build()) == "MLmodel=m;");
}

TEST_CASE("data descriptors are read in all four forms, and refused if they contradict") {
  for (bool zero : {true, false}) {
    for (int size : {4, 8}) {
      for (bool sign : {true, false}) {
        ZipBuilder zip;
        zip.parts = {zip_part("MLmodel", "m", 8), zip_part("s", "stored")};
        for (ZipPart& part : zip.parts) {
          part.flags = 0x0808;
          part.descriptor =
              (sign ? zip_le(0x08074B50, 4) : "") + zip_le(zip_test_crc(part.content), 4) +
              zip_le(part.stored_bytes().size(), size) + zip_le(part.content.size(), size);
          if (zero) part.local_crc = 0;
          if (zero) part.local_size = part.local_stored_size = 0;
        }
        CHECK(opened_names(zip.build()) == "MLmodel=m;s=stored;");
      }
    }
  }
  const std::string bad =
      "is not a bundle: the data descriptor of 'data.bin' is missing or contradicts the directory";
  const std::uint32_t crc = zip_test_crc(std::string(100, 'd'));
  const auto described = [&](const std::string& descriptor) {
    return part_refusal([&](ZipPart& p) {
      p.flags = 0x0808;
      p.descriptor = descriptor;
    });
  };
  CHECK(described("") == bad);
  CHECK(described("x") == bad);
  CHECK(described(zip_le(crc + 1, 4) + zip_le(100, 4) + zip_le(100, 4)) == bad);
  CHECK(described(zip_le(crc, 4) + zip_le(101, 4) + zip_le(100, 4)) == bad);
  CHECK(described(zip_le(crc, 4) + zip_le(100, 4) + zip_le(99, 4)) == bad);
  CHECK(described(zip_le(crc, 4) + zip_le(100, 8) + zip_le(99, 8)) == bad);
  CHECK(described(zip_le(0x08074B51, 4) + zip_le(crc, 4) + zip_le(100, 4) + zip_le(100, 4)) == bad);
  CHECK(described(zip_le(crc, 4) + zip_le(100, 4) + zip_le(100, 4) + "?") == bad);
}

TEST_CASE("deflated data that is not what it declares is refused and never outgrows it") {
  const auto deflated = [](auto change) { return part_refusal(change, 8); };
  CHECK(deflated([](ZipPart& p) { p.size = 99; }) ==
        "is damaged: 'data.bin' is larger than it declares");
  CHECK(deflated([](ZipPart& p) { p.size = 101; }) ==
        "is damaged: 'data.bin' is smaller than it declares");
  CHECK(deflated([](ZipPart& p) { p.crc = 5; }) ==
        "is damaged: 'data.bin' does not match its CRC-32");
  CHECK(deflated([](ZipPart& p) { p.raw = zip_deflate(p.content) + "x"; }) ==
        "is damaged: 'data.bin' has bytes behind its data");
  CHECK(deflated([](ZipPart& p) {
          p.raw = zip_deflate(p.content);
          p.raw->pop_back();
        }) == "is damaged: 'data.bin' is cut off");
  CHECK(deflated([](ZipPart& p) { p.raw = "\xff\xff\xff\xff"; }) ==
        "is damaged: 'data.bin' is not deflated data");
  CHECK(deflated([](ZipPart& p) { p.raw = ""; }) ==
        "is not a bundle: 'data.bin' declares more than 1100 times its deflated size");
}

TEST_CASE("bombs are refused by what they declare, before anything is unpacked") {
  CHECK(part_refusal([](ZipPart& p) { p.size = 1 << 20; }, 8) ==
        "is not a bundle: 'data.bin' declares more than 1100 times its deflated size");
  CHECK(part_refusal([](ZipPart& p) { p.size = (1 << 30) + 1; }, 8) ==
        "is not a bundle: 'data.bin' inflates to more than 1 GiB");
  CHECK(part_refusal(
            [](ZipPart& p) {
              p.size = 0xFFFFFFFF;
              p.central_extra = zip64_field({(std::uint64_t{16} << 30) + 1});
            },
            8) == "is not a bundle: 'data.bin' declares more than 16 GiB");
  ZipBuilder zip;
  zip.parts = {zip_part("MLmodel", "m")};
  const std::string raw(1000 * 1000, 'r');
  for (int i = 0; i < 5; ++i) {
    zip.parts.push_back(zip_part("bomb" + std::to_string(i), "", 8));
    zip.parts.back().raw = raw;
    zip.parts.back().size = 1 << 30;
  }
  CHECK(refusal(zip.build()) ==
        "is not a bundle: its deflated files inflate to more than 4 GiB together");
  // As small as deflate can make it, zeros stay within the ratio.
  ZipBuilder zeros;
  zeros.parts = {zip_part("MLmodel", "m"), zip_part("zeros", std::string(20 << 20, '\0'), 8)};
  const std::string bytes = zeros.build();
  mlrt::BundleArchive archive(bytes, "'x'");
  CHECK(archive.read("zeros").size() == 20 << 20);
}

TEST_CASE("archives of Python's zipfile and of Info-ZIP open, deflated, streamed or in ZIP64") {
  for (const char* name : {"python_deflated.zip", "python_streamed.zip", "infozip.zip",
                           "infozip_streamed.zip", "infozip_zip64.zip"}) {
    CAPTURE(name);
    auto bundle = Bundle::open(bundle_fixture(name));
    CHECK_FALSE(bundle->has_manifest());
    CHECK(bundle->names() == std::vector<std::string>{"MLmodel", "data/caf\xc3\xa9.txt",
                                                      "data/long.txt", "data/none", "linear.json"});
    bundle->verify();
    CHECK(bundle->read("MLmodel") == "flavors:\n  linear:\n    data: linear.json\n");
    CHECK(bundle->read("data/caf\xc3\xa9.txt") == "caf\xc3\xa9\n");
    CHECK(bundle->read("data/none") == "");
    CHECK(bundle->read("data/long.txt").size() == 4000);
    CHECK(bundle->read("data/long.txt").substr(3980) == "a line that repeats\n");
  }
}
