#include "api/standard_tags.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "core/fs.hpp"
#include "support/temp_dir.hpp"

using mlrt::git_commit_of;
using mlrt::test::TempDir;

namespace {

const std::string kCommitA(40, 'a');
const std::string kCommitB(40, 'b');

void put(const TempDir& dir, const std::string& name, const std::string& text) {
  mlrt::fs::make_folders(mlrt::fs::parent(dir.path(name)));
  mlrt::fs::write_file(dir.path(name), text);
}

}  // namespace

TEST_CASE("the commit of a git tree is found from HEAD, a branch file or the packed references") {
  TempDir dir;
  CHECK(git_commit_of(dir.path()) == "");
  put(dir, "src/deep/file", "");
  put(dir, ".git/HEAD", kCommitA + "\n");
  CHECK(git_commit_of(dir.path()) == kCommitA);
  CHECK(git_commit_of(dir.path("src/deep")) == kCommitA);
  put(dir, ".git/HEAD", "ref: refs/heads/main\n");
  CHECK(git_commit_of(dir.path()) == "");
  put(dir, ".git/packed-refs",
      "# pack-refs with: peeled fully-peeled sorted \n" + kCommitA + " refs/heads/other\n" +
          kCommitB + " refs/heads/main\n^" + kCommitA + "\n");
  CHECK(git_commit_of(dir.path()) == kCommitB);
  put(dir, ".git/refs/heads/main", kCommitA + "\n");
  CHECK(git_commit_of(dir.path()) == kCommitA);
  put(dir, ".git/HEAD", std::string(64, 'c') + "\n");
  CHECK(git_commit_of(dir.path()) == std::string(64, 'c'));
}

TEST_CASE("the commit of a worktree is found in the tree that it belongs to") {
  TempDir dir;
  put(dir, "main/.git/refs/heads/feature", kCommitB + "\n");
  put(dir, "main/.git/worktrees/side/HEAD", "ref: refs/heads/feature\n");
  put(dir, "main/.git/worktrees/side/commondir", "../..\n");
  put(dir, "w/.git", "gitdir: " + dir.path("main/.git/worktrees/side") + "\n");
  CHECK(git_commit_of(dir.path("w")) == kCommitB);
  put(dir, "w/.git", "gitdir: ../main/.git/worktrees/side\n");
  CHECK(git_commit_of(dir.path("w")) == kCommitB);
}

TEST_CASE("what is no git tree, or a broken one, has no commit") {
  TempDir dir;
  put(dir, ".git/HEAD", "ref: ../../etc/passwd\n");
  CHECK(git_commit_of(dir.path()) == "");
  put(dir, ".git/HEAD", "ref: refs/heads/loop\n");
  put(dir, ".git/refs/heads/loop", "ref: refs/heads/loop\n");
  CHECK(git_commit_of(dir.path()) == "");
  put(dir, ".git/HEAD", "rubbish");
  CHECK(git_commit_of(dir.path()) == "");
  mlrt::fs::remove_tree(dir.path(".git"));
  put(dir, ".git", "not a pointer");
  CHECK(git_commit_of(dir.path()) == "");
  CHECK(git_commit_of(dir.path("absent")) == "");
}

TEST_CASE("the user is found with and without the environment") {
  setenv("LOGNAME", "ann", 1);
  CHECK(mlrt::current_user() == "ann");
  for (const char* name : {"LOGNAME", "USER", "LNAME", "USERNAME"}) unsetenv(name);
  CHECK_FALSE(mlrt::current_user().empty());
}

TEST_CASE("a script's own tree counts, not the folder it runs in") {
  TempDir dir;
  put(dir, ".git/HEAD", kCommitA + "\n");
  put(dir, "train.lua", "");
  std::string commit;
  for (const mlrt::Tag& tag : mlrt::RunSource().tags(dir.path("train.lua"))) {
    if (tag.key == "mlflow.source.git.commit") commit = tag.value;
  }
  CHECK(commit == kCommitA);
}

TEST_CASE("a commit made between two runs, and another folder, are seen at once") {
  TempDir dir;
  const auto commit_of = [](const std::vector<mlrt::Tag>& tags) {
    return tags.back().key == "mlflow.source.git.commit" ? tags.back().value : std::string();
  };
  put(dir, "train.lua", "");
  mlrt::RunSource source;
  CHECK(commit_of(source.tags(dir.path("train.lua"))) == "");
  put(dir, ".git/HEAD", "ref: refs/heads/main\n");
  put(dir, ".git/refs/heads/main", kCommitA + "\n");
  CHECK(commit_of(source.tags(dir.path("train.lua"))) == kCommitA);
  CHECK(commit_of(source.tags(dir.path("train.lua"))) == kCommitA);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  put(dir, ".git/refs/heads/main", kCommitB + "\n");
  CHECK(commit_of(source.tags(dir.path("train.lua"))) == kCommitB);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  put(dir, ".git/HEAD", kCommitA + "\n");
  CHECK(commit_of(source.tags(dir.path("train.lua"))) == kCommitA);
  put(dir, "other/.git/HEAD", kCommitB + "\n");
  put(dir, "other/train.lua", "");
  CHECK(commit_of(source.tags(dir.path("other/train.lua"))) == kCommitB);
  mlrt::fs::remove_tree(dir.path(".git"));
  CHECK(commit_of(source.tags(dir.path("train.lua"))) == "");
}
