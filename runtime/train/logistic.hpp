#ifndef MLRT_TRAIN_LOGISTIC_HPP_
#define MLRT_TRAIN_LOGISTIC_HPP_

#include <memory>
#include <string>

#include "data/table.hpp"
#include "data/transform.hpp"
#include "model/model.hpp"
#include "train/hooks.hpp"

namespace mlrt {

struct LogisticOptions {
  // Half the weight of the squared coefficients, the intercept left out, in the loss sum; >= 0.
  double l2 = 0;
  int max_iterations = 50;  // 1 to 10,000
  // Stops when the mean loss, penalty included, falls by no more than this; >= 0.
  double tolerance = 1e-8;
};

// Fits P(label = 1) by maximum likelihood: Newton's method (iteratively reweighted least squares),
// each step solved by Cholesky and halved while the loss would rise; deterministic. Features that
// depend on each other (all categories of a column and the intercept) are no error: among the
// equally good solutions it stays near the one it started from, 0. So are separable classes: it
// ends with large coefficients. Reports the mean log loss over the training rows after each
// iteration, from 1, as "log_loss" to `hooks` (which may be null), and at the end the scores of
// evaluate_binary on them as "training_accuracy_score" and so on, as MLflow's autologging has it.
//
// `label` is a column of `table` with values 0 and 1 (numbers or booleans), none missing. Throws
// kInvalidParameter for another label column, a label among the features, one class only, more than
// 500 features, numbers beyond 1e300, options out of range, and all that Transform::fit refuses;
// kInterrupted when the user asked to stop; and what observers throw.
std::shared_ptr<const Model> fit_logistic(const Table& table, const std::string& label,
                                          const FeatureSpec& features,
                                          const LogisticOptions& options = {},
                                          TrainHooks* hooks = nullptr,
                                          const std::string& dataset_name = "train");

}  // namespace mlrt

#endif  // MLRT_TRAIN_LOGISTIC_HPP_
