#include "core/fs_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "support/temp_dir.hpp"

namespace {

namespace fs = mlrt::fs;
using FsFileMode = mlrt::fs::File::Mode;

// The message of the error that `act` throws, with its code checked; "" when it throws none.
template <typename Act>
std::string fs_file_message(mlrt::ErrorCode code, Act act) {
  try {
    act();
  } catch (const mlrt::Error& error) {
    CHECK(static_cast<int>(error.code()) == static_cast<int>(code));
    return error.message();
  }
  return {};
}

// Lets the calls of one kind fail with `error`, the first `passing` of them excepted.
class FsFileFault {
 public:
  FsFileFault(fs::Op failing, int error, int passing = 0) {
    fs::set_fault_hook([this, failing, error, passing](fs::Op op, const std::string&) {
      return op == failing && ++calls_ > passing ? error : 0;
    });
  }
  ~FsFileFault() { fs::set_fault_hook({}); }
  FsFileFault(const FsFileFault&) = delete;
  FsFileFault& operator=(const FsFileFault&) = delete;

  int calls() const { return calls_; }

 private:
  int calls_ = 0;
};

std::uint64_t fs_file_disk_bytes(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

}  // namespace

TEST_CASE("a file that stays open is read and written in place, and read short only at its end") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a b \xC3\xBC.bin");
  fs::File file(path, FsFileMode::kCreate);
  CHECK(file.path() == path);
  CHECK(file.size() == 0);
  file.write_at(4, "efgh", 4);
  file.write_at(0, "abcd", 4);
  CHECK(file.size() == 8);
  CHECK(fs::read_file(path) == "abcdefgh");
  char bytes[16] = {};
  const fs::File reader(path, FsFileMode::kRead);
  CHECK(reader.read_at(2, bytes, 3) == 3);
  CHECK(std::string(bytes) == "cde");
  CHECK(reader.read_at(6, bytes, sizeof(bytes)) == 2);
  CHECK(reader.read_at(8, bytes, 1) == 0);
  CHECK(reader.read_at(1000, bytes, 1) == 0);
  CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { reader.read_at(~0ull - 1, bytes, 16); }) ==
        "cannot read '" + path + "': the file would be larger than the system allows");
  fs::File again(path, FsFileMode::kReadWrite);
  again.write_at(0, "X", 1);
  again.sync();
  CHECK(file.read_at(0, bytes, 1) == 1);
  CHECK(bytes[0] == 'X');
  file.rename_to(folder.path("b.bin"));
  CHECK(file.path() == folder.path("b.bin"));
  CHECK(fs::list(folder.path()) == std::vector<std::string>{"b.bin"});
  fs::File moved = std::move(file);
  moved.write_at(1, "Y", 1);
  moved = std::move(again);
  moved.write_at(2, "Z", 1);
  moved.close();
  moved.close();
  CHECK(fs::read_file(folder.path("b.bin")) == "XYZdefgh");
}

TEST_CASE("a file to be written in place says why it cannot be opened") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  const auto open_as = [](const std::string& name, FsFileMode mode) {
    return [name, mode] { fs::File file(name, mode); };
  };
  for (FsFileMode mode : {FsFileMode::kRead, FsFileMode::kReadWrite}) {
    CHECK(fs_file_message(mlrt::ErrorCode::kNotFound, open_as(path, mode)) ==
          "cannot open '" + path + "': no such file");
    CHECK(fs_file_message(mlrt::ErrorCode::kIo, open_as(folder.path(), mode)) ==
          "cannot open '" + folder.path() + "': it is a folder");
  }
  CHECK(fs_file_message(mlrt::ErrorCode::kNotFound, open_as(path + "/b", FsFileMode::kCreate)) ==
        "cannot make '" + path + "/b': no such folder");
  fs::write_file(path, "x");
  CHECK(fs_file_message(mlrt::ErrorCode::kAlreadyExists, open_as(path, FsFileMode::kCreate)) ==
        "cannot make '" + path + "': it exists already");
  const std::string fifo = folder.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  for (FsFileMode mode : {FsFileMode::kRead, FsFileMode::kReadWrite}) {
    CHECK(fs_file_message(mlrt::ErrorCode::kIo, open_as(fifo, mode)) ==
          "cannot open '" + fifo + "': it is not a regular file");
  }
  CHECK(fs_file_message(mlrt::ErrorCode::kInvalidParameter,
                        open_as(std::string("a\0b", 3), FsFileMode::kRead))
            .find("the path holds a NUL byte") != std::string::npos);
}

