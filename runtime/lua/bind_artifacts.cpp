// mlrt.native.artifacts: the files of runs and logged models.

#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/text.hpp"
#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/tracking_values.hpp"

namespace mlrt {
namespace {

struct ScriptArtifact {
  std::string owner, path;
};

// What stands at `index`: a run or logged model, or "runs:/<id>/<path>" or "models:/m-.../<path>";
// the path at `index` + 1 goes below that.
ScriptArtifact artifacts_read_place(lua_State* L, const LuaArgs& args, int index) {
  ScriptArtifact place;
  const std::string path = args.text(index + 1, "path", "");
  std::string uri;
  if (lua_type(L, index) == LUA_TSTRING) uri = std::string(args.text(index, "run"));
  std::size_t prefix = 0;
  if (starts_with(uri, "runs:/")) prefix = 6;
  if (starts_with(uri, "models:/m-")) prefix = 8;
  if (prefix == 0) {
    if (uri.find(":/") != std::string::npos) {
      throw Error(ErrorCode::kInvalidParameter,
                  std::string(args.name()) +
                      ": artifacts are found by a run, its id, "
                      "runs:/<run id>/<path> or models:/m-<id>/<path>; got " +
                      quoted(uri, 300));
    }
    place.owner = read_owner_id(L, args, index, "run");
    place.path = path;
    return place;
  }
  const std::size_t slash = uri.find('/', prefix);
  place.owner = uri.substr(prefix, slash == std::string::npos ? slash : slash - prefix);
  if (slash != std::string::npos) place.path = uri.substr(slash + 1);
  if (!path.empty()) place.path += (place.path.empty() ? "" : "/") + path;
  return place;
}

void artifacts_push_info(lua_State* L, const ArtifactInfo& info) {
  lua_createtable(L, 0, 4);
  set_text(L, "path", info.path);
  lua_pushboolean(L, info.is_folder);
  lua_setfield(L, -2, "is_folder");
  set_integer(L, "size_bytes", static_cast<std::int64_t>(info.size_bytes));
  if (!info.sha256.empty()) set_text(L, "sha256", info.sha256);
}

// list(run, path, recursive)
int artifacts_bind_list(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "list_artifacts");
    const ScriptArtifact place = artifacts_read_place(L, args, 1);
    const bool recursive = args.boolean(3, "recursive", false);
    const std::vector<ArtifactInfo> found =
        script_state(L).session().artifacts().list(place.owner, place.path, recursive);
    protect(L, [&](lua_State* P) { push_list(P, found, artifacts_push_info); });
    return 1;
  });
}

// paths(run): of all files, sorted.
int artifacts_bind_paths(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "artifacts");
    const std::string owner = read_owner_id(L, args, 1, "run_id");
    std::vector<std::string> paths;
    for (ArtifactInfo& info : script_state(L).session().artifacts().list(owner, "", true)) {
      if (!info.is_folder) paths.push_back(std::move(info.path));
    }
    protect(L, [&](lua_State* P) { push_texts(P, paths); });
    return 1;
  });
}

// download(run, path, folder): where it lies now.
int artifacts_bind_download(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "download_artifacts");
    const ScriptArtifact place = artifacts_read_place(L, args, 1);
    const std::string folder(args.text(3, "folder"));
    const std::string local =
        script_state(L).session().artifacts().download(place.owner, place.path, folder);
    protect(L, [&](lua_State* P) { push_text(P, local); });
    return 1;
  });
}

// load_text(run, path): the bytes of a file.
int artifacts_bind_load_text(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "load_text");
    const ScriptArtifact place = artifacts_read_place(L, args, 1);
    const std::string file = script_state(L).session().artifacts().locate(place.owner, place.path);
    if (fs::is_folder(file)) {
      throw Error(ErrorCode::kInvalidParameter,
                  "load_text: the artifact " + quoted(place.path, 300) + " is a folder");
    }
    const std::string text = fs::read_file(file);
    protect(L, [&](lua_State* P) { push_text(P, text); });
    return 1;
  });
}

}  // namespace

void open_artifacts_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"list", artifacts_bind_list},
                                        {"paths", artifacts_bind_paths},
                                        {"download", artifacts_bind_download},
                                        {"load_text", artifacts_bind_load_text},
                                        {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
}

}  // namespace mlrt
