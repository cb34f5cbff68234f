#include "api/session.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "api/api_testing.hpp"
#include "bundle/bundle.hpp"
#include "core/interrupt.hpp"
#include "store/connection.hpp"
#include "store/store_testing.hpp"

using mlrt::ErrorCode;
using mlrt::ModelVersion;
using mlrt::Run;
using mlrt::RunOptions;
using mlrt::RunRecord;
using mlrt::RunStatus;
using mlrt::Session;
using mlrt::SessionOptions;
using mlrt::test::become_ordinary_user;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::child_succeeded;
using mlrt::test::first_prediction;
using mlrt::test::require_in_child;
using mlrt::test::SessionFixture;
using mlrt::test::small_model;
using mlrt::test::start_child;
using mlrt::test::tag_value;
using mlrt::test::TempDir;

TEST_CASE("a session creates its store and names its artifacts after it") {
  TempDir dir;
  Session session(dir.path("work.db"));
  CHECK(session.store() == dir.path("work.db"));
  CHECK(session.tracking().artifact_root() == dir.path("work-artifacts"));
  SessionOptions options;
  options.store = dir.path("plain");
  options.artifact_root = dir.path("elsewhere");
  CHECK(Session(options).tracking().artifact_root() == dir.path("elsewhere"));
  options.store = dir.path("absent.db");
  options.must_exist = true;
  const Caught error = caught([&] { Session{options}; });
  CHECK(error.code == ErrorCode::kNotFound);
  CHECK(error.has("there is no store"));
}

TEST_CASE("a store keeps the artifact root that it was opened with, for all who open it later") {
  TempDir dir, moved;
  SessionOptions options;
  options.store = dir.path("e.db");
  options.artifact_root = dir.path("arts/");
  std::string run_id;
  {
    Session session(options);
    CHECK(session.tracking().artifact_root() == dir.path("arts"));
    run_id = session.start_run("r").id();
    session.artifacts().log_bytes(run_id, "hello", "a.txt");
  }
  const auto kept = [](const std::string& store) {
    return Session(store).tracking().artifact_root();
  };
  CHECK(kept(dir.path("e.db")) == dir.path("arts"));
  CHECK(Session(dir.path("e.db")).artifacts().list(run_id).size() == 1);
  options.artifact_root = dir.path("not-kept");
  options.keep_artifact_root = false;
  CHECK(Session(options).tracking().artifact_root() == dir.path("not-kept"));
  CHECK_FALSE(mlrt::fs::exists(dir.path("not-kept")));
  CHECK(kept(dir.path("e.db")) == dir.path("arts"));
  // Below the store's folder it is kept relative to that.
  mlrt::fs::rename(dir.path("e.db"), moved.path("e.db"));
  mlrt::fs::rename(dir.path("arts"), moved.path("arts"));
  CHECK(kept(moved.path("e.db")) == moved.path("arts"));
  options.store = moved.path("e.db");
  options.artifact_root = dir.path("elsewhere");
  options.keep_artifact_root = true;
  CHECK(Session(options).tracking().artifact_root() == dir.path("elsewhere"));
  CHECK(kept(moved.path("e.db")) == dir.path("elsewhere"));
  options.artifact_root = moved.path();
  CHECK(Session(options).tracking().artifact_root() == moved.path());
  CHECK(kept(moved.path("e.db")) == moved.path());
  mlrt::fs::write_file(moved.path("file"), "x");
  options.artifact_root = moved.path("file/below");
  CHECK(caught([&] { Session{options}; }).has("artifacts cannot be kept in"));
  CHECK(kept(moved.path("e.db")) == moved.path());
}

TEST_CASE("the store is MLRT_STORE where none is named") {
  TempDir dir;
  setenv("MLRT_STORE", dir.path("by variable.db").c_str(), 1);
  CHECK(Session().store() == dir.path("by variable.db"));
  CHECK(Session(dir.path("named.db")).store() == dir.path("named.db"));
  unsetenv("MLRT_STORE");
}

