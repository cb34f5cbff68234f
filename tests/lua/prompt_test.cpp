// The prompt reads and writes the process's own streams, so it runs in a child.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "lua/lua_testing.hpp"

namespace mlrt {
namespace test {
namespace {

struct PromptResult {
  std::string out;
  std::string err;
  int status = -1;
};

// `interrupt_after` milliseconds SIGINT is sent, when it is not 0.
PromptResult run_prompt_with(const std::string& input, int interrupt_after_ms = 0) {
  ScriptRunner runner;
  const std::string in = runner.write("in", input);
  const std::string out = runner.path("out");
  const std::string err = runner.path("err");
  std::fflush(nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (std::freopen(in.c_str(), "r", stdin) == nullptr ||
        std::freopen(out.c_str(), "w", stdout) == nullptr ||
        std::freopen(err.c_str(), "w", stderr) == nullptr) {
      _exit(9);
    }
    runner.interpreter().run_prompt();
    std::fflush(nullptr);
    _exit(0);
  }
  if (interrupt_after_ms > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(interrupt_after_ms));
    kill(child, SIGINT);
  }
  PromptResult result;
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.out = fs::read_file(out);
  result.err = fs::read_file(err);
  return result;
}

}  // namespace

TEST_CASE("the prompt prints the values of expressions, and keeps globals") {
  const PromptResult result =
      run_prompt_with("1 + 1\nx = 20\nx * 2, 'text'\nprint('printed')\nmlrt.version\nnil\n");
  CHECK(result.out == "2\n40\ttext\nprinted\n0.1.0\nnil\n");
  CHECK(result.err == "");
  CHECK(result.status == 0);
}

TEST_CASE("the prompt takes statements of several lines") {
  const PromptResult result =
      run_prompt_with("for i = 1, 2 do\n  print(i)\nend\n\nfunction f()\nreturn 7\nend\nf()\n");
  CHECK(result.out == "1\n2\n7\n");
  CHECK(result.err == "");
}

TEST_CASE("the prompt survives errors and tells them") {
  const PromptResult result =
      run_prompt_with("error('one')\n= =\nmlrt.read_csv('none.csv')\nerror({})\n'still here'");
  CHECK(result.out == "still here\n");
  CHECK(contains(result.err, "stdin:1: one"));
  CHECK(contains(result.err, "stack traceback:"));
  CHECK(contains(result.err, "unexpected symbol near '='"));
  CHECK(contains(result.err, "cannot read 'none.csv'"));
  CHECK(contains(result.err, "error object"));
  CHECK(result.status == 0);
}

TEST_CASE("input that ends within a statement is told") {
  const PromptResult result = run_prompt_with("for i = 1, 2 do");
  CHECK(contains(result.err, "ended within a statement"));
  CHECK(result.status == 0);
}

TEST_CASE("an interrupt ends the statement, not the prompt") {
  const PromptResult result = run_prompt_with("while true do end\n'after'\n", 500);
  CHECK(result.out == "after\n");
  CHECK(contains(result.err, "interrupted"));
  CHECK(result.status == 0);
}

}  // namespace test
}  // namespace mlrt
