#include "core/fs.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "support/temp_dir.hpp"

namespace {

namespace fs = mlrt::fs;

// The message of the error that `act` throws, with its code checked; "" when it throws none.
template <typename Act>
std::string fs_test_message(mlrt::ErrorCode code, Act act) {
  try {
    act();
  } catch (const mlrt::Error& error) {
    CHECK(static_cast<int>(error.code()) == static_cast<int>(code));
    return error.message();
  }
  return {};
}

// Makes the call number `failing` (from 1) fail with `error`, and no other.
class FsTestFault {
 public:
  FsTestFault(int failing, int error) {
    fs::set_fault_hook([this, failing, error](fs::Op, const std::string&) {
      bool fails = ++calls_ == failing;
      failed_ = failed_ || fails;
      return fails ? error : 0;
    });
  }
  ~FsTestFault() { fs::set_fault_hook({}); }
  FsTestFault(const FsTestFault&) = delete;
  FsTestFault& operator=(const FsTestFault&) = delete;

  bool failed() const { return failed_; }

 private:
  int calls_ = 0;
  bool failed_ = false;
};

// Runs `act` with its first system call failing, then its second, until none fails any more. After
// each run that threw, `after_failure` looks; the count of runs that threw is the result.
template <typename Act, typename AfterFailure, typename Before>
int fs_test_fail_each(int error, Before before, Act act, AfterFailure after_failure) {
  int threw = 0;
  for (int n = 1; n < 1000; ++n) {
    before();
    std::string message;
    bool failed = false;
    {
      FsTestFault fault(n, error);
      try {
        act();
      } catch (const mlrt::Error& raised) {
        message = raised.message();
      }
      failed = fault.failed();
    }
    CAPTURE(n);
    CAPTURE(message);
    if (!message.empty()) {
      CHECK(failed);
      CHECK(message.rfind("cannot ", 0) == 0);
      CHECK(message.find("the disk reported an error") != std::string::npos);
      CHECK(message.find('\n') == std::string::npos);
      after_failure();
      ++threw;
    }
    if (!failed) {
      CHECK(message.empty());
      return threw;
    }
  }
  FAIL("the operation never got through");
  return threw;
}

using FsTestNames = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "write_file creates and replaces, read_file reads it all, whatever the name and content") {
  mlrt::test::TempDir folder;
  for (const char* name :
       {"plain.txt", "with blanks .txt", "gr\xC3\xBC\xC3\x9F \xE6\x97\xA5.txt", "-rf", "a'b\"c"}) {
    std::string path = folder.path(name);
    CAPTURE(path);
    fs::write_file(path, "first");
    CHECK(fs::read_file(path) == "first");
    std::string bytes(300000, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
    fs::write_file(path, bytes);
    CHECK(fs::read_file(path) == bytes);
    CHECK(fs::file_size(path) == bytes.size());
    fs::write_file(path, "");
    CHECK(fs::read_file(path).empty());
    CHECK(fs::list(folder.path()) == FsTestNames{name});
    fs::remove_file(path);
    CHECK(fs::list(folder.path()).empty());
  }
  std::string longest(255, 'n');
  fs::write_file(folder.path(longest), "x");
  CHECK(fs::list(folder.path()) == FsTestNames{longest});
}

TEST_CASE("a new file has mode 0644 less the umask, and a link is replaced rather than followed") {
  mlrt::test::TempDir folder;
  mode_t before = ::umask(027);
  fs::write_file(folder.path("a"), "1");
  ::umask(before);
  struct stat info {};
  REQUIRE(::stat(folder.path("a").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0640);
  REQUIRE(::symlink("a", folder.path("link").c_str()) == 0);
  fs::write_file(folder.path("link"), "2");
  CHECK(fs::read_file(folder.path("a")) == "1");
  CHECK(fs::read_file(folder.path("link")) == "2");
}

TEST_CASE("read_file refuses what is too large, not there, no file, or would never end") {
  mlrt::test::TempDir folder;
  std::string path = folder.path("a.csv");
  fs::write_file(path, "12345");
  CHECK(fs::read_file(path, 5) == "12345");
  CHECK(fs_test_message(mlrt::ErrorCode::kTooLarge, [&] { fs::read_file(path, 4); }) ==
        "cannot read '" + path + "': it is larger than 4 bytes");
  CHECK(fs_test_message(mlrt::ErrorCode::kNotFound, [&] { fs::read_file("x.csv"); }) ==
        "cannot read 'x.csv': no such file");
  CHECK(fs_test_message(mlrt::ErrorCode::kNotFound, [&] { fs::read_file(path + "/b"); }) ==
        "cannot read '" + path + "/b': a part of the path is not a folder");
  CHECK(fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::read_file(folder.path()); }) ==
        "cannot read '" + folder.path() + "': it is a folder");
  CHECK(fs_test_message(mlrt::ErrorCode::kInvalidParameter, [&] {
          fs::read_file(path + std::string("\0b", 2));
        }) == "cannot read '" + path + "\\x00b': the path holds a NUL byte");
  REQUIRE(::mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK(fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::read_file(folder.path("fifo")); }) ==
        "cannot read '" + folder.path("fifo") + "': it is not a regular file");
  CHECK(fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::read_file("/dev/zero"); }) ==
        "cannot read '/dev/zero': it is not a regular file");
}

