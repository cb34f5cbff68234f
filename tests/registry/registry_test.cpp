#include "registry/registry.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/clock.hpp"
#include "core/fs.hpp"
#include "registry/model_uri.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"
#include "tracking/logged_models.hpp"
#include "tracking/tracking_store.hpp"

using mlrt::Database;
using mlrt::Error;
using mlrt::ErrorCode;
using mlrt::ModelVersion;
using mlrt::RegisteredModel;
using mlrt::Registry;
using mlrt::SearchQuery;
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
  Registry registry{database, dir.path("artifacts"), "ann"};

  ModelVersion add(const std::string& name, const std::string& source = "/m",
                   const std::string& alias = "") {
    Registry::NewVersion version;
    version.name = name;
    version.source = source;
    version.alias = alias;
    version.create_model = true;
    return registry.create_version(version);
  }
  std::vector<std::int64_t> numbers(const std::string& name) {
    std::vector<std::int64_t> found;
    for (const ModelVersion& version : registry.versions(name)) found.push_back(version.version);
    return found;
  }
};

using Numbers = std::vector<std::int64_t>;
using Words = std::vector<std::string>;

// "set_alias champion 2: 1 -> 2 by ann" for each event, the oldest first.
Words told(const Registry& registry, const std::string& name) {
  Words lines;
  for (const mlrt::RegistryEvent& event : registry.history(name)) {
    std::string line = event.action;
    if (!event.alias.empty()) line += " " + event.alias;
    if (event.version > 0) line += " " + std::to_string(event.version);
    if (!event.before.empty() || !event.after.empty())
      line += ": " + event.before + " -> " + event.after;
    lines.insert(lines.begin(), line + " by " + event.user);
  }
  return lines;
}

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

TEST_CASE_FIXTURE(RegistryFixture, "a model is created once, with its description and tags") {
  const RegisteredModel made = registry.create_model("taxi", "about", {{"b", "1"}, {"a", "2"}});
  CHECK(made.name == "taxi");
  CHECK(made.description == "about");
  REQUIRE(made.tags.size() == 2);
  CHECK(made.tags[0].key == "a");
  CHECK(made.latest_versions.empty());
  CHECK(std::llabs(made.creation_time_ms - mlrt::now_ms()) < 60000);
  CHECK(made.last_update_time_ms == made.creation_time_ms);
  const Caught again = caught([&] { registry.create_model("taxi"); });
  CHECK(again.code == ErrorCode::kAlreadyExists);
  CHECK(again.message == "Registered Model (name=taxi) already exists.");
  const std::vector<mlrt::Tag> prompt{{mlrt::kPromptTag, "true"}};
  CHECK(caught([&] { registry.create_model("taxi", "", prompt); }).message ==
        "Tried to create a prompt with name 'taxi', but the name is already taken by a registered "
        "model. MLflow does not allow creating a model and a prompt with the same name.");
  registry.create_model("ask", "", prompt);
  CHECK(caught([&] { registry.create_model("ask", "", prompt); }).message ==
        "Prompt (name=ask) already exists.");
}

TEST_CASE_FIXTURE(RegistryFixture, "a version holds what it was created with") {
  registry.create_model("taxi");
  Registry::NewVersion wanted;
  wanted.name = "taxi";
  wanted.source = "/m/1";
  wanted.run_id = "r1";
  wanted.run_link = "http://there/r1";
  wanted.description = "the first";
  wanted.tags = {{"k", "old"}, {"k", "v"}};
  wanted.alias = "champion";
  const ModelVersion first = registry.create_version(wanted);
  CHECK(first.name == "taxi");
  CHECK(first.version == 1);
  CHECK(first.source == "/m/1");
  CHECK(first.run_id == "r1");
  CHECK(first.run_link == "http://there/r1");
  CHECK(first.description == "the first");
  CHECK(first.user == "ann");
  CHECK(first.stage == "None");
  CHECK(first.aliases == Words{"champion"});
  REQUIRE(first.tags.size() == 1);
  CHECK(first.tags[0].value == "v");
  CHECK(registry.acting_as("bob").create_version(wanted).user == "bob");
  CHECK(registry.version("taxi", 2).user == "bob");
  wanted.name = "taxy";
  CHECK(caught([&] { registry.create_version(wanted); }).message ==
        "Registered Model with name=taxy not found; did you mean 'taxi'?");
}

