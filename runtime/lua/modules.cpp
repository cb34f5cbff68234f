#include "lua/modules.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/fs.hpp"
#include "core/text.hpp"
#include "lua/guard.hpp"
#include "lua/script_state.hpp"

namespace mlrt {
namespace {

constexpr std::uint64_t kLuaSourceMaxBytes = std::uint64_t{64} << 20;

struct FoundModule {
  std::string text;        // the source
  std::string chunk_name;  // for messages
  std::string place;       // what `require` hands to the module as its second argument
  bool found = false;
};

bool module_try_file(const std::string& path, FoundModule& module,
                     std::vector<std::string>& tried) {
  if (!fs::is_file(path)) {
    tried.push_back("no file " + quoted(path, 200));
    return false;
  }
  module.text = fs::read_file(path, kLuaSourceMaxBytes);
  module.place = path;
  module.chunk_name = "@" + path;
  module.found = true;
  return true;
}

std::string module_replaced(const std::string& text, char from, const std::string& to) {
  std::string result;
  for (char c : text) {
    if (c == from) {
      result += to;
    } else {
      result += c;
    }
  }
  return result;
}

FoundModule module_find(const ScriptState& state, const std::string& name,
                        const std::string& package_path, std::vector<std::string>& tried) {
  FoundModule module;
  const std::string relative = module_replaced(name, '.', "/");
  const std::vector<std::string> files = {relative + ".lua", relative + "/init.lua"};
  if (!state.script_folder.empty()) {
    for (const std::string& file : files) {
      if (module_try_file(state.script_folder == "." ? file : fs::join(state.script_folder, file),
                          module, tried)) {
        return module;
      }
    }
  }
  for (const std::string& pattern : split(package_path, ';')) {
    if (!pattern.empty() && module_try_file(module_replaced(pattern, '?', relative), module, tried))
      return module;
  }
  // The stdlib's chunks have one name wherever they come from, so that errors skip them
  // (guard.cpp).
  for (const std::string& file : files) {
    if (!fs::is_safe_relative(file)) continue;
    if (!state.overlay.empty() && module_try_file(fs::join(state.overlay, file), module, tried)) {
      module.chunk_name = "=mlrt:" + file;
      return module;
    }
  }
  for (const std::string& file : files) {
    if (const EmbeddedFile* embedded = find_embedded(file)) {
      module.text.assign(reinterpret_cast<const char*>(embedded->data), embedded->size_bytes);
      module.place = "mlrt:" + file;
      module.chunk_name = "=mlrt:" + file;
      module.found = true;
      return module;
    }
  }
  tried.push_back("no module " + quoted(name, 200) + " in mlrt");
  return module;
}

// The searcher: name -> loader, place; or a text that says where it looked. Upvalue: the table
// `package`.
int module_search(lua_State* L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_getfield(L, lua_upvalueindex(1), "path");
  return guard(L, [=] {
    std::size_t size = 0;
    const char* bytes = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &size) : "";
    const std::string name(bytes, size);
    const std::string path = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    std::vector<std::string> tried;
    const FoundModule module = module_find(script_state(L), name, path, tried);
    if (!module.found) {
      const std::string text = join(tried, "\n\t");
      protect(L, [&](lua_State* P) { lua_pushlstring(P, text.data(), text.size()); });
      return 1;
    }
    protect(L, [&](lua_State* P) {
      if (load_lua_text(P, module.text, module.chunk_name.c_str()) != LUA_OK) lua_error(P);
      lua_pushlstring(P, module.place.data(), module.place.size());
    });
    return 2;
  });
}

// os.exit(code): ends what is open first; the process then ends without closing the Lua state.
int module_exit(lua_State* L) {
  const int code = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE)
                                       : static_cast<int>(luaL_optinteger(L, 1, EXIT_SUCCESS));
  return guard(L, [=]() -> int {
    ScriptState& state = script_state(L);
    state.end_open(code == EXIT_SUCCESS ? RunStatus::kFinished : RunStatus::kFailed);
    state.remove_autolog();
    state.open_session
        .reset();  // so that the store is closed in an orderly way, if no handle holds it
    std::fflush(nullptr);
    std::exit(code);
  });
}

}  // namespace

const EmbeddedFile* find_embedded(std::string_view name) {
  const EmbeddedFile* end = kEmbeddedFiles + kEmbeddedFileCount;
  const EmbeddedFile* found = std::lower_bound(
      kEmbeddedFiles, end, name,
      [](const EmbeddedFile& file, std::string_view key) { return file.name < key; });
  return found != end && found->name == name ? found : nullptr;
}

int load_lua_text(lua_State* L, std::string_view text, const char* chunk_name) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  if (!text.empty() && text.front() == '#')
    text.remove_prefix(std::min(text.find('\n'), text.size()));
  return luaL_loadbufferx(L, text.data(), text.size(), chunk_name, "t");
}

void open_modules(lua_State* L) {
  luaL_openlibs(L);
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_pushliteral(L, "");
  lua_setfield(L, -2, "path");
  lua_pushliteral(L, "");
  lua_setfield(L, -2, "cpath");
  lua_pushnil(L);
  lua_setfield(L, -2, "loadlib");
  lua_getfield(L, -1, "searchers");
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, module_search, 1);
  lua_rawseti(L, -2, 2);
  for (int i = static_cast<int>(lua_rawlen(L, -1)); i > 2; --i) {
    lua_pushnil(L);
    lua_rawseti(L, -2, i);
  }
  lua_pop(L, 2);
  lua_getglobal(L, LUA_OSLIBNAME);
  lua_pushcfunction(L, module_exit);
  lua_setfield(L, -2, "exit");
  lua_pop(L, 1);
}

}  // namespace mlrt