TEST_CASE("read_file reads files that do not tell their size, up to the limit") {
  std::string status = fs::read_file("/proc/self/status");
  CHECK(status.find("Pid:") != std::string::npos);
  CHECK(fs_test_message(mlrt::ErrorCode::kTooLarge, [&] {
          fs::read_file("/proc/self/status", 10);
        }) == "cannot read '/proc/self/status': it is larger than 10 bytes");
}

TEST_CASE("writing names the path and the reason") {
  mlrt::test::TempDir folder;
  std::string path = folder.path("none/a");
  CHECK(fs_test_message(mlrt::ErrorCode::kNotFound, [&] { fs::write_file(path, "x"); }) ==
        "cannot write '" + path + "': no such folder");
  fs::make_folders(folder.path("d"));
  CHECK(fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::write_file(folder.path("d"), "x"); }) ==
        "cannot write '" + folder.path("d") + "': it is a folder");
  CHECK(fs_test_message(mlrt::ErrorCode::kIo, [&] {
          fs::write_file(folder.path("d") + "/", "x");
        }) == "cannot write '" + folder.path("d") + "/': it is a folder");
  CHECK(fs_test_message(mlrt::ErrorCode::kNotFound, [&] { fs::write_file("", "x"); }) ==
        "cannot write '': no such file: the path is empty");
  CHECK(fs::list(folder.path()) == FsTestNames{"d"});
  struct Reason {
    int error;
    mlrt::ErrorCode code;
    const char* text;
  };
  for (const Reason& reason :
       {Reason{ENOSPC, mlrt::ErrorCode::kIo, "no space left on the disk"},
        Reason{EACCES, mlrt::ErrorCode::kPermissionDenied, "permission denied"},
        Reason{EROFS, mlrt::ErrorCode::kPermissionDenied, "the file system is read-only"},
        Reason{EMFILE, mlrt::ErrorCode::kUnavailable, "too many open files"}}) {
    FsTestFault fault(1, reason.error);
    CHECK(fs_test_message(reason.code, [&] { fs::write_file("a b.txt", "x"); }) ==
          std::string("cannot write 'a b.txt': ") + reason.text);
  }
}

