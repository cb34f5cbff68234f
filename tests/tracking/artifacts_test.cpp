#include "tracking/artifacts.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "core/fs.hpp"
#include "core/hash.hpp"
#include "core/log.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/logged_models.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::ArtifactInfo;
using mlrt::ArtifactStore;
using mlrt::Database;
using mlrt::ErrorCode;
using mlrt::LoggedModels;
using mlrt::LoggedModelStatus;
using mlrt::TrackingStore;
using mlrt::Transaction;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::TempDir;

namespace {

struct ArtifactFixture {
  TempDir dir;
  std::shared_ptr<Database> database = Database::open(dir.path("s.db"));
  std::string root = dir.path("files");
  TrackingStore tracking{database, root};
  ArtifactStore store{database, root};
  LoggedModels models{database, root};
  std::string run = tracking.create_run({}).run_id;

  std::string local(const std::string& name, const std::string& bytes) {
    const std::string path = dir.path("local/" + name);
    mlrt::fs::make_folders(mlrt::fs::parent(path));
    mlrt::fs::write_file(path, bytes);
    return path;
  }
  std::string read(const std::string& owner, const std::string& path) {
    return mlrt::fs::read_file(store.locate(owner, path));
  }
  std::vector<std::string> paths(const std::string& owner, const std::string& path = "",
                                 bool recursive = true) {
    std::vector<std::string> found;
    for (const ArtifactInfo& info : store.list(owner, path, recursive)) {
      found.push_back(info.is_folder ? info.path + "/" : info.path);
    }
    return found;
  }
  // A logged model of the run, READY, with these files.
  std::string ready_model(const std::string& name, const std::string& path_tag = "") {
    LoggedModels::NewModel wanted;
    wanted.name = name;
    wanted.source_run_id = run;
    if (!path_tag.empty()) wanted.tags = {{mlrt::kLoggedModelPathTag, path_tag}};
    const std::string id = models.create(wanted).model_id;
    store.log_bytes(id, "flavors: {}", "MLmodel");
    store.log_bytes(id, "1 2 3", "data/weights");
    models.finalize(id, LoggedModelStatus::kReady);
    return id;
  }
  std::size_t digest_rows() {
    Transaction transaction(*database, Transaction::Mode::kRead);
    auto row = transaction.query("SELECT count(*) FROM artifacts");
    row.step();
    return static_cast<std::size_t>(row.integer(0));
  }
};

using Paths = std::vector<std::string>;

// What is left behind on purpose would fill the screen with warnings.
struct QuietArtifacts {
  QuietArtifacts() { mlrt::set_log(mlrt::LogLevel::kOff, mlrt::LogFormat::kText); }
  ~QuietArtifacts() { mlrt::set_log(mlrt::LogLevel::kWarn, mlrt::LogFormat::kText); }
};

}  // namespace

TEST_CASE_FIXTURE(ArtifactFixture, "files, folders and bytes are laid out as MLflow does") {
  store.log_file(run, local("plot.svg", "<svg/>"));
  store.log_file(run, local("plot.svg", "<svg/>"), "plots/small");
  store.log_bytes(run, "hello", "notes/a b.txt");
  local("tree/x.bin", std::string("\0\1", 2));
  local("tree/deep/y.txt", "y");
  store.log_folder(run, dir.path("local/tree"), "tree");
  store.log_folder(run, dir.path("local/tree") + "/");
  CHECK(paths(run) == Paths{"deep/y.txt", "notes/a b.txt", "plot.svg", "plots/small/plot.svg",
                            "tree/deep/y.txt", "tree/x.bin", "x.bin"});
  CHECK(paths(run, "", false) == Paths{"deep/", "notes/", "plot.svg", "plots/", "tree/", "x.bin"});
  CHECK(paths(run, "tree", false) == Paths{"tree/deep/", "tree/x.bin"});
  CHECK(paths(run, "tree") == Paths{"tree/deep/y.txt", "tree/x.bin"});
  CHECK(paths(run, "plot.svg").empty());
  CHECK(paths(run, "absent").empty());
  CHECK(store.folder(run) == root + "/0/" + run + "/artifacts");
  CHECK(mlrt::fs::read_file(root + "/0/" + run + "/artifacts/tree/deep/y.txt") == "y");
  CHECK(store.locate(run, "tree") == store.folder(run) + "/tree");
  CHECK(store.locate(run, "") == store.folder(run));

  const auto listed = store.list(run, "notes");
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].size_bytes == 5);
  CHECK(listed[0].sha256 == mlrt::sha256_hex("hello"));
}