TEST_CASE("allocate takes the space, keeps what is there, and never shortens") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  for (const bool has_call : {true, false}) {
    CAPTURE(has_call);
    fs::File file(path, FsFileMode::kCreate);
    file.write_at(0, "abc", 3);
    {
      FsFileFault fault(fs::Op::kAllocate, has_call ? 0 : EOPNOTSUPP);
      file.allocate(600001);
      CHECK(fault.calls() == 1);
    }
    CHECK(file.size() == 600001);
    std::string expected(600001, '\0');
    expected.replace(0, 3, "abc");
    CHECK(fs::read_file(path) == expected);
    file.sync();  // where space is only reserved before, it is taken now
    CHECK(fs_file_disk_bytes(path) >= 600001);
    file.allocate(600001);
    file.allocate(10);
    CHECK(file.size() == 600001);
    CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { file.allocate(~0ull); }) ==
          "cannot write '" + path + "': the file would be larger than the system allows");
    fs::remove_file(path);
  }
}

TEST_CASE(
    "a disk that gets full while space is taken is an error, and the file is as long as before") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  fs::File file(path, FsFileMode::kCreate);
  file.write_at(0, "abc", 3);
  const std::string message = "cannot write '" + path + "': no space left on the disk";
  {
    // The first call of this kind takes the space, the second one shortens the file again.
    FsFileFault fault(fs::Op::kAllocate, ENOSPC);
    CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { file.allocate(1 << 20); }) == message);
    CHECK(fault.calls() == 2);
  }
  CHECK(fs::read_file(path) == "abc");
  int writes = 0;
  fs::set_fault_hook([&](fs::Op op, const std::string&) {
    if (op == fs::Op::kAllocate && writes == 0) return EOPNOTSUPP;
    return op == fs::Op::kWrite && ++writes == 3 ? ENOSPC : 0;
  });
  CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { file.allocate(1 << 20); }) == message);
  fs::set_fault_hook({});
  CHECK(writes == 3);
  CHECK(fs::read_file(path) == "abc");
  file.allocate(1 << 20);
  CHECK(file.size() == 1 << 20);
}

TEST_CASE(
    "a file that would be larger than the process may make it is an error, not a signal's end") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  const pid_t child = fork();
  if (child == 0) {
    struct rlimit limit {
      100000, 100000
    };
    std::signal(SIGXFSZ, SIG_IGN);
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
    try {
      fs::File file(path, FsFileMode::kCreate);
      file.allocate(90000);
      try {
        file.allocate(200000);
      } catch (const mlrt::Error& error) {
        const bool clear =
            error.message().find("larger than the system allows") != std::string::npos;
        _exit(clear && file.size() == 90000 ? 0 : 3);
      }
      _exit(4);
    } catch (const std::exception&) {
      _exit(5);
    }
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("what is written through a mapping is in the file, and the other way round") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  fs::File file(path, FsFileMode::kCreate);
  file.allocate(10000);
  fs::WritableMap map(file, 10000);
  CHECK(map.size() == 10000);
  std::memcpy(map.data() + 5000, "hello", 5);
  CHECK(fs::read_file(path).substr(5000, 5) == "hello");
  file.write_at(9999, "!", 1);
  CHECK(map.data()[9999] == '!');
  fs::WritableMap moved = std::move(map);
  CHECK(map.data() == nullptr);
  fs::File other(folder.path("b"), FsFileMode::kCreate);
  other.allocate(100);
  moved = fs::WritableMap(other, 100);
  moved.data()[0] = 'b';
  CHECK(fs::read_file(folder.path("b"))[0] == 'b');
  // The mapping outlives file and name.
  other.close();
  fs::remove_file(folder.path("b"));
  moved.data()[1] = 'c';
  CHECK(moved.data()[0] == 'b');
}