TEST_CASE("AtomicWriter shows nothing before commit, and leaves nothing without it") {
  mlrt::test::TempDir folder;
  std::string path = folder.path("out.bin");
  {
    fs::AtomicWriter writer(path);
    writer.write("abc");
    CHECK_FALSE(fs::exists(path));
    REQUIRE(fs::list(folder.path()).size() == 1);
    std::string temporary = fs::list(folder.path())[0];
    CHECK(temporary.rfind(".out.bin.", 0) == 0);
    CHECK(fs::extension(temporary) == ".tmp");
  }
  CHECK(fs::list(folder.path()).empty());
  fs::AtomicWriter writer(path);
  writer.write("abc");
  writer.write("", 0);
  writer.write("def", 2);
  writer.commit();
  CHECK(fs::read_file(path) == "abcde");
  CHECK(fs::list(folder.path()) == FsTestNames{"out.bin"});
  CHECK(fs_test_message(mlrt::ErrorCode::kInternal, [&] { writer.commit(); }) ==
        "cannot write '" + path + "': it is closed");
  CHECK_FALSE(fs_test_message(mlrt::ErrorCode::kInternal, [&] { writer.write("x"); }).empty());
}

TEST_CASE(
    "write_file with any one system call failing leaves the old file, or none, and nothing beside "
    "it") {
  mlrt::test::TempDir folder;
  std::string path = folder.path("a b.txt");
  bool exists = true;
  for (bool had_old : {true, false}) {
    exists = had_old;
    int threw = fs_test_fail_each(
        EIO,
        [&] {
          fs::remove_file(path);
          if (exists) {
            fs::write_file(path, "old");
            REQUIRE(::chmod(path.c_str(), 0600) == 0);
          }
        },
        [&] { fs::write_file(path, "new"); },
        [&] {
          CHECK(fs::list(folder.path()) == (exists ? FsTestNames{"a b.txt"} : FsTestNames{}));
          if (!exists) return;
          CHECK(fs::read_file(path) == "old");
          struct stat info {};
          REQUIRE(::stat(path.c_str(), &info) == 0);
          CHECK((info.st_mode & 07777) == 0600);
        });
    CHECK(threw >= 6);  // open, write, sync, open and sync of the folder, rename
    CHECK(fs::read_file(path) == "new");
    CHECK(fs::list(folder.path()) == FsTestNames{"a b.txt"});
  }
}

TEST_CASE(
    "AtomicWriter and copy_file with any one system call failing leave the old file and nothing "
    "beside it") {
  mlrt::test::TempDir folder;
  std::string from = folder.path("from"), to = folder.path("to");
  std::string content(600000, 'x');  // more than one block
  fs::write_file(from, content);
  auto before = [&] { fs::write_file(to, "old"); };
  auto after_failure = [&] {
    CHECK(fs::list(folder.path()) == FsTestNames{"from", "to"});
    CHECK(fs::read_file(to) == "old");
  };
  int threw = fs_test_fail_each(
      EIO, before,
      [&] {
        fs::AtomicWriter writer(to);
        writer.write("ne");
        writer.write("w");
        writer.commit();
      },
      after_failure);
  CHECK(threw >= 7);
  CHECK(fs::read_file(to) == "new");
  threw = fs_test_fail_each(
      EIO, before, [&] { fs::copy_file(from, to); }, after_failure);
  CHECK(threw >= 12);
  CHECK(fs::read_file(to) == content);
  CHECK(fs::list(folder.path()) == FsTestNames{"from", "to"});
}

TEST_CASE(
    "where the folder's sync fails and the old file cannot be put back, the message says what "
    "stands") {
  mlrt::test::TempDir folder;
  std::string path = folder.path("a");
  fs::write_file(path, "old");
  bool broken = false;
  fs::set_fault_hook([&](fs::Op op, const std::string& at) {
    if (op == fs::Op::kSync && at == folder.path()) broken = true;
    return broken ? EIO : 0;
  });
  std::string message = fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::write_file(path, "new"); });
  fs::set_fault_hook({});
  CHECK(message ==
        "wrote '" + path + "', but it may not survive a power cut: the disk reported an error");
  CHECK(fs::read_file(path) == "new");
  CHECK(fs::list(folder.path()) == FsTestNames{"a"});
}

