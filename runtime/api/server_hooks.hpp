#ifndef MLRT_API_SERVER_HOOKS_HPP_
#define MLRT_API_SERVER_HOOKS_HPP_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "registry/registry.hpp"
#include "tracking/records.hpp"

namespace mlrt {

// What a hook sees of a request. The body is not part of it: it may still be on its way.
struct HookRequest {
  std::string method;
  std::string path;  // decoded
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string remote_address;
};

// What a hook answers in the server's place.
struct HookRefusal {
  int status = 403;  // 400 to 599
  std::string message;
};

// What someone has to say about the work of a tracking server. The server and Lua, in which hooks
// are written, do not know each other: this joins them. Called from many threads at once; must not
// throw, and must come back soon whatever the hook does.
class ServerHooks {
 public:
  virtual ~ServerHooks() = default;
  // Before a request is handled; none lets it go on.
  virtual std::optional<HookRefusal> on_request(const HookRequest& request) = 0;
  // After the change is in the store. They return at once; what they start happens later.
  virtual void on_run_end(const RunRecord& run) = 0;
  virtual void on_model_version(const ModelVersion& version) = 0;
};

}  // namespace mlrt

#endif  // MLRT_API_SERVER_HOOKS_HPP_
