#include "lua/server_hook_thread.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/signal_mask.hpp"
#include "core/text.hpp"
#include "lua/guard.hpp"
#include "lua/traceback.hpp"
#include "lua/tracking_values.hpp"

namespace mlrt {
namespace {

constexpr int kHookCheckInstructions = 1000;
constexpr std::int64_t kHookLogPauseMs = 1000;
constexpr int kHookRequestsBeforeEvent = 8;
constexpr int kHookRefusedStatus = 403;

void hook_check_time(lua_State* L, lua_Debug*) {
  ScriptState& script = script_state(L);
  if (monotonic_ms() < script.deadline_ms) return;
  script.time_is_over = true;
  raise_lua_error(L, ErrorCode::kTimeout, "its time is over");
}

int hook_exit(lua_State* L) {
  return luaL_error(L, "os.exit: a server's configuration cannot end the server");
}

struct HookCall {
  lua_CFunction entry;
  void* function;
};

std::string hook_error_text(lua_State* L) {
  if (lua_type(L, -1) != LUA_TSTRING) return "it failed";
  std::size_t size = 0;
  const char* bytes = lua_tolstring(L, -1, &size);
  return std::string(bytes, size);
}

void hook_push_pairs(lua_State* L, const std::vector<std::pair<std::string, std::string>>& pairs,
                     bool lower_case) {
  lua_createtable(L, 0, static_cast<int>(pairs.size()));
  // The first of a name counts, as for the server's own handlers.
  for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
    if (!lower_case) {
      push_text(L, pair->first);
    } else {
      luaL_Buffer buffer;
      luaL_buffinit(L, &buffer);
      for (const char c : pair->first) {
        luaL_addchar(&buffer, c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
      }
      luaL_pushresult(&buffer);
    }
    push_text(L, pair->second);
    lua_rawset(L, -3);
  }
}

void hook_push_request(lua_State* L, const HookRequest& request) {
  lua_createtable(L, 0, 5);
  set_text(L, "method", request.method);
  set_text(L, "path", request.path);
  set_text(L, "remote_address", request.remote_address);
  hook_push_pairs(L, request.query, false);
  lua_setfield(L, -2, "query");
  hook_push_pairs(L, request.headers, true);
  lua_setfield(L, -2, "headers");
}

void hook_push_version(lua_State* L, const ModelVersion& version) {
  lua_createtable(L, 0, 10);
  set_text(L, "name", version.name);
  set_integer(L, "version", version.version);
  set_text(L, "source", version.source);
  if (!version.run_id.empty()) set_text(L, "run_id", version.run_id);
  if (!version.model_id.empty()) set_text(L, "model_id", version.model_id);
  set_text(L, "description", version.description);
  set_text(L, "stage", version.stage);
  set_integer(L, "creation_time_ms", version.creation_time_ms);
  push_tags(L, version.tags);
  lua_setfield(L, -2, "tags");
  push_texts(L, version.aliases);
  lua_setfield(L, -2, "aliases");
}

// What on_request returned, as it is read off the stack; no C++ objects, since Lua may raise.
struct HookAnswer {
  enum class Kind { kGoOn, kRefused, kNonsense } kind = Kind::kGoOn;
  int status = kHookRefusedStatus;
  char message[512] = "";
};

void hook_read_answer(lua_State* L, HookAnswer& answer) {
  lua_settop(L, 2);
  if (lua_isnil(L, 1) || (lua_isboolean(L, 1) && lua_toboolean(L, 1) != 0)) return;
  answer.kind = HookAnswer::Kind::kRefused;
  if (!lua_isboolean(L, 1)) {
    int is_integer = 0;
    const lua_Integer status =
        lua_type(L, 1) == LUA_TNUMBER ? lua_tointegerx(L, 1, &is_integer) : 0;
    if (is_integer == 0 || status < 400 || status > 599) {
      answer.kind = HookAnswer::Kind::kNonsense;
      return;
    }
    answer.status = static_cast<int>(status);
  }
  if (lua_type(L, 2) != LUA_TSTRING) return;
  std::size_t size = 0;
  const char* text = lua_tolstring(L, 2, &size);
  size = std::min(size, sizeof(answer.message) - 1);
  std::copy(text, text + size, answer.message);
  answer.message[size] = '\0';
}

struct HookRequestJob {
  HookRequest request;
  std::int64_t deadline_ms = 0;
  bool done = false;
  bool failed = false;
  std::optional<HookRefusal> refusal;
};

// One of the two.
struct HookEvent {
  std::shared_ptr<const RunRecord> run;
  std::shared_ptr<const ModelVersion> version;

  const char* hook() const { return run != nullptr ? "on_run_end" : "on_model_version"; }
};

// What the thread and its owner share. The thread keeps it alive: one that hangs in a hook cannot
// be ended, and is left behind.
struct HookQueue {
  explicit HookQueue(std::shared_ptr<ServerHookState> given) : state(std::move(given)) {}