TEST_CASE_FIXTURE(RegistryFixture, "versions count from 1, for each model alone") {
  CHECK(add("taxi-tips", "/m/1").version == 1);
  CHECK(add("taxi-tips", "/m/2").version == 2);
  CHECK(add("other", "/m/3").version == 1);
  CHECK(registry.version("taxi-tips", 2).source == "/m/2");
  CHECK(registry.latest_version("taxi-tips").version == 2);
  CHECK(numbers("taxi-tips") == Numbers{2, 1});
  const auto models = registry.search_models().items;
  REQUIRE(models.size() == 2);
  CHECK(models[0].name == "other");
  CHECK(models[1].latest_versions.size() == 1);
  CHECK(models[1].latest_versions[0].version == 2);
}

TEST_CASE_FIXTURE(RegistryFixture, "the number of a deleted version is not given again") {
  for (int i = 0; i < 3; ++i) add("m");
  registry.set_alias("m", "a", 3);
  registry.set_version_tag("m", 3, "k", "v");
  registry.delete_version("m", 3);
  CHECK(registry.model("m").aliases.empty());
  CHECK(add("m").version == 4);
  registry.delete_version("m", 2);
  CHECK(numbers("m") == Numbers{4, 1});
  registry.delete_version("m", 4);
  CHECK(add("m").version == 5);
  CHECK(registry.version("m", 5).tags.empty());
  const Caught gone = caught([&] { registry.version("m", 4); });
  CHECK(gone.code == ErrorCode::kNotFound);
  CHECK(gone.message == "Model Version (name=m, version=4) not found");
  CHECK(caught([&] { registry.delete_version("m", 4); }).message == gone.message);
  registry.delete_version("m", 1);
  registry.delete_version("m", 5);
  CHECK(caught([&] { registry.latest_version("m"); }).message ==
        "Latest version not found for model m.");
}

TEST_CASE_FIXTURE(RegistryFixture, "an alias stands on one version and moves") {
  add("m", "/1", "champion");
  add("m", "/2", "champion");
  CHECK(registry.version_by_alias("m", "champion").version == 2);
  CHECK(registry.version("m", 1).aliases.empty());
  registry.set_alias("m", "champion", 1);
  registry.set_alias("m", "beta", 1);
  CHECK(registry.version("m", 1).aliases == Words{"beta", "champion"});
  CHECK(registry.version("m", 2).aliases.empty());
  const auto aliases = registry.model("m").aliases;
  REQUIRE(aliases.size() == 2);
  CHECK(aliases[0].alias == "beta");
  CHECK(aliases[1].version == 1);
  const Caught elsewhere = caught([&] { registry.delete_alias("m", "champion", 2); });
  CHECK(elsewhere.code == ErrorCode::kConflict);
  CHECK(elsewhere.message == "the alias 'champion' of 'm' stands on version 1, not on version 2");
  CHECK(registry.delete_alias("m", "champion", 1) == 1);
  CHECK(registry.delete_alias("m", "champion") == 0);
  CHECK(registry.delete_alias("m", "champion", 2) == 0);
  CHECK(registry.version("m", 1).aliases == Words{"beta"});
  CHECK(registry.version_by_alias("m", "Latest").version == 2);
  const Caught gone = caught([&] { registry.version_by_alias("m", "betta"); });
  CHECK(gone.code == ErrorCode::kNotFound);
  CHECK(gone.message == "Registered model alias betta not found for model m; did you mean 'beta'?");
  CHECK(caught([&] { registry.version_by_alias("m", "v3"); }).code == ErrorCode::kNotFound);
}

