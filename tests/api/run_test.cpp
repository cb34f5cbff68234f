#include "api/run.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "api/api_testing.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "store/connection.hpp"
#include "store/store_testing.hpp"

using mlrt::Column;
using mlrt::ErrorCode;
using mlrt::LoggedModel;
using mlrt::LoggedModelStatus;
using mlrt::Run;
using mlrt::RunStatus;
using mlrt::Session;
using mlrt::Table;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::first_prediction;
using mlrt::test::SessionFixture;
using mlrt::test::small_model;
using mlrt::test::tag_value;

namespace {

struct RunFixture : SessionFixture {
  Run run = session.start_run("it");

  std::string read(const std::string& path) {
    return mlrt::fs::read_file(session.artifacts().locate(run.id(), path));
  }
  std::vector<std::string> paths() {
    std::vector<std::string> found;
    for (const auto& info : session.artifacts().list(run.id(), "", true)) {
      found.push_back(info.path);
    }
    return found;
  }
};

const std::string kTestPng = "\x89PNG\r\n\x1a\n and more";
const std::string kTestJpeg = "\xff\xd8\xff\xe0 and more";

}  // namespace

TEST_CASE_FIXTURE(RunFixture, "tags, a description and batches are logged") {
  run.set_tags({{"a", "1"}, {"b", "2"}});
  run.delete_tag("a");
  run.set_description("what *this* is");
  mlrt::Metric metric;
  metric.key = "loss";
  metric.value = 0.5;
  run.log_batch({metric}, {{"rate", "0.1"}}, {{"c", "3"}});
  const auto record = run.record();
  CHECK(tag_value(record, "a") == "(none)");
  CHECK(tag_value(record, "b") == "2");
  CHECK(tag_value(record, "c") == "3");
  CHECK(tag_value(record, "mlflow.note.content") == "what *this* is");
  CHECK(record.metrics.size() == 1);
  CHECK(record.params.size() == 1);
  CHECK(caught([&] { run.delete_tag("absent"); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] {
          run.log_batch(std::vector<mlrt::Metric>(1001, metric), {}, {});
        }).has("at most 1000 metrics"));
}

TEST_CASE_FIXTURE(RunFixture, "files, folders and text become artifacts") {
  mlrt::fs::make_folders(dir.path("tree/deep"));
  mlrt::fs::write_file(dir.path("tree/a.txt"), "a");
  mlrt::fs::write_file(dir.path("tree/deep/b.txt"), "b");
  run.log_artifact(dir.path("tree/a.txt"));
  run.log_artifacts(dir.path("tree"), "all");
  run.log_text("hello", "notes/n.txt");
  CHECK(paths() == std::vector<std::string>{"a.txt", "all/a.txt", "all/deep/b.txt", "notes/n.txt"});
  CHECK(read("notes/n.txt") == "hello");
}

TEST_CASE_FIXTURE(RunFixture, "JSON is checked and stored as MLflow's log_dict does") {
  run.log_json(R"({"z":1,"a":[1.5,null,"é"],"e":{},"n":[]})", "conf/x.json");
  CHECK(read("conf/x.json") ==
        "{\n  \"z\": 1,\n  \"a\": [\n    1.5,\n    null,\n    \"\\u00e9\"\n  ],\n  \"e\": {},\n  "
        "\"n\": []\n}");
  const Caught broken = caught([&] { run.log_json("{\"a\": }", "y.json"); });
  CHECK(broken.code == ErrorCode::kInvalidParameter);
  CHECK(broken.has("the JSON for 'y.json'"));
  CHECK(caught([&] { run.log_json("{}", "y.txt"); }).has("file name with '.json' extension"));
  CHECK(caught([&] { run.log_json("{}", "../y.json"); }).message.find("Invalid path") == 0);
  CHECK(paths().size() == 1);
}