TEST_CASE("a clean-up that fails as well does not hide the first error") {
  mlrt::test::TempDir folder;
  fs::set_fault_hook([&](fs::Op op, const std::string&) {
    return op == fs::Op::kWrite ? ENOSPC : op == fs::Op::kRemove ? EIO : 0;
  });
  std::string message =
      fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::write_file(folder.path("a"), "x"); });
  fs::set_fault_hook({});
  CHECK(message == "cannot write '" + folder.path("a") + "': no space left on the disk");
}

TEST_CASE("calls that a signal interrupts are made again") {
  mlrt::test::TempDir folder;
  std::string path = folder.path("a");
  int calls = 0;
  fs::set_fault_hook([&](fs::Op, const std::string&) { return ++calls % 2 == 1 ? EINTR : 0; });
  fs::write_file(path, "x");
  std::string content = fs::read_file(path);
  fs::remove_tree(folder.path("none"));
  fs::set_fault_hook({});
  CHECK(content == "x");
}

TEST_CASE("copy_file copies the bytes, onto itself as well, and takes only regular files") {
  mlrt::test::TempDir folder;
  std::string path = folder.path("a");
  fs::write_file(path, "content");
  fs::copy_file(path, folder.path("b"));
  CHECK(fs::read_file(folder.path("b")) == "content");
  fs::copy_file(path, path);
  CHECK(fs::read_file(path) == "content");
  CHECK(fs_test_message(mlrt::ErrorCode::kNotFound, [&] {
          fs::copy_file(folder.path("x"), path);
        }) == "cannot read '" + folder.path("x") + "': no such file");
  CHECK(fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::copy_file(folder.path(), path); }) ==
        "cannot read '" + folder.path() + "': it is a folder");
  CHECK(fs::read_file(path) == "content");
}

TEST_CASE("exists, is_file, is_folder and file_size tell what is there") {
  mlrt::test::TempDir folder;
  std::string file = folder.path("f");
  fs::write_file(file, "123");
  REQUIRE(::symlink("f", folder.path("link").c_str()) == 0);
  REQUIRE(::symlink("nowhere", folder.path("dangling").c_str()) == 0);
  REQUIRE(::symlink("loop", folder.path("loop").c_str()) == 0);
  CHECK(fs::exists(file));
  CHECK(fs::is_file(file));
  CHECK_FALSE(fs::is_folder(file));
  CHECK(fs::is_folder(folder.path()));
  CHECK_FALSE(fs::is_file(folder.path()));
  CHECK(fs::is_file(folder.path("link")));
  CHECK(fs::file_size(folder.path("link")) == 3);
  for (const std::string& path :
       {folder.path("dangling"), folder.path("loop"), folder.path("none"), file + "/x",
        std::string(), std::string(100000, 'x'), file + std::string("\0", 1)}) {
    CHECK_FALSE(fs::exists(path));
    CHECK_FALSE(fs::is_file(path));
    CHECK_FALSE(fs::is_folder(path));
  }
  CHECK(fs_test_message(mlrt::ErrorCode::kNotFound, [&] { fs::file_size(folder.path("none")); }) ==
        "cannot look at '" + folder.path("none") + "': no such file");
  FsTestFault fault(1, EIO);
  CHECK(fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::exists(file); }) ==
        "cannot look at '" + file + "': the disk reported an error");
}

