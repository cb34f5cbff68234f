#include "cli/server_command.hpp"

#include <stdio.h>

#include <cstdlib>
#include <vector>

#include "api/session.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "lua/server_config.hpp"
#include "net/listener.hpp"
#include "server/host_rules.hpp"
#include "server/tracking_server.hpp"
#include "tracking/rules.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace mlrt {
namespace {

constexpr long long kServerMaxPort = 65535;
constexpr int kServerTrimPauseMs = 15000;

// What a busy minute took goes back to the system: glibc keeps what threads that are gone have
// freed.
void server_trim_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

std::string server_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string server_setting(const std::string& given, const char* variable) {
  return given.empty() ? server_environment(variable) : given;
}

int server_port(const std::string& text, const char* where) {
  long long port = 0;
  if (!parse_int64(text, port) || port < 0 || port > kServerMaxPort) {
    throw Error(ErrorCode::kUsage,
                std::string(where) + " takes a whole number from 0 to 65535, not " + quoted(text));
  }
  return static_cast<int>(port);
}

bool server_switch(const std::string& text, const char* where) {
  const std::string word = to_lower(text);
  for (const char* on : {"1", "true", "yes", "on"}) {
    if (word == on) return true;
  }
  for (const char* off : {"0", "false", "no", "off"}) {
    if (word == off) return false;
  }
  throw Error(ErrorCode::kUsage, std::string(where) + " is true or false, not " + quoted(text));
}

// What the command line, the environment and the file say together.
struct ServerSettings {
  SessionOptions session;
  TrackingServerOptions server;
};

ServerSettings read_server_settings(const GlobalOptions& global,
                                    const ServerCommandOptions& options) {
  ServerSettings all;
  all.session.store = server_setting(global.store, "MLRT_STORE");
  ServerConfig config;
  const std::string file = server_setting(options.config, "MLRT_CONFIG");
  if (!file.empty()) config = load_server_config(file, all.session.store);
  if (all.session.store.empty() && config.store) all.session.store = *config.store;
  if (all.session.store.empty()) all.session.store = "mlrt.db";

  std::string text = server_setting(options.artifacts_destination, "MLRT_ARTIFACTS_DESTINATION");
  if (text.empty() && config.artifacts_destination) text = *config.artifacts_destination;
  if (!text.empty()) all.session.artifact_root = checked_artifact_location(text);

  TrackingServerOptions& server = all.server;
  text = server_setting(options.host, "MLRT_HOST");
  if (text.empty() && config.host) text = *config.host;
  if (!text.empty()) server.host = text;
  text = server_environment("MLRT_PORT");
  if (config.port) server.port = *config.port;
  if (!text.empty()) server.port = server_port(text, "MLRT_PORT");
  if (!options.port.empty()) server.port = server_port(options.port, "--port");
  text = server_environment("MLRT_READ_ONLY");
  if (config.read_only) server.read_only = *config.read_only;
  if (!text.empty()) server.read_only = server_switch(text, "MLRT_READ_ONLY");
  server.read_only = server.read_only || options.read_only;
  text = server_setting(options.allowed_hosts, "MLRT_ALLOWED_HOSTS");
  if (text.empty() && config.allowed_hosts) server.allowed_hosts = *config.allowed_hosts;
  for (const std::string& name : split(text, ',')) {
    if (!trim(name).empty()) server.allowed_hosts.emplace_back(trim(name));
  }
  server.hooks = config.hooks;
  all.session.must_exist = server.read_only;
  all.session.keep_artifact_root = !server.read_only;
  return all;
}

// As a shell takes it.
std::string server_shell_word(const std::string& text) {
  if (text.find_first_of(" \t'\"\\$&|;<>()*?[]#~`!{}") == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::string server_greeting(const std::string& url, const std::string& store, bool is_new,
                            const std::string& artifacts, bool read_only) {
  std::string text = "mlrt: tracking server at " + url + " (Ctrl-C stops)\n  store      " + store +
                     (is_new ? " (new)" : "") + (read_only ? " (read-only)" : "") +
                     "\n  artifacts  " + artifacts + "\n\n";
  text += read_only ? "Read it with\n" : "Log to it with\n";
  text += "  Python  mlflow.set_tracking_uri(\"" + url + "\")\n";
  text += "  curl    curl -X POST " + url +
          (read_only ? "/api/2.0/mlflow/experiments/search" : "/api/2.0/mlflow/runs/create") +
          " \\\n            -H 'Content-Type: application/json' -d '" +
          (read_only ? "{\"max_results\": 10}" : "{\"experiment_id\": \"0\"}") + "'\n";
  text += "  Lua     mlrt --store " + server_shell_word(store) +
          " script.lua    (on this machine: the same store)\n";
  return text;
}

}  // namespace

void run_server(const GlobalOptions& global, const ServerCommandOptions& options) {
  StopSignals signals;
  raise_descriptor_limit();
  setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // what hooks print is to be seen at once
  const ServerSettings settings = read_server_settings(global, options);
  check_tracking_server_options(settings.server);  // before a store is made
  check_port_is_free(host_bare(settings.server.host), settings.server.port);
  if (!settings.session.artifact_root.empty() && !settings.server.read_only)
    check_artifact_root(settings.session.artifact_root);
  const std::string store = fs::absolute(settings.session.store);
  const bool is_new = !fs::exists(store);
  const Session session(settings.session);
  TrackingServer server(session, settings.server);
  print_out(server_greeting(server.url(), store, is_new,
                            fs::absolute(session.tracking().artifact_root()),
                            settings.server.read_only));
  while (!signals.wait_ms(kServerTrimPauseMs)) server_trim_memory();
  signals.let_through();
  server.stop();
}

}  // namespace mlrt