TEST_CASE_FIXTURE(RunFixture, "a table is stored as MLflow's log_table does, and grows") {
  Table table;
  table.set(Column::of_strings("name", {"a/b", "é"}, {0, 0}));
  table.set(Column::of_doubles("score", {0.25, std::numeric_limits<double>::quiet_NaN()}));
  run.log_table(table, "eval/t.json");
  CHECK(read("eval/t.json") ==
        R"({"columns":["name","score"],"data":[["a/b",0.25],["\u00e9",null]]})");
  CHECK(tag_value(run.record(), "mlflow.loggedArtifacts") ==
        R"([{"path":"eval/t.json","type":"table"}])");
  Table more;
  more.set(Column::of_booleans("good", {1, 0}, {0, 1}));
  more.set(Column::of_longs("count", {-7, 9}));
  more.set(Column::of_doubles("score", {1, std::numeric_limits<double>::infinity()}));
  run.log_table(more, "eval/t.json");
  CHECK(read("eval/t.json") ==
        R"({"columns":["name","score","good","count"],"data":[["a/b",0.25,null,null],)"
        R"(["\u00e9",null,null,null],[null,1.0,true,-7],[null,null,null,9]]})");
  run.log_table(more, "u.json");
  CHECK(tag_value(run.record(), "mlflow.loggedArtifacts") ==
        R"([{"path":"eval/t.json","type":"table"},{"path":"u.json","type":"table"}])");
  run.log_table(Table(), "empty.json");
  CHECK(read("empty.json") == R"({"columns":[],"data":[]})");
}

TEST_CASE_FIXTURE(RunFixture, "a table is refused where it cannot stand") {
  Table table;
  table.set(Column::of_longs("a", {1}));
  for (const char* bad : {"a,b.json", "a:b.json", "[a].json", "{a}.json", "'a'.json", "\"a\".json"})
    CHECK(caught([&] {
            run.log_table(table, bad);
          }).has("The artifact_file contains forbidden character: "));
  CHECK(caught([&] { run.log_table(table, "t.csv"); }).has("file name with '.json' extension"));
  CHECK(caught([&] { run.log_table(table, "../t.json"); }).message.find("Invalid path") == 0);
  for (const char* other : {"[]", "{}", R"({"columns":["a","b"],"data":[[1]]})",
                            R"({"columns":[1],"data":[]})", R"({"columns":[],"data":[1]})", "x"}) {
    CAPTURE(other);
    run.log_text(other, "other.json");
    const Caught error = caught([&] { run.log_table(table, "other.json"); });
    CHECK(error.code == ErrorCode::kInvalidParameter);
    CHECK(read("other.json") == other);
  }
  CHECK(tag_value(run.record(), "mlflow.loggedArtifacts") == "(none)");
}

TEST_CASE_FIXTURE(RunFixture, "threads that append to one table lose no row") {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      Table row;
      row.set(Column::of_longs("i", {i}));
      for (int n = 0; n < 5; ++n) run.log_table(row, "t.json");
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(mlrt::parse_json(read("t.json"), "t").at("data").size() == 20);
}

TEST_CASE_FIXTURE(RunFixture, "images are told by their bytes") {
  run.log_image(kTestPng, "a.png");
  run.log_image(kTestJpeg, "a.jpg");
  run.log_image(kTestJpeg, "A.JPEG");
  run.log_image("GIF89a...", "a.gif");
  run.log_image("RIFF1234WEBPVP8 ", "a.webp");
  run.log_image("<svg/>", "a.svg");
  run.log_image("\xef\xbb\xbf <?xml version='1.0'?>\n<svg/>", "b.svg");
  CHECK(paths().size() == 7);
  CHECK(read("a.png") == kTestPng);
  for (const char* bad : {"", "x", "\x89PNG", "RIFF", "RIFF1234WAVE", "<?xml?><html/>"}) {
    CAPTURE(bad);
    CHECK(caught([&] { run.log_image(bad, "x.png"); }).has("no image that is known"));
  }
  CHECK(caught([&] { run.log_image(kTestJpeg, "x.png"); }).has("must have a name that ends in"));
  CHECK(caught([&] { run.log_image(kTestPng, "x"); }).has("ends in '.png'"));
  CHECK(caught([&] { run.log_image(kTestPng, "../x.png"); }).message.find("Invalid path") == 0);
  CHECK(paths().size() == 7);
}

