#ifndef MLRT_SERVER_HOST_RULES_HPP_
#define MLRT_SERVER_HOST_RULES_HPP_

#include <string>
#include <string_view>
#include <vector>

#include "net/http.hpp"

namespace mlrt {

// Whom a server answers, against DNS rebinding: a web page in a local browser may point a name of
// its own at this machine, but it cannot change the Host and Origin that the browser sends.
//
// A Host may name localhost, 127.0.0.1, [::1], the host that is bound, or one of `allowed_hosts`. A
// server bound to an address that others can reach also accepts any IP address, since rebinding
// needs a name. An Origin, which only browsers send, may name the request's own host or one of
// those names, but not just any address. Ports do not matter. Immutable; any thread may use it.
class HostRules {
 public:
  // Throws kInvalidParameter for an allowed host that is none, such as "*" or one with a port.
  HostRules(std::string_view bound_host, const std::vector<std::string>& allowed_hosts);

  // Throws kPermissionDenied for a Host or Origin that is not ours. A request without a Host
  // (HTTP/1.0, no browser) passes.
  void check(const HttpRequest& request) const;

 private:
  bool is_named(const std::string& host) const;

  std::vector<std::string> names_;
  bool any_address_ = false;
};

// True if `host` can be reached from this machine only: localhost, 127.0.0.0/8, ::1.
bool is_loopback_host(std::string_view host);

// "[::1]" as "::1", the form in which a socket takes it; in small letters.
std::string host_bare(std::string_view host);

}  // namespace mlrt

#endif  // MLRT_SERVER_HOST_RULES_HPP_