  std::shared_ptr<ServerHookState> state;  // of the thread only

  std::mutex mutex;
  std::condition_variable work;      // there is something to do
  std::condition_variable progress;  // a request is answered, or the thread has ended
  std::deque<std::shared_ptr<HookRequestJob>> requests;
  std::deque<HookEvent> events;
  std::int64_t busy_until_ms = 0;  // until when requests wait for what runs; 0: nothing does
  bool closing = false;
  bool ended = false;

  std::int64_t logged_ms = -kHookLogPauseMs;
  std::uint64_t not_logged = 0;

  void log_failure(const char* hook, const std::string& reason);
  void main();
  void run_request(HookRequestJob& job);
  void run_event(const HookEvent& event);
};

// Called with the mutex held.
void HookQueue::log_failure(const char* hook, const std::string& reason) {
  const std::int64_t now = monotonic_ms();
  if (now - logged_ms < kHookLogPauseMs) {
    ++not_logged;
    return;
  }
  logged_ms = now;
  log_warn("a server hook failed; the server goes on without it",
           {{"hook", hook}, {"reason", reason}, {"not_logged_before", std::to_string(not_logged)}});
  not_logged = 0;
}

void HookQueue::run_request(HookRequestJob& job) {
  HookAnswer answer;
  const int hook = state->on_request;
  const HookRequest& request = job.request;
  call_server_hook(*state, job.deadline_ms, [hook, &request, &answer](lua_State* L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, hook);
    hook_push_request(L, request);
    lua_call(L, 1, 2);
    hook_read_answer(L, answer);
  });
  if (answer.kind == HookAnswer::Kind::kNonsense) {
    throw Error(
        ErrorCode::kScript,
        "it must return nothing, true or false, or a status from 400 to 599, and a message");
  }
  if (answer.kind == HookAnswer::Kind::kRefused) {
    job.refusal = HookRefusal{answer.status, answer.message[0] != '\0'
                                                 ? std::string(answer.message)
                                                 : std::string("refused by the server's rules")};
    if (!is_utf8(job.refusal->message)) job.refusal->message = quoted(job.refusal->message, 512);
  }
}

void HookQueue::run_event(const HookEvent& event) {
  const RunRecord* run = event.run.get();
  const ModelVersion* version = event.version.get();
  const int hook = run != nullptr ? state->on_run_end : state->on_model_version;
  call_server_hook(*state, monotonic_ms() + state->limits.event_ms,
                   [hook, run, version](lua_State* L) {
                     lua_rawgeti(L, LUA_REGISTRYINDEX, hook);
                     if (run != nullptr) {
                       push_run_record(L, *run);
                     } else {
                       hook_push_version(L, *version);
                     }
                     lua_call(L, 1, 0);
                   });
}

void HookQueue::main() {
  std::unique_lock<std::mutex> lock(mutex);
  for (int in_a_row = 0;;) {
    work.wait(lock, [this] { return closing || !requests.empty() || !events.empty(); });
    if (requests.empty() && events.empty()) break;
    const char* hook = "on_request";
    std::string failure;
    if (!requests.empty() && (events.empty() || ++in_a_row < kHookRequestsBeforeEvent)) {
      const std::shared_ptr<HookRequestJob> job = requests.front();
      requests.pop_front();
      if (monotonic_ms() >= job->deadline_ms) continue;  // nobody waits for it any more
      busy_until_ms = job->deadline_ms;
      lock.unlock();
      try {
        run_request(*job);
      } catch (const std::exception& error) {
        failure = error.what();
      }
      lock.lock();
      job->failed = !failure.empty();
      job->done = true;
      progress.notify_all();
    } else {
      in_a_row = 0;
      const HookEvent event = std::move(events.front());
      events.pop_front();
      hook = event.hook();
      busy_until_ms = monotonic_ms() + state->limits.request_ms;
      lock.unlock();
      try {
        run_event(event);
      } catch (const std::exception& error) {
        failure = error.what();
      }
      lock.lock();
    }
    busy_until_ms = 0;
    if (!failure.empty()) log_failure(hook, failure);
  }
  // The Lua state is closed here, on its own thread.
  lock.unlock();
  state.reset();
  lock.lock();
  ended = true;
  progress.notify_all();
}

class LuaServerHooks final : public ServerHooks {
 public:
  explicit LuaServerHooks(std::shared_ptr<ServerHookState> state)
      : limits_(state->limits),
        has_on_request_(state->on_request != LUA_NOREF),
        has_on_run_end_(state->on_run_end != LUA_NOREF),
        has_on_model_version_(state->on_model_version != LUA_NOREF),
        queue_(std::make_shared<HookQueue>(std::move(state))) {
    const SignalMask no_signals;
    thread_ = std::thread([queue = queue_] { queue->main(); });
  }

