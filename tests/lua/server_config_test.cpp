#include "lua/server_config.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "api/session.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "core/log.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace {

using test::TempDir;

// Hooks that fail are logged, which is not for the test's output.
struct ServerConfigQuiet {
  ServerConfigQuiet() { set_log(LogLevel::kOff, LogFormat::kText); }
  ~ServerConfigQuiet() { set_log(LogLevel::kWarn, LogFormat::kText); }
};

ServerConfig config_test_load(const TempDir& folder, const std::string& code,
                              const ServerHookLimits& limits = {}) {
  fs::write_file(folder.path("server.lua"), code);
  return load_server_config(folder.path("server.lua"), folder.path("mlrt.db"), limits);
}

std::string config_test_error(const std::string& code, const ServerHookLimits& limits = {}) {
  TempDir folder;
  try {
    config_test_load(folder, code, limits);
  } catch (const Error& error) {
    return error.message();
  }
  return "it was taken";
}

std::string config_test_ask(ServerHooks& hooks, const std::string& path) {
  HookRequest request;
  request.method = "GET";
  request.path = path;
  request.query = {{"a", "1"}, {"a", "2"}};
  request.headers = {{"X-Token", "t"}};
  request.remote_address = "127.0.0.1";
  const auto refusal = hooks.on_request(request);
  return refusal ? std::to_string(refusal->status) + " " + refusal->message : "goes on";
}

// For machines that are busy.
ServerHookLimits config_test_patient() {
  ServerHookLimits limits;
  limits.request_ms = 20000;
  limits.stop_ms = 20000;
  return limits;
}

