#include "cli/models_command.hpp"

#include <utility>

#include "cli/output.hpp"
#include "cli/run_output.hpp"
#include "cli/store_access.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "tracking/logged_model_rows.hpp"

namespace mlrt {
namespace {

OrderedJson models_tags_json(const std::vector<Tag>& tags) {
  OrderedJson object = OrderedJson::object();
  for (const Tag& tag : tags) object[tag.key] = tag.value;
  return object;
}

OrderedJson version_json(const ModelVersion& version) {
  OrderedJson entry;
  entry["version"] = version.version;
  entry["current_stage"] = version.stage;
  entry["aliases"] = version.aliases;
  entry["creation_timestamp"] = version.creation_time_ms;
  entry["last_updated_timestamp"] = version.last_update_time_ms;
  entry["user_id"] = version.user;
  entry["run_id"] = version.run_id;
  entry["model_id"] = version.model_id;
  entry["run_link"] = version.run_link;
  entry["source"] = version.source;
  entry["description"] = version.description;
  entry["tags"] = models_tags_json(version.tags);
  return entry;
}

OrderedJson named_version_json(const ModelVersion& version, OutputForm form) {
  OrderedJson row;
  row["name"] = version.name;
  row.update(version_json(version));
  if (form == OutputForm::kCsv) row["aliases"] = join(version.aliases, " ");
  return row;
}

OrderedJson model_json(const RegisteredModel& model, const std::vector<ModelVersion>& versions) {
  OrderedJson item;
  item["name"] = model.name;
  item["description"] = model.description;
  item["creation_timestamp"] = model.creation_time_ms;
  item["last_updated_timestamp"] = model.last_update_time_ms;
  item["tags"] = models_tags_json(model.tags);
  item["versions"] = OrderedJson::array();
  for (const ModelVersion& version : versions) item["versions"].push_back(version_json(version));
  return item;
}

TextTable models_table() {
  return TextTable({{"NAME"},
                    {"VERSION", TextTable::Align::kRight},
                    {"STAGE"},
                    {"ALIASES"},
                    {"CREATED (UTC)"},
                    {"RUN ID"},
                    {"SOURCE"}});
}

void models_add_row(TextTable& table, const ModelVersion& version) {
  table.add({version.name, std::to_string(version.version),
             version.stage == "None" ? "" : version.stage, join(version.aliases, ", "),
             format_time_ms(version.creation_time_ms), version.run_id, version.source});
}

std::string model_description(const RegisteredModel& model,
                              const std::vector<ModelVersion>& versions) {
  TextTable head({{"Model"}, {model.name}});
  if (!model.description.empty()) head.add({"Description", described_value(model.description)});
  head.add({"Created", format_time_ms(model.creation_time_ms) + " UTC"});
  head.add({"Updated", format_time_ms(model.last_update_time_ms) + " UTC"});
  for (const Tag& tag : model.tags) head.add({"Tag " + tag.key, described_value(tag.value)});
  std::string out = head.text();
  TextTable table = models_table();
  for (const ModelVersion& version : versions) models_add_row(table, version);
  append_block(out, "Versions", table.text(), versions.empty());
  return out;
}

std::string version_description(const ModelLineage& lineage) {
  const ModelVersion& version = lineage.version;
  TextTable head({{"Model"}, {version.name}});
  const auto add = [&](const char* title, const std::string& text) {
    if (!text.empty()) head.add({title, text});
  };
  add("Version", std::to_string(version.version));
  add("Stage", version.stage);
  add("Aliases", join(version.aliases, ", "));
  add("Description", described_value(version.description));
  add("Registered", format_time_ms(version.creation_time_ms) + " UTC" +
                        (version.user.empty() ? "" : " by " + version.user));
  add("Updated", format_time_ms(version.last_update_time_ms) + " UTC");
  add("Source", version.source);
  const auto of_store = [](const std::string& name, const std::string& status) {
    return status.empty() ? " (not in this store)" : " (" + name + ", " + status + ")";
  };
  if (!version.run_id.empty())
    add("Run", version.run_id + of_store(lineage.run_name, lineage.run_status));
  add("Run link", version.run_link);
  if (!version.model_id.empty())
    add("Logged model", version.model_id + of_store(lineage.model_name, lineage.model_status));
  for (const Tag& tag : version.tags) head.add({"Tag " + tag.key, described_value(tag.value)});
  std::string out = head.text();
  TextTable table({{"NAME"}, {"DIGEST"}, {"CONTEXT"}, {"SOURCE"}});
  for (const DatasetInput& dataset : lineage.datasets)
    table.add({dataset.name, dataset.digest, dataset.context, described_value(dataset.source)});
  append_block(out, "Data sets of its run", table.text(), lineage.datasets.empty());
  return out;
}

OrderedJson lineage_json(const ModelLineage& lineage, OutputForm form) {
  OrderedJson item = named_version_json(lineage.version, form);
  item["run_name"] = lineage.run_name;
  item["run_status"] = lineage.run_status;
  item["experiment_id"] = lineage.experiment_id;
  item["model_name"] = lineage.model_name;
  item["datasets"] = OrderedJson::array();
  for (const DatasetInput& dataset : lineage.datasets) {
    OrderedJson row;
    row["name"] = dataset.name;
    row["digest"] = dataset.digest;
    row["context"] = dataset.context;
    row["source_type"] = dataset.source_type;
    row["source"] = dataset.source;
    item["datasets"].push_back(std::move(row));
  }
  return item;
}

OrderedJson event_json(const RegistryEvent& event) {
  OrderedJson item;
  item["time"] = event.time_ms;
  item["user"] = event.user;
  item["action"] = event.action;
  item["name"] = event.name;
  item["version"] = event.version;
  item["alias"] = event.alias;
  item["before"] = event.before;
  item["after"] = event.after;
  return item;
}

std::string event_text(const RegistryEvent& event) {
  const std::string version = "version " + std::to_string(event.version);
  if (event.action == "create_model") return "created";
  if (event.action == "rename_model")
    return "renamed from " + quoted(event.before, 500) + " to " + quoted(event.after, 500);
  if (event.action == "delete_model") return "deleted, with all versions";
  if (event.action == "create_version") return version + " registered";
  if (event.action == "delete_version") return version + " deleted";
  if (event.action == "set_stage") return version + ": " + event.before + " -> " + event.after;
  if (event.action == "delete_alias") return "alias " + event.alias + " taken off " + version;
  return "alias " + event.alias + ": " +
         (event.before.empty() ? version : event.before + " -> " + event.after);
}

bool models_has_name(const Registry& registry, const std::string& name) {
  try {
    registry.model(name);
    return true;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) return false;
    throw;
  }
}

// There is a model "a@b": then the model "a" must have no alias "b", or nobody knows what is meant.
void models_refuse_ambiguous(const Registry& registry, const std::string& uri) {
  ModelVersion version;
  try {
    version = registry.version_by_uri(uri);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound || error.code() == ErrorCode::kInvalidParameter)
      return;
    throw;
  }
  const std::string number = std::to_string(version.version);
  throw Error(ErrorCode::kUsage,
              quoted(uri.substr(8), 300) + " could be the model of that name or version " + number +
                  " of " + quoted(version.name, 300) + ", by its alias: name the version as " +
                  quoted(version.name + "/" + number, 300) +
                  ", and the model once that alias is gone");
}

}  // namespace