  ~LuaServerHooks() override {
    std::unique_lock<std::mutex> lock(queue_->mutex);
    queue_->closing = true;
    queue_->work.notify_all();
    const bool ended = queue_->progress.wait_for(lock, std::chrono::milliseconds(limits_.stop_ms),
                                                 [this] { return queue_->ended; });
    if (!ended) {
      log_warn("the server hooks did not come to an end",
               {{"events_lost", std::to_string(queue_->events.size())}});
      queue_->events.clear();
      queue_->requests.clear();
    }
    lock.unlock();
    if (ended) {
      thread_.join();
    } else {
      thread_.detach();
    }
  }

  std::optional<HookRefusal> on_request(const HookRequest& request) override {
    if (!has_on_request_) return std::nullopt;
    const auto job = std::make_shared<HookRequestJob>();
    job->request = request;
    const std::int64_t now = monotonic_ms();
    job->deadline_ms = now + limits_.request_ms;
    std::unique_lock<std::mutex> lock(queue_->mutex);
    // While a hook takes long, requests do not wait for it one by one.
    if (queue_->busy_until_ms != 0 && now > queue_->busy_until_ms) {
      queue_->log_failure("on_request", "another hook is still running");
      return std::nullopt;
    }
    queue_->requests.push_back(job);
    queue_->work.notify_one();
    const bool done = queue_->progress.wait_for(lock, std::chrono::milliseconds(limits_.request_ms),
                                                [&job] { return job->done; });
    if (!done) {
      queue_->log_failure("on_request",
                          "no answer within " + std::to_string(limits_.request_ms) + " ms");
      return std::nullopt;
    }
    return std::move(job->refusal);
  }

  void on_run_end(const RunRecord& run) override {
    if (has_on_run_end_) push({std::make_shared<const RunRecord>(run), nullptr});
  }
  void on_model_version(const ModelVersion& version) override {
    if (has_on_model_version_) push({nullptr, std::make_shared<const ModelVersion>(version)});
  }

 private:
  void push(HookEvent event) {
    std::lock_guard<std::mutex> lock(queue_->mutex);
    if (queue_->events.size() >= limits_.waiting_events) {
      queue_->log_failure(event.hook(), "too many events wait; this one is dropped");
      return;
    }
    queue_->events.push_back(std::move(event));
    queue_->work.notify_one();
  }

  const ServerHookLimits limits_;
  const bool has_on_request_, has_on_run_end_, has_on_model_version_;
  std::shared_ptr<HookQueue> queue_;
  std::thread thread_;
};

}  // namespace

ServerHookState::~ServerHookState() {
  if (script.main == nullptr) return;
  // Finalizers may run anything.
  script.deadline_ms = monotonic_ms() + limits.stop_ms;
  script.time_is_over = false;
  try {
    script.end_open(RunStatus::kFinished);
  } catch (const std::exception& error) {
    log_error("closing the server hooks", {{"reason", error.what()}});
  }
  lua_close(script.main);
}

void open_server_hook_state(ServerHookState& state) {
  state.script.own_memory.max_bytes = state.limits.memory_bytes;
  state.script.memory = &state.script.own_memory;
  open_script_state(state.script);
  lua_State* L = state.script.main;
  state.script.deadline_ms = monotonic_ms() + state.limits.load_ms;
  // Coroutines inherit it.
  lua_sethook(L, hook_check_time, LUA_MASKCOUNT, kHookCheckInstructions);
  protect(L, [](lua_State* P) {
    lua_getglobal(P, LUA_OSLIBNAME);
    lua_pushcfunction(P, hook_exit);
    lua_setfield(P, -2, "exit");
    lua_settop(P, 0);
  });
}

void call_server_hook_entry(ServerHookState& state, std::int64_t deadline_ms, lua_CFunction entry,
                            void* function) {
  lua_State* L = state.script.main;
  lua_settop(L, 0);
  state.script.deadline_ms = deadline_ms;
  state.script.time_is_over = false;
  const HookCall call{entry, function};
  int status = LUA_OK;
  std::string failure;
  try {
    protect(L, [&](lua_State* P) {
      lua_pushcfunction(P, call.entry);
      lua_pushlightuserdata(P, call.function);
      status = call_with_traceback(P, 1, 0);
    });
    if (status != LUA_OK) failure = hook_error_text(L);
  } catch (const LuaFailure& error) {  // no memory to report with
    status = LUA_ERRMEM;
    failure = error.message();
  }
  lua_settop(L, 0);
  // The library's buffers do not collect before they give up: the next call would fail too.
  if (status == LUA_ERRMEM) lua_gc(L, LUA_GCCOLLECT);
  if (status != LUA_OK) throw Error(ErrorCode::kScript, failure);
}

std::shared_ptr<ServerHooks> start_server_hooks(std::shared_ptr<ServerHookState> state) {
  return std::make_shared<LuaServerHooks>(std::move(state));
}

}  // namespace mlrt
