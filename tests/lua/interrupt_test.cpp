// Ctrl-C. The signals are real; a second one would end the test, so each waits for the first to be
// served.

#include <doctest/doctest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "core/interrupt.hpp"
#include "lua/lua_testing.hpp"

namespace mlrt {
namespace test {
namespace {

// Runs `code`, sends SIGINT soon after the file "ready" stands (as `ready()` in the script makes
// it), and returns the error message.
std::string run_and_interrupt(ScriptRunner& runner, const std::string& code,
                              bool from_other_thread = false) {
  const std::string ready = runner.path("ready");
  const pthread_t script_thread = pthread_self();
  bool done = false;
  std::thread sender([&] {
    // The signal may be delivered to any thread: here to one that must hand it on.
    for (int i = 0; i < 2000 && !fs::exists(ready); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (from_other_thread) {
      pthread_kill(pthread_self(), SIGINT);
    } else {
      pthread_kill(script_thread, SIGINT);
    }
    done = true;
  });
  const std::string prelude =
      "local function ready() io.open(arg[1], 'w'):close() end local mlrt = require 'mlrt'\n";
  const std::string message = runner.run(prelude + code, {ready});
  sender.join();
  CHECK(done);
  CHECK(!interrupt_requested());
  return message;
}

}  // namespace

TEST_CASE("an interrupt ends a loop, runs its close variables and marks its runs KILLED") {
  ScriptRunner runner;
  const std::string message = run_and_interrupt(
      runner,
      "mlrt.start_run{name = 'outer'}\n"
      "local run <close> = mlrt.start_run{name = 'inner', nested = true}\n"
      "local v <close> = setmetatable({}, {__close = function(_, e)\n"
      "  local n = 0 for i = 1, 1e6 do n = n + i end\n"  // far beyond the hook's count
      "  mlrt.set_tag('closed', e.code) end})\n"
      "ready() while true do end");
  CHECK(runner.code == ErrorCode::kInterrupted);
  CHECK_MESSAGE(contains(message, "interrupted"), message);
  CHECK(contains(message, "(command line):"));
  const auto runs = runner.runs();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].status == RunStatus::kKilled);
  CHECK(runs[1].status == RunStatus::kKilled);
  bool tagged = false;
  for (const RunRecord& run : runs) {
    for (const Tag& tag : run.tags)
      tagged = tagged || (tag.key == "closed" && tag.value == "interrupted");
  }
  CHECK(tagged);
  CHECK(runner.run("return 1") == "");
}

TEST_CASE("an interrupt ends a script that catches every error") {
  for (const char* code : {
           "ready() while true do pcall(function() while true do end end) end",
           "ready() while true do xpcall(function() while true do end end, function() end) end",
           "ready() while true do coroutine.resume(coroutine.create(function() while true do end "
           "end)) end",
           "ready() while true do pcall(coroutine.wrap(function() while true do end end)) end",
           "ready() while true do pcall(pcall, function() while true do end end) end",
           "ready() local function f() local ok = pcall(function() while true do end end) return "
           "f() end f()",
           "ready() while true do local co = coroutine.create(function() local v <close> = "
           "setmetatable({}, {__close = "
           "function() while true do end end}) coroutine.yield() end) coroutine.resume(co) "
           "coroutine.close(co) end",
       }) {
    ScriptRunner runner;
    run_and_interrupt(runner, code);
    CHECK_MESSAGE(runner.code == ErrorCode::kInterrupted, code);
  }
}

TEST_CASE("an interrupt reaches a coroutine inside of a coroutine") {
  ScriptRunner runner;
  run_and_interrupt(runner,
                    "local inner = coroutine.wrap(function() ready() while true do end end)\n"
                    "local outer = coroutine.wrap(function() inner() end) outer()");
  CHECK(runner.code == ErrorCode::kInterrupted);
}

TEST_CASE("a command that Ctrl-C ended interrupts the script that waits for it") {
  for (const char* command : {"kill -INT $$", "sh -c 'kill -INT $$'; exit $?"}) {
    CAPTURE(command);
    ScriptRunner runner;
    runner.run(
        "local run <close> = require('mlrt').start_run()\n"
        "os.execute(arg[1]) io.open(arg[2], 'w'):close()",
        {command, runner.path("went-on")});
    CHECK(runner.code == ErrorCode::kInterrupted);
    CHECK(!interrupt_requested());
    CHECK(!fs::exists(runner.path("went-on")));
    CHECK(runner.run("local mlrt = require 'mlrt' assert(mlrt.runs()[1].status == 'KILLED')") ==
          "");
    CHECK(runner.run("assert(select(3, os.execute('exit 3')) == 3)") == "");
  }
}

TEST_CASE("a signal that another thread gets interrupts the script") {
  ScriptRunner runner;
  run_and_interrupt(runner, "ready() while true do end", true);
  CHECK(runner.code == ErrorCode::kInterrupted);
}

TEST_CASE("a close handler that never ends is ended too") {
  ScriptRunner runner;
  run_and_interrupt(
      runner,
      "local v <close> = setmetatable({}, {__close = function() while true do end end})\n"
      "ready() while true do end");
  CHECK(runner.code == ErrorCode::kInterrupted);
}

TEST_CASE("an interrupt ends a training in C++, and autolog marks its run KILLED") {
  ScriptRunner runner;
  run_and_interrupt(runner,
                    "mlrt.autolog()\n"
                    "local t <close> = mlrt.training{learner = 'mine'} ready()\n"
                    "local step = 0 while true do step = step + 1 t:round(step, {}) end");
  CHECK(runner.code == ErrorCode::kInterrupted);
  REQUIRE(runner.runs().size() == 1);
  CHECK(runner.runs()[0].status == RunStatus::kKilled);
}

TEST_CASE("SIGTERM interrupts like SIGINT, and a second signal kills at once") {
  ScriptRunner runner;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // The close handler waits in C, where no hook comes: only the second signal can end it.
    runner.run(
        "local v <close> = setmetatable({}, {__close = function() io.open(arg[2], 'w'):close()\n"
        "  string.find(string.rep('a', 300000), '.-.-.-.-b') end})\n"
        "io.open(arg[1], 'w'):close() while true do end",
        {runner.path("ready"), runner.path("closing")});
    _exit(0);
  }
  const auto wait_for = [&](const char* name) {
    for (int i = 0; i < 4000 && !fs::exists(runner.path(name)); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return fs::exists(runner.path(name));
  };
  CHECK(wait_for("ready"));
  kill(child, SIGTERM);
  CHECK(wait_for("closing"));
  kill(child, SIGTERM);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
}

TEST_CASE("the handlers of the program come back after a script") {
  struct sigaction before {};
  struct sigaction after {};
  sigaction(SIGINT, nullptr, &before);
  ScriptRunner runner;
  CHECK(runner.run("return 1") == "");
  sigaction(SIGINT, nullptr, &after);
  CHECK(before.sa_handler == after.sa_handler);
}

}  // namespace test
}  // namespace mlrt