TEST_CASE_FIXTURE(RegistryFixture, "a stage is moved to in any case, and may archive the others") {
  for (int i = 0; i < 4; ++i) add("m");
  CHECK(registry.set_stage("m", 1, "pRoduction").stage == "Production");
  registry.set_stage("m", 2, "Production");
  registry.set_stage("m", 3, "staging");
  CHECK(registry.version("m", 1).stage == "Production");
  registry.set_stage("m", 4, "production", true);
  CHECK(registry.version("m", 1).stage == "Archived");
  CHECK(registry.version("m", 2).stage == "Archived");
  CHECK(registry.version("m", 3).stage == "Staging");
  CHECK(registry.version("m", 4).stage == "Production");
  const auto stages_of = [](const std::vector<ModelVersion>& versions) {
    Words words;
    for (const ModelVersion& version : versions)
      words.push_back(std::to_string(version.version) + version.stage);
    return words;
  };
  CHECK(stages_of(registry.latest_versions("m")) == Words{"2Archived", "3Staging", "4Production"});
  CHECK(stages_of(registry.latest_versions("m", {"ARCHIVED", "None"})) == Words{"2Archived"});
  CHECK(stages_of(registry.model("m").latest_versions).size() == 3);
  CHECK(registry.version_by_uri("models:/m/Archived").version == 2);
  CHECK(caught([&] { registry.version_by_uri("models:/m/none"); }).message ==
        "No versions of model with name 'm' and stage 'None' found");
  CHECK(caught([&] { registry.set_stage("m", 1, "Prod"); }).message ==
        "Invalid Model Version stage: 'Prod'. Value must be one of None, Staging, Production, "
        "Archived.");
  CHECK(caught([&] { registry.set_stage("m", 1, "archived", true); }).message ==
        "Model version transition cannot archive existing model versions because 'Archived' is not "
        "an Active stage. Valid stages are ['Staging', 'Production']");
  CHECK(caught([&] { registry.latest_versions("m", {"x"}); }).code == ErrorCode::kInvalidParameter);
  CHECK(caught([&] { registry.set_stage("m", 9, "None", false); }).code == ErrorCode::kNotFound);
}

TEST_CASE_FIXTURE(RegistryFixture, "a renamed model keeps its versions, aliases and tags") {
  add("old", "/1", "champion");
  registry.set_model_tag("old", "k", "v");
  registry.set_version_tag("old", 1, "k", "v");
  add("taken");
  const Caught taken = caught([&] { registry.rename_model("old", "taken"); });
  CHECK(taken.code == ErrorCode::kAlreadyExists);
  CHECK(taken.message == "Registered Model (name=taken) already exists.");
  CHECK(caught([&] { registry.rename_model("old", " "); }).message ==
        "Missing value for required parameter 'new_name'.");
  CHECK(caught([&] { registry.rename_model("old", "a/b"); }).code == ErrorCode::kInvalidParameter);
  const RegisteredModel renamed = registry.rename_model("old", "new");
  CHECK(renamed.name == "new");
  CHECK(renamed.tags.size() == 1);
  CHECK(renamed.latest_versions.at(0).name == "new");
  CHECK(registry.version_by_alias("new", "champion").tags.size() == 1);
  CHECK(caught([&] { registry.model("old"); }).code == ErrorCode::kNotFound);
  CHECK(registry.rename_model("new", "new").name == "new");
}

TEST_CASE_FIXTURE(RegistryFixture, "the history tells which aliases a deleted version had") {
  add("m", "/1", "champion");
  registry.set_alias("m", "beta", 1);
  registry.delete_version("m", 1);
  const Words events = told(registry, "m");
  REQUIRE(events.size() == 7);
  CHECK(events[4].find("delete_alias beta 1: 1 -> ") == 0);
  CHECK(events[5].find("delete_alias champion 1: 1 -> ") == 0);
  CHECK(events[6].find("delete_version 1") == 0);
}

TEST_CASE_FIXTURE(RegistryFixture, "a model with versions goes only with them") {
  add("m");
  const Caught refused = caught([&] { registry.delete_model("m", false); });
  CHECK(refused.code == ErrorCode::kConflict);
  CHECK(refused.message == "the model 'm' has versions, which would go with it");
  registry.delete_version("m", 1);
  registry.delete_model("m", false);
  CHECK(registry.search_models().items.empty());
}

