#ifndef MLRT_TESTS_API_API_TESTING_HPP_
#define MLRT_TESTS_API_API_TESTING_HPP_

#include <memory>
#include <string>

#include "api/session.hpp"
#include "core/fs.hpp"
#include "data/table.hpp"
#include "model/linear.hpp"
#include "model/model.hpp"
#include "support/temp_dir.hpp"

namespace mlrt {
namespace test {

inline Table small_table() {
  Table table;
  table.set(Column::of_doubles("x", {1, 2, 3, 4}));
  table.set(Column::of_strings("kind", {"a", "b", "a", "b"}));
  table.set(Column::of_longs("label", {0, 1, 0, 1}));
  return table;
}

// P = logistic(0.25 * x + weight * [kind = a] - 0.5)
inline std::shared_ptr<const Model> small_model(double weight = 1.5) {
  FeatureSpec spec;
  spec.numeric = {"x"};
  spec.one_hot = {"kind"};
  auto predictor = std::make_shared<LinearPredictor>(std::vector<double>{0.25, weight, 0}, -0.5,
                                                     Link::kLogistic);
  return std::make_shared<const Model>(Transform::fit(small_table(), spec), predictor);
}

inline double first_prediction(const Model& model) {
  return model.predict(small_table()).column("prediction").number(0);
}

inline std::string tag_value(const RunRecord& run, const std::string& key) {
  for (const Tag& tag : run.tags) {
    if (tag.key == key) return tag.value;
  }
  return "(none)";
}

// A session on a new store in a folder of its own.
struct SessionFixture {
  TempDir dir;
  Session session{dir.path("mlrt.db")};
  std::string artifact_root() const { return dir.path("mlrt-artifacts"); }
  std::vector<std::string> artifact_files() const {
    if (!fs::is_folder(artifact_root())) return {};
    return fs::list_files_below(artifact_root());
  }
};

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_API_API_TESTING_HPP_
