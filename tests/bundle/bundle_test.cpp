#include "bundle/bundle.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "bundle/zip_format.hpp"
#include "bundle/zip_reader.hpp"
#include "bundle_support.hpp"
#include "core/hash.hpp"
#include "support/temp_dir.hpp"

using mlrt::Bundle;
using mlrt::MemoryFiles;
using namespace mlrt::test;

namespace {

// Of tiny_model_files(). A bundle is the same bytes for ever: if this must change, so must the
// format number, and the fixture of the old format stays.
constexpr char kTinyBundleDigest[] =
    "8e6587995eb5f1c932d051857de0bf8070881f765754c128c7ac83cb35cdd80e";

MemoryFiles sized_model_files() {
  MemoryFiles files;
  files.add("MLmodel", "flavors: {}\n");
  const std::size_t sizes[] = {0, 1, 2, 31, 62, 63, 64, 65, 127, 128, 129, 1 << 16, 1 << 20};
  for (std::size_t size : sizes) {
    files.add("data/" + std::to_string(size) + ".bin",
              noise_bytes(size, static_cast<std::uint32_t>(size)));
  }
  // Names of every length, so that every padding occurs.
  for (std::size_t size = 1; size <= 130; ++size) {
    files.add("n/" + std::string(size, 'x'), std::to_string(size));
  }
  return files;
}

}  // namespace

TEST_CASE("a bundle gives back the files that were written into it, whatever their sizes") {
  TempDir dir;
  const MemoryFiles files = sized_model_files();
  const std::string digest = mlrt::write_bundle(dir.path("m.mlrt"), files);
  auto bundle = Bundle::open(dir.path("m.mlrt"));
  CHECK(bundle->has_manifest());
  CHECK(bundle->path() == dir.path("m.mlrt"));
  CHECK(same_files(files, *bundle));
  CHECK(bundle->digest() == digest);
  CHECK(digest == mlrt::sha256_hex(mlrt::fs::read_file(dir.path("m.mlrt"))));
  CHECK_FALSE(bundle->contains("MANIFEST.sha256"));
  CHECK(bundle->contains("data/0.bin"));
  bundle->verify();
  CHECK(bundle_error([&] { bundle->read("absent"); }) ==
        "not_found: '" + dir.path("m.mlrt") + "' has no file 'absent'");
}

TEST_CASE("the same files give the same bytes, whatever the order in which they were added") {
  TempDir dir;
  MemoryFiles forth, back;
  std::vector<std::pair<std::string, std::string>> contents = {
      {"MLmodel", "m"}, {"b", "2"}, {"a/z", "3"}, {"a-b", "4"}, {"Z", "5"}, {"\xc3\xa9", "6"}};
  for (const auto& content : contents) forth.add(content.first, content.second);
  std::reverse(contents.begin(), contents.end());
  for (const auto& content : contents) back.add(content.first, content.second);
  mlrt::write_bundle(dir.path("one.mlrt"), forth);
  mlrt::write_bundle(dir.path("another name.mlrt"), back);
  CHECK(mlrt::fs::read_file(dir.path("one.mlrt")) ==
        mlrt::fs::read_file(dir.path("another name.mlrt")));
}

TEST_CASE("a bundle that is opened, unpacked and packed again is the same bytes") {
  TempDir dir;
  const std::string first = mlrt::write_bundle(dir.path("a.mlrt"), sized_model_files());
  CHECK(mlrt::write_bundle(dir.path("b.mlrt"), *Bundle::open(dir.path("a.mlrt"))) == first);
  mlrt::write_model_folder(dir.path("folder"), *Bundle::open(dir.path("a.mlrt")));
  CHECK(mlrt::write_bundle(dir.path("c.mlrt"), *mlrt::open_model_files(dir.path("folder"))) ==
        first);
  // In place of the very file that is being read.
  CHECK(mlrt::write_bundle(dir.path("a.mlrt"), *Bundle::open(dir.path("a.mlrt"))) == first);
}