TEST_CASE("a mapping that a byte of would have no file or no space is an error at once") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  fs::File file(path, FsFileMode::kCreate);
  file.allocate(10000);
  CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { fs::WritableMap(file, 10001); }) ==
        "cannot map '" + path + "': it is shorter than 10001 bytes");
  CHECK(!fs_file_message(mlrt::ErrorCode::kIo, [&] { fs::WritableMap(file, 0); }).empty());
  {
    // The second call makes the pages.
    FsFileFault fault(fs::Op::kMap, EFAULT, 1);
    CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { fs::WritableMap(file, 10000); }) ==
          "cannot map '" + path + "': no space left on the disk");
  }
  FsFileFault fault(fs::Op::kMap, EINVAL, 1);  // an old system, which has no such call
  fs::WritableMap map(file, 10000);
  map.data()[9999] = 'x';
  CHECK(fault.calls() == 2);
}

TEST_CASE("a lock belongs to an opening of a file, byte by byte, in one process too") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  fs::File one(path, FsFileMode::kCreate);
  fs::File two(path, FsFileMode::kReadWrite);
  CHECK(one.try_lock(0));
  CHECK(one.try_lock(0));
  CHECK_FALSE(two.try_lock(0));
  CHECK(two.try_lock(1));
  CHECK_FALSE(one.try_lock(1));
  // Unlike a process's locks it is not lost with another opening.
  fs::File(path, FsFileMode::kReadWrite).close();
  CHECK_FALSE(two.try_lock(0));
  two.unlock(1);
  CHECK(one.try_lock(1));
  one.close();
  CHECK(two.try_lock(0));
  CHECK(two.try_lock(1));
}

TEST_CASE("a lock is shared with a forked child until both closed the file") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  fs::File other(path, FsFileMode::kCreate);
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  pid_t child = 0;
  {
    fs::File file(path, FsFileMode::kReadWrite);
    REQUIRE(file.try_lock(0));
    child = fork();
    if (child == 0) {
      char byte = 0;
      ::close(gate[1]);
      (void)!::read(gate[0], &byte, 1);
      _exit(0);
    }
  }
  CHECK_FALSE(other.try_lock(0));
  ::close(gate[1]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  ::close(gate[0]);
  CHECK(other.try_lock(0));
}

TEST_CASE("a file system without locks is told from a lock that another has") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  fs::File file(path, FsFileMode::kCreate);
  for (const int error : {EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP}) {
    FsFileFault fault(fs::Op::kLock, error);
    const std::string expected =
        "cannot lock '" + path +
        "': its file system has no locks, or the system is older than Linux 3.15";
    CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { file.try_lock(0); }) == expected);
    CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { file.unlock(0); }) == expected);
  }
  {
    FsFileFault fault(fs::Op::kLock, EIO);
    CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { file.try_lock(0); }) ==
          "cannot lock '" + path + "': the disk reported an error");
  }
  for (const int error : {EAGAIN, EACCES}) {
    FsFileFault fault(fs::Op::kLock, error);
    CHECK_FALSE(file.try_lock(0));
  }
  CHECK(file.try_lock(0));
}

TEST_CASE("a status tells kind, size and age, of a link itself, and of what is not there nothing") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  CHECK_FALSE(fs::file_status(path));
  CHECK_FALSE(fs::file_status(path + "/b"));
  fs::write_file(path, "12345");
  const struct timespec times[2] = {{1000, 0}, {1234567890, 123000000}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  const auto status = fs::file_status(path);
  REQUIRE(status);
  CHECK(status->is_regular);
  CHECK(status->size_bytes == 5);
  CHECK(status->modified_ms == 1234567890123);
  CHECK_FALSE(fs::file_status(folder.path())->is_regular);
  REQUIRE(::symlink("a", folder.path("link").c_str()) == 0);
  CHECK_FALSE(fs::file_status(folder.path("link"))->is_regular);
  FsFileFault fault(fs::Op::kStat, EIO);
  CHECK(fs_file_message(mlrt::ErrorCode::kIo, [&] { fs::file_status(path); }) ==
        "cannot look at '" + path + "': the disk reported an error");
}