TEST_CASE_FIXTURE(ArtifactFixture, "a file that is there is replaced, digest and all") {
  store.log_bytes(run, "one", "a.txt");
  store.log_bytes(run, "twotwo", "a.txt");
  CHECK(read(run, "a.txt") == "twotwo");
  CHECK(store.list(run).at(0).sha256 == mlrt::sha256_hex("twotwo"));
  CHECK(store.damaged(run).empty());
  store.log_bytes(run, "", "a.txt");
  CHECK(store.list(run).at(0).size_bytes == 0);
  CHECK(store.list(run).at(0).sha256 == mlrt::sha256_hex(""));
}

TEST_CASE_FIXTURE(ArtifactFixture, "paths that lead out of the folder, or might, are refused") {
  const std::string file = local("a.txt", "a");
  store.log_bytes(run, "x", "kept");
  for (const std::string bad :
       {"..",         "../x",         "a/../../x", "/etc/passwd", "//x",   "a//b", ".",
        "./a",        "a/.",          "a\\b",      "..\\x",       "C:\\x", "a#b",  "%2e%2e/x",
        "%2E%2E%2Fx", "%252e%252e/x", "%5cx",      "%2fetc",      "a%23b", "a/",   "\xff"}) {
    CAPTURE(bad);
    for (const Caught& error :
         {caught([&] { store.log_file(run, file, bad); }),
          caught([&] { store.log_folder(run, dir.path("local"), bad); }),
          caught([&] { store.log_bytes(run, "x", bad); }),
          caught([&] { store.log_files(run, mlrt::MemoryFiles(), bad); }),
          caught([&] { store.list(run, bad); }), caught([&] { store.list(run, bad, true); }),
          caught([&] { store.locate(run, bad); }),
          caught([&] { store.download(run, bad, dir.path("to")); }),
          caught([&] { store.remove(run, bad); })}) {
      CHECK(error.code == ErrorCode::kInvalidParameter);
      CHECK(error.message.find("Invalid path") == 0);
    }
  }
  CHECK(caught([&] { store.log_bytes(run, "x", std::string("a\0b", 3)); }).has("Invalid path"));
  CHECK(caught([&] { store.log_bytes(run, "x", ""); }).has("Invalid path"));
  CHECK(caught([&] { store.remove(run, ""); }).has("Invalid path"));
  CHECK(paths(run) == Paths{"kept"});
  // A local name that would be such a path.
  local("odd/a#b", "x");
  CHECK(caught([&] { store.log_folder(run, dir.path("local/odd")); }).has("Invalid path 'a#b'"));
  CHECK(caught([&] { store.log_file(run, dir.path("local/odd/a#b")); }).has("Invalid path"));
  CHECK(paths(run) == Paths{"kept"});
}