bool config_test_until(const std::string& file, const std::string& content) {
  const std::int64_t end_ms = monotonic_ms() + 10000;
  while (monotonic_ms() < end_ms) {
    if (fs::exists(file) && fs::read_file(file) == content) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace

TEST_CASE("a server's file gives its settings, and no hooks when it has none") {
  TempDir folder;
  const ServerConfig config = config_test_load(folder, R"(
    return {host = "localhost", port = 0, store = "a.db", artifacts_destination = "files",
            read_only = true, allowed_hosts = {"box", "box.lan"}})");
  CHECK(config.host == std::string("localhost"));
  CHECK(config.port == 0);
  CHECK(config.store == std::string("a.db"));
  CHECK(config.artifacts_destination == std::string("files"));
  CHECK(config.read_only == true);
  CHECK(*config.allowed_hosts == std::vector<std::string>{"box", "box.lan"});
  CHECK(config.hooks == nullptr);
  CHECK_FALSE(config_test_load(folder, "return {}").port.has_value());
}

TEST_CASE("what is wrong in a server's file is said with its place") {
  struct Row {
    const char* code;
    const char* part;
  };
  const std::vector<Row> rows = {
      {"return {", "server.lua:1:"},
      {"\nerror('no luck')", "server.lua:2: no luck"},
      {"os.exit(0)", "cannot end the server"},
      {"local t = nil; return t.x", "server.lua:1: attempt to index a nil value"},
      {"", "must return a table of settings, but returned nil"},
      {"return {1}", "a setting's name must be a string, got"},
      {"return {prot = 80}", "there is no setting 'prot'; did you mean 'port'?"},
      {"return {port = '80'}", "'port' must be a whole number from 0 to 65535, got a string"},
      {"return {port = 65536}", "'port' must be"},
      {"return {port = 80.5}", "'port' must be"},
      {"return {host = 5}", "'host' must be an address"},
      {"return {read_only = 'yes'}", "'read_only' must be true or false"},
      {"return {allowed_hosts = 'box'}", "'allowed_hosts' must be a list of names"},
      {"return {allowed_hosts = {5}}", "'allowed_hosts' must be a list of names"},
      {"return {on_request = 'f'}", "'on_request' must be a function"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.code);
    const std::string message = config_test_error(row.code);
    CAPTURE(message);
    CHECK(message.find(row.part) != std::string::npos);
  }
  CHECK_THROWS_AS(load_server_config("/nowhere/server.lua"), Error);
}

TEST_CASE("a server's file that never ends, or wants too much memory, is stopped") {
  ServerHookLimits limits;
  limits.load_ms = 100;
  limits.memory_bytes = std::uint64_t{8} << 20;
  for (const char* code :
       {"while true do end", "while true do pcall(function() while true do end end) end",
        "local co = coroutine.wrap(function() while true do end end); co()"}) {
    CAPTURE(code);
    CHECK(config_test_error(code, limits).find("its time is over") != std::string::npos);
  }
  CHECK(config_test_error("local t = {} for i = 1, 1e9 do t[i] = i end", limits)
            .find("not enough memory") != std::string::npos);
}

TEST_CASE("on_request sees the request and decides") {
  TempDir folder;
  const ServerConfig config = config_test_load(folder, R"(
    local count = 0
    return {on_request = function(r)
      count = count + 1
      if r.path == "/true" then return true end
      if r.path == "/false" then return false end
      if r.path == "/status" then return 429, "slowly" end
      if r.path == "/bare" then return 404 end
      if r.path == "/count" then return 400, tostring(count) end
      if r.path == "/all" then
        return 400, table.concat({r.method, r.query.a, r.headers["x-token"], r.remote_address}, " ")
      end
    end})",
                                               config_test_patient());
  REQUIRE(config.hooks != nullptr);
  ServerHooks& hooks = *config.hooks;
  CHECK(config_test_ask(hooks, "/x") == "goes on");
  CHECK(config_test_ask(hooks, "/true") == "goes on");
  CHECK(config_test_ask(hooks, "/false") == "403 refused by the server's rules");
  CHECK(config_test_ask(hooks, "/status") == "429 slowly");
  CHECK(config_test_ask(hooks, "/bare") == "404 refused by the server's rules");
  CHECK(config_test_ask(hooks, "/all") == "400 GET 1 t 127.0.0.1");
  CHECK(config_test_ask(hooks, "/count") == "400 7");
}

TEST_CASE("a hook that fails, answers nonsense or runs too long lets the request go on") {
  const ServerConfigQuiet quiet;
  TempDir folder;
  ServerHookLimits limits;
  limits.request_ms = 300;
  limits.memory_bytes = std::uint64_t{16} << 20;
  const ServerConfig config = config_test_load(folder, R"(
    return {on_request = function(r)
      if r.path == "/error" then error("oh") end
      if r.path == "/object" then error({}) end
      if r.path == "/nil" then return nil, "x" end
      if r.path == "/text" then return "403" end
      if r.path == "/status" then return 200 end
      if r.path == "/float" then return 403.5 end
      if r.path == "/loop" then while true do end end
      if r.path == "/pcall" then while true do pcall(function() while true do end end) end end
      if r.path == "/memory" then local t = {} for i = 1, 1e9 do t[i] = i end end
      if r.path == "/string" then return 403, ("x"):rep(1e9) end
      if r.path == "/exit" then os.exit(1) end
      if r.path == "/deep" then local function f() return 1 + f() end return f() end
      if r.path == "/fine" then return 403, "fine" end
    end})",
                                               limits);
  for (const char* path : {"/error", "/object", "/nil", "/text", "/status", "/float", "/loop",
                           "/pcall", "/memory", "/string", "/exit", "/deep"}) {
    CAPTURE(path);
    const std::int64_t start_ms = monotonic_ms();
    CHECK(config_test_ask(*config.hooks, path) == "goes on");
    CHECK(monotonic_ms() - start_ms < 10000);
    // And the state is sound afterwards, once what was cut off has wound up.
    while (config_test_ask(*config.hooks, "/fine") != "403 fine" &&
           monotonic_ms() - start_ms < 20000) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(config_test_ask(*config.hooks, "/fine") == "403 fine");
  }
}

TEST_CASE("while a hook hangs where Lua cannot stop it, requests do not queue up behind it") {
  const ServerConfigQuiet quiet;
  TempDir folder;
  ServerHookLimits limits;
  limits.request_ms = 50;
  limits.stop_ms = 50;
  const std::int64_t start_ms = monotonic_ms();
  {
    const ServerConfig config = config_test_load(folder, R"(
      return {on_request = function(r) os.execute("sleep 3") return 403 end})",
                                                 limits);
    for (int i = 0; i < 20; ++i) CHECK(config_test_ask(*config.hooks, "/x") == "goes on");
    CHECK(monotonic_ms() - start_ms < 2500);
  }
  CHECK(monotonic_ms() - start_ms < 2900);  // the end does not wait for it either
  std::this_thread::sleep_for(std::chrono::milliseconds(start_ms + 3500 - monotonic_ms()));
}

