#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <random>

#include "registry/registry.hpp"
#include "store/database.hpp"
#include "store/store_testing.hpp"
#include "support/temp_dir.hpp"

using mlrt::Database;
using mlrt::ModelVersion;
using mlrt::RegisteredModel;
using mlrt::Registry;
using mlrt::test::caught;
using mlrt::test::TempDir;

namespace {

using PlainTags = std::map<std::string, std::string>;

// What the registry should hold, in plain containers and with the rules written down a second time.
struct PlainVersion {
  std::string description, stage = "None";
  PlainTags tags;
};

struct PlainModel {
  std::string description;
  PlainTags tags;
  std::map<std::int64_t, PlainVersion> versions;
  std::map<std::string, std::int64_t> aliases;
  std::int64_t highest = 0;  // of all versions there ever were
  std::size_t events = 0;
};

struct PlainRegistry {
  std::map<std::string, PlainModel> models;
  std::map<std::string, std::size_t> deleted_events;  // of models deleted under the name
};

PlainTags plain_tags(const std::vector<mlrt::Tag>& tags) {
  PlainTags map;
  for (const mlrt::Tag& tag : tags) map[tag.key] = tag.value;
  return map;
}

void compare_version(const ModelVersion& found, const std::string& name, std::int64_t number,
                     const PlainModel& model) {
  const PlainVersion& expected = model.versions.at(number);
  CHECK(found.name == name);
  CHECK(found.version == number);
  CHECK(found.stage == expected.stage);
  CHECK(found.description == expected.description);
  CHECK(plain_tags(found.tags) == expected.tags);
  std::vector<std::string> aliases;
  for (const auto& [alias, version] : model.aliases) {
    if (version == number) aliases.push_back(alias);
  }
  CHECK(found.aliases == aliases);
}

void compare_with_plain(const Registry& registry, const PlainRegistry& plain) {
  const auto models = registry.search_models().items;
  REQUIRE(models.size() == plain.models.size());
  std::size_t versions = 0;
  auto found = models.begin();
  for (const auto& [name, expected] : plain.models) {
    CAPTURE(name);
    CHECK(found->name == name);
    CHECK(found->description == expected.description);
    CHECK(plain_tags(found->tags) == expected.tags);
    std::map<std::string, std::int64_t> aliases;
    for (const auto& alias : found->aliases) aliases[alias.alias] = alias.version;
    CHECK(aliases == expected.aliases);
    std::map<std::string, std::int64_t> latest, expected_latest;
    for (const ModelVersion& version : found->latest_versions)
      latest[version.stage] = version.version;
    for (const auto& [number, version] : expected.versions) expected_latest[version.stage] = number;
    CHECK(latest == expected_latest);
    const std::vector<ModelVersion> all = registry.versions(name);
    REQUIRE(all.size() == expected.versions.size());
    auto version = all.rbegin();
    for (const auto& entry : expected.versions)
      compare_version(*version++, name, entry.first, expected);
    versions += all.size();
    const auto deleted = plain.deleted_events.find(name);
    CHECK(registry.history(name).size() ==
          expected.events + (deleted == plain.deleted_events.end() ? 0 : deleted->second));
    ++found;
  }
  CHECK(registry.search_versions().items.size() == versions);
}

}  // namespace

