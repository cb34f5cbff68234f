#include "model/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "core/text.hpp"
#include "model/stable_math.hpp"

namespace mlrt {
namespace {

double ratio_or_zero(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

// The chance that a positive is ranked above a negative (Mann-Whitney), ties counted half: over
// groups of equal probability, from the lowest, each positive beats all negatives below it.
double area_under_roc(const std::vector<double>& labels, const std::vector<double>& probabilities) {
  std::vector<std::size_t> order(labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return probabilities[a] < probabilities[b]; });
  double won = 0;  // whole or half numbers: exact
  std::size_t positives = 0, negatives = 0;
  for (std::size_t from = 0; from < order.size();) {
    std::size_t to = from;
    std::size_t group_positives = 0;
    while (to < order.size() && probabilities[order[to]] == probabilities[order[from]]) {
      group_positives += labels[order[to]] == 1 ? 1 : 0;
      ++to;
    }
    std::size_t group_negatives = to - from - group_positives;
    won += static_cast<double>(group_positives) *
           (static_cast<double>(negatives) + 0.5 * static_cast<double>(group_negatives));
    positives += group_positives;
    negatives += group_negatives;
    from = to;
  }
  if (positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return won / (static_cast<double>(positives) * static_cast<double>(negatives));
}

void check_evaluated(const std::vector<double>& labels, const std::vector<double>& probabilities) {
  if (labels.empty()) throw Error(ErrorCode::kInvalidParameter, "there are no rows to evaluate");
  if (labels.size() != probabilities.size()) {
    throw Error(ErrorCode::kInvalidParameter, std::to_string(labels.size()) + " labels but " +
                                                  std::to_string(probabilities.size()) +
                                                  " probabilities");
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != 0 && labels[i] != 1) {
      throw Error(
          ErrorCode::kInvalidParameter,
          "label " + std::to_string(i) + " is " + format_double(labels[i]) + "; a label is 0 or 1");
    }
    if (!(probabilities[i] >= 0 && probabilities[i] <= 1)) {
      throw Error(ErrorCode::kInvalidParameter, "probability " + std::to_string(i) + " is " +
                                                    format_double(probabilities[i]) +
                                                    ", not between 0 and 1");
    }
  }
}

}  // namespace

BinaryMetrics evaluate_binary(const std::vector<double>& labels,
                              const std::vector<double>& probabilities, double threshold) {
  check_evaluated(labels, probabilities);
  if (std::isnan(threshold))
    throw Error(ErrorCode::kInvalidParameter, "the threshold is not a number");
  BinaryMetrics m;
  m.example_count = labels.size();
  double loss = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    bool said = probabilities[i] >= threshold;
    bool is = labels[i] == 1;
    ++(is ? (said ? m.true_positives : m.false_negatives)
          : (said ? m.false_positives : m.true_negatives));
    double p = std::min(std::max(probabilities[i], 1e-15), 1 - 1e-15);
    loss -= stable_log(is ? p : 1 - p);
  }
  m.accuracy_score = ratio_or_zero(m.true_positives + m.true_negatives, m.example_count);
  m.precision_score = ratio_or_zero(m.true_positives, m.true_positives + m.false_positives);
  m.recall_score = ratio_or_zero(m.true_positives, m.true_positives + m.false_negatives);
  m.f1_score = ratio_or_zero(2 * m.true_positives,
                             2 * m.true_positives + m.false_positives + m.false_negatives);
  m.log_loss = loss / static_cast<double>(m.example_count);
  m.roc_auc = area_under_roc(labels, probabilities);
  return m;
}

std::vector<std::pair<std::string, double>> BinaryMetrics::named() const {
  auto count = [](std::size_t n) { return static_cast<double>(n); };
  return {{"example_count", count(example_count)},
          {"true_positives", count(true_positives)},
          {"false_positives", count(false_positives)},
          {"true_negatives", count(true_negatives)},
          {"false_negatives", count(false_negatives)},
          {"accuracy_score", accuracy_score},
          {"precision_score", precision_score},
          {"recall_score", recall_score},
          {"f1_score", f1_score},
          {"log_loss", log_loss},
          {"roc_auc", roc_auc}};
}

}  // namespace mlrt
