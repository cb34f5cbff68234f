#ifndef MLRT_LUA_MODULES_HPP_
#define MLRT_LUA_MODULES_HPP_

// Internal to lua/: `require`.

#include <string>
#include <string_view>

#include "lua/embedded.hpp"
#include "lua/lua_api.hpp"

namespace mlrt {

// Opens Lua's standard libraries, with `require` looking into the script's folder, then
// package.path (empty unless a script sets it), then the overlay, then the embedded stdlib; and
// with an os.exit that first ends what the script left open. C modules cannot be loaded. May raise
// a Lua error.
void open_modules(lua_State* L);

// The file of that path below stdlib/, or null.
const EmbeddedFile* find_embedded(std::string_view name);

// Compiles Lua source (never bytecode, which could crash the process) and pushes the function, or
// an error text, as luaL_loadbuffer does; a first line that starts with '#' is skipped. May raise a
// Lua error.
int load_lua_text(lua_State* L, std::string_view text, const char* chunk_name);

}  // namespace mlrt

#endif  // MLRT_LUA_MODULES_HPP_
