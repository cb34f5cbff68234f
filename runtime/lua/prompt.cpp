#include "lua/prompt.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>

#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "lua/guard.hpp"
#include "lua/interrupts.hpp"
#include "lua/modules.hpp"
#include "lua/traceback.hpp"

namespace mlrt {
namespace {

constexpr const char* kPromptChunkName = "=stdin";
constexpr std::size_t kPromptMaxBytes = std::size_t{16} << 20;

enum class PromptRead { kLine, kEnd, kInterrupted };

PromptRead prompt_read_line(std::string& line) {
  line.clear();
  for (;;) {
    errno = 0;
    const int c = std::getc(stdin);
    if (c == EOF) {
      if (errno == EINTR || interrupt_requested()) {
        std::clearerr(stdin);
        return PromptRead::kInterrupted;
      }
      return line.empty() ? PromptRead::kEnd : PromptRead::kLine;
    }
    if (c == '\n') return PromptRead::kLine;
    if (line.size() < kPromptMaxBytes) line += static_cast<char>(c);
  }
}

// Whether an error text says that the source ended too early, so that more lines may mend it.
bool prompt_is_incomplete(lua_State* L, int status) {
  if (status != LUA_ERRSYNTAX || lua_type(L, -1) != LUA_TSTRING) return false;
  std::size_t size = 0;
  const char* bytes = lua_tolstring(L, -1, &size);
  return ends_with(std::string_view(bytes, size), "<eof>");
}

// Prints the values above `base` as print does.
void prompt_print_results(lua_State* L, int base) {
  const int count = lua_gettop(L) - base;
  if (count == 0) return;
  luaL_checkstack(L, 4, nullptr);
  lua_getglobal(L, "print");
  lua_insert(L, base + 1);
  lua_call(L, count, 0);
}

// Compiles `source`, as an expression first; runs it when it is whole. Returns false when it needs
// more lines, else leaves nothing, or the text of an error, on the stack.
bool prompt_evaluate(lua_State* L, const std::string& expression, const std::string& source) {
  const int base = lua_gettop(L);
  int status = load_lua_text(L, expression, kPromptChunkName);
  if (status != LUA_OK) {
    lua_pop(L, 1);
    status = load_lua_text(L, source, kPromptChunkName);
    if (prompt_is_incomplete(L, status)) {
      lua_settop(L, base);
      return false;
    }
  }
  if (status == LUA_OK) status = call_with_traceback(L, 0, LUA_MULTRET);
  if (status == LUA_OK) {
    prompt_print_results(L, base);
    lua_settop(L, base);
  }
  return true;
}

void prompt_report(lua_State* L) {
  std::fflush(stdout);
  const char* text =
      lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error without a message";
  std::fprintf(stderr, "%s\n", text);
}

}  // namespace

void run_lua_prompt(ScriptState& state) {
  lua_State* L = state.main;
  const bool is_terminal = isatty(STDIN_FILENO) != 0;
  if (is_terminal) std::printf("mlrt %s, Lua 5.4; `mlrt` is loaded; Ctrl-D ends\n", MLRT_VERSION);
  InterruptScope interrupts(L);
  protect(L, [](lua_State* P) {
    lua_getglobal(P, "require");
    lua_pushliteral(P, "mlrt");
    lua_call(P, 1, 1);
    lua_setglobal(P, "mlrt");
  });
  std::string source;
  std::string line;
  for (;;) {
    if (is_terminal) std::printf("%s", source.empty() ? "> " : ">> ");
    std::fflush(stdout);
    const PromptRead read = prompt_read_line(line);
    if (read == PromptRead::kInterrupted) {
      clear_interrupt();
      state.interrupt_raised_ms = -1;
      source.clear();
      std::printf("\n");
      continue;
    }
    if (read == PromptRead::kEnd && source.empty()) break;
    if (read == PromptRead::kLine) source += (source.empty() ? "" : "\n") + line;
    if (trim(source).empty()) {
      source.clear();
      if (read == PromptRead::kEnd) break;
      continue;
    }
    try {
      bool whole = true;
      const std::string expression = "return " + source;
      protect(L, [&](lua_State* P) { whole = prompt_evaluate(P, expression, source); });
      if (!whole && read == PromptRead::kLine) continue;
      if (!whole) std::fprintf(stderr, "the input ended within a statement\n");
      if (lua_gettop(L) > 0) prompt_report(L);
    } catch (const LuaFailure& error) {  // while results were printed, or no memory
      std::fflush(stdout);
      std::fprintf(stderr, "%s\n", error.what());
    }
    lua_settop(L, 0);
    source.clear();
    clear_interrupt();
    state.interrupt_raised_ms = -1;
    if (read == PromptRead::kEnd) break;
  }
  if (is_terminal) std::printf("\n");
}

}  // namespace mlrt
