#include <doctest/doctest.h>

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "bundle/bundle.hpp"
#include "bundle_support.hpp"
#include "support/temp_dir.hpp"

using mlrt::MemoryFiles;
using namespace mlrt::test;

namespace {

// Calls `act` again and again, its 1st, 2nd, ... system call failing, until it succeeds; `check`
// looks around after each. Returns how many calls there were to fail.
int fail_each_call(int error, const std::function<void()>& act,
                   const std::function<void(const std::string& failure)>& check) {
  for (int failing = 1;; ++failing) {
    REQUIRE(failing < 2000);
    int calls = 0;
    struct HookRemover {  // also when a check of doctest's throws
      ~HookRemover() { mlrt::fs::set_fault_hook({}); }
    } remover;
    mlrt::fs::set_fault_hook(
        [&](mlrt::fs::Op, const std::string&) { return ++calls == failing ? error : 0; });
    const std::string failure = bundle_error(act);
    mlrt::fs::set_fault_hook({});
    check(failure);
    if (calls < failing) {
      CHECK(failure == "");
      return failing - 1;
    }
  }
}

}  // namespace

TEST_CASE("a model folder holds the files that were written into it, and nothing else") {
  TempDir dir;
  mlrt::write_model_folder(dir.path("m"), tiny_model_files());
  CHECK(mlrt::fs::list(dir.path()) == std::vector<std::string>{"m"});
  CHECK(mlrt::fs::list_files_below(dir.path("m")) == tiny_model_files().names());
  auto folder = mlrt::open_model_folder(dir.path("m"));
  CHECK(same_files(tiny_model_files(), *folder));
  CHECK(folder->contains("data/empty"));
  CHECK_FALSE(folder->contains("data"));
  CHECK(folder->read("MLmodel").data() == folder->read("MLmodel").data());
  CHECK(bundle_error([&] { folder->read("data"); }) ==
        "not_found: '" + dir.path("m") + "' has no file 'data'");
}

TEST_CASE("an empty folder is filled, one with content or a file in its place is left alone") {
  TempDir dir;
  mlrt::fs::make_folders(dir.path("empty"));
  mlrt::write_model_folder(dir.path("empty") + "/", tiny_model_files());
  CHECK(same_files(tiny_model_files(), *mlrt::open_model_folder(dir.path("empty"))));

  const auto refusal = [&](const std::string& name) {
    return bundle_error([&] { mlrt::write_model_folder(name, tiny_model_files()); });
  };
  CHECK(refusal(dir.path("empty")) == "already_exists: cannot write the model folder '" +
                                          dir.path("empty") + "': it is not empty");
  mlrt::fs::write_file(dir.path("file"), "x");
  CHECK(refusal(dir.path("file")) == "already_exists: cannot write the model folder '" +
                                         dir.path("file") + "': a file has that name");
  CHECK(refusal(dir.path("no/m")) == "not_found: cannot write the model folder '" +
                                         dir.path("no/m") + "': there is no folder '" +
                                         dir.path("no") + "'");
  CHECK(refusal("..") ==
        "invalid_parameter: cannot write the model folder '..': give it a name of its own");
  CHECK(refusal("") ==
        "invalid_parameter: cannot write the model folder '': give it a name of its own");
  CHECK(mlrt::fs::list(dir.path()) == std::vector<std::string>{"empty", "file"});
}

TEST_CASE("names that lead out of a model folder are refused before anything is written") {
  TempDir dir;
  for (const char* name : {"../out", "/tmp/out", "a/../../out", "a\\b"}) {
    MemoryFiles files = tiny_model_files();
    files.add(name, "x");
    const std::string error = bundle_error([&] { mlrt::write_model_folder(dir.path("m"), files); });
    CHECK_MESSAGE(error.find("invalid_parameter: cannot write the model folder '" + dir.path("m") +
                             "': unsafe name '" + name + "'") == 0,
                  error);
  }
  CHECK(mlrt::fs::list(dir.path()).empty());
}