TEST_CASE("make_folders makes all that is missing and minds what is there") {
  mlrt::test::TempDir folder;
  std::string deep = folder.path("a b/\xC3\xBC/c");
  fs::make_folders(deep);
  fs::make_folders(deep);
  fs::make_folders(deep + "//");
  CHECK(fs::is_folder(deep));
  fs::write_file(folder.path("f"), "");
  CHECK(fs_test_message(mlrt::ErrorCode::kAlreadyExists,
                        [&] { fs::make_folders(folder.path("f")); }) ==
        "cannot make the folder '" + folder.path("f") + "': '" + folder.path("f") +
            "' is not a folder");
  CHECK(fs_test_message(mlrt::ErrorCode::kAlreadyExists,
                        [&] { fs::make_folders(folder.path("f/g/h")); }) ==
        "cannot make the folder '" + folder.path("f/g/h") + "': '" + folder.path("f") +
            "' is not a folder");
  CHECK_FALSE(fs_test_message(mlrt::ErrorCode::kNotFound, [&] { fs::make_folders(""); }).empty());
  int threw = fs_test_fail_each(
      EIO, [&] { fs::remove_tree(folder.path("x")); },
      [&] { fs::make_folders(folder.path("x/y")); }, [] {});
  CHECK(threw >= 8);
  CHECK(fs::is_folder(folder.path("x/y")));
}

TEST_CASE("remove_file minds nothing that is not there, and takes no folder") {
  mlrt::test::TempDir folder;
  fs::remove_file(folder.path("none"));
  fs::remove_file(folder.path("none/none"));
  fs::write_file(folder.path("f"), "");
  REQUIRE(::symlink("f", folder.path("link").c_str()) == 0);
  fs::remove_file(folder.path("link"));
  CHECK(fs::list(folder.path()) == FsTestNames{"f"});
  CHECK_FALSE(
      fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::remove_file(folder.path()); }).empty());
}

TEST_CASE("remove_tree removes links and not what they lead to") {
  mlrt::test::TempDir folder;
  fs::make_folders(folder.path("kept/inner"));
  fs::write_file(folder.path("kept/inner/f"), "x");
  fs::make_folders(folder.path("tree/a/b"));
  fs::write_file(folder.path("tree/a/b/f"), "x");
  fs::write_file(folder.path("tree/a/.hidden"), "x");
  REQUIRE(::symlink("../../kept", folder.path("tree/a/link").c_str()) == 0);
  REQUIRE(::symlink("nowhere", folder.path("tree/dangling").c_str()) == 0);
  REQUIRE(::mkfifo(folder.path("tree/fifo").c_str(), 0600) == 0);
  fs::remove_tree(folder.path("tree"));
  CHECK(fs::list(folder.path()) == FsTestNames{"kept"});
  CHECK(fs::read_file(folder.path("kept/inner/f")) == "x");
  REQUIRE(::symlink("kept", folder.path("link").c_str()) == 0);
  fs::remove_tree(folder.path("link") + "/");
  CHECK(fs::list(folder.path()) == FsTestNames{"kept"});
  CHECK(fs::is_file(folder.path("kept/inner/f")));
  fs::remove_tree(folder.path("none"));
  fs::remove_tree(folder.path("kept/inner/f"));
  CHECK(fs::list(folder.path("kept/inner")).empty());
}

TEST_CASE("remove_tree refuses the root and folders without a name of their own") {
  mlrt::test::TempDir folder;
  // The hook keeps a defect from doing what the test is about.
  fs::set_fault_hook([](fs::Op, const std::string&) { return EIO; });
  for (const char* path : {"/", "//", ".", "..", "./", "../.."}) {
    CAPTURE(path);
    CHECK(fs_test_message(mlrt::ErrorCode::kInvalidParameter, [&] { fs::remove_tree(path); }) ==
          "cannot remove '" + std::string(path) + "': it must be named by its name");
  }
  fs::set_fault_hook({});
}