TEST_CASE("the tiny bundle has the bytes that format 1 gave it on its first day") {
  TempDir dir;
  CHECK(mlrt::write_bundle(dir.path("tiny.mlrt"), tiny_model_files()) == kTinyBundleDigest);
  CHECK(mlrt::fs::read_file(dir.path("tiny.mlrt")) ==
        mlrt::fs::read_file(bundle_fixture("tiny_format1.mlrt")));
}

TEST_CASE("a bundle of format 1 from its first day opens") {
  auto bundle = Bundle::open(bundle_fixture("tiny_format1.mlrt"));
  CHECK(bundle->digest() == kTinyBundleDigest);
  CHECK(bundle->has_manifest());
  CHECK(same_files(tiny_model_files(), *bundle));
  bundle->verify();
}

TEST_CASE("the manifest is the first entry and every entry begins at a multiple of 64 bytes") {
  TempDir dir;
  mlrt::write_bundle(dir.path("m.mlrt"), sized_model_files());
  const std::string bytes = mlrt::fs::read_file(dir.path("m.mlrt"));
  CHECK(bytes.substr(30, 15) == "MANIFEST.sha256");
  mlrt::ZipReader zip(bytes, "'m'");
  CHECK(zip.entries().size() == sized_model_files().names().size() + 1);
  std::uint64_t before = 0;
  for (const mlrt::ZipEntry& entry : zip.entries()) {
    CHECK_FALSE(entry.deflated);
    CHECK_MESSAGE(entry.data_offset % 64 == 0, entry.name);
    if (entry.name == "MANIFEST.sha256") continue;
    CHECK_MESSAGE(entry.data_offset > before, entry.name);  // sorted as they lie
    before = entry.data_offset;
  }
}

TEST_CASE("a stored file is read in place, aligned, and a deflated one is unpacked once") {
  TempDir dir;
  mlrt::write_bundle(dir.path("m.mlrt"), sized_model_files());
  auto bundle = Bundle::open(dir.path("m.mlrt"));
  const std::string bytes = mlrt::fs::read_file(dir.path("m.mlrt"));
  std::string_view a = bundle->read("data/65.bin");
  std::string_view b = bundle->read("data/129.bin");
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
  CHECK(a.data() == bundle->read("data/65.bin").data());
  // Both point into one mapping: their distance is that of the entries in the file.
  mlrt::ZipReader zip(bytes, "'m'");
  CHECK(b.data() - a.data() ==
        static_cast<std::ptrdiff_t>(zip.find("data/129.bin")->data_offset) -
            static_cast<std::ptrdiff_t>(zip.find("data/65.bin")->data_offset));

  auto foreign = Bundle::open(bundle_fixture("python_deflated.zip"));
  CHECK(foreign->read("data/long.txt").data() == foreign->read("data/long.txt").data());
}