TEST_CASE_FIXTURE(RegistryFixture, "a deleted model is gone with all that hangs on it") {
  add("m", "/1", "a");
  registry.set_version_tag("m", 1, "k", "v");
  registry.set_model_tag("m", "k", "v");
  registry.delete_model("m");
  CHECK(registry.search_models().items.empty());
  CHECK(registry.search_versions().items.empty());
  CHECK(caught([&] { registry.delete_model("m"); }).message ==
        "Registered Model with name=m not found");
  {
    Transaction transaction(*database, Transaction::Mode::kRead);
    for (const char* table :
         {"model_aliases", "model_version_tags", "registered_model_tags", "model_versions"}) {
      CAPTURE(table);
      auto rows = transaction.query(std::string("SELECT count(*) FROM ") + table);
      rows.step();
      CHECK(rows.integer(0) == 0);
    }
  }
  CHECK(add("m").version == 1);
}

TEST_CASE_FIXTURE(RegistryFixture, "descriptions and tags are set, replaced and deleted") {
  add("m");
  CHECK(registry.update_model("m", "text").description == "text");
  CHECK(registry.update_version("m", 1, "of one").description == "of one");
  CHECK(registry.update_version("m", 1, "").description.empty());
  registry.set_model_tag("m", "team", "edge");
  registry.set_model_tag("m", "team", "lab");
  registry.set_version_tag("m", 1, "team", "edge");
  registry.set_version_tag("m", 1, "team", "lab");
  CHECK(registry.model("m").tags.at(0).value == "lab");
  CHECK(registry.version("m", 1).tags.at(0).value == "lab");
  registry.delete_model_tag("m", "team");
  registry.delete_model_tag("m", "team");
  registry.delete_version_tag("m", 1, "team");
  registry.delete_version_tag("m", 1, "team");
  CHECK(registry.model("m").tags.empty());
  CHECK(registry.version("m", 1).tags.empty());
  CHECK(caught([&] { registry.set_version_tag("m", 2, "k", "v"); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { registry.delete_version_tag("m", 2, "k"); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { registry.delete_model_tag("x", "k"); }).code == ErrorCode::kNotFound);
}

TEST_CASE_FIXTURE(RegistryFixture,
                  "what is against the rules is refused before anything is stored") {
  const auto refused = [&](Registry::NewVersion version) {
    version.create_model = true;
    if (version.name.empty()) version.name = "m";
    if (version.source.empty()) version.source = "/m";
    const Caught error = caught([&] { registry.create_version(version); });
    CHECK(error.code == ErrorCode::kInvalidParameter);
    return error.message;
  };
  const auto with = [](auto member, auto value) {
    Registry::NewVersion version;
    version.*member = value;
    return version;
  };
  using New = Registry::NewVersion;
  using Tags = std::vector<mlrt::Tag>;
  CHECK(refused(with(&New::name, "a/b")) ==
        "Invalid model name 'a/b'. Names cannot contain '/' or ':'.");
  CHECK(refused(with(&New::alias, "latest")) ==
        "'latest' alias name (case insensitive) is reserved.");
  CHECK(refused(with(&New::alias, "V3")) == "Version alias name 'V3' is reserved.");
  CHECK(refused(with(&New::run_id, "bad id")) ==
        "Invalid value \"bad id\" for parameter 'run_id' supplied.");
  CHECK(refused(with(&New::model_id, "bad id")) ==
        "Invalid value \"bad id\" for parameter 'model_id' supplied.");
  CHECK(refused(with(&New::description, "\xff")) == "'description' is not valid UTF-8");
  CHECK(refused(with(&New::description, std::string((1 << 20) + 1, 'x'))) ==
        "'description' exceeds the maximum length of 1048576 bytes");
  CHECK(refused(with(&New::run_link, std::string(70000, 'x'))) ==
        "'run_link' exceeds the maximum length of 65535 bytes");
  CHECK(refused(with(&New::source, "\xff")) == "'source' is not valid UTF-8");
  CHECK(refused(with(&New::tags, Tags{{"a!", "v"}})).find("Names may only contain") !=
        std::string::npos);
  CHECK(refused(with(&New::tags, Tags{{std::string(251, 'k'), "v"}})) ==
        "'key' exceeds the maximum length of 250 characters");
  CHECK(refused(with(&New::tags, Tags{{"k", std::string(100001, 'v')}})) ==
        "'value' exceeds the maximum length of 100000 characters");
  Registry::NewVersion nowhere;
  nowhere.name = "m";
  CHECK(caught([&] { registry.create_version(nowhere); }).message ==
        "Missing value for required parameter 'source'.");
  CHECK(caught([&] { registry.create_model(""); }).message ==
        "Missing value for required parameter 'name'.");
  CHECK(caught([&] {
          registry.create_model("m", "", {{"", "v"}});
        }).code == ErrorCode::kInvalidParameter);
  CHECK(caught([&] { registry.acting_as("\xff"); }).message == "'user' is not valid UTF-8");
  CHECK(registry.search_models().items.empty());
  add("m");
  registry.set_model_tag("m", "k", std::string(100000, 'v'));
  CHECK(registry.model("m").tags.at(0).value.size() == 100000);
  CHECK(caught([&] { registry.set_alias("m", "a b", 1); }).has("Invalid alias name: 'a b'"));
  CHECK(caught([&] { registry.set_alias("m", "", 1); }).message ==
        "Registered model alias name cannot be empty.");
  CHECK(caught([&] { registry.model("a:b"); }).code == ErrorCode::kInvalidParameter);
  CHECK(caught([&] { registry.update_model("m", "\xff"); }).has("not valid UTF-8"));
}

TEST_CASE_FIXTURE(RegistryFixture, "what is not there is named, with the nearest name") {
  add("taxi-tips", "/1");
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { registry.model("taxi_tips"); },
           [&] { registry.version("taxi_tips", 1); },
           [&] { registry.versions("taxi_tips"); },
           [&] { registry.latest_version("taxi_tips"); },
           [&] { registry.latest_versions("taxi_tips"); },
           [&] { registry.version_by_alias("taxi_tips", "a"); },
           [&] { registry.version_by_uri("models:/taxi_tips@a"); },
           [&] { registry.rename_model("taxi_tips", "a"); },
           [&] { registry.update_model("taxi_tips", "a"); },
           [&] { registry.delete_model("taxi_tips"); },
           [&] { registry.update_version("taxi_tips", 1, "a"); },
           [&] { registry.delete_version("taxi_tips", 1); },
           [&] { registry.set_stage("taxi_tips", 1, "None"); },
           [&] { registry.set_model_tag("taxi_tips", "a", "b"); },
           [&] { registry.set_version_tag("taxi_tips", 1, "a", "b"); },
           [&] { registry.download_uri("taxi_tips", 1); },
           [&] { registry.lineage("taxi_tips", 1); },
           [&] { registry.history("taxi_tips"); },
           [&] { registry.set_alias("taxi_tips", "a", 1); },
           [&] { registry.delete_alias("taxi_tips", "a"); }}) {
    const Caught error = caught(call);
    CHECK(error.code == ErrorCode::kNotFound);
    CHECK(error.message ==
          "Registered Model with name=taxi_tips not found; did you mean 'taxi-tips'?");
  }
  const std::string message = "Model Version (name=taxi-tips, version=7) not found";
  for (const auto& call :
       std::vector<std::function<void()>>{[&] { registry.version("taxi-tips", 7); },
                                          [&] { registry.version_by_uri("models:/taxi-tips/7"); },
                                          [&] { registry.update_version("taxi-tips", 7, ""); },
                                          [&] { registry.set_stage("taxi-tips", 7, "None"); },
                                          [&] { registry.download_uri("taxi-tips", 7); },
                                          [&] { registry.lineage("taxi-tips", 7); },
                                          [&] { registry.set_alias("taxi-tips", "a", 7); }}) {
    CHECK(caught(call).message == message);
  }
}

