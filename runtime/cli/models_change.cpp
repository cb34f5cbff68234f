// The commands that change registered models.

#include <algorithm>

#include "api/session.hpp"
#include "cli/models_command.hpp"
#include "cli/output.hpp"
#include "cli/store_access.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "tracking/rules.hpp"

namespace mlrt {
namespace {

std::string named_version(const std::string& name, std::int64_t version) {
  return "version " + std::to_string(version) + " of " + quoted(name, 500);
}

}  // namespace

void run_models_register(const GlobalOptions& global, const ModelsRegisterOptions& options) {
  const std::vector<Tag> tags = read_tag_words("--tag", options.tags);
  // Before a store is made for it.
  if (options.source.find(':') == std::string::npos && !fs::exists(options.source))
    throw Error(ErrorCode::kNotFound, "there is no model at " + quoted(options.source, 300));
  Session session = open_store(global, true);
  const std::string run =
      options.run.empty() ? std::string() : find_run_id(session.tracking(), options.run);
  const ModelVersion version = session.register_model(options.source, options.name, options.alias,
                                                      run, options.description, tags);
  print_out("registered " + named_version(version.name, version.version) +
            (version.aliases.empty() ? "" : ", alias " + join(version.aliases, ", ")) + "\n");
}

void run_models_rename(const GlobalOptions& global, const std::string& name,
                       const std::string& new_name) {
  const Session session = open_store(global);
  const std::string before = read_model_name(name), after = read_model_name(new_name);
  session.registry().rename_model(before, after);
  print_out("renamed " + quoted(before, 500) + " to " + quoted(after, 500) + "\n");
}

void run_models_describe(const GlobalOptions& global, const std::string& model,
                         const std::string& text) {
  const Session session = open_store(global);
  Registry& registry = session.registry();
  const ModelWord word = read_model_word(registry, model);
  if (word.version > 0) {
    registry.update_version(word.name, word.version, text);
    print_out("described " + named_version(word.name, word.version) + "\n");
  } else {
    registry.update_model(word.name, text);
    print_out("described " + quoted(word.name, 500) + "\n");
  }
}

void run_models_alias(const GlobalOptions& global, const ModelsAliasOptions& options) {
  const Session session = open_store(global);
  Registry& registry = session.registry();
  if (options.remove) {
    const ModelWord word = read_model_word(registry, options.model);
    const std::int64_t version = registry.delete_alias(word.name, options.alias, word.version);
    print_out(version == 0
                  ? "there is no alias " + options.alias + " on " + quoted(word.name, 500) + "\n"
                  : "alias " + options.alias + " taken off " + named_version(word.name, version) +
                        "\n");
    return;
  }
  const ModelVersion version = read_version_word(registry, options.model);
  registry.set_alias(version.name, options.alias, version.version);
  print_out("alias " + options.alias + " stands on " +
            named_version(version.name, version.version) + "\n");
}

void run_models_stage(const GlobalOptions& global, const ModelsStageOptions& options) {
  const Session session = open_store(global);
  Registry& registry = session.registry();
  const ModelVersion before = read_version_word(registry, options.model);
  const ModelVersion after =
      registry.set_stage(before.name, before.version, options.stage, options.archive_existing);
  print_out(named_version(after.name, after.version) +
            (before.stage == after.stage
                 ? " was in " + after.stage + " already\n"
                 : " moved from " + before.stage + " to " + after.stage + "\n"));
}

void run_models_tag(const GlobalOptions& global, const ModelsTagOptions& options) {
  const std::vector<Tag> tags = read_tag_words("models tag", options.tags);
  if (tags.empty() && options.removed.empty())
    throw Error(ErrorCode::kUsage, "give a tag as KEY=VALUE, or --delete KEY");
  const Session session = open_store(global);
  Registry& registry = session.registry();
  const ModelWord word = read_model_word(registry, options.model);
  // All or none: what could be refused is checked first.
  for (const Tag& tag : tags) check_registry_tag(tag);
  for (const std::string& key : options.removed) check_key(key, "key");
  for (const Tag& tag : tags) {
    if (word.version > 0) registry.set_version_tag(word.name, word.version, tag.key, tag.value);
    if (word.version == 0) registry.set_model_tag(word.name, tag.key, tag.value);
  }
  // Told by what there was: removing what is not there is no mistake.
  const std::vector<Tag> before = word.version > 0 ? registry.version(word.name, word.version).tags
                                                   : registry.model(word.name).tags;
  const std::string named =
      word.version > 0 ? named_version(word.name, word.version) : quoted(word.name, 500);
  std::string told = tags.empty() ? "" : "tagged " + named + "\n";
  for (const std::string& key : options.removed) {
    const bool was_there =
        std::any_of(before.begin(), before.end(), [&](const Tag& tag) { return tag.key == key; });
    told += (was_there ? "removed the tag " : "there is no tag ") + quoted(key) +
            (was_there ? " of " : " on ") + named + "\n";
    if (word.version > 0) registry.delete_version_tag(word.name, word.version, key);
    if (word.version == 0) registry.delete_model_tag(word.name, key);
  }
  print_out(told);
}

void run_models_delete(const GlobalOptions& global, const ModelsDeleteOptions& options) {
  const Session session = open_store(global);
  Registry& registry = session.registry();
  const ModelWord word = read_model_word(registry, options.model);
  if (word.version > 0) {
    registry.delete_version(word.name, word.version);
    print_out("deleted " + named_version(word.name, word.version) + " for good\n");
    return;
  }
  const std::size_t versions = registry.versions(word.name).size();
  if (versions > 0 && !options.all_versions) {
    throw Error(ErrorCode::kConflict, quoted(word.name, 500) + " has " + std::to_string(versions) +
                                          (versions == 1 ? " version, which" : " versions, which") +
                                          " --all-versions deletes with it, for good");
  }
  registry.delete_model(word.name, options.all_versions);
  print_out("deleted " + quoted(word.name, 500) + " for good\n");
}

}  // namespace mlrt
