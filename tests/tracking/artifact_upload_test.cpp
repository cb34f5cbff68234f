#include "tracking/artifact_upload.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/log.hpp"
#include "store/database.hpp"
#include "support/temp_dir.hpp"
#include "tracking/artifacts.hpp"
#include "tracking/tracking_store.hpp"

namespace mlrt {
namespace {

struct UploadFixture {
  UploadFixture()
      : database(Database::open(folder.path("s.db"))),
        tracking(database, folder.path("files")),
        artifacts(database, folder.path("files")),
        run_id(tracking.create_run({}).run_id) {}

  test::TempDir folder;
  std::shared_ptr<Database> database;
  TrackingStore tracking;
  ArtifactStore artifacts;
  std::string run_id;
};

}  // namespace

TEST_CASE("an artifact that comes in pieces is there, with its SHA-256, once it is committed") {
  UploadFixture fixture;
  const auto upload = fixture.artifacts.begin_upload(fixture.run_id, "a/b.bin");
  upload->write("hello ");
  upload->write("");
  CHECK(fixture.artifacts.list(fixture.run_id, "", true).empty());
  upload->write("world");
  upload->commit();
  const auto files = fixture.artifacts.list(fixture.run_id, "a");
  REQUIRE(files.size() == 1);
  CHECK(files[0].size_bytes == 11);
  CHECK(files[0].sha256 == sha256_hex("hello world"));
  CHECK(fixture.artifacts.sha256(fixture.run_id, "a/b.bin") == files[0].sha256);
  CHECK(fixture.artifacts.damaged(fixture.run_id).empty());
  fs::write_file(fixture.artifacts.locate(fixture.run_id, "a/b.bin"), "longer than before");
  CHECK(fixture.artifacts.sha256(fixture.run_id, "a/b.bin").empty());
}

TEST_CASE("an upload is refused for a bad path, a folder's place and a deleted run") {
  UploadFixture fixture;
  fixture.artifacts.log_bytes(fixture.run_id, "x", "d/f");
  for (const char* path : {"", "..", "/x", "a/../b", "d"}) {
    CAPTURE(path);
    CHECK_THROWS_AS(fixture.artifacts.begin_upload(fixture.run_id, path), Error);
  }
  CHECK_THROWS_AS(fixture.artifacts.begin_upload(std::string(32, 'a'), "f"), Error);
  fixture.tracking.delete_run(fixture.run_id);
  CHECK_THROWS_AS(fixture.artifacts.begin_upload(fixture.run_id, "f"), Error);
}

TEST_CASE("whichever file operation of an upload fails, the file before it stands") {
  set_log(LogLevel::kOff, LogFormat::kText);
  bool finished = false;
  for (int nth = 1; !finished; ++nth) {
    REQUIRE(nth < 500);
    CAPTURE(nth);
    UploadFixture fixture;
    fixture.artifacts.log_bytes(fixture.run_id, "before", "f");
    int calls = 0;
    fs::set_fault_hook([&calls, nth](fs::Op op, const std::string&) {
      return op != fs::Op::kRemove && ++calls == nth ? ENOSPC : 0;
    });
    try {
      const auto upload = fixture.artifacts.begin_upload(fixture.run_id, "f");
      upload->write("after");
      upload->commit();
      finished = calls < nth;
    } catch (const Error&) {
      finished = false;
    }
    fs::set_fault_hook(nullptr);
    const std::string now = fs::read_file(fixture.artifacts.locate(fixture.run_id, "f"));
    CHECK((now == "before" || now == "after"));
    CHECK(fixture.artifacts.damaged(fixture.run_id).empty());
    CHECK(fixture.artifacts.list(fixture.run_id, "", true).size() == 1);
    if (finished) CHECK(now == "after");
  }
  set_log(LogLevel::kWarn, LogFormat::kText);
}

}  // namespace mlrt
