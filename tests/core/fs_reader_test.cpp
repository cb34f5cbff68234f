// What a server reads and checks: files in pieces, links, a disk that is full.

#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "support/temp_dir.hpp"

namespace fs = mlrt::fs;
using mlrt::test::TempDir;

TEST_CASE("a file is read at any place, also after it was replaced") {
  TempDir folder;
  fs::write_file(folder.path("f"), "0123456789");
  const fs::FileReader reader(folder.path("f"));
  CHECK(reader.size() == 10);
  CHECK(reader.modified_ns() > 0);
  fs::write_file(folder.path("f"), "new");
  char bytes[16];
  CHECK(std::string(bytes, reader.read_at(7, bytes, sizeof(bytes))) == "789");
  CHECK(std::string(bytes, reader.read_at(2, bytes, 3)) == "234");
  CHECK(reader.read_at(10, bytes, 3) == 0);
  CHECK(reader.read_at(1000, bytes, 3) == 0);
  CHECK_THROWS_AS(fs::FileReader(folder.path("none")), mlrt::Error);
  CHECK_THROWS_AS(fs::FileReader(folder.path()), mlrt::Error);
}

TEST_CASE("a link anywhere below a folder is noticed, and the folder itself may be one") {
  TempDir folder;
  fs::make_folders(folder.path("root/a/b"));
  fs::write_file(folder.path("root/a/b/f"), "x");
  REQUIRE(symlink(folder.path("root/a").c_str(), folder.path("root/l").c_str()) == 0);
  REQUIRE(symlink("/nowhere", folder.path("root/a/broken").c_str()) == 0);
  REQUIRE(symlink(folder.path("root").c_str(), folder.path("top").c_str()) == 0);
  CHECK_FALSE(fs::has_link(folder.path("root"), "a/b/f"));
  CHECK_FALSE(fs::has_link(folder.path("top"), "a/b/f"));
  CHECK_FALSE(fs::has_link(folder.path("root"), "none/x"));
  CHECK_FALSE(fs::has_link(folder.path("root"), ""));
  CHECK(fs::has_link(folder.path("root"), "l"));
  CHECK(fs::has_link(folder.path("root"), "l/b/f"));
  CHECK(fs::has_link(folder.path("root"), "a/broken"));
}

TEST_CASE("a disk that is full is told from other failures") {
  TempDir folder;
  for (const int error : {ENOSPC, EDQUOT, EIO, EACCES}) {
    fs::set_fault_hook(
        [error](fs::Op op, const std::string&) { return op == fs::Op::kWrite ? error : 0; });
    bool full = false;
    try {
      fs::write_file(folder.path("f"), "x");
    } catch (const mlrt::Error& failure) {
      full = fs::is_disk_full(failure);
    }
    fs::set_fault_hook(nullptr);
    CHECK(full == (error == ENOSPC || error == EDQUOT));
  }
}