TEST_CASE_FIXTURE(RunFixture, "an image of a series is named as MLflow's log_image does") {
  run.log_image(kTestPng, "dogs/small ones", 3);
  run.log_image(kTestPng, "dogs/small ones", -1);
  const auto found = paths();
  REQUIRE(found.size() == 2);
  const std::string first = "images/dogs~small ones+step+-1+timestamp+";
  const std::string second = "images/dogs~small ones+step+3+timestamp+";
  CHECK(found[0].substr(0, first.size()) == first);
  CHECK(found[1].substr(0, second.size()) == second);
  // "<13 digits>+<uuid>.png", the UUID of version 4.
  const std::string rest = found[1].substr(second.size());
  REQUIRE(rest.size() == 13 + 1 + 36 + 4);
  CHECK(rest[13] == '+');
  CHECK(rest[14 + 8] == '-');
  CHECK(rest[14 + 14] == '4');
  CHECK(std::string("89ab").find(rest[14 + 19]) != std::string::npos);
  CHECK(tag_value(run.record(), "mlflow.loggedImages") == "True");
  for (const char* bad : {"", "a#b", "a%b", "a+b", "a~b", "é", "a\nb", "a:b"}) {
    CAPTURE(bad);
    CHECK(caught([&] { run.log_image(kTestPng, bad, 0); }).has("contains invalid characters"));
  }
  CHECK(caught([&] { run.log_image(kTestJpeg, "k", 0); }).has("must be a PNG"));
  run.log_image(kTestPng, "..", 0);
  CHECK(paths().size() == 3);
}

TEST_CASE_FIXTURE(RunFixture, "a logged model is READY, an output of its run, and stored once") {
  CHECK(run.log_model(*small_model(), "models/linear") == "runs:/" + run.id() + "/models/linear");
  const auto outputs = run.record().outputs;
  REQUIRE(outputs.size() == 1);
  CHECK(outputs[0].step == 0);
  const LoggedModel model = session.logged_models().get(outputs[0].model_id);
  CHECK(model.name == "linear");
  CHECK(model.status == LoggedModelStatus::kReady);
  CHECK(model.source_run_id == run.id());
  CHECK(model.experiment_id == run.experiment_id());
  CHECK(session.artifacts().damaged(model.model_id).empty());
  for (const std::string& file : artifact_files()) {
    CHECK(file.find("0/models/" + model.model_id + "/artifacts/") == 0);
  }
  CHECK(paths().at(0) == "models/linear/MLmodel");
  CHECK(first_prediction(*session.load_model("runs:/" + run.id() + "/models/linear")) ==
        first_prediction(*small_model()));
  CHECK(caught([&] { run.log_model(*small_model(), "a.b"); }).has("Invalid model name ('a.b')"));
  CHECK(run.record().outputs.size() == 1);
}

TEST_CASE_FIXTURE(RunFixture, "a model that cannot be logged leaves no file and no READY model") {
  bool succeeded = false;
  int failures = 0;
  for (int fail_at = 1; !succeeded && fail_at < 400; ++fail_at) {
    CAPTURE(fail_at);
    Run own = session.start_run();
    int calls = 0;
    mlrt::set_log(mlrt::LogLevel::kOff, mlrt::LogFormat::kText);
    mlrt::fs::set_fault_hook(
        [&](mlrt::fs::Op, const std::string&) { return ++calls == fail_at ? EIO : 0; });
    const Caught error = caught([&] { own.log_model(*small_model()); });
    mlrt::fs::set_fault_hook({});
    mlrt::set_log(mlrt::LogLevel::kWarn, mlrt::LogFormat::kText);
    succeeded = calls < fail_at;
    const std::string uri = "runs:/" + own.id() + "/model";
    if (error.message.empty()) {
      CHECK(first_prediction(*session.load_model(uri)) == first_prediction(*small_model()));
      continue;
    }
    ++failures;
    CHECK(session.artifacts().list(own.id(), "", true).empty());
    CHECK(caught([&] { session.load_model(uri); }).code == ErrorCode::kNotFound);
    // The name is free for another try.
    CHECK(own.log_model(*small_model()) == uri);
  }
  CHECK(succeeded);
  CHECK(failures > 10);
  for (const LoggedModel& model : session.logged_models().search({}, {}).items) {
    CHECK(model.status != LoggedModelStatus::kPending);
  }
}

