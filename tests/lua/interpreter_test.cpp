#include "lua/interpreter.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "lua/lua_testing.hpp"
#include "lua/script_state.hpp"

namespace mlrt {
namespace test {

TEST_CASE("a script's error has file, line, message and traceback") {
  ScriptRunner runner;
  const std::string file =
      runner.write("fails.lua", "local function f()\n  error('out of luck')\nend\nf()\n");
  const std::string message = runner.run_file(file);
  CHECK(runner.code == ErrorCode::kScript);
  CHECK(contains(message, "fails.lua:2: out of luck"));
  CHECK(contains(message, "stack traceback:"));
  CHECK(contains(message, "fails.lua:4: in main chunk"));
}

TEST_CASE("an error of mlrt has the script's line, not that of the stdlib") {
  ScriptRunner runner;
  const std::string message =
      runner.run("local mlrt = require 'mlrt'\n\nmlrt.read_csv('none.csv')");
  CHECK(message.substr(0, 17) == "(command line):3:");
  CHECK(contains(message, "none.csv"));
  CHECK(contains(message, "stack traceback:"));
  CHECK(contains(runner.run("local mlrt = require 'mlrt'\nmlrt.runs{max = 1}"),
                 "(command line):2: runs: there is"));
}

TEST_CASE("a syntax error has file and line") {
  ScriptRunner runner;
  const std::string message =
      runner.run_file(runner.write("typo.lua", "local a = 1\nlocal b = = 2\n"));
  CHECK(runner.code == ErrorCode::kScript);
  CHECK(contains(message, "typo.lua:2: unexpected symbol near '='"));
}

TEST_CASE("an error of any type ends the script with a message") {
  ScriptRunner runner;
  CHECK(contains(runner.run("error(nil)"), "nil"));
  CHECK(contains(runner.run("error({})"), "(error object is a table value)"));
  CHECK(contains(runner.run("error(setmetatable({}, {__tostring = function() return 'mine' end}))"),
                 "mine"));
  CHECK(contains(runner.run("error(setmetatable({}, {__tostring = function() return {} end}))"),
                 "__tostring"));
  CHECK(contains(runner.run("error(42)"), "42"));
}

TEST_CASE("a script that is not there is an error that names it") {
  ScriptRunner runner;
  CHECK(contains(runner.run_file(runner.path("none.lua")), "none.lua"));
  CHECK(runner.code == ErrorCode::kNotFound);
}

TEST_CASE("a script sees its arguments") {
  ScriptRunner runner;
  const std::string file = runner.write(
      "args.lua",
      "#!/usr/bin/env mlrt\nlocal a, b = ...\nassert(a == 'x y' and b == '--opt' and select('#', "
      "...) == 2)\n"
      "assert(arg[1] == a and arg[2] == b and #arg == 2 and arg[0]:find('args.lua', 1, true))\n"
      "assert(debug.getinfo(1, 'l').currentline == 5)\n");
  CHECK(runner.run_file(file, {"x y", "--opt"}) == "");
  CHECK(runner.run("assert(... == 'one' and arg[0] == '-e')", {"one"}) == "");
}

TEST_CASE("bytecode is no script") {
  ScriptRunner runner;
  CHECK(contains(runner.run_file(runner.write("code.lua", "\x1bLua garbage")), "binary"));
}

TEST_CASE(
    "require looks into the script's folder, then package.path, then the overlay, then mlrt") {
  ScriptRunner runner;
  const std::string script =
      runner.write("app/main.lua", "return assert(require('thing') == ..., require('thing'))");
  runner.write("overlay/thing.lua", "return 'overlay'");
  CHECK(runner.run_file(script, {"overlay"}) == "");
  {
    ScriptRunner other;
    other.write("more/thing.lua", "return 'path'");
    other.write("overlay/thing.lua", "return 'overlay'");
    const std::string file = other.write(
        "main.lua", "package.path = (...) .. '/?.lua'\nassert(require 'thing' == 'path')");
    CHECK(other.run_file(file, {other.path("more")}) == "");
    other.write("thing.lua", "return 'folder'");
    Interpreter fresh;
    CHECK_NOTHROW(
        fresh.run_file(other.write("two.lua", "assert(require 'thing' == 'folder')"), {}));
  }
  {
    ScriptRunner other;
    other.write("pack/init.lua", "return {part = require 'pack.part'}");
    other.write("pack/part.lua", "return select(2, ...)");
    CHECK(other.run_file(other.write(
              "main.lua", "assert(require('pack').part:find('pack/part.lua', 1, true))")) == "");
  }
  {
    ScriptRunner other;
    other.write("overlay/mlrt.lua", "return {version = 'mine'}");
    CHECK(other.run("assert(require('mlrt').version == 'mine')") == "");
  }
}

TEST_CASE("require says where it looked, and passes on what a module got wrong") {
  ScriptRunner runner;
  const std::string missing = runner.run_file(runner.write("main.lua", "require 'nothing.here'"));
  CHECK(contains(missing, "module 'nothing.here' not found"));
  CHECK(contains(missing, "nothing/here.lua'"));
  CHECK(contains(missing, "no module 'nothing.here' in mlrt"));
  runner.write("broken.lua", "local x = = 1");
  CHECK(contains(runner.run_file(runner.write("main.lua", "require 'broken'")),
                 "broken.lua:1: unexpected symbol"));
}

TEST_CASE("C modules cannot be loaded") {
  ScriptRunner runner;
  CHECK(runner.run(
            "assert(package.cpath == '' and package.loadlib == nil and #package.searchers == 2)") ==
        "");
}

TEST_CASE("mlrt is loaded only when it is required, and no store is opened for it") {
  ScriptRunner runner;
  CHECK(runner.run("assert(package.loaded['mlrt.native'] == nil) require 'mlrt'") == "");
  CHECK(!fs::exists(runner.path("mlrt.db")));
}

TEST_CASE("a run that is left open is FINISHED by a script's end, FAILED by its error") {
  ScriptRunner runner;
  CHECK(runner.run("require('mlrt').start_run{name = 'good'}") == "");
  CHECK(runner.run("local m = require 'mlrt' m.start_run{name = 'bad'} m.start_run{nested = true} "
                   "error('x')") != "");
  CHECK(runner.run("assert(require('mlrt').active_run() == nil)") == "");
  const std::vector<RunRecord> runs = runner.runs();
  REQUIRE(runs.size() == 3);
  for (const RunRecord& run : runs) {
    CHECK(run.status == (run.name == "good" ? RunStatus::kFinished : RunStatus::kFailed));
  }
}

TEST_CASE("os.exit ends what is open, and the process with its code") {
  ScriptRunner runner;
  for (const char* code : {"3", "true"}) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      runner.run(std::string("local m = require 'mlrt' m.start_run{name = '") + code +
                 "'} os.exit(" + code + ")");
      _exit(99);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == (code[0] == '3' ? 3 : 0));
  }
  REQUIRE(runner.runs().size() == 2);
  for (const RunRecord& run : runner.runs()) {
    CHECK(run.status == (run.name == "3" ? RunStatus::kFailed : RunStatus::kFinished));
  }
}