TEST_CASE_FIXTURE(SessionFixture, "a run logs everything and ends FINISHED") {
  std::string id;
  mlrt::fs::write_file(dir.path("plot.svg"), "<svg/>");
  {
    Run run = session.start_run("first");
    id = run.id();
    CHECK(run.name() == "first");
    CHECK(run.experiment_id() == "0");
    CHECK_FALSE(run.ended());
    run.log_param("depth", "3");
    run.log_params({{"a", "1"}, {"b", "2"}});
    run.log_metric("loss", 0.5, 1);
    run.log_metric("loss", 0.25, 2);
    run.log_metrics({{"auc", 0.9}, {"acc", 0.8}});
    run.set_tag("purpose", "test");
    run.log_input({"taxi", "abc", "local", "taxi.csv", "", "", "train", {}});
    run.log_artifact(dir.path("plot.svg"), "plots");
    run.log_text("hello", "notes.txt");
    CHECK(run.log_model(*small_model()) == "runs:/" + id + "/model");
    CHECK(run.record().status == RunStatus::kRunning);
  }
  const RunRecord record = session.tracking().run(id);
  CHECK(record.status == RunStatus::kFinished);
  CHECK(record.end_time_ms > 0);
  CHECK(record.params.size() == 3);
  REQUIRE(record.metrics.size() == 3);
  CHECK(record.metrics[2].value == 0.25);
  CHECK(record.metrics[2].step == 2);
  CHECK(record.inputs.size() == 1);
  CHECK(tag_value(record, "purpose") == "test");
  std::vector<std::string> files;
  for (const auto& info : session.artifacts().list(id, "", true)) files.push_back(info.path);
  CHECK(std::count(files.begin(), files.end(), "model/MLmodel") == 1);
  CHECK(std::count(files.begin(), files.end(), "plots/plot.svg") == 1);
  CHECK(first_prediction(*session.load_model("runs:/" + id + "/model")) ==
        first_prediction(*small_model()));
}

TEST_CASE_FIXTURE(SessionFixture, "a run says who started it and from what") {
  setenv("LOGNAME", "ann", 1);
  RunOptions options;
  options.source_name = "train.lua";
  options.tags = {{"team", "edge"}};
  Run run = session.start_run(options);
  const RunRecord record = run.record();
  CHECK(record.user == "ann");
  CHECK(tag_value(record, "mlflow.user") == "ann");
  CHECK(tag_value(record, "mlflow.source.name") == "train.lua");
  CHECK(tag_value(record, "mlflow.source.type") == "LOCAL");
  CHECK(tag_value(record, "mlflow.runName") == run.name());
  CHECK(tag_value(record, "team") == "edge");
  CHECK(tag_value(record, "mlflow.parentRunId") == "(none)");
  RunOptions child;
  child.parent_run_id = run.id();
  Run nested = session.start_run(child);
  CHECK(tag_value(nested.record(), "mlflow.parentRunId") == run.id());
  CHECK(tag_value(nested.record(), "mlflow.source.name").find("test_api") != std::string::npos);
  child.parent_run_id = "nobody";
  CHECK(caught([&] { session.start_run(child); }).message == "Run with id=nobody not found");
}

TEST_CASE_FIXTURE(SessionFixture, "runs go to the experiment of the session or of the call") {
  session.set_experiment("taxi");
  Run one = session.start_run();
  RunOptions options;
  options.experiment = "other";
  Run two = session.start_run(options);
  Run three = session.start_run(options);
  CHECK(session.tracking().experiment(one.experiment_id()).name == "taxi");
  CHECK(session.tracking().experiment(two.experiment_id()).name == "other");
  CHECK(three.experiment_id() == two.experiment_id());
  CHECK(caught([&] { session.set_experiment(""); }).message == "Invalid experiment name: ''");
  Session(dir.path("mlrt.db")).set_experiment("taxi");
  CHECK(session.tracking().list_experiments().size() == 3);
}

