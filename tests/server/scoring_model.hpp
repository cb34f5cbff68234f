#ifndef MLRT_TESTS_SERVER_SCORING_MODEL_HPP_
#define MLRT_TESTS_SERVER_SCORING_MODEL_HPP_

#include <memory>
#include <vector>

#include "data/table.hpp"
#include "data/transform.hpp"
#include "model/linear.hpp"
#include "model/model.hpp"

namespace mlrt {
namespace test {

// Takes a (double), k (string) and n (long, 2 or 3) and gives a + 10 if k is "x" + 100 * n; a
// missing a counts as 1. The recorded answers in fixtures/ are those of a Python model of the same
// formula.
inline std::shared_ptr<const Model> make_scoring_model() {
  const Table table =
      Table::of_columns({Column::of_doubles("a", {1.0, 1.0}), Column::of_strings("k", {"x", "y"}),
                         Column::of_longs("n", {2, 3})});
  FeatureSpec spec;
  spec.numeric = {"a"};
  spec.one_hot = {"k", "n"};
  const std::vector<double> coefficients = {1, 10, 0, 200, 300};
  return std::make_shared<const Model>(
      Transform::fit(table, spec),
      std::make_shared<const LinearPredictor>(coefficients, 0.0, Link::kIdentity));
}

}  // namespace test
}  // namespace mlrt

#endif  // MLRT_TESTS_SERVER_SCORING_MODEL_HPP_