TEST_CASE("a training that is left open has failed when the script ends") {
  ScriptRunner runner;
  CHECK(runner.run("local m = require 'mlrt'\nm.autolog()\nm.on_training{fail = function(r) reason "
                   "= r end}\n"
                   "t = m.training{learner = 'mine'}") == "");
  CHECK(runner.run("assert(reason:find('script ended'), reason)") == "");
  REQUIRE(runner.runs().size() == 1);
  CHECK(runner.runs()[0].status == RunStatus::kFailed);
}

TEST_CASE("handles of all kinds may be left to the closing of the state in any order") {
  for (const char* order :
       {"run, model, table, training, observer", "observer, training, table, model, run"}) {
    ScriptRunner runner;
    const std::string code =
        std::string(
            "local m = require 'mlrt'\n"
            "observer = m.on_training{fail = function() local t = m.table{x = {1}} end}\n"
            "run = m.start_run()\n"
            "table_ = m.table{x = {1.0, 2.0, 3.0, 4.0}, y = {0, 1, 0, 1}}\n"
            "model = m.logistic_regression(table_, {label = 'y', numeric = {'x'}})\n"
            "training = m.training{learner = 'mine'}\n"
            "keep = setmetatable({") +
        order +
        "}, {__gc = function(self) for _, h in ipairs(self) do tostring(h) end end})\n"
        "local cycle = {keep} cycle.me = cycle\n";
    CHECK(runner.run(code) == "");
  }
}