TEST_CASE("a models URI has six forms") {
  CHECK(mlrt::parse_model_uri("models:/a b/12").version == 12);
  CHECK(mlrt::parse_model_uri("models:/a/12").name == "a");
  CHECK(mlrt::parse_model_uri("models:/a/LATEST").latest);
  CHECK(mlrt::parse_model_uri("models:/a/staging").stage == "Staging");
  CHECK(mlrt::parse_model_uri("models:/a@b@c").alias == "c");
  CHECK(mlrt::parse_model_uri("models:/a@b@c").name == "a@b");
  const std::string id = "m-" + std::string(32, 'a');
  CHECK(mlrt::parse_model_uri("models:/" + id).model_id == id);
  CHECK(mlrt::parse_model_uri("models:/" + id).name.empty());
  for (const char* bad :
       {"", "models:/", "models:a/1", "models:/a", "models:/a/", "models:/a/0", "models:/a/-1",
        "models:/a/+1", "models:/a/1.5", "models:/a/next", "models:/a/1/2", "models:/@b",
        "models:/a@", "models://a/1", "runs:/a/1", "models:/a/99999999999999999999"}) {
    CAPTURE(bad);
    const Caught error = caught([&] { mlrt::parse_model_uri(bad); });
    CHECK(error.code == ErrorCode::kInvalidParameter);
    CHECK(error.has("models:/<name>/<stage>"));
  }
}

