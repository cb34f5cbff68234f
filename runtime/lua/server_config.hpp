#ifndef MLRT_LUA_SERVER_CONFIG_HPP_
#define MLRT_LUA_SERVER_CONFIG_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/server_hooks.hpp"

namespace mlrt {

// What hooks may take. They run one after the other on one thread.
struct ServerHookLimits {
  std::int64_t load_ms = 10000;   // for the file itself
  std::int64_t request_ms = 250;  // on_request, with the time that it waits for the thread
  std::int64_t event_ms = 10000;  // on_run_end, on_model_version
  std::int64_t stop_ms = 3000;    // at the end, for the events that still wait
  std::uint64_t memory_bytes = std::uint64_t{64} << 20;
  std::size_t waiting_events = 1000;  // beyond, new ones are dropped
};

struct ServerConfig {
  std::optional<std::string> host, store, artifacts_destination;
  std::optional<int> port;
  std::optional<bool> read_only;
  std::optional<std::vector<std::string>> allowed_hosts;
  std::shared_ptr<ServerHooks> hooks;  // null when the file has none
};

// Runs the Lua file `path`, which returns a table of settings by the names above and of hooks:
//   on_request(request)  returns nothing or true to let it go on; or a status from 400 to 599, or
//                        false (403), and a message, to refuse it. `request` has method, path,
//                        query, headers (names in lower case) and remote_address.
//   on_run_end(run), on_model_version(version)  records as the store's functions return them
// They may use all of mlrt; the store they see is `store`, else the file's, else the usual one.
//
// A hook cannot take the server down. One that raises an error, returns something else, runs into
// its time or memory, or waits for one that hangs is logged, at most once a second, and the request
// goes on as if there were no hook: hooks watch and guide, they are no access control. An event
// that finds no room is dropped, and logged.
//
// Throws kNotFound and kIo for the file, kScript with its line when it fails, kInvalidParameter
// that names what is wrong in the table. The hooks keep working until they are destroyed, which
// takes up to stop_ms.
ServerConfig load_server_config(const std::string& path, const std::string& store = "",
                                const ServerHookLimits& limits = {});

}  // namespace mlrt

#endif  // MLRT_LUA_SERVER_CONFIG_HPP_