TEST_CASE("remove_tree goes deeper than paths may be long and than files may be open") {
  mlrt::test::TempDir folder;
  std::string start = fs::current_folder();
  REQUIRE(::mkdir(folder.path("deep").c_str(), 0700) == 0);
  REQUIRE(::chdir(folder.path("deep").c_str()) == 0);
  std::string name(10, 'd');
  bool made = true;
  for (int i = 0; i < 1100 && made; ++i)
    made = ::mkdir(name.c_str(), 0700) == 0 && ::chdir(name.c_str()) == 0;
  REQUIRE(::chdir(start.c_str()) == 0);
  REQUIRE(made);
  fs::remove_tree(folder.path("deep"));
  CHECK(fs::list(folder.path()).empty());
}

TEST_CASE(
    "remove_tree with any one system call failing ends in a clean error, and the next call "
    "finishes it") {
  mlrt::test::TempDir folder;
  int threw = fs_test_fail_each(
      EIO,
      [&] {
        fs::make_folders(folder.path("tree/a/b"));
        fs::make_folders(folder.path("tree/c"));
        fs::write_file(folder.path("tree/a/b/f"), "x");
        fs::write_file(folder.path("tree/g"), "x");
      },
      [&] { fs::remove_tree(folder.path("tree")); },
      [&] { CHECK(fs::exists(folder.path("tree"))); });
  CHECK(threw >= 20);
  CHECK(fs::list(folder.path()).empty());
}

TEST_CASE("rename replaces, and names both paths when it fails") {
  mlrt::test::TempDir folder;
  std::string a = folder.path("a"), b = folder.path("b");
  fs::write_file(a, "1");
  fs::write_file(b, "2");
  fs::rename(a, b);
  CHECK(fs::read_file(b) == "1");
  CHECK(fs::list(folder.path()) == FsTestNames{"b"});
  CHECK(fs_test_message(mlrt::ErrorCode::kNotFound, [&] { fs::rename(a, b); }) ==
        "cannot rename '" + a + "' to '" + b + "': no such file or folder");
}

TEST_CASE(
    "list gives names sorted by byte, list_files_below relative paths, and links are refused "
    "there") {
  mlrt::test::TempDir folder;
  for (const char* name : {"b", "B", "a/z", "a/b/c", "a.txt", "\xC3\xBC"}) {
    fs::make_folders(fs::parent(folder.path(name)));
    fs::write_file(folder.path(name), "");
  }
  fs::make_folders(folder.path("empty"));
  CHECK(fs::list(folder.path()) == FsTestNames{"B", "a", "a.txt", "b", "empty", "\xC3\xBC"});
  CHECK(fs::list_files_below(folder.path()) ==
        FsTestNames{"B", "a.txt", "a/b/c", "a/z", "b", "\xC3\xBC"});
  CHECK(fs_test_message(mlrt::ErrorCode::kNotFound, [&] { fs::list(folder.path("none")); }) ==
        "cannot list '" + folder.path("none") + "': no such folder");
  CHECK_FALSE(
      fs_test_message(mlrt::ErrorCode::kNotFound, [&] { fs::list(folder.path("b")); }).empty());
  REQUIRE(::symlink("/", folder.path("a/link").c_str()) == 0);
  CHECK(fs_test_message(mlrt::ErrorCode::kPermissionDenied, [&] {
          fs::list_files_below(folder.path());
        }) == "cannot take '" + folder.path("a/link") + "': it is a symbolic link");
  fs::remove_file(folder.path("a/link"));
  CHECK(fs_test_fail_each(
            EIO, [] {}, [&] { fs::list_files_below(folder.path()); }, [] {}) > 20);
}

