// mlrt.native.http

#include <string>
#include <string_view>

#include "core/text.hpp"
#include "lua/bindings.hpp"
#include "lua/values.hpp"
#include "net/client.hpp"

namespace mlrt {
namespace {

// request(method, url, headers, body, timeout_ms): {status, body, headers}
int http_bind_request(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "http");
    const std::string_view method = args.text(1, "method");
    const std::string_view url = args.text(2, "url");
    HttpFields headers;
    for (auto& header : args.text_map(3, "headers"))
      headers.emplace_back(header.first, header.second);
    const std::string body = args.text(4, "body", "");
    const std::int64_t timeout_ms = args.integer(5, "timeout_ms", HttpClientOptions().timeout_ms);
    if (timeout_ms < 1)
      throw Error(ErrorCode::kInvalidParameter, "http: 'timeout_ms' must be at least 1");
    HttpResponse response = http_request(method, url, headers, body, timeout_ms);
    for (auto& header : response.headers) header.first = to_lower(header.first);
    protect(L, [&](lua_State* P) {
      lua_createtable(P, 0, 3);
      set_integer(P, "status", response.status);
      set_text(P, "body", response.body);
      lua_createtable(P, 0, static_cast<int>(response.headers.size()));
      if (!response.content_type.empty()) set_text(P, "content-type", response.content_type);
      for (const auto& header : response.headers) {
        push_text(P, header.first);
        push_text(P, header.second);
        lua_rawset(P, -3);
      }
      lua_setfield(P, -2, "headers");
    });
    return 1;
  });
}

}  // namespace

void open_http_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"request", http_bind_request}, {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
}

}  // namespace mlrt
