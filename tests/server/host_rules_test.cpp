#include "server/host_rules.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/error.hpp"

namespace mlrt {
namespace {

bool host_passes(const HostRules& rules, const char* host, const char* origin = nullptr) {
  HttpRequest request;
  if (host != nullptr) request.headers.emplace_back("Host", host);
  if (origin != nullptr) request.headers.emplace_back("Origin", origin);
  try {
    rules.check(request);
    return true;
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kPermissionDenied);
    return false;
  }
}

}  // namespace

TEST_CASE("a loopback server answers for loopback names only, whatever the port") {
  const HostRules rules("127.0.0.1", {"box.local"});
  for (const char* host : {"localhost", "LOCALHOST:5000", "127.0.0.1", "127.0.0.1:80", "[::1]",
                           "[::1]:8080", "localhost.", "box.local", "Box.Local:99"}) {
    CHECK_MESSAGE(host_passes(rules, host), host);
  }
  for (const char* host :
       {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.5", "[::2]",
        "localhost:80:80", "localhost:port", "[::1", "[::1]x", ":80", "::1", "0.0.0.0",
        "localhost@evil.example", "localhost/evil"}) {
    CHECK_MESSAGE(!host_passes(rules, host), host);
  }
  CHECK(host_passes(rules, nullptr));
}

TEST_CASE("a server that others can reach answers for any address, but for its own names only") {
  const HostRules rules("0.0.0.0", {"box"});
  for (const char* host : {"192.168.1.5:8080", "[fe80::1]:8080", "10.0.0.1", "localhost", "box"}) {
    CHECK_MESSAGE(host_passes(rules, host), host);
  }
  for (const char* host : {"evil.example", "1.2.3", "1.2.3.4.5", "[1.2.3.4]"}) {
    CHECK_MESSAGE(!host_passes(rules, host), host);
  }
}

TEST_CASE("a browser's Origin must be this server or a name of its own") {
  const HostRules rules("0.0.0.0", {"box"});
  CHECK(host_passes(rules, "192.168.1.5:8080", "http://192.168.1.5:8080"));
  CHECK(host_passes(rules, "192.168.1.5:8080", "http://box"));
  CHECK(host_passes(rules, "localhost:1", "http://127.0.0.1:3000"));
  CHECK_FALSE(host_passes(rules, "192.168.1.5:8080", "http://6.6.6.6"));
  CHECK_FALSE(host_passes(rules, "localhost", "https://evil.example"));
  CHECK_FALSE(host_passes(rules, "localhost", "null"));
  CHECK_FALSE(host_passes(rules, "localhost", "localhost"));
}

TEST_CASE("an allowed host that could never be met is refused") {
  for (const char* good : {"box", "Box.lan", "10.0.0.5", "[fe80::1]", "fe80::1"}) {
    CAPTURE(good);
    CHECK_NOTHROW(HostRules("127.0.0.1", {good}));
  }
  for (const char* bad : {"*", "*.lan", "box:8080", "http://box", "a b"}) {
    CAPTURE(bad);
    CHECK_THROWS_WITH_AS(HostRules("127.0.0.1", {"box", bad}),
                         doctest::Contains("each whole and without its port"), Error);
  }
}

TEST_CASE("loopback hosts are told from those that others can reach") {
  for (const char* host : {"localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"})
    CHECK(is_loopback_host(host));
  for (const char* host : {"0.0.0.0", "::", "192.168.1.5", "127.evil.example", ""}) {
    CHECK_FALSE(is_loopback_host(host));
  }
}

}  // namespace mlrt