TEST_CASE("a folder without MLmodel is no model folder, and says where one is") {
  TempDir dir;
  mlrt::fs::make_folders(dir.path("out/m"));
  const std::string start =
      "not_found: '" + dir.path("out") + "' is not a model folder: no MLmodel at its root";
  CHECK(bundle_error([&] { mlrt::open_model_folder(dir.path("out")); }) == start);
  mlrt::fs::write_file(dir.path("out/m/MLmodel"), "x");
  CHECK(bundle_error([&] { mlrt::open_model_files(dir.path("out")); }) ==
        start + " (found 'm/MLmodel')");
  CHECK(bundle_error([&] { mlrt::open_model_folder(dir.path("absent")); }).find("not_found: ") ==
        0);
}

TEST_CASE("the manifest in the folder of an unzipped bundle is passed over") {
  TempDir dir;
  mlrt::write_model_folder(dir.path("m"), tiny_model_files());
  mlrt::fs::write_file(dir.path("m/MANIFEST.sha256"), "# mlrt bundle 1\nstale\n");
  auto folder = mlrt::open_model_folder(dir.path("m"));
  CHECK(same_files(tiny_model_files(), *folder));
  CHECK_FALSE(folder->contains("MANIFEST.sha256"));
  mlrt::write_bundle(dir.path("m.mlrt"), *folder);
  CHECK(same_files(tiny_model_files(), *mlrt::Bundle::open(dir.path("m.mlrt"))));
}

TEST_CASE("a symbolic link in a model folder is refused") {
  TempDir dir;
  mlrt::write_model_folder(dir.path("m"), tiny_model_files());
  REQUIRE(run_shell("ln -s /etc/passwd " + shell_word(dir.path("m/link"))));
  const std::string error = bundle_error([&] { mlrt::open_model_folder(dir.path("m")); });
  CHECK_MESSAGE(error.find("permission_denied: ") == 0, error);
}

TEST_CASE(
    "write_bundle with its Nth system call failing succeeds or leaves the old bundle and no rest") {
  TempDir dir;
  const std::string path = dir.path("m.mlrt");
  for (bool old_bundle : {false, true}) {
    for (int error : {EIO, ENOSPC}) {
      const int calls = fail_each_call(
          error, [&] { mlrt::write_bundle(path, tiny_model_files()); },
          [&](const std::string& failure) {
            CAPTURE(failure);
            const std::vector<std::string> left = mlrt::fs::list(dir.path());
            if (failure.empty()) {
              REQUIRE(left == std::vector<std::string>{"m.mlrt"});
              REQUIRE(same_files(tiny_model_files(), *mlrt::Bundle::open(path)));
            } else if (old_bundle) {
              REQUIRE(left == std::vector<std::string>{"m.mlrt"});
              REQUIRE(mlrt::fs::read_file(path) == "old");
            } else {
              REQUIRE(left.empty());
            }
            if (old_bundle) mlrt::fs::write_file(path, "old");
            if (!old_bundle) mlrt::fs::remove_file(path);
          });
      CHECK(calls >= 4);
    }
    mlrt::fs::write_file(path, "old");
  }
}

TEST_CASE("write_model_folder with its Nth system call failing is all or nothing") {
  TempDir dir;
  const std::string path = dir.path("m");
  const int calls = fail_each_call(
      ENOSPC, [&] { mlrt::write_model_folder(path, tiny_model_files()); },
      [&](const std::string& failure) {
        CAPTURE(failure);
        const std::vector<std::string> left = mlrt::fs::list(dir.path());
        if (failure.empty()) {
          REQUIRE(left == std::vector<std::string>{"m"});
          REQUIRE(same_files(tiny_model_files(), *mlrt::open_model_folder(path)));
        } else {
          REQUIRE(left.empty());
        }
        mlrt::fs::remove_tree(path);
      });
  CHECK(calls >= 20);
}

TEST_CASE("opening and reading with the Nth system call failing succeeds or is a clean error") {
  TempDir dir;
  mlrt::write_bundle(dir.path("m.mlrt"), tiny_model_files());
  mlrt::write_model_folder(dir.path("m"), tiny_model_files());
  for (const char* name : {"m.mlrt", "m"}) {
    bool same = false;
    const int calls = fail_each_call(
        EIO,
        [&] {
          same = false;
          same = same_files(tiny_model_files(), *mlrt::open_model_files(dir.path(name)));
        },
        [&](const std::string& failure) {
          REQUIRE_MESSAGE((failure.empty() ? same : failure.find("io: cannot ") == 0), failure);
        });
    CHECK(calls >= 4);
  }
}
