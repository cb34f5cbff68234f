#ifndef MLRT_MODEL_EVALUATE_HPP_
#define MLRT_MODEL_EVALUATE_HPP_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace mlrt {

// How well predicted probabilities fit 0/1 labels, by the names that MLflow's evaluate gives them.
struct BinaryMetrics {
  std::size_t example_count = 0;
  std::size_t true_positives = 0, false_positives = 0, true_negatives = 0, false_negatives = 0;
  double accuracy_score = 0, precision_score = 0, recall_score = 0, f1_score = 0;
  double log_loss = 0;  // natural logarithm, probabilities clipped to [1e-15, 1 - 1e-15]
  double roc_auc = 0;   // ties count half; NaN if one class is absent

  // ("example_count", 4966), ... in the order above.
  std::vector<std::pair<std::string, double>> named() const;
};

// `labels` are 0 or 1, `probabilities` in [0, 1], of equal length and at least 1. A row is positive
// from `threshold` on. Ratios with an empty denominator are 0. Throws kInvalidParameter otherwise.
BinaryMetrics evaluate_binary(const std::vector<double>& labels,
                              const std::vector<double>& probabilities, double threshold = 0.5);

}  // namespace mlrt

#endif  // MLRT_MODEL_EVALUATE_HPP_