TEST_CASE_FIXTURE(SessionFixture,
                  "a run left by an exception is FAILED, one after an interrupt KILLED") {
  std::string id;
  try {
    Run run = session.start_run();
    id = run.id();
    throw std::runtime_error("something");
  } catch (const std::runtime_error&) {
    // A run that begins and ends while another exception is handled is not hurt by it.
    Run inner = session.start_run();
    const std::string inner_id = inner.id();
    { Run moved = std::move(inner); }
    CHECK(session.tracking().run(inner_id).status == RunStatus::kFinished);
  }
  CHECK(session.tracking().run(id).status == RunStatus::kFailed);
  try {
    Run run = session.start_run();
    id = run.id();
    mlrt::request_interrupt();
    mlrt::check_interrupt();
  } catch (const mlrt::Error& error) {
    CHECK(error.code() == ErrorCode::kInterrupted);
  }
  mlrt::clear_interrupt();
  CHECK(session.tracking().run(id).status == RunStatus::kKilled);
}

TEST_CASE_FIXTURE(SessionFixture, "a run that has ended takes no more, and its first end stands") {
  Run run = session.start_run();
  run.end(RunStatus::kFailed);
  run.end();
  CHECK(run.ended());
  CHECK(run.record().status == RunStatus::kFailed);
  const Caught error = caught([&] { run.log_param("a", "1"); });
  CHECK(error.code == ErrorCode::kConflict);
  CHECK(error.message == "the run " + run.id() + " has ended: nothing more can be logged to it");
  CHECK(caught([&] { run.log_metric("a", 1); }).code == ErrorCode::kConflict);
  CHECK(caught([&] { run.set_tag("a", "1"); }).code == ErrorCode::kConflict);
  CHECK(caught([&] { run.log_text("a", "b"); }).code == ErrorCode::kConflict);
  CHECK(caught([&] { run.log_model(*small_model()); }).code == ErrorCode::kConflict);
}

TEST_CASE_FIXTURE(SessionFixture, "a run moves, and what it replaces ends") {
  Run run = session.start_run();
  const std::string first = run.id();
  Run other = session.start_run();
  const std::string second = other.id();
  run = std::move(other);
  CHECK(run.id() == second);
  CHECK(session.tracking().run(first).status == RunStatus::kFinished);
  CHECK(session.tracking().run(second).status == RunStatus::kRunning);
  run.log_param("a", "1");
  CHECK(caught([&] { other.log_param("a", "1"); }).has("was moved to another handle"));
}

TEST_CASE_FIXTURE(SessionFixture, "a run outlives its session") {
  auto own = std::make_unique<Session>(dir.path("mlrt.db"));
  Run run = own->start_run();
  own.reset();
  run.log_param("a", "1");
  run.end();
  CHECK(session.tracking().run(run.id()).params.size() == 1);
}

TEST_CASE_FIXTURE(SessionFixture,
                  "a run that cannot be ended is not an exception out of a destructor") {
  SessionOptions options;
  options.store = dir.path("mlrt.db");
  options.busy_timeout_ms = 50;
  Session short_session(options);
  std::string id;
  {
    Run run = short_session.start_run();
    id = run.id();
    auto holder = std::make_unique<mlrt::StoreConnection>(options.store, "s",
                                                          mlrt::StoreOpenMode::kReadWrite, 10);
    holder->execute("BEGIN IMMEDIATE");
    CHECK(caught([&] { run.end(); }).code == ErrorCode::kUnavailable);
    CHECK_FALSE(run.ended());
    Run dropped = std::move(run);
    { Run gone = std::move(dropped); }  // only a line on the log
    holder->execute("COMMIT");
  }
  CHECK(session.tracking().run(id).status == RunStatus::kRunning);
}

