#include "lua/server_config.hpp"

#include <string_view>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "lua/guard.hpp"
#include "lua/modules.hpp"
#include "lua/server_hook_thread.hpp"
#include "lua/values.hpp"

namespace mlrt {
namespace {

constexpr std::uint64_t kConfigMaxBytes = std::uint64_t{1} << 20;
constexpr lua_Integer kConfigMaxPort = 65535;

const std::vector<std::string>& config_names() {
  static const std::vector<std::string> names = {
      "host",          "port",       "store",      "artifacts_destination", "read_only",
      "allowed_hosts", "on_request", "on_run_end", "on_model_version"};
  return names;
}

// Reads the table that the file returned, at index 1.
class ConfigReader {
 public:
  ConfigReader(lua_State* L, std::string path) : state_(L), path_(std::move(path)) {}

  void read(ServerConfig& config, ServerHookState& hooks) {
    if (lua_type(state_, 1) != LUA_TTABLE) {
      fail("it must return a table of settings, but returned " + describe_value(state_, 1));
    }
    // Where the entries are read, values may be changed by no one: there is no Lua in between.
    lua_pushnil(state_);
    while (lua_next(state_, 1) != 0) {
      if (lua_type(state_, -2) != LUA_TSTRING) {
        fail("a setting's name must be a string, got " + describe_value(state_, -2));
      }
      read_entry(lua_tostring(state_, -2), config, hooks);
      lua_settop(state_, 2);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kInvalidParameter, path_ + ": " + what);
  }
  [[noreturn]] void wrong(const std::string& name, const char* wanted) const {
    fail("'" + name + "' must be " + wanted + ", got " + describe_value(state_, -1));
  }

  std::string text(const std::string& name, int index, const char* wanted) const {
    std::size_t size = 0;
    const char* bytes =
        lua_type(state_, index) == LUA_TSTRING ? lua_tolstring(state_, index, &size) : nullptr;
    if (bytes == nullptr || size == 0) wrong(name, wanted);
    return std::string(bytes, size);
  }

  std::vector<std::string> texts(const std::string& name) const {
    constexpr const char* kWanted = "a list of names";
    if (lua_type(state_, -1) != LUA_TTABLE) wrong(name, kWanted);
    std::vector<std::string> values;
    const auto count = static_cast<lua_Integer>(lua_rawlen(state_, -1));
    for (lua_Integer i = 1; i <= count; ++i) {
      lua_rawgeti(state_, -1, i);
      values.push_back(text(name, -1, kWanted));
      lua_pop(state_, 1);
    }
    return values;
  }

  int function(const std::string& name) {
    if (lua_type(state_, -1) != LUA_TFUNCTION) wrong(name, "a function");
    int place = LUA_NOREF;
    protect(state_, {-1}, [&place](lua_State* P) { place = luaL_ref(P, LUA_REGISTRYINDEX); });
    return place;
  }

  void read_entry(const std::string& name, ServerConfig& config, ServerHookState& hooks) {
    if (name == "host") {
      config.host = text(name, -1, "an address");
    } else if (name == "store") {
      config.store = text(name, -1, "a path");
    } else if (name == "artifacts_destination") {
      config.artifacts_destination = text(name, -1, "a path");
    } else if (name == "port") {
      int whole = 0;
      const bool number = lua_type(state_, -1) == LUA_TNUMBER;
      const lua_Integer port = number ? lua_tointegerx(state_, -1, &whole) : 0;
      if (whole == 0 || port < 0 || port > kConfigMaxPort) {
        wrong(name, "a whole number from 0 to 65535");
      }
      config.port = static_cast<int>(port);
    } else if (name == "read_only") {
      if (!lua_isboolean(state_, -1)) wrong(name, "true or false");
      config.read_only = lua_toboolean(state_, -1) != 0;
    } else if (name == "allowed_hosts") {
      config.allowed_hosts = texts(name);
    } else if (name == "on_request") {
      hooks.on_request = function(name);
    } else if (name == "on_run_end") {
      hooks.on_run_end = function(name);
    } else if (name == "on_model_version") {
      hooks.on_model_version = function(name);
    } else {
      fail("there is no setting " + quoted(name) + did_you_mean(name, config_names()));
    }
  }

  lua_State* state_;
  std::string path_;
};

}  // namespace

ServerConfig load_server_config(const std::string& path, const std::string& store,
                                const ServerHookLimits& limits) {
  const std::string text = fs::read_file(path, kConfigMaxBytes);
  const auto state = std::make_shared<ServerHookState>();
  state->limits = limits;
  state->script.store = store;
  state->script.script_folder = fs::parent(path);
  state->script.source_name = path;
  open_server_hook_state(*state);
  lua_State* L = state->script.main;
  const std::string chunk_name = "@" + path;
  int result = LUA_NOREF;
  call_server_hook(*state, monotonic_ms() + limits.load_ms, [&](lua_State* P) {
    if (load_lua_text(P, text, chunk_name.c_str()) != LUA_OK) lua_error(P);
    lua_call(P, 0, 1);
    result = luaL_ref(P, LUA_REGISTRYINDEX);
  });
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, result);
  ServerConfig config;
  ConfigReader(L, path).read(config, *state);
  lua_settop(L, 0);
  luaL_unref(L, LUA_REGISTRYINDEX, result);
  if (store.empty() && config.store) state->script.store = *config.store;
  const bool any = state->on_request != LUA_NOREF || state->on_run_end != LUA_NOREF ||
                   state->on_model_version != LUA_NOREF;
  if (any) config.hooks = start_server_hooks(state);
  return config;
}

}  // namespace mlrt
