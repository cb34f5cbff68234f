#include "lua/lua_observer.hpp"

#include "core/log.hpp"
#include "lua/bind_model.hpp"
#include "lua/guard.hpp"
#include "lua/script_state.hpp"
#include "lua/values.hpp"

namespace mlrt {
namespace {

void observer_push_info(lua_State* L, const TrainingInfo& info) {
  lua_createtable(L, 0, 6);
  set_text(L, "learner", info.learner);
  lua_newtable(L);
  for (const auto& param : info.params) {
    push_text(L, param.first);
    push_text(L, param.second);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "params");
  set_text(L, "dataset", info.dataset_name);
  set_text(L, "digest", info.dataset_digest);
  set_integer(L, "row_count", static_cast<std::int64_t>(info.row_count));
  push_column_specs(L, info.columns);
  lua_setfield(L, -2, "columns");
}

}  // namespace

// Calls table[name](arguments...), where `push_arguments(L)` pushes them and returns their number.
template <class F>
void LuaObserver::call(const char* name, F&& push_arguments) {
  lua_State* L = state_.calling;
  const int top = lua_gettop(L);
  protect(L, [&](lua_State* P) {
    lua_rawgeti(P, LUA_REGISTRYINDEX, reference_);
    lua_pushstring(P, name);
    if (lua_rawget(P, -2) == LUA_TNIL) {
      lua_settop(P, 0);
      return;
    }
    const int count = push_arguments(P);
    lua_call(P, count, 0);
    lua_settop(P, 0);
  });
  lua_settop(L, top);
}

void LuaObserver::on_begin(const TrainingInfo& info) {
  call("begin", [&](lua_State* L) {
    observer_push_info(L, info);
    return 1;
  });
}

void LuaObserver::on_round(std::int64_t step, const NamedValues& metrics) {
  call("round", [&](lua_State* L) {
    lua_pushinteger(L, step);
    push_numbers(L, metrics);
    return 2;
  });
}

void LuaObserver::on_finish(const std::shared_ptr<const Model>& model, const NamedValues& metrics) {
  call("finish", [&](lua_State* L) {
    if (model != nullptr) {
      push_handle(L, model);
    } else {
      lua_pushnil(L);
    }
    push_numbers(L, metrics);
    return 2;
  });
}

void LuaObserver::on_failure(const std::string& reason) noexcept {
  try {
    // An error of the training may be under way: it must not be replaced by what happens in here.
    const PendingFailureScope scope(state_.calling);
    call("fail", [&](lua_State* L) {
      push_text(L, reason);
      return 1;
    });
  } catch (const std::exception& error) {
    log_warn("on_training: 'fail' raised an error", {{"error", error.what()}});
  }
}

}  // namespace mlrt