ModelWord read_model_word(const Registry& registry, const std::string& word) {
  if (starts_with(word, "runs:") ||
      (starts_with(word, "models:/") && is_logged_model_id(word.substr(8)))) {
    throw Error(ErrorCode::kInvalidParameter,
                quoted(word, 300) +
                    " is a model's files, not a registered model: this takes NAME, NAME/3, "
                    "NAME/latest, NAME/Production or NAME@champion");
  }
  const std::string uri = starts_with(word, "models:/") ? word : "models:/" + word;
  const std::string name = uri.substr(8);
  // Without a '/' or '@' it is a name; a name may have an '@' in it.
  if (name.find('/') == std::string::npos &&
      (name.find('@') == std::string::npos || models_has_name(registry, name))) {
    if (name.find('@') != std::string::npos) models_refuse_ambiguous(registry, uri);
    return {name, 0};
  }
  const ModelVersion version = registry.version_by_uri(uri);
  return {version.name, version.version};
}

std::string read_model_name(const std::string& word) {
  return starts_with(word, "models:/") ? word.substr(8) : word;
}

ModelVersion read_version_word(const Registry& registry, const std::string& word) {
  const ModelWord found = read_model_word(registry, word);
  if (found.version > 0) return registry.version(found.name, found.version);
  throw Error(ErrorCode::kUsage, quoted(word, 300) + " names no version: that would be " +
                                     quoted(found.name + "/3", 300) + ", " +
                                     quoted(found.name + "/Production", 300) + " or " +
                                     quoted(found.name + "@champion", 300));
}

