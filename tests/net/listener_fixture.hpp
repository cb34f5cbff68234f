#ifndef MLRT_TESTS_NET_LISTENER_FIXTURE_HPP_
#define MLRT_TESTS_NET_LISTENER_FIXTURE_HPP_

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "net/listener.hpp"

namespace mlrt {
namespace test {

inline void listener_test_sleep_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

// Waits until `condition` holds; false if it does not within ten seconds.
template <typename Condition>
bool listener_test_until(Condition condition) {
  const std::int64_t deadline_ms = monotonic_ms() + 10000;
  while (!condition()) {
    if (monotonic_ms() > deadline_ms) return false;
    listener_test_sleep_ms(2);
  }
  return true;
}

inline Router listener_test_router() {
  Router router;
  router.add("GET", "/hello", [](const HttpRequest&, const PathParams&) {
    HttpResponse response;
    response.content_type = "text/plain";
    response.body = "hello";
    return response;
  });
  router.add("POST", "/echo", [](const HttpRequest& request, const PathParams&) {
    HttpResponse response;
    response.content_type = std::string(request.header("content-type"));
    response.body = request.body;
    response.set_header("X-Remote", request.remote_address);
    return response;
  });
  router.add("GET", "/empty", [](const HttpRequest&, const PathParams&) {
    HttpResponse response;
    response.status = 204;
    return response;
  });
  router.add("GET", "/throws", [](const HttpRequest&, const PathParams&) -> HttpResponse {
    throw std::runtime_error("secret");
  });
  router.add("GET", "/slow", [](const HttpRequest&, const PathParams&) {
    listener_test_sleep_ms(300);
    HttpResponse response;
    response.body = "slow";
    return response;
  });
  return router;
}

inline ListenerOptions listener_test_options() {
  ListenerOptions options;
  options.shutdown_grace_ms = 2000;
  return options;
}

struct ListenerTestServer {
  explicit ListenerTestServer(const ListenerOptions& options = listener_test_options())
      : listener(options, listener_test_router()) {
    listener.start();
  }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(listener.port()) + path;
  }
  Listener listener;
};

// What the listener says of slow and refused clients is not for the test's output.
struct ListenerTestQuiet {
  ListenerTestQuiet() { set_log(LogLevel::kOff, LogFormat::kText); }
  ~ListenerTestQuiet() { set_log(LogLevel::kWarn, LogFormat::kText); }
};

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_NET_LISTENER_FIXTURE_HPP_
