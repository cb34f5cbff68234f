#include <memory>
#include <string>

#include "cli/command_spec.hpp"
#include "cli/models_command.hpp"
#include "cli/serve_command.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

constexpr long long kServeMaxPort = 65535;

struct ServeWords {
  ServeCommandOptions serve;
  std::string port, allowed_hosts;
};

}  // namespace

void add_models_commands(CLI::App& root, ChosenCommand& chosen) {
  CLI::App* models = add_tree_command(root, "models", "The registered models in the store");
  CLI::App* list = add_tree_command(*models, "list", "List models, their versions and aliases");
  const auto options = std::make_shared<ModelsListOptions>();
  add_output_flags(*list, options->output);
  list->footer("Example:\n  mlrt models list --json");
  run_when_chosen(list, chosen, options, run_models_list);
}

void add_serve_command(CLI::App& root, ChosenCommand& chosen) {
  const auto words = std::make_shared<ServeWords>();
  CLI::App* serve = add_tree_command(
      root, "serve", "Answer scoring requests over HTTP, as MLflow's scoring server");
  needed(serve->add_option(
      "MODEL", words->serve.model,
      "a bundle, a model folder, models:/NAME/VERSION, models:/NAME@ALIAS or runs:/ID/PATH"));
  serve->add_option("--port", words->port, "the port (5000); 0 takes a free one and prints it")
      ->type_name("N");
  serve
      ->add_option("--host", words->serve.host,
                   "the address to listen on (127.0.0.1, this machine only)")
      ->type_name("ADDRESS");
  serve
      ->add_option("--allowed-hosts", words->allowed_hosts,
                   "names, separated by commas, by which clients may call this machine")
      ->type_name("NAMES");
  serve->footer(
      "Routes: GET /ping, /health, /version; POST /invocations (application/json or text/csv).\n"
      "Ctrl-C or SIGTERM finishes the requests under way and stops.\n"
      "With --host 0.0.0.0 other machines can ask too: there is no authentication. They may call "
      "this\n"
      "machine by any of its addresses, and by the names that --allowed-hosts gives.\n"
      "\n"
      "Examples:\n"
      "  mlrt serve taxi-tips.mlrt --port 8080\n"
      "  mlrt serve models:/taxi-tips@champion --port 0\n"
      "  curl http://127.0.0.1:8080/invocations -H 'Content-Type: application/json' \\\n"
      "    -d '{\"dataframe_records\": [{\"trip_miles\": 2.5, \"fare\": 9.25, "
      "\"trip_seconds\": 540,\n"
      "         \"payment_type\": \"Credit Card\"}]}'");
  run_when_chosen(serve, chosen, words, [](const GlobalOptions& global, ServeWords& given) {
    if (!given.port.empty()) {
      given.serve.port =
          static_cast<int>(read_option_number("--port", given.port, 0, kServeMaxPort));
    }
    for (const std::string& name : split(given.allowed_hosts, ',')) {
      if (!trim(name).empty()) given.serve.allowed_hosts.emplace_back(trim(name));
    }
    run_serve(global, given.serve);
  });
}

}  // namespace mlrt
