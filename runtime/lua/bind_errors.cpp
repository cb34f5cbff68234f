// mlrt.native.errors: what the stdlib needs to raise errors as C++ does.

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/text.hpp"
#include "lua/bindings.hpp"
#include "lua/values.hpp"

namespace mlrt {
namespace {

// invalid(message): raises an error object with the code "invalid_parameter".
int errors_invalid(lua_State* L) {
  return guard(L, [=]() -> int {
    throw Error(ErrorCode::kInvalidParameter,
                std::string(LuaArgs(L, "errors.invalid").text(1, "message")));
  });
}

// did_you_mean(word, names): "; did you mean 'x'?" or "".
int errors_did_you_mean(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "errors.did_you_mean");
    const std::string_view word = args.text(1, "word");
    const std::string text = did_you_mean(word, args.texts(2, "names"));
    protect(L, [&](lua_State* P) { push_text(P, text); });
    return 1;
  });
}

}  // namespace

void open_errors_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {
      {"invalid", errors_invalid}, {"did_you_mean", errors_did_you_mean}, {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
}

}  // namespace mlrt