TEST_CASE("a collected handle does not end what is still active") {
  ScriptRunner runner;
  CHECK(
      runner.run(
          "local m = require 'mlrt' m.start_run{name = 'kept'} collectgarbage() collectgarbage()\n"
          "m.log_param('a', 1) assert(m.active_run().name == 'kept')") == "");
  CHECK(runner.runs().size() == 1);
}

TEST_CASE("metamethods called by hand are harmless") {
  ScriptRunner runner;
  CHECK(
      runner.run("local m = require 'mlrt'\n"
                 "local objects = {m.table{x = {1}}, m.start_run(), m.training{learner = 'a'}, "
                 "m.on_training{}}\n"
                 "for _, o in ipairs(objects) do local mt = getmetatable(o)\n"
                 "  mt.__gc(o) mt.__gc(o) mt.__close(o) pcall(mt.__gc) pcall(mt.__gc, 5) "
                 "pcall(mt.__close)\n"
                 "  pcall(mt.__index) pcall(mt.__index, o) pcall(mt.__index, nil, 'x') "
                 "pcall(mt.__newindex)\n"
                 "  if mt.__tostring then mt.__tostring(o) pcall(mt.__tostring) end end\n"
                 "for name, part in pairs(require 'mlrt.native') do if type(part) == 'table' then\n"
                 "  for _, f in pairs(part) do if type(f) == 'function' then\n"
                 "    pcall(f) pcall(f, {}) pcall(f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) pcall(f, "
                 "print, {}, {}) end end end end\n"
                 "for _, o in ipairs(objects) do for name, f in pairs(require "
                 "'mlrt.native'.table.methods) do\n"
                 "  pcall(f, o) pcall(f, o, {}) pcall(f, o, 'x', {}) end end") == "");
}

TEST_CASE("deep recursion ends in an error, and the interpreter goes on") {
  ScriptRunner runner;
  CHECK(contains(runner.run("local function f() return 1 + f() end f()"), "stack overflow"));
  CHECK(contains(runner.run("local function f() local ok, e = pcall(f) error(e) end f()"),
                 "overflow"));
  CHECK(contains(runner.run("local t = setmetatable({}, {}) getmetatable(t).__index = function(_, "
                            "k) return t[k] end\n"
                            "return t.x"),
                 "overflow"));
  CHECK(contains(runner.run("local m = require 'mlrt' local d = m.table{x = {1, 2}}\n"
                            "local function f() return d:derive('y', f) end f()"),
                 "overflow"));
  CHECK(runner.run("local m = require 'mlrt'\n"
                   "local function f(n) local ok, e = pcall(m.on_training, {bad = 1}) if n > 0 "
                   "then f(n - 1) end end f(1000)") == "");
  CHECK(runner.run("return 1") == "");
}

TEST_CASE("error objects go through pcall, error and coroutines unchanged") {
  ScriptRunner runner;
  CHECK(
      runner.run(
          "local m = require 'mlrt'\n"
          "local ok, e = pcall(m.read_csv, 'none.csv')\n"
          "assert(e.code == 'not_found' and e.message:find('none.csv', 1, true))\n"
          "local ok, e = pcall(function() m.read_csv('none.csv') end)\n"
          "assert(e.where == '(command line):4', e.where)\n"
          "assert(tostring(e) == e.where .. ': ' .. e.message)\n"
          "local ok2, again = pcall(error, e) assert(again == e)\n"
          "local co = coroutine.create(function() error(e) end)\n"
          "local ok3, third = coroutine.resume(co) assert(not ok3 and third == e)\n"
          "local ok4, fourth = pcall(coroutine.wrap(function() error(e) end)) assert(fourth == e)\n"
          "local ok5, fifth = xpcall(m.read_csv, function(x) return x end, 'none.csv') "
          "assert(fifth.code == 'not_found')\n") == "");
}