TEST_CASE_FIXTURE(RegistryFixture, "a search finds by MLflow's language, page by page") {
  for (int i = 0; i < 5; ++i) {
    const std::string name = "net-" + std::to_string(i);
    registry.create_model(name, "", {{"team", i % 2 == 0 ? "edge" : "lab"}});
    for (int n = 0; n <= i; ++n) add(name, "/files/" + name);
  }
  registry.create_model("ask", "", {{mlrt::kPromptTag, "true"}});
  const auto names = [&](const std::string& filter, std::vector<std::string> order = {}) {
    SearchQuery query;
    query.filter = filter;
    query.order_by = std::move(order);
    Words found;
    for (const RegisteredModel& model : registry.search_models(query).items)
      found.push_back(model.name);
    return found;
  };
  CHECK(names("") == Words{"net-0", "net-1", "net-2", "net-3", "net-4"});
  CHECK(names("name LIKE 'net-%' AND tags.team = 'lab'") == Words{"net-1", "net-3"});
  CHECK(names("name IN ('net-0', 'net-9')") == Words{"net-0"});
  CHECK(names("name ILIKE 'NET-4'", {"name DESC"}) == Words{"net-4"});
  CHECK(names("tags.`mlflow.prompt.is_prompt` = 'true'") == Words{"ask"});
  CHECK(names("", {"name DESC"}).front() == "net-4");
  CHECK(caught([&] { names("nam = 'x'"); }).code == ErrorCode::kInvalidParameter);

  SearchQuery paged;
  paged.max_results = 2;
  Words all;
  for (;;) {
    const auto page = registry.search_models(paged);
    for (const RegisteredModel& model : page.items) all.push_back(model.name);
    if (page.next_page_token.empty()) break;
    paged.page_token = page.next_page_token;
  }
  CHECK(all.size() == 5);
  paged.max_results = 1001;
  CHECK(caught([&] { registry.search_models(paged); }).has("at most 1000"));

  const auto versions = [&](const std::string& filter, std::vector<std::string> order = {}) {
    SearchQuery query;
    query.filter = filter;
    query.order_by = std::move(order);
    Words found;
    for (const ModelVersion& version : registry.search_versions(query).items)
      found.push_back(version.name + "/" + std::to_string(version.version));
    return found;
  };
  registry.set_version_tag("net-3", 2, "k", "v");
  CHECK(versions("").size() == 15);
  CHECK(versions("name = 'net-3' AND version_number >= 3", {"version_number ASC"}) ==
        Words{"net-3/3", "net-3/4"});
  CHECK(versions("tags.k = 'v'") == Words{"net-3/2"});
  CHECK(versions("source_path LIKE '%net-1'").size() == 2);
  registry.delete_version("net-3", 2);
  CHECK(versions("tags.k = 'v'").empty());
  CHECK(versions("").size() == 14);
}