void run_models_search(const GlobalOptions& global, const ModelsSearchOptions& options) {
  const OutputForm form = output_form(options.output);
  SearchQuery query;
  query.filter = options.filter;
  query.order_by = options.order_by;
  const Session session = open_store(global);
  const Registry& registry = session.registry();
  TextTable table = models_table();
  OrderedJson list = OrderedJson::array();
  const auto add = [&](const ModelVersion& version) {
    models_add_row(table, version);
    list.push_back(named_version_json(version, form));
  };
  if (options.versions) {
    for (const ModelVersion& version : search_pages<ModelVersion>(
             query, options.max_results,
             [&](const SearchQuery& page) { return registry.search_versions(page); })) {
      add(version);
    }
  } else {
    for (const RegisteredModel& model : search_pages<RegisteredModel>(
             query, options.max_results,
             [&](const SearchQuery& page) { return registry.search_models(page); })) {
      const std::vector<ModelVersion> versions = registry.versions(model.name);
      if (form == OutputForm::kJson) {
        list.push_back(model_json(model, versions));
        continue;
      }
      if (versions.empty()) {
        table.add({model.name, "-"});
        OrderedJson row;
        row["name"] = model.name;
        list.push_back(std::move(row));
      }
      for (const ModelVersion& version : versions) add(version);
    }
  }
  print_listing(form, table, named_version_json(ModelVersion(), OutputForm::kCsv), list,
                (options.versions         ? "no versions match in "
                 : options.filter.empty() ? "no registered models in "
                                          : "no registered models match in ") +
                    session.store());
}

void run_models_show(const GlobalOptions& global, const std::string& model,
                     const OutputFlags& output) {
  const OutputForm form = output_form(output);
  const Session session = open_store(global);
  const Registry& registry = session.registry();
  const ModelWord word = read_model_word(registry, model);
  OrderedJson item;
  std::string text;
  if (word.version > 0) {
    const ModelLineage lineage = registry.lineage(word.name, word.version);
    text = version_description(lineage);
    item = lineage_json(lineage, form);
  } else {
    const RegisteredModel found = registry.model(word.name);
    const std::vector<ModelVersion> versions = registry.versions(word.name);
    text = model_description(found, versions);
    item = model_json(found, versions);
  }
  print_out(form == OutputForm::kTable  ? text
            : form == OutputForm::kJson ? json_text(item)
                                        : json_as_csv(item, OrderedJson::array({item})));
}

void run_models_history(const GlobalOptions& global, const ModelsHistoryOptions& options) {
  const OutputForm form = output_form(options.output);
  const Session session = open_store(global);
  TextTable table({{"WHEN (UTC)"}, {"WHO"}, {"WHAT"}});
  OrderedJson list = OrderedJson::array();
  const std::string name = read_model_name(options.name);
  for (const RegistryEvent& event : session.registry().history(name, options.max_results)) {
    table.add({format_time_ms(event.time_ms), event.user, event_text(event)});
    list.push_back(event_json(event));
  }
  print_listing(form, table, event_json(RegistryEvent()), list,
                "nothing is known of the history of " + quoted(name, 500));
}

}  // namespace mlrt
