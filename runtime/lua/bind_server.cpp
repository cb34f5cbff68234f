// mlrt.native.server

#include <chrono>
#include <string>
#include <thread>

#include "api/scoring_service.hpp"
#include "core/interrupt.hpp"
#include "lua/bind_model.hpp"
#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/values.hpp"

namespace mlrt {

template <>
const HandleKind& handle_kind<ScoringService>() {
  static constexpr HandleKind kKind{"a server", "mlrt.Server"};
  return kKind;
}

namespace {

using ServerHandle = std::shared_ptr<ScoringService>;

constexpr int kServerPollMs = 50;

// serve(model, host, port)
int server_bind_serve(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "serve");
    const auto model = check_handle<const Model>(L, 1, args.name(), "model");
    ServeOptions options;
    options.host = args.text(2, "host", options.host.c_str());
    const std::int64_t port = args.integer(3, "port", options.port);
    if (port < 0 || port > 65535) {
      throw Error(
          ErrorCode::kInvalidParameter,
          "serve: 'port' must be from 0 (a free one) to 65535, got " + std::to_string(port));
    }
    options.port = static_cast<int>(port);
    const ServerHandle server = start_scoring_service(model, options);
    script_state(L).services.push_back(server);
    protect(L, [&](lua_State* P) { push_handle(P, server); });
    return 1;
  });
}

int server_bind_url(lua_State* L) {
  return guard(L, [=] {
    const std::string url = check_handle<ScoringService>(L, 1, "server.url")->url();
    protect(L, [&](lua_State* P) { push_text(P, url); });
    return 1;
  });
}

int server_bind_port(lua_State* L) {
  return guard(L, [=] {
    lua_pushinteger(L, check_handle<ScoringService>(L, 1, "server.port")->port());
    return 1;
  });
}

// stop(), __close: fine when it is stopped.
int server_bind_stop(lua_State* L) {
  return guard(L, [=] {
    ServerHandle* handle = test_handle<ScoringService>(L, 1);
    if (handle == nullptr)
      lua_handle::throw_wrong_type(L, 1, handle_kind<ScoringService>(), "server:stop", "self");
    if (*handle == nullptr) return 0;
    const ServerHandle server = std::move(*handle);
    handle->reset();
    server->stop();
    return 0;
  });
}

// wait(): until the script is interrupted.
int server_bind_wait(lua_State* L) {
  return guard(L, [=]() -> int {
    const ServerHandle server = check_handle<ScoringService>(L, 1, "server:wait");
    for (;;) {
      check_interrupt();
      std::this_thread::sleep_for(std::chrono::milliseconds(kServerPollMs));
    }
  });
}

}  // namespace

void open_server_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"serve", server_bind_serve}, {nullptr, nullptr}};
  static const luaL_Reg kMethods[] = {
      {"stop", server_bind_stop}, {"wait", server_bind_wait}, {nullptr, nullptr}};
  static const luaL_Reg kGetters[] = {
      {"url", server_bind_url}, {"port", server_bind_port}, {nullptr, nullptr}};
  static const luaL_Reg kMeta[] = {
      {"__close", server_bind_stop}, {"__gc", close_handle<ScoringService>}, {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
  lua_handle::make_metatable(L, handle_kind<ScoringService>(), kMethods, kGetters, kMeta);
  lua_setfield(L, -2, "methods");
}

}  // namespace mlrt