TEST_CASE_FIXTURE(RegistryFixture,
                  "the history tells who did what, through renames and deletions") {
  add("first", "/1", "champion");
  add("first", "/2", "champion");
  Registry bob = registry.acting_as("bob");
  bob.set_stage("first", 1, "Production");
  bob.set_stage("first", 1, "Production");
  bob.set_stage("first", 2, "Production", true);
  bob.rename_model("first", "second");
  bob.set_alias("second", "champion", 2);
  bob.delete_alias("second", "champion");
  bob.delete_alias("second", "champion");
  bob.delete_version("second", 1);
  const Words expected{"create_model by ann",
                       "create_version 1 by ann",
                       "set_alias champion 1:  -> 1 by ann",
                       "create_version 2 by ann",
                       "set_alias champion 2: 1 -> 2 by ann",
                       "set_stage 1: None -> Production by bob",
                       "set_stage 1: Production -> Archived by bob",
                       "set_stage 2: None -> Production by bob",
                       "rename_model: first -> second by bob",
                       "delete_alias champion 2: 2 ->  by bob",
                       "delete_version 1: Archived ->  by bob"};
  CHECK(told(registry, "second") == expected);
  CHECK(caught([&] { registry.history("first"); }).code == ErrorCode::kNotFound);
  const auto newest = registry.history("second", 2);
  REQUIRE(newest.size() == 2);
  CHECK(newest[0].action == "delete_version");
  CHECK(newest[0].name == "second");
  CHECK(std::llabs(newest[0].time_ms - mlrt::now_ms()) < 60000);
  CHECK(registry.history("second").back().name == "first");

  registry.create_model("first");
  CHECK(told(registry, "first") == Words{"create_model by ann"});
  registry.delete_model("second");
  CHECK(told(registry, "second").size() == expected.size() + 1);
  registry.create_model("second");
  const Words both = told(registry, "second");
  REQUIRE(both.size() == expected.size() + 2);
  CHECK(both[expected.size()] == "delete_model by ann");
  CHECK(both.back() == "create_model by ann");
  // A deleted model's number goes to no other one, so its history goes with none either.
  registry.rename_model("second", "third");
  CHECK(told(registry, "third") ==
        Words{"create_model by ann", "rename_model: second -> third by ann"});
  CHECK(told(registry, "second").size() == expected.size() + 1);
}