TEST_CASE("threads that read the same files of a bundle for the first time all get them") {
  TempDir dir;
  const MemoryFiles files = sized_model_files();
  mlrt::write_bundle(dir.path("m.mlrt"), files);
  for (const std::string& path : {dir.path("m.mlrt"), bundle_fixture("python_deflated.zip")}) {
    auto expected = Bundle::open(path);
    auto bundle = Bundle::open(path);
    std::vector<std::thread> threads;
    std::vector<int> same(8, 0);
    for (std::size_t t = 0; t < same.size(); ++t) {
      threads.emplace_back([&, t] { same[t] = same_files(*expected, *bundle) ? 1 : 0; });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(std::count(same.begin(), same.end(), 1) == 8);
  }
}

TEST_CASE("sets of files that a bundle can't hold are refused and nothing is written") {
  TempDir dir;
  const std::string path = dir.path("m.mlrt");
  const auto refused = [&](const std::vector<std::string>& names) {
    MemoryFiles files;
    for (const std::string& name : names) files.add(name, "x");
    const std::string error = bundle_error([&] { mlrt::write_bundle(path, files); });
    const std::string start = "invalid_parameter: cannot write '" + path + "': ";
    REQUIRE_MESSAGE(error.substr(0, start.size()) == start, error);
    return error.substr(start.size());
  };
  const std::string rule =
      " (names are relative, with '/', without '..', backslashes or control characters, in UTF-8)";
  CHECK(refused({"linear.json"}) == "the model has no MLmodel");
  CHECK(refused({}) == "the model has no MLmodel");
  CHECK(refused({"MLmodel", "MANIFEST.sha256"}) ==
        "the name MANIFEST.sha256 is taken by the bundle's own manifest");
  CHECK(refused({"MLmodel", "manifest.SHA256"}) ==
        "the names 'manifest.SHA256' and 'MANIFEST.sha256' differ in case only");
  CHECK(refused({"MLmodel", "../x"}) == "unsafe name '../x'" + rule);
  CHECK(refused({"MLmodel", "/x"}) == "unsafe name '/x'" + rule);
  CHECK(refused({"MLmodel", "a\\b"}) == "unsafe name 'a\\b'" + rule);
  CHECK(refused({"MLmodel", "a//b"}) == "unsafe name 'a//b'" + rule);
  CHECK(refused({"MLmodel", "a/"}) == "unsafe name 'a/'" + rule);
  CHECK(refused({"MLmodel", "a\nb"}) == "unsafe name 'a\\x0ab'" + rule);
  CHECK(refused({"MLmodel", "\xff"}) == "unsafe name '\\xff'" + rule);
  CHECK(refused({"MLmodel", "a/X", "a/x"}) == "the names 'a/X' and 'a/x' differ in case only");
  CHECK(refused({"MLmodel", "a", "A/x"}) == "'a' is a file, and the folder of 'A/x'");
  CHECK(refused({"MLmodel", "a", "a b", "a/x/y"}) == "'a' is a file, and the folder of 'a/x/y'");
  CHECK(mlrt::fs::list(dir.path()).empty());
}

TEST_CASE("a bundle can't be written into a folder that does not exist") {
  TempDir dir;
  const std::string error =
      bundle_error([&] { mlrt::write_bundle(dir.path("no/m.mlrt"), tiny_model_files()); });
  CHECK_MESSAGE(error.find("not_found: ") == 0, error);
  CHECK(mlrt::fs::list(dir.path()).empty());
}

TEST_CASE("files whose content changes while they are packed are noticed") {
  class Changing final : public mlrt::FileSet {
   public:
    std::vector<std::string> names() const override { return {"MLmodel"}; }
    bool contains(const std::string& name) const override { return name == "MLmodel"; }
    std::string_view read(const std::string&) const override {
      return reads_++ == 0 ? "one" : "two";
    }

   private:
    mutable int reads_ = 0;
  };
  TempDir dir;
  CHECK(bundle_error([&] { mlrt::write_bundle(dir.path("m.mlrt"), Changing()); }) ==
        "conflict: cannot write '" + dir.path("m.mlrt") +
            "': 'MLmodel' was changed while it was packed");
  CHECK(mlrt::fs::list(dir.path()).empty());
}

TEST_CASE("open_model_files takes a bundle, a folder, and says when there is neither") {
  TempDir dir;
  const MemoryFiles files = tiny_model_files();
  mlrt::write_bundle(dir.path("m.mlrt"), files);
  mlrt::write_model_folder(dir.path("m"), files);
  CHECK(same_files(files, *mlrt::open_model_files(dir.path("m.mlrt"))));
  CHECK(same_files(files, *mlrt::open_model_files(dir.path("m"))));
  CHECK(bundle_error([&] { mlrt::open_model_files(dir.path("absent")); }) ==
        "not_found: cannot read '" + dir.path("absent") + "': no such file");
  CHECK(bundle_error([&] { Bundle::open(dir.path("absent.mlrt")); }) ==
        "not_found: cannot read '" + dir.path("absent.mlrt") + "': no such file");
  CHECK(bundle_error([&] { Bundle::open(dir.path("m")); }) ==
        "data_corrupt: '" + dir.path("m") + "' is not a bundle: it is a folder");
}
