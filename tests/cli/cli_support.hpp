#ifndef MLRT_TESTS_CLI_CLI_SUPPORT_HPP_
#define MLRT_TESTS_CLI_CLI_SUPPORT_HPP_

#include <memory>
#include <string>
#include <vector>

#include "api/session.hpp"
#include "core/text.hpp"
#include "data/table.hpp"
#include "data/transform.hpp"
#include "model/linear.hpp"
#include "model/model.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace test {

// The command that runs the built executable, by an emulator for a cross build.
inline std::vector<std::string> mlrt_command(const std::vector<std::string>& words) {
  std::vector<std::string> command;
  for (const std::string& word : split(MLRT_EMULATOR, '|')) {
    if (!word.empty()) command.push_back(word);
  }
  command.push_back(MLRT_EXECUTABLE);
  command.insert(command.end(), words.begin(), words.end());
  return command;
}

// Runs mlrt in `folder` and waits for it.
inline ProcessResult run_mlrt(const std::string& folder, const std::vector<std::string>& words,
                              ProcessOptions options = {}) {
  options.folder = folder;
  return run_process(mlrt_command(words), options);
}

// Takes a (double) and k (string), gives a + 10 if k is "x".
inline Model make_cli_model() {
  const Table table =
      Table::of_columns({Column::of_doubles("a", {1.0, 1.0}), Column::of_strings("k", {"x", "y"})});
  FeatureSpec spec;
  spec.numeric = {"a"};
  spec.one_hot = {"k"};
  return Model(
      Transform::fit(table, spec),
      std::make_shared<const LinearPredictor>(std::vector<double>{1, 10, 0}, 0.0, Link::kIdentity));
}

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_CLI_CLI_SUPPORT_HPP_