TEST_CASE_FIXTURE(RegistryFixture,
                  "a version of a logged model or version takes over where it is from") {
  mlrt::TrackingStore tracking(database, dir.path("artifacts"));
  mlrt::LoggedModels logged_models(database, dir.path("artifacts"));
  const std::string run = tracking.create_run({}).run_id;
  tracking.log_inputs(run, {{"trips", "d1", "local", "{}", "s", "p", "train"}});
  mlrt::LoggedModels::NewModel new_model;
  new_model.name = "tree";
  new_model.source_run_id = run;
  const std::string id = logged_models.create(new_model).model_id;

  const ModelVersion one = add("m", "models:/" + id);
  CHECK(one.run_id == run);
  CHECK(one.model_id == id);
  CHECK(registry.download_uri("m", 1) == "models:/" + id);
  registry.set_alias("m", "a", 1);
  const ModelVersion copy = add("copy", "models:/m@a");
  CHECK(copy.source == "models:/m@a");
  CHECK(copy.run_id == run);
  CHECK(copy.model_id == id);
  CHECK(registry.download_uri("copy", 1) == "models:/" + id);
  const auto tags = logged_models.get(id).tags;
  REQUIRE(tags.size() == 1);
  CHECK(tags[0].key == "mlflow.modelVersions");
  CHECK(tags[0].value ==
        "[{\"name\": \"m\", \"version\": 1}, {\"name\": \"copy\", \"version\": 1}]");
  registry.delete_model("m");
  CHECK(registry.download_uri("copy", 1) == "models:/" + id);

  const mlrt::ModelLineage lineage = registry.lineage("copy", 1);
  CHECK(lineage.version.name == "copy");
  CHECK(lineage.run_status == "RUNNING");
  CHECK(lineage.experiment_id == "0");
  CHECK(lineage.model_name == "tree");
  CHECK(lineage.model_status == "PENDING");
  REQUIRE(lineage.datasets.size() == 1);
  CHECK(lineage.datasets[0].name == "trips");
  CHECK(lineage.datasets[0].digest == "d1");
  CHECK(lineage.datasets[0].context == "train");
  add("plain");
  CHECK(registry.lineage("plain", 1).run_name.empty());
  CHECK(registry.lineage("plain", 1).datasets.empty());

  Registry::NewVersion by_id;
  by_id.name = "plain";
  by_id.source = "/m";
  by_id.model_id = id;
  CHECK(registry.create_version(by_id).run_id == run);
  const std::string absent = "models:/m-" + std::string(32, '0');
  const Caught no_model = caught([&] { add("x", absent); });
  CHECK(no_model.code == ErrorCode::kNotFound);
  CHECK(no_model.has("Unable to fetch model from model URI source artifact location '" + absent));
  CHECK(caught([&] { add("x", "models:/m/1"); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { add("x", "models:/m/what"); }).code == ErrorCode::kInvalidParameter);
  logged_models.remove(id);
  CHECK(caught([&] { add("x", "models:/" + id); }).code == ErrorCode::kNotFound);
  CHECK(caught([&] { registry.model("x"); }).code == ErrorCode::kNotFound);
}

TEST_CASE_FIXTURE(RegistryFixture, "a copied file goes with the last version that needs it") {
  const std::string folder = dir.path("artifacts") + "/models";
  mlrt::fs::make_folders(folder);
  const auto copy = [&](char digit, const std::string& where) {
    const std::string path = where + "/" + std::string(64, digit) + ".mlrt";
    if (mlrt::fs::is_folder(where)) mlrt::fs::write_file(path, "bytes");
    return path;
  };
  const std::string a = copy('a', folder), b = copy('b', folder), orphan = copy('c', folder);
  mlrt::fs::write_file(folder + "/other.mlrt", "not ours");
  add("m", a);
  add("m", copy('a', "/moved/models"));  // the same file, before the store was moved
  add("m", b);
  add("n", "models:/m/3");
  registry.delete_version("m", 1);
  CHECK(mlrt::fs::exists(a));
  registry.delete_version("m", 2);
  CHECK_FALSE(mlrt::fs::exists(a));
  registry.delete_model("m");
  CHECK(mlrt::fs::exists(b));
  registry.delete_version("n", 1);
  CHECK_FALSE(mlrt::fs::exists(b));
  CHECK(registry.collect_garbage(true) == 5);
  CHECK(mlrt::fs::exists(orphan));
  CHECK(registry.collect_garbage() == 5);
  CHECK_FALSE(mlrt::fs::exists(orphan));
  CHECK(registry.collect_garbage() == 0);
  CHECK(mlrt::fs::exists(folder + "/other.mlrt"));
  // A file that can't be removed does not undo the deletion.
  add("m", copy('d', folder));
  mlrt::fs::set_fault_hook(
      [](mlrt::fs::Op op, const std::string&) { return op == mlrt::fs::Op::kRemove ? EIO : 0; });
  registry.delete_model("m");
  mlrt::fs::set_fault_hook({});
  CHECK(caught([&] { registry.model("m"); }).code == ErrorCode::kNotFound);
  CHECK(registry.collect_garbage() == 5);
}

TEST_CASE_FIXTURE(RegistryFixture, "files are taken back when the version cannot be stored") {
  RecordingFiles files;
  Registry::NewVersion version;
  version.name = "m";
  version.source = "/1";
  version.create_model = true;
  version.files = &files;
  registry.create_version(version);
  CHECK(files.placed == 1);
  CHECK(files.taken_back == 0);
  files.fail = true;
  CHECK(caught([&] { registry.create_version(version); }).message == "no place");
  CHECK(files.taken_back == 0);
  CHECK(registry.latest_version("m").version == 1);
  files.fail = false;
  {
    Transaction transaction(*database, Transaction::Mode::kRead);
    auto limit = transaction.query("PRAGMA max_page_count = 1");
    limit.step();
  }
  version.description = std::string(200000, 'x');
  CHECK(caught([&] { registry.create_version(version); }).has("the disk is full"));
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
      Registry::NewVersion version;
      version.name = "m";
      version.source = "/x";
      version.alias = "newest";
      version.create_model = true;
      for (int n = 0; n < 25; ++n) registry.create_version(version);
    }));
  }
  for (pid_t child : children) CHECK(child_succeeded(child));
  Registry registry(Database::open(dir.path("s.db")));
  std::set<std::int64_t> versions;
  for (const ModelVersion& version : registry.versions("m")) versions.insert(version.version);
  CHECK(versions.size() == 100);
  CHECK(*versions.begin() == 1);
  CHECK(*versions.rbegin() == 100);
  CHECK(registry.version_by_alias("m", "newest").version == 100);
}
