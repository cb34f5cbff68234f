// What other people's tools make of our bundles, and we of theirs.

#include <doctest/doctest.h>

#include <string>

#include "bundle/bundle.hpp"
#include "bundle_support.hpp"
#include "support/temp_dir.hpp"

using mlrt::MemoryFiles;
using namespace mlrt::test;

namespace {

bool tools_are_there(std::initializer_list<const char*> tools) {
  for (const char* tool : tools) {
    if (has_tool(tool)) continue;
    MESSAGE(std::string(tool) << " is not installed: this check is skipped");
    return false;
  }
  return true;
}

MemoryFiles awkward_files() {
  MemoryFiles files = tiny_model_files();
  files.add("with space/and 'quote'", "1\n");
  files.add("with space/ leading", "2\n");
  files.add("with space/trailing ", "3\n");
  files.add("-dash", "4\n");
  files.add("#hash", "5\n");
  files.add("*star", "6\n");
  files.add("big.bin", noise_bytes(300000));
  return files;
}

}  // namespace

TEST_CASE("sha256sum -c accepts the manifest after unzip, and finds a changed file") {
  if (!tools_are_there({"unzip", "sha256sum"})) return;
  TempDir dir;
  mlrt::write_bundle(dir.path("m.mlrt"), awkward_files());
  mlrt::fs::make_folders(dir.path("out"));
  const std::string in_out = "cd " + shell_word(dir.path("out")) + " && LC_ALL=C.UTF-8 ";
  CHECK(run_shell(in_out + "unzip -q ../m.mlrt"));
  CHECK(run_shell(in_out + "sha256sum --quiet --strict -c MANIFEST.sha256"));
  CHECK(same_files(awkward_files(), *mlrt::open_model_folder(dir.path("out"))));
  mlrt::fs::write_file(dir.path("out/linear.json"), "{}");
  CHECK_FALSE(run_shell(in_out + "sha256sum --status -c MANIFEST.sha256 2>/dev/null"));
}

TEST_CASE("unzip -t finds no fault in a bundle, and zipinfo shows fixed dates and modes") {
  if (!tools_are_there({"unzip"})) return;
  TempDir dir;
  mlrt::write_bundle(dir.path("m.mlrt"), awkward_files());
  CHECK(run_shell("unzip -tqq " + shell_word(dir.path("m.mlrt"))));
  CHECK(run_shell("test \"$(unzip -Z " + shell_word(dir.path("m.mlrt")) +
                  " | grep -c '^-rw-r--r--.* stor 80-Jan-01 00:00 ')\" = " +
                  std::to_string(awkward_files().names().size() + 1)));
}

TEST_CASE("Python's zipfile reads a bundle: order, dates, modes and content") {
  if (!tools_are_there({"python3"})) return;
  TempDir dir;
  mlrt::write_bundle(dir.path("m.mlrt"), awkward_files());
  mlrt::write_model_folder(dir.path("m"), awkward_files());
  CHECK(
      run_shell("python3 -X utf8 -c 'import os,sys,zipfile\n"
                "z = zipfile.ZipFile(sys.argv[1])\n"
                "assert z.testzip() is None\n"
                "names = z.namelist()\n"
                "assert names[0] == \"MANIFEST.sha256\"\n"
                "assert names[1:] == sorted(names[1:], key=lambda n: n.encode())\n"
                "for i in z.infolist():\n"
                "  assert i.date_time == (1980, 1, 1, 0, 0, 0)\n"
                "  assert i.external_attr >> 16 == 0o100644\n"
                "  assert i.compress_type == zipfile.ZIP_STORED and not i.extra\n"
                "for n in names[1:]:\n"
                "  assert z.read(n) == open(os.path.join(sys.argv[2], n), \"rb\").read(), n' " +
                shell_word(dir.path("m.mlrt")) + " " + shell_word(dir.path("m"))));
}

TEST_CASE("a folder that Python's zipfile or Info-ZIP packs opens as a bundle") {
  if (!tools_are_there({"python3", "zip"})) return;
  TempDir dir;
  mlrt::write_model_folder(dir.path("m"), awkward_files());
  mlrt::fs::make_folders(dir.path("m/an empty folder"));
  const std::string in_m = "cd " + shell_word(dir.path("m")) + " && LC_ALL=C.UTF-8 ";
  for (const std::string command :
       {"zip -q -r ../z.zip .", "zip -q -0 -r ../z.zip .", "zip -q -r - . | cat > ../z.zip",
        "python3 -X utf8 -m zipfile -c ../z.zip ./*"}) {
    CAPTURE(command);
    mlrt::fs::remove_file(dir.path("z.zip"));
    REQUIRE(run_shell(in_m + command));
    auto bundle = mlrt::Bundle::open(dir.path("z.zip"));
    CHECK(same_files(awkward_files(), *bundle));
    bundle->verify();
  }
}

TEST_CASE("a link, a password or an outer folder in an archive of Info-ZIP is refused") {
  if (!tools_are_there({"zip"})) return;
  TempDir dir;
  const std::string zip_path = dir.path("z.zip");
  mlrt::write_model_folder(dir.path("m"), tiny_model_files());
  const std::string in_m = "cd " + shell_word(dir.path("m")) + " && ";
  const auto packed = [&](const std::string& command) {
    mlrt::fs::remove_file(zip_path);
    REQUIRE(run_shell(in_m + command));
    return bundle_error([&] { mlrt::Bundle::open(zip_path); });
  };
  const std::string start = "data_corrupt: '" + zip_path + "' is not a bundle: ";
  CHECK(packed("zip -q -P secret ../z.zip MLmodel") == start + "'MLmodel' is encrypted");
  CHECK(packed("cd .. && zip -q -r z.zip m") ==
        start +
            "no MLmodel at its root (found 'm/MLmodel': zip the folder's content, not the folder)");
  CHECK(packed("ln -s MLmodel link && zip -q -r -y ../z.zip .") ==
        start + "'link' is a symbolic link");
  CHECK(packed("rm link; printf '#!/bin/sh\\n' > ../z.zip && zip -q -r - . >> ../z.zip") ==
        start + "other bytes come before the zip data");
}
