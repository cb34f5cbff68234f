#include "cli/models_command.hpp"

#include <string>
#include <utility>
#include <vector>

#include "api/session.hpp"
#include "cli/output.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"
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

std::string models_json_text(const std::vector<RegisteredModel>& models) {
  OrderedJson list = OrderedJson::array();
  for (const RegisteredModel& model : models) {
    OrderedJson item;
    item["name"] = model.name;
    item["description"] = model.description;
    item["creation_timestamp"] = model.creation_time_ms;
    item["last_updated_timestamp"] = model.last_update_time_ms;
    item["versions"] = OrderedJson::array();
    for (const ModelVersion& version : model.versions) {
      OrderedJson entry;
      entry["version"] = version.version;
      entry["aliases"] = version.aliases;
      entry["creation_timestamp"] = version.creation_time_ms;
      entry["run_id"] = version.run_id;
      entry["source"] = version.source;
      entry["description"] = version.description;
      item["versions"].push_back(std::move(entry));
    }
    list.push_back(std::move(item));
  }
  return list.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace

void run_models_list(const GlobalOptions& global, const ModelsListOptions& options) {
  SessionOptions session_options;
  session_options.store = global.store;
  session_options.must_exist = true;
  const Session session(session_options);
  const std::vector<RegisteredModel> models = session.registry().list_models();
  if (options.json) {
    print_out(models_json_text(models));
  } else if (models.empty()) {
    print_out("no registered models in " + session.store() + "\n");
  } else {
    print_out(models_table_text(models));
  }
}

}  // namespace mlrt
