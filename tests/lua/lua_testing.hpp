#ifndef MLRT_TESTS_LUA_LUA_TESTING_HPP_
#define MLRT_TESTS_LUA_LUA_TESTING_HPP_

#include <string>
#include <vector>

#include "api/session.hpp"
#include "core/error.hpp"
#include "core/fs.hpp"
#include "lua/interpreter.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace test {

// An interpreter whose store is "mlrt.db" in a folder of its own, whose sub-folder "overlay" is its
// overlay.
class ScriptRunner {
 public:
  ScriptRunner() : interpreter_(options(folder_)) {}

  std::string folder() const { return folder_.path(); }
  std::string path(const std::string& name) const { return folder_.path(name); }
  Interpreter& interpreter() { return interpreter_; }

  // Writes a file below the folder; returns its path.
  std::string write(const std::string& name, const std::string& text) const {
    fs::make_folders(fs::parent(path(name)));
    fs::write_file(path(name), text);
    return path(name);
  }

  // The message of the error that the script ends with, "" when it succeeds; its code is in `code`.
  std::string run(const std::string& text, const std::vector<std::string>& args = {}) {
    return catch_error([&] { interpreter_.run_string(text, args); });
  }
  std::string run_file(const std::string& file, const std::vector<std::string>& args = {}) {
    return catch_error([&] { interpreter_.run_file(file, args); });
  }
  ErrorCode code = ErrorCode::kInternal;

  std::vector<RunRecord> runs() const {
    return Session(path("mlrt.db")).tracking().list_runs({}, 100);
  }

 private:
  static InterpreterOptions options(const TempDir& folder) {
    InterpreterOptions made;
    made.store = folder.path("mlrt.db");
    made.overlay = folder.path("overlay");
    return made;
  }

  template <class F>
  std::string catch_error(F&& run) {
    try {
      run();
      return "";
    } catch (const Error& error) {
      code = error.code();
      return error.message();
    }
  }

  TempDir folder_;
  Interpreter interpreter_;
};

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_LUA_LUA_TESTING_HPP_