TEST_CASE("parts of paths") {
  struct Case {
    const char *path, *parent, *basename, *extension;
  };
  const Case cases[] = {{"a/b.c", "a", "b.c", ".c"},   {"b.c", ".", "b.c", ".c"},
                        {"/a", "/", "a", ""},          {"/", "/", "/", ""},
                        {"a/", ".", "a", ""},          {"a//b//", "a", "b", ""},
                        {"//a", "/", "a", ""},         {"", ".", "", ""},
                        {"a.b/c", "a.b", "c", ""},     {".hidden", ".", ".hidden", ""},
                        {"a/.b.c", "a", ".b.c", ".c"}, {"x.tar.gz", ".", "x.tar.gz", ".gz"},
                        {"..", ".", "..", ""},         {"a.", ".", "a.", "."}};
  for (const Case& c : cases) {
    CAPTURE(c.path);
    CHECK(fs::parent(c.path) == c.parent);
    CHECK(fs::basename(c.path) == c.basename);
    CHECK(fs::extension(c.path) == c.extension);
  }
  CHECK(fs::join("a", "b") == "a/b");
  CHECK(fs::join("a/", "b") == "a/b");
  CHECK(fs::join("a", "/b") == "a/b");
  CHECK(fs::join("/", "b") == "/b");
  CHECK(fs::join("", "b") == "b");
  CHECK(fs::join("a", "") == "a");
  CHECK(fs::absolute("/a/./b//c/") == "/a/b/c");
  CHECK(fs::absolute("/") == "/");
  CHECK(fs::absolute("x/../y") == fs::join(fs::current_folder(), "x/../y"));
  CHECK(fs::absolute("") == fs::current_folder());
  CHECK(fs::current_folder() == std::filesystem::current_path().string());
}

TEST_CASE("is_safe_relative takes what stays below its root and nothing else") {
  for (const char* path : {"a", "a/b.c", ".hidden", "...", "a b/\xC3\xBC", "..a", "a../b"}) {
    CAPTURE(path);
    CHECK(fs::is_safe_relative(path));
  }
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "../a", "a/../b",
                           "a/..", "a\\b", "..\\a", "C:\\a", "\xFF", "a/\xC0\xAF"}) {
    CAPTURE(path);
    CHECK_FALSE(fs::is_safe_relative(path));
  }
  CHECK_FALSE(fs::is_safe_relative(std::string_view("a\0b", 3)));
  CHECK(fs::is_safe_relative(std::string(4096, 'a')));
  CHECK_FALSE(fs::is_safe_relative(std::string(4097, 'a')));
}

TEST_CASE("a mapped file shows the bytes, also after it is moved, replaced or removed") {
  mlrt::test::TempDir folder;
  std::string path = folder.path("m");
  fs::write_file(path, "mapped bytes");
  fs::MappedFile first(path);
  fs::MappedFile second(std::move(first));
  fs::write_file(path, "others");
  fs::remove_file(path);
  CHECK(second.bytes() == "mapped bytes");
  CHECK(second.path() == path);
  CHECK(first.bytes().empty());
  fs::write_file(path, "");
  CHECK(fs::MappedFile(path).bytes().empty());
  CHECK(fs_test_message(mlrt::ErrorCode::kNotFound, [&] {
          fs::MappedFile none(folder.path("none"));
        }) == "cannot read '" + folder.path("none") + "': no such file");
  CHECK_FALSE(
      fs_test_message(mlrt::ErrorCode::kIo, [&] { fs::MappedFile none(folder.path()); }).empty());
  fs::write_file(path, "x");
  CHECK(fs_test_fail_each(
            EIO, [] {}, [&] { fs::MappedFile again(path); }, [] {}) == 3);
}

TEST_CASE("the space of a disk is told in bytes, and an absent folder is an error") {
  mlrt::test::TempDir dir;
  const mlrt::fs::DiskSpace space = mlrt::fs::disk_space(dir.path());
  CHECK(space.total > 0);
  CHECK(space.free <= space.total);
  CHECK(space.available <= space.free);
  CHECK_THROWS_WITH_AS(mlrt::fs::disk_space(dir.path("absent")), doctest::Contains("absent"),
                       mlrt::Error);
  mlrt::fs::sync_folder(dir.path());
  CHECK_THROWS_WITH_AS(mlrt::fs::sync_folder(dir.path("absent")), doctest::Contains("absent"),
                       mlrt::Error);
}