TEST_CASE_FIXTURE(SessionFixture, "a model is logged once under a path") {
  Run run = session.start_run();
  run.log_model(*small_model(), "models/linear");
  const Caught error = caught([&] { run.log_model(*small_model(), "models/linear"); });
  CHECK(error.code == ErrorCode::kAlreadyExists);
  CHECK(error.has("has an artifact 'models/linear' already"));
  CHECK(caught([&] { run.log_model(*small_model(), "../x"); }).message.find("Invalid path") == 0);
}

TEST_CASE_FIXTURE(SessionFixture, "a bundle is copied, registered, resolved and loaded") {
  const std::string bundle = dir.path("m.mlrt");
  const std::string digest = mlrt::save_model(*small_model(), bundle);
  const ModelVersion version = session.register_model(bundle, "tips", "champion");
  CHECK(version.version == 1);
  CHECK(version.source == artifact_root() + "/models/" + digest + ".mlrt");
  CHECK(version.aliases == std::vector<std::string>{"champion"});
  CHECK(artifact_files() == std::vector<std::string>{"models/" + digest + ".mlrt"});
  mlrt::fs::remove_file(bundle);
  for (const char* uri : {"models:/tips/1", "models:/tips/latest", "models:/tips@champion"}) {
    CHECK(session.resolve_model(uri) == version.source);
    CHECK(first_prediction(*session.load_model(uri)) == first_prediction(*small_model()));
  }
  // The same model, from a folder now, is kept once.
  mlrt::write_model_folder(dir.path("folder"), small_model()->save());
  CHECK(session.register_model(dir.path("folder"), "tips").source == version.source);
  CHECK(artifact_files().size() == 1);
  mlrt::save_model(*small_model(7), bundle);
  CHECK(session.register_model(bundle, "tips", "champion").version == 3);
  CHECK(artifact_files().size() == 2);
  CHECK(first_prediction(*session.load_model("models:/tips@champion")) ==
        first_prediction(*small_model(7)));
}

TEST_CASE_FIXTURE(SessionFixture, "a run's model is registered where it is, with its run") {
  Run run = session.start_run();
  const std::string uri = run.log_model(*small_model());
  const ModelVersion version = session.register_model(uri, "tips");
  CHECK(version.source == uri);
  CHECK(version.run_id == run.id());
  REQUIRE(run.record().outputs.size() == 1);
  const std::string model_id = run.record().outputs[0].model_id;
  CHECK(version.model_id == model_id);
  const std::string folder = session.logged_models().get(model_id).artifact_folder;
  CHECK(folder == artifact_root() + "/0/models/" + model_id + "/artifacts");
  CHECK(session.resolve_model("models:/tips/1") == folder);
  CHECK(first_prediction(*session.load_model("models:/tips/1")) ==
        first_prediction(*small_model()));
  CHECK_FALSE(mlrt::fs::exists(artifact_root() + "/models"));
}

TEST_CASE_FIXTURE(SessionFixture, "a version is loaded by its stage, and registered again by it") {
  mlrt::save_model(*small_model(), dir.path("m.mlrt"));
  mlrt::save_model(*small_model(7), dir.path("n.mlrt"));
  session.register_model(dir.path("m.mlrt"), "tips");
  session.register_model(dir.path("n.mlrt"), "tips", "", "", "a second one", {{"k", "v"}});
  CHECK(session.registry().version("tips", 2).description == "a second one");
  CHECK(session.registry().version("tips", 2).tags.at(0).value == "v");
  CHECK_FALSE(session.registry().version("tips", 2).user.empty());
  session.registry().set_stage("tips", 1, "Production");
  CHECK(first_prediction(*session.load_model("models:/tips/production")) ==
        first_prediction(*small_model()));
  const ModelVersion copy = session.register_model("models:/tips/Production", "served");
  CHECK(copy.source == "models:/tips/1");
  session.registry().delete_model("tips");
  CHECK(artifact_files().size() == 1);
  CHECK(session.resolve_model("models:/served/1") ==
        artifact_root() + "/" + artifact_files().at(0));
  CHECK(first_prediction(*session.load_model("models:/served/latest")) ==
        first_prediction(*small_model()));
  session.registry().delete_version("served", 1);
  CHECK(artifact_files().empty());
}

