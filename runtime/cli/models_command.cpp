#include "cli/models_command.hpp"

#include <string>
#include <utility>
#include <vector>

#include "cli/output.hpp"
#include "cli/store_access.hpp"
#include "core/clock.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

std::string models_table_text(const std::vector<RegisteredModel>& models) {
  TextTable table({{"NAME"},
                   {"VERSION", TextTable::Align::kRight},
                   {"ALIASES"},
                   {"CREATED (UTC)"},
                   {"RUN ID"},
                   {"SOURCE"}});
  for (const RegisteredModel& model : models) {
    if (model.versions.empty()) table.add({model.name, "-"});
    for (const ModelVersion& version : model.versions) {
      table.add({model.name, std::to_string(version.version), join(version.aliases, ", "),
                 format_time_ms(version.creation_time_ms), version.run_id, version.source});
    }
  }
  return table.text();
}

OrderedJson version_json(const ModelVersion& version) {
  OrderedJson entry;
  entry["version"] = version.version;
  entry["aliases"] = version.aliases;
  entry["creation_timestamp"] = version.creation_time_ms;
  entry["run_id"] = version.run_id;
  entry["source"] = version.source;
  entry["description"] = version.description;
  return entry;
}

std::string models_json_text(const std::vector<RegisteredModel>& models) {
  OrderedJson list = OrderedJson::array();
  for (const RegisteredModel& model : models) {
    OrderedJson item;
    item["name"] = model.name;
    item["description"] = model.description;
    item["creation_timestamp"] = model.creation_time_ms;
    item["last_updated_timestamp"] = model.last_update_time_ms;
    item["versions"] = OrderedJson::array();
    for (const ModelVersion& version : model.versions)
      item["versions"].push_back(version_json(version));
    list.push_back(std::move(item));
  }
  return json_text(list);
}

OrderedJson named_version_json(const std::string& name, const ModelVersion& version) {
  OrderedJson row;
  row["name"] = name;
  row.update(version_json(version));
  row["aliases"] = join(version.aliases, " ");
  return row;
}

std::string models_csv_text(const std::vector<RegisteredModel>& models) {
  OrderedJson list = OrderedJson::array();
  for (const RegisteredModel& model : models) {
    if (model.versions.empty()) list.push_back({{"name", model.name}});
    for (const ModelVersion& version : model.versions)
      list.push_back(named_version_json(model.name, version));
  }
  return json_as_csv(named_version_json("", ModelVersion()), list);
}

}  // namespace

void run_models_list(const GlobalOptions& global, const ModelsListOptions& options) {
  const OutputForm form = output_form(options.output);
  const Session session = open_store(global);
  const std::vector<RegisteredModel> models = session.registry().list_models();
  if (form == OutputForm::kJson) {
    print_out(models_json_text(models));
  } else if (form == OutputForm::kCsv) {
    print_out(models_csv_text(models));
  } else if (models.empty()) {
    print_out("no registered models in " + session.store() + "\n");
  } else {
    print_out(models_table_text(models));
  }
}

}  // namespace mlrt