TEST_CASE_FIXTURE(ArtifactFixture, "what cannot be logged is named") {
  CHECK(caught([&] { store.log_file(run, dir.path("absent")); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { store.log_file(run, dir.path()); }).has("is a folder: an artifact is a file"));
  CHECK(caught([&] { store.log_folder(run, dir.path("absent")); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { store.log_folder(run, local("f", "x")); }).code ==
        ErrorCode::kInvalidParameter);
  CHECK(caught([&] { store.log_bytes("nobody", "x", "a"); }).message ==
        "Run with id=nobody not found");
  const std::string no_model = "m-" + std::string(32, '0');
  CHECK(caught([&] { store.log_bytes(no_model, "x", "a"); }).message ==
        "Logged model with ID '" + no_model + "' not found.");
  store.log_bytes(run, "x", "folder/file");
  CHECK(caught([&] { store.log_bytes(run, "x", "folder"); }).has("is a folder"));
  CHECK_FALSE(caught([&] { store.log_bytes(run, "x", "folder/file/below"); }).message.empty());
  CHECK(paths(run) == Paths{"folder/file"});
  const Caught absent = caught([&] { store.locate(run, "folder/flie"); });
  CHECK(absent.code == ErrorCode::kNotFound);
  CHECK(absent.message ==
        "the run " + run + " has no artifact 'folder/flie'; did you mean 'folder/file'?");
  CHECK(caught([&] { store.download(run, "nothing", dir.path("to")); }).code ==
        ErrorCode::kNotFound);
  CHECK(caught([&] { store.remove(run, "nothing"); }).code == ErrorCode::kNotFound);

  mlrt::fs::make_folders(dir.path("linked"));
  REQUIRE(symlink("/etc/passwd", dir.path("linked/leak").c_str()) == 0);
  CHECK(caught([&] { store.log_folder(run, dir.path("linked")); }).code ==
        ErrorCode::kPermissionDenied);
}

TEST_CASE_FIXTURE(ArtifactFixture, "a deleted run takes no artifacts but still shows them") {
  store.log_bytes(run, "x", "a");
  tracking.delete_run(run);
  const Caught error = caught([&] { store.log_bytes(run, "y", "b"); });
  CHECK(error.code == ErrorCode::kInvalidParameter);
  CHECK(error.has("must be in the 'active' state"));
  CHECK(caught([&] { store.remove(run, "a"); }).has("must be in the 'active' state"));
  CHECK(paths(run) == Paths{"a"});
}

TEST_CASE_FIXTURE(ArtifactFixture, "a file or folder is downloaded below its path") {
  store.log_bytes(run, "x", "a/b/c.txt");
  store.log_bytes(run, "y", "top.txt");
  CHECK(store.download(run, "a/b/c.txt", dir.path("to")) == dir.path("to") + "/a/b/c.txt");
  CHECK(mlrt::fs::read_file(dir.path("to/a/b/c.txt")) == "x");
  CHECK(store.download(run, "a", dir.path("other")) == dir.path("other") + "/a");
  CHECK(mlrt::fs::list_files_below(dir.path("other")) == Paths{"a/b/c.txt"});
  CHECK(store.download(run, "", dir.path("all")) == dir.path("all"));
  CHECK(mlrt::fs::list_files_below(dir.path("all")) == Paths{"a/b/c.txt", "top.txt"});
}

TEST_CASE_FIXTURE(ArtifactFixture, "artifacts are removed with their digests") {
  store.log_bytes(run, "x", "a/b");
  store.log_bytes(run, "x", "a/c/d");
  store.log_bytes(run, "x", "a0");
  store.log_bytes(run, "x", "a-");
  store.remove(run, "a/b");
  CHECK(paths(run) == Paths{"a-", "a/c/d", "a0"});
  store.remove(run, "a");
  CHECK(paths(run) == Paths{"a-", "a0"});
  CHECK(digest_rows() == 2);
  CHECK(store.damaged(run).empty());
}

TEST_CASE_FIXTURE(ArtifactFixture, "flipped, cut, replaced and lost bytes are found") {
  for (const char* name : {"sound", "flipped", "cut", "gone", "folder/now"}) {
    store.log_bytes(run, "some bytes", name);
  }
  CHECK(store.damaged(run).empty());
  const std::string folder = store.folder(run) + "/";
  mlrt::fs::write_file(folder + "flipped", "some bytez");
  mlrt::fs::write_file(folder + "cut", "some");
  mlrt::fs::remove_file(folder + "gone");
  mlrt::fs::remove_file(folder + "folder/now");
  mlrt::fs::make_folders(folder + "folder/now");
  mlrt::fs::write_file(folder + "by hand", "not logged");
  CHECK(store.damaged(run) == Paths{"cut", "flipped", "folder/now", "gone"});
  const Caught error = caught([&] { store.download(run, "flipped", dir.path("to")); });
  CHECK(error.code == ErrorCode::kDataCorrupt);
  CHECK(error.has("'flipped'"));
  CHECK_FALSE(mlrt::fs::exists(dir.path("to/flipped")));
  CHECK(store.download(run, "by hand", dir.path("to")) == dir.path("to") + "/by hand");
  for (const ArtifactInfo& info : store.list(run)) {
    if (info.path == "by hand" || info.path == "cut") CHECK(info.sha256.empty());
  }
}

TEST_CASE_FIXTURE(ArtifactFixture, "a logged model's files lie in a folder of their own") {
  const std::string id = ready_model("tips");
  CHECK(store.folder(id) == root + "/0/models/" + id + "/artifacts");
  CHECK(paths(id) == Paths{"MLmodel", "data/weights"});
  CHECK(store.damaged(id).empty());
  models.remove(id);
  const Caught error = caught([&] { store.log_bytes(id, "x", "y"); });
  CHECK(error.code == ErrorCode::kInvalidParameter);
  CHECK(error.has("must be in the 'active' state. Current state is deleted."));
}

TEST_CASE_FIXTURE(ArtifactFixture, "a run shows the logged models that it made as folders") {
  const std::string id = ready_model("tips");
  store.log_bytes(run, "x", "notes.txt");
  CHECK(paths(run, "", false) == Paths{"notes.txt", "tips/"});
  CHECK(paths(run) == Paths{"notes.txt", "tips/MLmodel", "tips/data/weights"});
  CHECK(paths(run, "tips", false) == Paths{"tips/MLmodel", "tips/data/"});
  CHECK(paths(run, "tips/data") == Paths{"tips/data/weights"});
  CHECK(store.list(run, "tips/data").at(0).sha256 == mlrt::sha256_hex("1 2 3"));
  CHECK(store.locate(run, "tips") == store.folder(id));
  CHECK(read(run, "tips/data/weights") == "1 2 3");
  CHECK(store.download(run, "tips", dir.path("to")) == dir.path("to") + "/tips");
  CHECK(mlrt::fs::list_files_below(dir.path("to")) == Paths{"tips/MLmodel", "tips/data/weights"});
  const Caught kept = caught([&] { store.remove(run, "tips"); });
  CHECK(kept.code == ErrorCode::kConflict);
  CHECK(kept.has("belongs to the logged model " + id));
  CHECK(caught([&] {
          store.locate(run, "tips/data/wieghts");
        }).has("did you mean 'tips/data/weights'?"));

  // What the run itself has comes first, but notes beside a model do not hide it.
  store.log_bytes(run, "mine", "tips/notes.txt");
  CHECK(paths(run, "tips", false) == Paths{"tips/MLmodel", "tips/data/", "tips/notes.txt"});
  CHECK(read(run, "tips/notes.txt") == "mine");
  CHECK(read(run, "tips/MLmodel") == "flavors: {}");
  CHECK(store.locate(run, "tips") == store.folder(id));
  store.log_bytes(run, "older", "tips/MLmodel");
  CHECK(read(run, "tips/MLmodel") == "older");
  CHECK(store.locate(run, "tips") == store.folder(run) + "/tips");
}

TEST_CASE_FIXTURE(ArtifactFixture, "a run shows the newest model of a name, and only READY ones") {
  const std::string first = ready_model("tips");
  const std::string second = ready_model("tips");
  CHECK(store.locate(run, "tips") == store.folder(second));
  models.remove(second);
  CHECK(store.locate(run, "tips") == store.folder(first));
  models.finalize(first, LoggedModelStatus::kFailed);
  CHECK(paths(run).empty());
  const std::string nested = ready_model("tips", "models/tips");
  CHECK(paths(run, "", false) == Paths{"models/"});
  CHECK(paths(run, "models", false) == Paths{"models/tips/"});
  CHECK(paths(run) == Paths{"models/tips/MLmodel", "models/tips/data/weights"});
  CHECK(store.locate(run, "models/tips/MLmodel") == store.folder(nested) + "/MLmodel");
  // Another run shows none of them.
  CHECK(paths(tracking.create_run({}).run_id).empty());
}

TEST_CASE_FIXTURE(ArtifactFixture,
                  "logging that fails at any file access changes nothing or all of it") {
  const QuietArtifacts quiet;
  local("tree/old.txt", "new content");
  local("tree/deep/new.txt", "new");
  for (const bool whole_folder : {false, true}) {
    CAPTURE(whole_folder);
    bool succeeded = false;
    int failures = 0;
    for (int fail_at = 1; !succeeded && fail_at < 400; ++fail_at) {
      CAPTURE(fail_at);
      const std::string own = tracking.create_run({}).run_id;
      store.log_bytes(own, "old content", "to/old.txt");
      store.log_bytes(own, "kept", "kept");
      int calls = 0;
      mlrt::fs::set_fault_hook(
          [&](mlrt::fs::Op, const std::string&) { return ++calls == fail_at ? EIO : 0; });
      const Caught error = caught([&] {
        if (whole_folder) {
          store.log_folder(own, dir.path("local/tree"), "to");
        } else {
          store.log_file(own, dir.path("local/tree/old.txt"), "to");
        }
      });
      mlrt::fs::set_fault_hook({});
      succeeded = calls < fail_at;
      if (error.message.empty()) {
        CHECK(read(own, "to/old.txt") == "new content");
        if (whole_folder) CHECK(read(own, "to/deep/new.txt") == "new");
      } else {
        ++failures;
        CHECK(error.code == ErrorCode::kIo);
        CHECK(paths(own) == Paths{"kept", "to/old.txt"});
        CHECK(read(own, "to/old.txt") == "old content");
        CHECK(store.list(own, "to", true).at(0).sha256 == mlrt::sha256_hex("old content"));
      }
      CHECK(store.damaged(own).empty());
    }
    CHECK(succeeded);
    CHECK(failures > 10);
  }
}

TEST_CASE_FIXTURE(ArtifactFixture, "logging that the store refuses leaves the old files") {
  store.log_bytes(run, "old", "a");
  mlrt::DatabaseOptions options;
  options.busy_timeout_ms = 20;
  ArtifactStore impatient(Database::open(dir.path("s.db"), options), root);
  {
    Transaction holder(*database, Transaction::Mode::kWrite);
    CHECK(caught([&] { impatient.log_bytes(run, "new", "a"); }).code == ErrorCode::kUnavailable);
    CHECK(caught([&] { impatient.log_bytes(run, "new", "b"); }).code == ErrorCode::kUnavailable);
    CHECK(caught([&] { impatient.remove(run, "a"); }).code == ErrorCode::kUnavailable);
  }
  CHECK(paths(run) == Paths{"a"});
  CHECK(read(run, "a") == "old");
  CHECK(store.damaged(run).empty());
}

TEST_CASE_FIXTURE(ArtifactFixture, "removing that fails at any file access is whole or nothing") {
  const QuietArtifacts quiet;
  bool succeeded = false;
  for (int fail_at = 1; !succeeded && fail_at < 200; ++fail_at) {
    CAPTURE(fail_at);
    const std::string own = tracking.create_run({}).run_id;
    store.log_bytes(own, "x", "a/b");
    store.log_bytes(own, "x", "a/c");
    int calls = 0;
    mlrt::fs::set_fault_hook(
        [&](mlrt::fs::Op, const std::string&) { return ++calls == fail_at ? EIO : 0; });
    const Caught error = caught([&] { store.remove(own, "a"); });
    mlrt::fs::set_fault_hook({});
    succeeded = calls < fail_at;
    CHECK(paths(own) == (error.message.empty() ? Paths{} : Paths{"a/b", "a/c"}));
    CHECK(store.damaged(own).empty());
  }
  CHECK(succeeded);
}

TEST_CASE_FIXTURE(ArtifactFixture, "what a crash left half-way is no artifact") {
  store.log_bytes(run, "x", "a");
  mlrt::fs::make_folders(store.folder(run) + "/.mlrt-0123456789abcdef.tmp");
  mlrt::fs::write_file(store.folder(run) + "/.mlrt-0123456789abcdef.tmp/0", "half");
  CHECK(paths(run) == Paths{"a"});
  CHECK(paths(run, "", false) == Paths{"a"});
  CHECK(caught([&] { store.locate(run, ".mlrt-0123456789abcdef.tmp/0"); }).code ==
        ErrorCode::kNotFound);
}

TEST_CASE_FIXTURE(ArtifactFixture, "threads that log the same path leave bytes and digest of one") {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 20; ++n) {
        store.log_bytes(run, std::string(static_cast<std::size_t>(i + 1), 'x'), "same");
        store.log_bytes(run, "own", "t" + std::to_string(i) + "/" + std::to_string(n));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(store.damaged(run).empty());
  CHECK(paths(run).size() == 81);
}