TEST_CASE_FIXTURE(SessionFixture, "a version is found by the URI that a server gave to its files") {
  Run run = session.start_run();
  run.log_model(*small_model(), "model");
  const std::string id = run.record().outputs.at(0).model_id;
  const std::string files = session.artifacts().folder(id);
  const auto with_source = [&](const std::string& source) {
    mlrt::Registry::NewVersion version;
    version.name = "m";
    version.source = source;
    version.run_id = run.id();
    version.model_id = id;
    version.create_model = true;
    return session.registry().create_version(version).version;
  };
  for (const std::string& source :
       {"mlflow-artifacts:/0/" + run.id() + "/artifacts/model",
        "mlflow-artifacts:/0/models/" + id + "/artifacts",
        "mlflow-artifacts://host:5000/0/models/" + id + "/artifacts", "file://" + files, files,
        "/gone/0/models/" + id + "/artifacts", "/gone/0/" + run.id() + "/artifacts/model"}) {
    CAPTURE(source);
    CHECK(session.resolve_model("models:/m/" + std::to_string(with_source(source))) == files);
  }
  for (const std::string& source :
       {std::string("mlflow-artifacts:/"), std::string("mlflow-artifacts://host"),
        "mlflow-artifacts:/0/" + run.id(), "mlflow-artifacts:/0/" + run.id() + "/files/model",
        std::string("/gone"), std::string("s3://bucket/model")}) {
    CAPTURE(source);
    const std::string uri = "models:/m/" + std::to_string(with_source(source));
    const Caught error = caught([&] { session.resolve_model(uri); });
    CHECK(error.code == ErrorCode::kNotFound);
    CHECK(error.has("are gone: there is no '" + source));
  }
  const std::string outside = "mlflow-artifacts:/0/" + run.id() + "/artifacts/../../x";
  const std::string uri = "models:/m/" + std::to_string(with_source(outside));
  CHECK(caught([&] { session.resolve_model(uri); }).message.find("Invalid path") == 0);
}

