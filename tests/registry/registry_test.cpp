#include "registry/registry.hpp"

#include <doctest/doctest.h>

#include <set>

#include "core/clock.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"

using mlrt::Database;
using mlrt::Error;
using mlrt::ErrorCode;
using mlrt::ModelVersion;
using mlrt::Registry;
using mlrt::Transaction;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::child_succeeded;
using mlrt::test::start_child;
using mlrt::test::TempDir;

namespace {

struct RegistryFixture {
  TempDir dir;
  std::shared_ptr<Database> database = Database::open(dir.path("s.db"));
  Registry registry{database};
};

struct RecordingFiles final : mlrt::ModelFiles {
  bool fail = false;
  int placed = 0, taken_back = 0;
  void place() override {
    if (fail) throw Error(ErrorCode::kIo, "no place");
    ++placed;
  }
  void take_back() noexcept override { ++taken_back; }
};

}  // namespace

TEST_CASE_FIXTURE(RegistryFixture, "versions count from 1, for each model alone") {
  const ModelVersion first =
      registry.register_version("taxi-tips", "/m/1", "r1", "champion", "the first");
  CHECK(first.name == "taxi-tips");
  CHECK(first.version == 1);
  CHECK(first.source == "/m/1");
  CHECK(first.run_id == "r1");
  CHECK(first.description == "the first");
  CHECK(first.aliases == std::vector<std::string>{"champion"});
  CHECK(std::llabs(first.creation_time_ms - mlrt::now_ms()) < 60000);
  CHECK(registry.register_version("taxi-tips", "/m/2").version == 2);
  CHECK(registry.register_version("other", "/m/3").version == 1);
  CHECK(registry.version("taxi-tips", 2).source == "/m/2");
  CHECK(registry.latest_version("taxi-tips").version == 2);

  const mlrt::RegisteredModel model = registry.model("taxi-tips");
  REQUIRE(model.versions.size() == 2);
  CHECK(model.versions[0].version == 2);
  CHECK(model.versions[1].aliases == std::vector<std::string>{"champion"});
  const auto models = registry.list_models();
  REQUIRE(models.size() == 2);
  CHECK(models[0].name == "other");
  CHECK(models[1].versions.size() == 2);
}

TEST_CASE_FIXTURE(RegistryFixture, "an alias stands on one version and moves") {
  registry.register_version("m", "/1", "", "champion");
  registry.register_version("m", "/2", "", "champion");
  CHECK(registry.version_by_alias("m", "champion").version == 2);
  CHECK(registry.version("m", 1).aliases.empty());
  registry.set_alias("m", "champion", 1);
  registry.set_alias("m", "beta", 1);
  CHECK(registry.version("m", 1).aliases == std::vector<std::string>{"beta", "champion"});
  CHECK(registry.version("m", 2).aliases.empty());
  registry.delete_alias("m", "champion");
  registry.delete_alias("m", "champion");
  CHECK(registry.version("m", 1).aliases == std::vector<std::string>{"beta"});
  const Caught gone = caught([&] { registry.version_by_alias("m", "betta"); });
  CHECK(gone.code == ErrorCode::kNotFound);
  CHECK(gone.message == "Registered model alias betta not found for model m; did you mean 'beta'?");
}

TEST_CASE_FIXTURE(RegistryFixture, "what is not there is named, with the nearest name") {
  registry.register_version("taxi-tips", "/1");
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { registry.model("taxi_tips"); }, [&] { registry.version("taxi_tips", 1); },
           [&] { registry.latest_version("taxi_tips"); },
           [&] { registry.version_by_alias("taxi_tips", "a"); },
           [&] { registry.set_alias("taxi_tips", "a", 1); },
           [&] { registry.delete_alias("taxi_tips", "a"); }}) {
    const Caught error = caught(call);
    CHECK(error.code == ErrorCode::kNotFound);
    CHECK(error.message ==
          "Registered Model with name=taxi_tips not found; did you mean 'taxi-tips'?");
  }
  const Caught version = caught([&] { registry.version("taxi-tips", 7); });
  CHECK(version.code == ErrorCode::kNotFound);
  CHECK(version.message == "Model Version (name=taxi-tips, version=7) not found");
  CHECK(caught([&] { registry.set_alias("taxi-tips", "a", 7); }).message == version.message);
}

TEST_CASE_FIXTURE(RegistryFixture, "names and aliases are checked before anything is stored") {
  CHECK(caught([&] {
          registry.register_version("a/b", "/1");
        }).has("Names cannot contain '/' or ':'."));
  CHECK(caught([&] { registry.register_version("", "/1"); }).has("required parameter 'name'"));
  CHECK(caught([&] { registry.register_version("m", ""); }).has("required parameter 'source'"));
  CHECK(caught([&] { registry.register_version("m", "/1", "", "latest"); }).has("is reserved"));
  CHECK(caught([&] { registry.register_version("m", "/1", "", "v3"); }).has("is reserved"));
  CHECK(caught([&] { registry.register_version("m", "/1", "bad id"); }).has("'run_id'"));
  CHECK(
      caught([&] { registry.register_version("m", "/1", "", "", "\xff"); }).has("not valid UTF-8"));
  CHECK(registry.list_models().empty());
  registry.register_version("m", "/1");
  CHECK(caught([&] { registry.set_alias("m", "a b", 1); }).has("Invalid alias name: 'a b'"));
  CHECK(caught([&] { registry.model("a:b"); }).code == ErrorCode::kInvalidParameter);
}

TEST_CASE_FIXTURE(RegistryFixture, "files are taken back when the version cannot be stored") {
  RecordingFiles files;
  registry.register_version("m", "/1", "", "", "", &files);
  CHECK(files.placed == 1);
  CHECK(files.taken_back == 0);
  files.fail = true;
  CHECK(caught([&] { registry.register_version("m", "/2", "", "", "", &files); }).message ==
        "no place");
  CHECK(files.taken_back == 0);
  CHECK(registry.latest_version("m").version == 1);
  files.fail = false;
  {
    Transaction transaction(*database, Transaction::Mode::kRead);
    auto limit = transaction.query("PRAGMA max_page_count = 1");
    limit.step();
  }
  CHECK(caught([&] {
          registry.register_version("m", "/" + std::string(200000, 'x'), "", "", "", &files);
        }).has("the disk is full"));
  CHECK(files.placed == 2);
  CHECK(files.taken_back == 1);
  CHECK(registry.latest_version("m").version == 1);
}

TEST_CASE("processes that register at once get versions without a gap") {
  TempDir dir;
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(start_child([&] {
      Registry registry(Database::open(dir.path("s.db")));
      for (int n = 0; n < 25; ++n) registry.register_version("m", "/x", "", "newest");
    }));
  }
  for (pid_t child : children) CHECK(child_succeeded(child));
  Registry registry(Database::open(dir.path("s.db")));
  std::set<std::int64_t> versions;
  for (const ModelVersion& version : registry.model("m").versions) versions.insert(version.version);
  CHECK(versions.size() == 100);
  CHECK(*versions.begin() == 1);
  CHECK(*versions.rbegin() == 100);
  CHECK(registry.version_by_alias("m", "newest").version == 100);
}