TEST_CASE("coroutines work as Lua's own do") {
  ScriptRunner runner;
  CHECK(runner.run("local co = coroutine.create(function(a, b) local c = coroutine.yield(a + b) "
                   "return c, nil, 'x' end)\n"
                   "assert(select('#', coroutine.resume(co, 1, 2)) == 2)\n"
                   "local ok, c, none, x = coroutine.resume(co, 7) assert(ok and c == 7 and none "
                   "== nil and x == 'x')\n"
                   "local ok, e = coroutine.resume(co) assert(not ok and e == 'cannot resume dead "
                   "coroutine')\n"
                   "local closed\n"
                   "local co = coroutine.create(function() local v <close> = setmetatable({}, "
                   "{__close = function() closed = true end}) coroutine.yield() end)\n"
                   "coroutine.resume(co) assert(coroutine.close(co) == true and closed and "
                   "coroutine.status(co) == 'dead')\n"
                   "assert(not pcall(coroutine.close, coroutine.running()))\n"
                   "local co = coroutine.create(error) coroutine.resume(co, 'bad') local ok, e = "
                   "coroutine.close(co) assert(not ok and e == 'bad')\n"
                   "local closed, f = false\n"
                   "f = coroutine.wrap(function() local v <close> = setmetatable({}, {__close = "
                   "function() closed = true end}) error('oops') end)\n"
                   "local ok, e = pcall(f) assert(not ok and closed and e:find('oops'), e)\n"
                   "local ok, e = pcall(f) assert(not ok and e:find('dead'), e)\n"
                   "local f = coroutine.wrap(function() local ok, v = pcall(coroutine.yield, 1) "
                   "return v end)\n"
                   "assert(f() == 1 and f(5) == 5)\n"
                   "local f = coroutine.wrap(function() return xpcall(function(v) return "
                   "coroutine.yield(v) end, debug.traceback, 3) end)\n"
                   "assert(f() == 3) local ok, v = f(4) assert(ok and v == 4)\n"
                   "assert(not pcall(coroutine.resume, 5)) assert(not pcall(coroutine.wrap)) "
                   "assert(not pcall(coroutine.close))\n"
                   "assert(not pcall(pcall))\n") == "");
}

TEST_CASE("a loop that makes tables does not fill the memory") {
  ScriptRunner runner;
  CHECK(
      runner.run(
          "local m = require 'mlrt' local column = {} for i = 1, 50000 do column[i] = i + 0.5 end\n"
          "local t = m.table{a = column} for i = 1, 400 do t:select{'a'} end") == "");
}

TEST_CASE("memory that runs out at any allocation is a clean error, and the store is sound") {
  const std::string code =
      "local m = require 'mlrt'\n"
      "local t = m.table{x = {1.0, 2.0, 3.0, 4.0}, y = {0, 1, 0, 1}, z = {'a', 'b', 'a', 'b'}}\n"
      "local seen = 0\n"
      "local watch <close> = m.on_training{round = function(step, metrics) seen = seen + "
      "metrics.log_loss end}\n"
      "local run <close> = m.start_run()\n"
      "local model = m.logistic_regression(t, {label = 'y', numeric = {'x'}, one_hot = {'z'}, l2 = "
      "1})\n"
      "run:log_params{a = 1, b = 'two'} run:log_metrics{loss = 1}\n"
      "assert(model:predict{{x = 1.0, z = 'a'}}:row(1).prediction)\n"
      "pcall(t.column, t, 'nothing')\n"
      "assert(m.json.encode(m.json.decode('{\"a\":[1,2,{\"b\":null}]}')))\n"
      "return run:record(), t:derive('w', function(row) return row.x end):column('w')\n";
  for (const bool once : {true, false}) {
    TempDir folder;
    LuaMemory memory;
    memory.fail_once = once;
    set_lua_memory_for_tests(&memory);
    std::uint64_t failures = 0;
    bool succeeded = false;
    // Each failing run takes another allocation; near the start, where the libraries open, all of
    // them.
    for (std::uint64_t fail_at = 1; !succeeded; fail_at += fail_at < 400 ? 7 : 31) {
      memory.allocations = 0;
      memory.fail_at = fail_at;
      try {
        InterpreterOptions options;
        options.store = folder.path("mlrt.db");
        Interpreter interpreter(options);
        interpreter.run_string(code, {});
        succeeded = memory.allocations < fail_at;
      } catch (const Error& error) {
        ++failures;
        const bool known =
            error.code() == ErrorCode::kScript || error.code() == ErrorCode::kUnavailable;
        CHECK_MESSAGE(known, error.message());
        CHECK_MESSAGE(contains(error.message(), "memory"), fail_at << ": " << error.message());
      }
    }
    memory.fail_at = 0;
    set_lua_memory_for_tests(nullptr);
    // A single failure is mended by the collector as a rule: Lua frees what it can and tries again.
    CHECK(failures > (once ? 0 : 20));
    const Session session(folder.path("mlrt.db"));
    for (const RunRecord& run : session.tracking().list_runs({}, 10000)) {
      CHECK(run.status != RunStatus::kRunning);
    }
  }
}

}  // namespace test
}  // namespace mlrt
