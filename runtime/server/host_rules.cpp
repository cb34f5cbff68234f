#include "server/host_rules.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

bool host_is_ipv4(const std::string& host) {
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool host_is_ipv6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool host_is_port(std::string_view text) {
  return text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "Host", "host:80", "[::1]:80" or "host." as "host" or "::1"; empty for what is no host.
std::string host_without_port(std::string_view text) {
  std::string_view host = text;
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return {};
    host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && (rest.front() != ':' || !host_is_port(rest.substr(1)))) return {};
    return host_is_ipv6(std::string(host)) ? to_lower(host) : std::string();
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    if (!host_is_port(text.substr(colon + 1))) return {};
    host = text.substr(0, colon);
  }
  if (ends_with(host, ".")) host.remove_suffix(1);
  return to_lower(host);
}

// The host of "http://host:port"; empty for anything else, "null" included.
std::string host_of_origin(std::string_view origin) {
  const std::size_t scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos) return {};
  return host_without_port(origin.substr(scheme_end + 3));
}

}  // namespace

std::string host_bare(std::string_view host) {
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    return to_lower(host.substr(1, host.size() - 2));
  }
  return to_lower(host);
}

bool is_loopback_host(std::string_view host) {
  const std::string bare = host_bare(host);
  return bare == "localhost" || bare == "::1" || (starts_with(bare, "127.") && host_is_ipv4(bare));
}

HostRules::HostRules(std::string_view bound_host, const std::vector<std::string>& allowed_hosts)
    : names_{"localhost", "127.0.0.1", "::1"}, any_address_(!is_loopback_host(bound_host)) {
  names_.push_back(host_bare(bound_host));
  for (const std::string& host : allowed_hosts) {
    names_.push_back(host_bare(host));
    if (names_.back().find_first_of("*/ ") == std::string::npos &&
        (names_.back().find(':') == std::string::npos || host_is_ipv6(names_.back()))) {
      continue;
    }
    throw Error(ErrorCode::kInvalidParameter,
                "the allowed host " + quoted(host) +
                    " is not the name of one: write each whole and without its port, as in "
                    "lab.example,10.0.0.5");
  }
}

bool HostRules::is_named(const std::string& host) const {
  return std::find(names_.begin(), names_.end(), host) != names_.end();
}

void HostRules::check(const HttpRequest& request) const {
  const std::string_view host_header = trim(request.header("Host"));
  const std::string host = host_without_port(host_header);
  if (!host_header.empty()) {
    const bool address = any_address_ && (host_is_ipv4(host) || host_is_ipv6(host));
    if (host.empty() || !(is_named(host) || address)) {
      throw Error(ErrorCode::kPermissionDenied, "this server does not answer for the host " +
                                                    quoted(host_header) +
                                                    "; start it with --allowed-hosts to add names");
    }
  }
  const std::string_view origin = trim(request.header("Origin"));
  if (origin.empty()) return;
  const std::string origin_host = host_of_origin(origin);
  if (origin_host.empty() || !(origin_host == host || is_named(origin_host))) {
    throw Error(ErrorCode::kPermissionDenied,
                "this server does not answer pages of the origin " + quoted(origin));
  }
}

}  // namespace mlrt
