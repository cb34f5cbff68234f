#include <memory>

#include "cli/command_spec.hpp"
#include "cli/server_command.hpp"

namespace mlrt {

void add_server_command(CLI::App& root, ChosenCommand& chosen) {
  const auto options = std::make_shared<ServerCommandOptions>();
  CLI::App* server = add_tree_command(
      root, "server", "Serve the store over HTTP, as MLflow's tracking server and model registry");
  server->add_option("--port", options->port, "the port (5000); 0 takes a free one and prints it")
      ->type_name("N");
  server
      ->add_option("--host", options->host,
                   "the loopback address to listen on (127.0.0.1): only this machine is served")
      ->type_name("ADDRESS");
  server
      ->add_option(
          "--artifacts-destination", options->artifacts_destination,
          "the folder of the artifacts; the store keeps it for all commands (beside the store)")
      ->type_name("DIR");
  server->add_flag("--read-only", options->read_only, "refuse all that would change the store");
  server
      ->add_option("--allowed-hosts", options->allowed_hosts,
                   "names, separated by commas, by which clients may call this machine")
      ->type_name("NAMES");
  server->add_option("--config", options->config, "a Lua file that returns settings and hooks")
      ->type_name("FILE");
  server->footer(
      "The store is made if it is not there. Settings come from the command line, else from the\n"
      "environment (MLRT_STORE, MLRT_HOST, MLRT_PORT, MLRT_ARTIFACTS_DESTINATION, MLRT_READ_ONLY,\n"
      "MLRT_ALLOWED_HOSTS, MLRT_CONFIG), else from the file, which returns a table:\n"
      "  return {\n"
      "    port = 8080, read_only = false,\n"
      "    on_request = function(request)      -- return a status and a message to refuse it\n"
      "      if request.method == \"DELETE\" then return 403, \"nothing is deleted here\" end\n"
      "    end,\n"
      "    on_run_end = function(run) print(run.name, run.status) end,\n"
      "    on_model_version = function(version) print(version.name, version.version) end,\n"
      "  }\n"
      "A hook that fails, or takes longer than 250 ms for a request, is logged and the request "
      "goes\n"
      "on: hooks are no access control. Ctrl-C or SIGTERM finishes the requests under way and "
      "stops.\n"
      "\n"
      "Examples:\n"
      "  mlrt server\n"
      "  mlrt server --store lab.db --port 8080\n"
      "  MLFLOW_TRACKING_URI=http://127.0.0.1:8080 python train.py");
  run_when_chosen(server, chosen, options, run_server);
}

}  // namespace mlrt