TEST_CASE("one folder is made, and goes only when it is empty") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("sub");
  CHECK_FALSE(fs::remove_folder_if_empty(path));
  CHECK(fs::make_folder(path));
  CHECK_FALSE(fs::make_folder(path));
  CHECK(fs_file_message(mlrt::ErrorCode::kNotFound, [&] { fs::make_folder(path + "2/a"); }) ==
        "cannot make the folder '" + path + "2/a': no such folder");
  fs::write_file(fs::join(path, "a"), "");
  CHECK_FALSE(fs::remove_folder_if_empty(path));
  CHECK_FALSE(fs::remove_folder_if_empty(fs::join(path, "a")));
  CHECK(fs::exists(fs::join(path, "a")));
  CHECK(fs_file_message(mlrt::ErrorCode::kAlreadyExists, [&] {
          fs::make_folder(fs::join(path, "a"));
        }) == "cannot make the folder '" + fs::join(path, "a") + "': it exists already");
  fs::remove_file(fs::join(path, "a"));
  {
    FsFileFault fault(fs::Op::kRemove, EACCES);
    CHECK(fs_file_message(mlrt::ErrorCode::kPermissionDenied, [&] {
            fs::remove_folder_if_empty(path);
          }) == "cannot remove '" + path + "': permission denied");
  }
  CHECK(fs::remove_folder_if_empty(path));
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("whether a path is on the network is the file system's word, or a test's") {
  mlrt::test::TempDir folder;
  CHECK_FALSE(fs::is_on_network("/proc"));
  CHECK(fs_file_message(mlrt::ErrorCode::kNotFound, [&] {
          fs::is_on_network(folder.path("missing"));
        }).find("no such file or folder") != std::string::npos);
  fs::set_on_network_for_tests(true);
  CHECK(fs::is_on_network("/proc"));
  fs::set_on_network_for_tests(false);
  CHECK_FALSE(fs::is_on_network(folder.path("missing")));
  fs::set_on_network_for_tests({});
  CHECK_FALSE(fs::is_on_network("/proc"));
}

TEST_CASE(
    "each call on an open file that fails is an error, and one that a signal broke is repeated") {
  mlrt::test::TempDir folder;
  const std::string path = folder.path("a");
  const auto work = [&] {
    fs::File file(path, FsFileMode::kCreate);
    file.allocate(5000);
    file.write_at(0, "abc", 3);
    fs::WritableMap map(file, 5000);
    map.data()[3] = 'd';
    file.try_lock(0);
    file.unlock(0);
    file.sync();
    char bytes[4];
    fs::File(path, FsFileMode::kRead).read_at(0, bytes, 4);
    file.rename_to(path + "2");
    fs::is_on_network(path + "2");
    fs::remove_folder_if_empty(folder.path("missing"));
  };
  int threw = 0;
  for (int failing = 1;; ++failing) {
    int calls = 0;
    fs::set_fault_hook([&](fs::Op, const std::string&) { return ++calls == failing ? EIO : 0; });
    std::string message;
    try {
      work();
    } catch (const mlrt::Error& error) {
      message = error.message();
    }
    fs::set_fault_hook({});
    fs::remove_file(path);
    fs::remove_file(path + "2");
    if (calls < failing) break;
    CAPTURE(failing);
    CHECK(message.rfind("cannot ", 0) == 0);
    CHECK(message.find("the disk reported an error") != std::string::npos);
    ++threw;
  }
  CHECK(threw >= 14);
  int calls = 0;
  fs::set_fault_hook([&](fs::Op, const std::string&) { return ++calls % 2 == 1 ? EINTR : 0; });
  work();
  fs::set_fault_hook({});
  CHECK(calls == 2 * threw);
}