TEST_CASE_FIXTURE(SessionFixture, "a logged model is resolved, loaded and registered by its id") {
  Run run = session.start_run();
  run.log_model(*small_model(), "deep/tips");
  const std::string id = run.record().outputs.at(0).model_id;
  const std::string uri = "models:/" + id;
  CHECK(session.resolve_model(uri) == session.artifacts().folder(id));
  CHECK(first_prediction(*session.load_model(uri)) == first_prediction(*small_model()));
  const ModelVersion version = session.register_model(uri, "tips", "champion");
  CHECK(version.source == uri);
  CHECK(version.run_id == run.id());
  CHECK(first_prediction(*session.load_model("models:/tips@champion")) ==
        first_prediction(*small_model()));
  const std::string unknown = "models:/m-" + std::string(32, '0');
  CHECK(caught([&] { session.resolve_model(unknown); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { session.register_model(unknown, "tips"); }).code == ErrorCode::kNotFound);
  const std::string empty = session.logged_models().create({}).model_id;
  const Caught no_files = caught([&] { session.load_model("models:/" + empty); });
  CHECK(no_files.code == ErrorCode::kNotFound);
  CHECK(no_files.has("the logged model " + empty + " (PENDING) has no files"));
  session.logged_models().remove(id);
  CHECK(caught([&] { session.load_model("models:/tips@champion"); }).has("not found"));
  CHECK(caught([&] { session.load_model("runs:/" + run.id() + "/deep/tips"); }).code ==
        ErrorCode::kNotFound);
}

TEST_CASE_FIXTURE(SessionFixture, "a run's own model folder comes before a logged model") {
  Run run = session.start_run();
  mlrt::write_model_folder(dir.path("folder"), small_model(7)->save());
  run.log_artifacts(dir.path("folder"), "model");
  CHECK(caught([&] { run.log_model(*small_model()); }).code == ErrorCode::kAlreadyExists);
  CHECK(first_prediction(*session.load_model("runs:/" + run.id() + "/model")) ==
        first_prediction(*small_model(7)));
}

TEST_CASE_FIXTURE(SessionFixture,
                  "a store that is moved with its artifacts still finds its models") {
  mlrt::save_model(*small_model(), dir.path("m.mlrt"));
  session.register_model(dir.path("m.mlrt"), "tips");
  session.start_run("logged").log_model(*small_model(3));
  const std::string run_id = session.tracking().list_runs({}, 1).at(0).run_id;
  TempDir other;
  {
    Session closing = std::move(session);
    session = Session(other.path("unused.db"));
  }
  mlrt::fs::rename(dir.path("mlrt.db"), other.path("mlrt.db"));
  mlrt::fs::rename(artifact_root(), other.path("mlrt-artifacts"));
  Session moved(other.path("mlrt.db"));
  CHECK(first_prediction(*moved.load_model("models:/tips/1")) == first_prediction(*small_model()));
  CHECK(first_prediction(*moved.load_model("runs:/" + run_id + "/model")) ==
        first_prediction(*small_model(3)));
  mlrt::fs::remove_tree(other.path("mlrt-artifacts"));
  const Caught gone = caught([&] { moved.resolve_model("models:/tips/1"); });
  CHECK(gone.code == ErrorCode::kNotFound);
  CHECK(gone.has("the files of version 1 of the model 'tips' are gone"));
}

TEST_CASE_FIXTURE(SessionFixture, "a URI that names no model says what would") {
  mlrt::save_model(*small_model(), dir.path("m.mlrt"));
  session.register_model(dir.path("m.mlrt"), "taxi-tips", "champion");
  for (const char* bad :
       {"", "models:/", "models:/taxi-tips", "models:/taxi-tips/0", "models:/taxi-tips/x",
        "models:/taxi-tips/1/2", "models:/taxi-tips@", "models:/@champion", "models:taxi-tips/1",
        "runs:/", "runs:/abc", "runs:/abc/", "runs://x", "s3://bucket/m", "http://h/m"}) {
    CAPTURE(bad);
    const Caught error = caught([&] { session.resolve_model(bad); });
    CHECK(error.code == ErrorCode::kInvalidParameter);
    CHECK(error.has("names no model: it must be models:/<name>/<version>"));
  }
  const Caught name = caught([&] { session.resolve_model("models:/taxi_tips/1"); });
  CHECK(name.code == ErrorCode::kNotFound);
  CHECK(name.has("Registered Model with name=taxi_tips not found; did you mean 'taxi-tips'?"));
  CHECK(caught([&] {
          session.resolve_model("models:/taxi-tips@champoin");
        }).has("did you mean 'champion'?"));
  CHECK(caught([&] { session.resolve_model("models:/taxi-tips/9"); }).has("version=9) not found"));
  CHECK(caught([&] { session.resolve_model("runs:/abc/model"); }).has("Run with id=abc not found"));
  CHECK(caught([&] { session.resolve_model(dir.path("absent")); }).has("there is no model at"));
  CHECK(session.resolve_model(dir.path("m.mlrt")) == dir.path("m.mlrt"));
}

TEST_CASE_FIXTURE(SessionFixture, "models of flavors that mlrt cannot score are registered") {
  mlrt::MemoryFiles foreign;
  foreign.add("MLmodel", "flavors:\n  python_function:\n    loader_module: x\n  sklearn: {}\n");
  foreign.add("model.pkl", "bytes");
  mlrt::write_bundle(dir.path("foreign.mlrt"), foreign);
  mlrt::write_model_folder(dir.path("foreign"), foreign);
  Run run = session.start_run();
  run.log_artifacts(dir.path("foreign"), "clf");
  mlrt::LoggedModels::NewModel made;
  made.name = "clf";
  const std::string id = session.logged_models().create(made).model_id;
  session.artifacts().log_folder(id, dir.path("foreign"));
  for (const std::string& source : {dir.path("foreign.mlrt"), dir.path("foreign"),
                                    "runs:/" + run.id() + "/clf", "models:/" + id}) {
    CAPTURE(source);
    const std::string uri =
        "models:/clf/" + std::to_string(session.register_model(source, "clf").version);
    CHECK(mlrt::fs::exists(session.resolve_model(uri)));
    CHECK(caught([&] { session.load_model(uri); }).has("MLmodel has no flavor that mlrt knows"));
  }
  CHECK(session.register_model("models:/clf/1", "copy").source == "models:/clf/1");
  const auto refused = [&](const std::string& mlmodel) {
    mlrt::fs::write_file(dir.path("foreign/MLmodel"), mlmodel);
    return caught([&] { session.register_model(dir.path("foreign"), "bad"); }).message;
  };
  CHECK(refused("flavors: [\n").find("foreign': MLmodel is not valid YAML: line 2") !=
        std::string::npos);
  CHECK(refused("a: 1\n").find("foreign': MLmodel lacks the key") != std::string::npos);
  // One that mlrt does know is loaded.
  CHECK(refused("flavors:\n  linear: {}\n").find("foreign': MLmodel") != std::string::npos);
  std::string bytes = mlrt::fs::read_file(dir.path("foreign.mlrt"));
  bytes[bytes.find("bytes")] = 'X';
  mlrt::fs::write_file(dir.path("foreign.mlrt"), bytes);
  CHECK(caught([&] { session.register_model(dir.path("foreign.mlrt"), "bad"); }).code ==
        ErrorCode::kDataCorrupt);
}

TEST_CASE_FIXTURE(SessionFixture, "what is broken or wrong is not registered") {
  mlrt::fs::write_file(dir.path("notes.txt"), "not a bundle");
  mlrt::save_model(*small_model(), dir.path("m.mlrt"));
  std::string bytes = mlrt::fs::read_file(dir.path("m.mlrt"));
  const std::size_t at = bytes.find("coefficients");
  REQUIRE(at != std::string::npos);
  bytes[at] = 'X';
  mlrt::fs::write_file(dir.path("flipped.mlrt"), bytes);
  mlrt::fs::make_folders(dir.path("empty"));
  CHECK(caught([&] { session.register_model(dir.path("notes.txt"), "m"); }).code ==
        ErrorCode::kDataCorrupt);
  CHECK(caught([&] { session.register_model(dir.path("flipped.mlrt"), "m"); }).code ==
        ErrorCode::kDataCorrupt);
  CHECK(caught([&] { mlrt::load_model(dir.path("flipped.mlrt")); }).code ==
        ErrorCode::kDataCorrupt);
  CHECK(caught([&] { session.register_model(dir.path("empty"), "m"); }).has("MLmodel"));
  CHECK(
      caught([&] { session.register_model(dir.path("absent"), "m"); }).has("there is no model at"));
  CHECK(caught([&] { session.register_model("s3://b/m", "m"); }).has("cannot be registered"));
  CHECK(caught([&] {
          session.register_model(dir.path("m.mlrt"), "a/b");
        }).has("Names cannot contain"));
  CHECK(caught([&] { session.register_model(dir.path("m.mlrt"), "m", "v1"); }).has("is reserved"));
  CHECK(caught([&] {
          session.register_model(dir.path("m.mlrt"), "m", "", "nobody");
        }).has("Run with id=nobody not found"));
  CHECK(caught([&] {
          session.register_model("runs:/nobody/m", "m");
        }).has("Run with id=nobody not found"));
  CHECK(session.registry().search_models().items.empty());
  CHECK(artifact_files().empty());
}

TEST_CASE_FIXTURE(SessionFixture,
                  "registering that fails at any system call leaves nothing or is whole") {
  mlrt::save_model(*small_model(), dir.path("m.mlrt"));
  mlrt::write_model_folder(dir.path("folder"), small_model()->save());
  for (const char* source : {"m.mlrt", "folder"}) {
    CAPTURE(source);
    bool succeeded = false;
    int failures = 0;
    for (int fail_at = 1; !succeeded && fail_at < 500; ++fail_at) {
      CAPTURE(fail_at);
      TempDir own;
      Session fresh(own.path("mlrt.db"));
      int calls = 0;
      mlrt::fs::set_fault_hook(
          [&](mlrt::fs::Op, const std::string&) { return ++calls == fail_at ? EIO : 0; });
      const Caught error = caught([&] { fresh.register_model(dir.path(source), "m", "champion"); });
      mlrt::fs::set_fault_hook({});
      succeeded = calls < fail_at;
      if (error.message.empty()) {
        CHECK(first_prediction(*fresh.load_model("models:/m@champion")) ==
              first_prediction(*small_model()));
        continue;
      }
      ++failures;
      CHECK(fresh.registry().search_models().items.empty());
      if (mlrt::fs::is_folder(own.path("mlrt-artifacts"))) {
        CHECK(mlrt::fs::list_files_below(own.path("mlrt-artifacts")).empty());
      }
    }
    CHECK(succeeded);
    CHECK(failures > 10);
  }
}

TEST_CASE("a read-only store is read, and nothing can be logged to it") {
  TempDir dir;
  std::string id;
  {
    Session session(dir.path("mlrt.db"));
    id = session.start_run("kept").id();
  }
  REQUIRE(chmod(dir.path("mlrt.db").c_str(), 0444) == 0);
  REQUIRE(chmod(dir.path().c_str(), 0555) == 0);
  const pid_t child = start_child([&] {
    become_ordinary_user();
    Session session(dir.path("mlrt.db"));
    require_in_child(session.tracking().run(id).name == "kept", "not read");
    const Caught error = caught([&] { session.start_run(); });
    require_in_child(error.code == ErrorCode::kPermissionDenied && error.has("is read-only"),
                     error.message);
  });
  CHECK(child_succeeded(child));
  REQUIRE(chmod(dir.path().c_str(), 0755) == 0);
}

TEST_CASE_FIXTURE(SessionFixture, "threads share a session and a run") {
  Run run = session.start_run();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        run.log_metric("m" + std::to_string(i), n, n);
        if (n % 10 == 0) {
          session.set_experiment("e" + std::to_string(i));
          Run own = session.start_run();
          own.log_text("x", "x.txt");
        }
        session.tracking().list_runs({}, 10);
        session.registry().search_models();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(run.record().metrics.size() == 4);
  CHECK(session.tracking().list_runs({}, 100).size() == 13);
}

TEST_CASE("processes that share a store log and register at once") {
  TempDir dir;
  mlrt::save_model(*small_model(), dir.path("m.mlrt"));
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(start_child([&] {
      Session session(dir.path("mlrt.db"));
      session.set_experiment("shared");
      for (int n = 0; n < 10; ++n) {
        Run run = session.start_run();
        run.log_metric("m", n);
        session.register_model(dir.path("m.mlrt"), "shared", "newest", run.id());
      }
    }));
  }
  for (pid_t child : children) CHECK(child_succeeded(child));
  Session session(dir.path("mlrt.db"));
  CHECK(session.tracking().list_experiments().size() == 2);
  CHECK(session.tracking().list_runs({}, 100).size() == 40);
  CHECK(session.registry().latest_version("shared").version == 40);
  CHECK(first_prediction(*session.load_model("models:/shared@newest")) ==
        first_prediction(*small_model()));
}
