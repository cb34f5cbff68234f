#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "api/api_testing.hpp"
#include "api/session.hpp"
#include "bundle/bundle.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"

using mlrt::ErrorCode;
using mlrt::ModelVersion;
using mlrt::Run;
using mlrt::RunOptions;
using mlrt::Session;
using mlrt::test::caught;
using mlrt::test::Caught;
using mlrt::test::child_succeeded;
using mlrt::test::first_prediction;
using mlrt::test::SessionFixture;
using mlrt::test::small_model;
using mlrt::test::start_child;
using mlrt::test::TempDir;

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
  CHECK(version.run_id == run.id());
  REQUIRE(run.record().outputs.size() == 1);
  const std::string model_id = run.record().outputs[0].model_id;
  CHECK(version.model_id == model_id);
  CHECK(version.source == "models:/" + model_id);
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
        std::string("/gone")}) {
    CAPTURE(source);
    const std::string uri = "models:/m/" + std::to_string(with_source(source));
    const Caught error = caught([&] { session.resolve_model(uri); });
    CHECK(error.code == ErrorCode::kNotFound);
    CHECK(error.has("are gone: there is no '" + source));
  }
  const std::string bucket = "models:/m/" + std::to_string(with_source("s3://bucket/model"));
  CHECK(caught([&] {
          session.resolve_model(bucket);
        }).has("cannot be read here: mlrt reads files of this machine, not 's3://bucket/model'"));
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

TEST_CASE_FIXTURE(SessionFixture, "what versions have their files in is no garbage") {
  mlrt::save_model(*small_model(), dir.path("m.mlrt"));
  Run run = session.start_run();
  const std::string run_id = run.id();
  const std::string model_uri = run.log_model(*small_model());
  const std::string model_id = run.record().outputs.at(0).model_id;
  run.log_artifact(dir.path("m.mlrt"));
  session.register_model(model_uri, "logged");
  session.register_model("models:/logged/1", "copied");
  session.register_model("runs:/" + run_id + "/m.mlrt", "plain");
  // As other clients do: with the run's URI as source.
  mlrt::Registry::NewVersion by_run;
  by_run.name = "by-run";
  by_run.source = model_uri;
  by_run.model_id = model_id;
  by_run.create_model = true;
  session.registry().create_version(by_run);
  run.end();
  const auto all_load = [&] {
    for (const char* name : {"logged", "copied", "plain", "by-run"}) {
      CAPTURE(name);
      CHECK(first_prediction(*session.load_model(std::string("models:/") + name + "/1")) ==
            first_prediction(*small_model()));
    }
  };
  all_load();
  session.tracking().delete_run(run_id);
  for (const bool dry_run : {true, false}) {
    const auto found = session.tracking().collect_garbage(-1, dry_run);
    CHECK(found.runs == 0);
    CHECK(found.kept == 1);
  }
  all_load();
  session.registry().delete_model("plain");
  session.registry().delete_model("by-run");
  CHECK(session.tracking().collect_garbage(-1).runs == 1);
  CHECK(first_prediction(*session.load_model("models:/copied/1")) ==
        first_prediction(*small_model()));
  // The experiment of what is needed stays with it.
  const std::string experiment = session.tracking().create_experiment("passing");
  mlrt::RunOptions in_passing;
  in_passing.experiment = "passing";
  Run other = session.start_run(in_passing);
  session.register_model(other.log_model(*small_model()), "passing");
  other.end();
  session.tracking().delete_experiment(experiment);
  const auto kept = session.tracking().collect_garbage(-1);
  CHECK(kept.experiments == 0);
  CHECK(kept.kept == 1);
  session.registry().delete_model("passing");
  const auto gone = session.tracking().collect_garbage(-1);
  CHECK(gone.experiments == 1);
  CHECK(gone.kept == 0);
}

TEST_CASE_FIXTURE(SessionFixture, "a version outlives the run that its source names") {
  Run run = session.start_run();
  mlrt::Registry::NewVersion by_run;
  by_run.name = "by-run";
  by_run.source = run.log_model(*small_model());
  by_run.model_id = run.record().outputs.at(0).model_id;
  by_run.create_model = true;
  session.registry().create_version(by_run);
  run.end();
  // As in stores whose garbage was collected before versions kept their runs.
  {
    const auto database = mlrt::Database::open(dir.path("mlrt.db"));
    mlrt::Transaction transaction(*database, mlrt::Transaction::Mode::kWrite);
    transaction.run("DELETE FROM runs");
    transaction.commit();
  }
  CHECK(first_prediction(*session.load_model("models:/by-run/1")) ==
        first_prediction(*small_model()));
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