TEST_CASE("a hook for an event that takes long holds requests up for a moment only") {
  const ServerConfigQuiet quiet;
  TempDir folder;
  ServerHookLimits limits;
  limits.request_ms = 50;
  limits.event_ms = 1500;
  const ServerConfig config = config_test_load(folder, R"(
      return {on_request = function(r) end, on_run_end = function(run) while true do end end})",
                                               limits);
  const std::int64_t start_ms = monotonic_ms();
  config.hooks->on_run_end(mlrt::RunRecord());
  for (int i = 0; i < 40; ++i) CHECK(config_test_ask(*config.hooks, "/x") == "goes on");
  CHECK(monotonic_ms() - start_ms < 1000);
}

TEST_CASE("a hook that had too much memory gets what is left by it the next time") {
  const ServerConfigQuiet quiet;
  TempDir folder;
  const ServerConfig config = config_test_load(folder, R"(
      return {on_request = function(r)
        if r.path == "/much" then
          local kept = {}
          for i = 1, 100 do kept[i] = string.rep("x", 1 << 20) .. i end
        end
        return 400 + #string.rep("x", 20 << 20) // (20 << 20), "enough"
      end})",
                                               config_test_patient());
  for (int i = 0; i < 3; ++i) {
    CHECK(config_test_ask(*config.hooks, "/much") == "goes on");
    CHECK(config_test_ask(*config.hooks, "/little") == "401 enough");
  }
}

TEST_CASE("events come one after the other, and the hooks may use the server's store") {
  TempDir folder;
  const std::string out = folder.path("out.txt");
  {
    const ServerConfig config = config_test_load(folder, R"(
      local mlrt = require("mlrt")
      local seen = ""
      return {
        on_run_end = function(run)
          seen = seen .. run.name .. "=" .. run.status .. "/" .. mlrt.search_experiments()[1].name .. ";"
        end,
        on_model_version = function(v)
          seen = seen .. v.name .. v.version .. v.stage
          local f <close> = io.open(")" + out + R"(", "w")
          f:write(seen)
        end,
      })",
                                                 config_test_patient());
    Session session(folder.path("mlrt.db"));
    for (const char* name : {"a", "b"}) {
      Run run = session.start_run(name);
      run.end();
      config.hooks->on_run_end(session.tracking().run(run.id()));
    }
    ModelVersion version;
    version.name = "m";
    version.version = 3;
    config.hooks->on_model_version(version);
    CHECK(config_test_ask(*config.hooks, "/x") == "goes on");  // there is no on_request
  }
  // The destructor has waited for the events.
  CHECK(config_test_until(out, "a=FINISHED/Default;b=FINISHED/Default;m3None"));
}

TEST_CASE("events that find no room are dropped and the server does not wait") {
  const ServerConfigQuiet quiet;
  TempDir folder;
  ServerHookLimits limits;
  limits.waiting_events = 3;
  limits.stop_ms = 20000;
  const std::string out = folder.path("out.txt");
  {
    const ServerConfig config = config_test_load(folder, R"(
      local count = 0
      return {on_model_version = function(v)
        if count == 0 then os.execute("sleep 2") end
        count = count + 1
        local f <close> = io.open(")" + out + R"(", "w")
        f:write(tostring(count))
      end})",
                                                 limits);
    const std::int64_t start_ms = monotonic_ms();
    for (int i = 0; i < 50; ++i) config.hooks->on_model_version(ModelVersion());
    CHECK(monotonic_ms() - start_ms < 2000);
  }
  const std::string count = fs::read_file(out);
  CHECK((count == "3" || count == "4"));
}

TEST_CASE("many requests at once are all answered by the one state") {
  TempDir folder;
  const ServerConfig config = config_test_load(folder, R"(
    return {on_request = function(r) if r.path ~= "/ok" then return 403, r.path end end})",
                                               config_test_patient());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
        if (config_test_ask(*config.hooks, path) != "403 " + path) ++wrong;
        if (config_test_ask(*config.hooks, "/ok") != "goes on") ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace mlrt