TEST_CASE_FIXTURE(RunFixture, "the machine is sampled until the run ends") {
  run.start_system_metrics(10);
  const Caught twice = caught([&] { run.start_system_metrics(10); });
  CHECK(twice.code == ErrorCode::kConflict);
  const std::string key = "system/system_memory_usage_megabytes";
  const auto history = [&] { return session.tracking().metric_history(run.id(), key); };
  for (int i = 0; i < 1000 && history().size() < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  // The sampler goes with the run, not with the handle.
  Run moved = std::move(run);
  moved.end();
  run = std::move(moved);
  const auto sampled = history();
  REQUIRE(sampled.size() >= 3);
  for (std::size_t i = 0; i < sampled.size(); ++i) {
    CHECK(sampled[i].step == static_cast<std::int64_t>(i));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(history().size() == sampled.size());
  CHECK(caught([&] { run.start_system_metrics(10); }).code == ErrorCode::kConflict);

  Run again = session.resume_run(run.id());
  again.start_system_metrics(3600000);
  again.end();
  REQUIRE(history().size() == sampled.size() + 1);
  CHECK(history().back().step == static_cast<std::int64_t>(sampled.size()));
  Run other = session.start_run();
  CHECK(caught([&] { other.start_system_metrics(1); }).has("at least 10 ms"));
}

TEST_CASE_FIXTURE(RunFixture, "a run that is dropped while it is sampled ends all the same") {
  std::string id;
  {
    Run own = session.start_run();
    id = own.id();
    own.start_system_metrics(10);
  }
  CHECK(session.tracking().run(id).status == RunStatus::kFinished);
}

TEST_CASE_FIXTURE(RunFixture, "a run is resumed by its id") {
  run.log_param("a", "1");
  run.end(RunStatus::kFailed);
  const std::string id = run.id();
  {
    Run again = session.resume_run(id);
    CHECK(again.id() == id);
    CHECK(again.name() == "it");
    CHECK(again.experiment_id() == "0");
    CHECK(again.record().status == RunStatus::kRunning);
    CHECK(again.record().end_time_ms == 0);
    again.log_param("b", "2");
  }
  CHECK(session.tracking().run(id).status == RunStatus::kFinished);
  CHECK(session.tracking().run(id).params.size() == 2);
  const Caught unknown = caught([&] { session.resume_run("nobody"); });
  CHECK(unknown.code == ErrorCode::kNotFound);
  CHECK(unknown.message == "Run with id=nobody not found");
  session.tracking().delete_run(id);
  CHECK(caught([&] { session.resume_run(id); }).has("must be in the 'active' state"));
  CHECK(session.tracking().run(id).status == RunStatus::kFinished);
}

TEST_CASE_FIXTURE(RunFixture, "an ended run refuses every new way to log") {
  run.end();
  Table table;
  table.set(Column::of_longs("a", {1}));
  for (const Caught& error :
       {caught([&] {
          run.set_tags({{"a", "1"}});
        }),
        caught([&] { run.delete_tag("a"); }), caught([&] { run.set_description("x"); }),
        caught([&] { run.log_batch({}, {}, {}); }), caught([&] { run.log_artifact("x"); }),
        caught([&] { run.log_artifacts("x"); }), caught([&] { run.log_json("{}", "x.json"); }),
        caught([&] { run.log_table(table, "x.json"); }),
        caught([&] { run.log_image(kTestPng, "x.png"); }),
        caught([&] { run.log_image(kTestPng, "x", 1); }),
        caught([&] { run.start_system_metrics(); })}) {
    CHECK(error.code == ErrorCode::kConflict);
    CHECK(error.has("has ended: nothing more can be logged to it"));
  }
}
