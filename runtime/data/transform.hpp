#ifndef MLRT_DATA_TRANSFORM_HPP_
#define MLRT_DATA_TRANSFORM_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/matrix.hpp"
#include "data/table.hpp"

namespace mlrt {

// Which raw columns feed a model, and how. The features stand in this order: standardize, numeric,
// one_hot.
struct FeatureSpec {
  std::vector<std::string> standardize;  // numbers, to mean 0 and population standard deviation 1
  std::vector<std::string> numeric;      // numbers, as they are
  std::vector<std::string> one_hot;   // categories (strings, longs, booleans), a 0/1 feature each
  std::size_t max_categories = 1000;  // a one_hot column: the most frequent ones
};

// The preprocessing of a model: raw columns in, a feature matrix out, with every constant found by
// one pass over the training data. It is stored inside the model, so training and serving cannot
// differ.
class Transform {
 public:
  struct Step {
    enum class Op { kStandardize, kNumeric, kOneHot };
    Op op = Op::kNumeric;
    std::string column;
    // Of the raw column. A one_hot column of longs with missing values counts as double, so that a
    // model's signature, in which a long is never missing, lets them through.
    ColumnType type = ColumnType::kDouble;
    double mean = 0;     // standardize, numeric: also what a missing value becomes
    double std_dev = 1;  // standardize; a constant column has 1
    // one_hot, by cell text: most frequent first, ties by byte. Any other value, and a missing one,
    // is 0 in every feature.
    std::vector<std::string> categories;
  };

  Transform() = default;

  // Throws kInvalidParameter for an unknown, repeated or wrongly typed column, a name or category
  // that is not UTF-8, an infinite number or numbers too large to average, no column at all,
  // max_categories of 0, or a table without rows. A column of numbers without any value has mean 0.
  static Transform fit(const Table& table, const FeatureSpec& spec);

  const std::vector<Step>& steps() const { return steps_; }
  std::size_t feature_count() const;
  std::vector<std::string> feature_names() const;  // "fare", "payment_type=Cash"

  // rows x feature_count(). Numbers serve standardize and numeric whatever their type; a one_hot
  // column must be of strings if it was at first, and of anything else if not; a column without any
  // value serves everywhere. Throws kInvalidParameter if a column is absent or of a type that
  // cannot serve, kTooLarge beyond 2^32 values.
  Matrix apply(const Table& table) const;

  // JSON text with a "format" number; the same transform gives the same bytes. from_json throws
  // kInvalidParameter, naming `what` and the key, for anything that to_json would not write.
  std::string to_json() const;
  static Transform from_json(std::string_view text, std::string_view what);

 private:
  void index_categories();
  std::size_t find_category(std::size_t step, std::string_view text) const;

  std::vector<Step> steps_;
  std::vector<std::vector<std::uint32_t>>
      sorted_;  // of each step: its categories' indexes, by byte
};

}  // namespace mlrt

#endif  // MLRT_DATA_TRANSFORM_HPP_