TEST_CASE("a registry agrees with a plain model over random calls, also after it is reopened") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](unsigned limit) { return static_cast<int>(random() % limit); };
    const auto word = [&](unsigned limit) {
      return std::string(1, static_cast<char>('a' + below(limit)));
    };
    TempDir dir;
    PlainRegistry plain;
    std::optional<Registry> registry(Database::open(dir.path("s.db")));
    const char* stages[] = {"None", "Staging", "Production", "Archived"};
    const auto works = [](const auto& action, bool expected) {
      CHECK(caught(action).message.empty() == expected);
      return expected;
    };
    for (int call = 0; call < 800; ++call) {
      if (call % 50 == 49) compare_with_plain(*registry, plain);
      const std::string name = "m" + word(5);
      const auto model = plain.models.find(name);
      const bool there = model != plain.models.end();
      const std::int64_t number = 1 + below(6);
      const bool has_version = there && model->second.versions.count(number) != 0;
      const std::string key = word(3), value = word(9);
      switch (below(13)) {
        case 0:
          if (works([&] { registry->create_model(name, value, {{key, value}}); }, !there))
            plain.models[name] = {value, {{key, value}}, {}, {}, 0, 1};
          break;
        case 1: {
          const std::string to = "m" + word(5);
          if (!works([&] { registry->rename_model(name, to); },
                     there && (to == name || plain.models.count(to) == 0)) ||
              to == name)
            break;
          ++model->second.events;
          PlainModel moved = std::move(model->second);
          plain.models.erase(model);
          plain.models[to] = std::move(moved);
          break;
        }
        case 2:
          if (below(4) != 0) break;
          if (works([&] { registry->delete_model(name); }, there)) {
            plain.deleted_events[name] += model->second.events + 1;
            plain.models.erase(model);
          }
          break;
        case 3:
        case 4: {
          Registry::NewVersion version;
          version.name = name;
          version.source = "/" + value;
          version.description = value;
          version.tags = {{key, value}};
          version.create_model = below(3) == 0;
          if (below(3) == 0) version.alias = word(3);
          if (!works([&] { registry->create_version(version); }, there || version.create_model))
            break;
          PlainModel& changed = plain.models[name];
          changed.events += there ? 1 : 2;
          const std::int64_t next = ++changed.highest;
          changed.versions[next] = {value, "None", {{key, value}}};
          if (!version.alias.empty()) {
            changed.aliases[version.alias] = next;
            ++changed.events;
          }
          break;
        }
        case 5:
          if (works([&] { registry->delete_version(name, number); }, has_version)) {
            model->second.versions.erase(number);
            ++model->second.events;
            auto& aliases = model->second.aliases;
            for (auto alias = aliases.begin(); alias != aliases.end();) {
              if (alias->second == number) ++model->second.events;
              alias = alias->second == number ? aliases.erase(alias) : std::next(alias);
            }
          }
          break;
        case 6: {
          const std::string stage = stages[below(4)];
          const bool archive = below(2) == 0;
          const bool active = stage == "Staging" || stage == "Production";
          if (!works([&] { registry->set_stage(name, number, stage, archive); },
                     has_version && (active || !archive)))
            break;
          for (auto& [other, version] : model->second.versions) {
            if (!archive || other == number || version.stage != stage) continue;
            version.stage = "Archived";
            ++model->second.events;
          }
          if (model->second.versions[number].stage != stage) ++model->second.events;
          model->second.versions[number].stage = stage;
          break;
        }
        case 7:
          if (works([&] { registry->set_alias(name, key, number); }, has_version)) {
            std::int64_t& place = model->second.aliases[key];
            if (place != number) ++model->second.events;
            place = number;
          }
          break;
        case 8:
          if (works([&] { registry->delete_alias(name, key); }, there))
            model->second.events += model->second.aliases.erase(key);
          break;
        case 9:
          if (works([&] { registry->set_model_tag(name, key, value); }, there))
            model->second.tags[key] = value;
          if (works([&] { registry->set_version_tag(name, number, key, value); }, has_version))
            model->second.versions[number].tags[key] = value;
          break;
        case 10:
          if (works([&] { registry->delete_model_tag(name, key); }, there))
            model->second.tags.erase(key);
          if (works([&] { registry->delete_version_tag(name, number, key); }, has_version))
            model->second.versions[number].tags.erase(key);
          break;
        case 11:
          if (works([&] { registry->update_model(name, value); }, there))
            model->second.description = value;
          if (works([&] { registry->update_version(name, number, value); }, has_version))
            model->second.versions[number].description = value;
          break;
        default:
          if (below(5) != 0) break;
          registry.reset();
          registry.emplace(Database::open(dir.path("s.db")));
          break;
      }
    }
    compare_with_plain(*registry, plain);
    registry.reset();
    registry.emplace(Database::open(dir.path("s.db")));
    compare_with_plain(*registry, plain);
  }
}
