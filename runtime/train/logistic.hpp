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
  double l2 = 0;             // half the weight of the squared coefficients in the loss sum; >= 0; not on the intercept
  int max_iterations = 50;   // >= 1
  double tolerance = 1e-8;   // stops when the mean log loss falls by less than this
};

// Fits P(label = 1) by maximum likelihood: Newton's method (iteratively reweighted least squares), each
// step solved by Cholesky and halved while the loss would rise; deterministic. Reports the mean log loss
// over the training rows of each iteration as "log_loss" to `hooks` (which may be null).
//
// `label` is a column of `table` with values 0 and 1 (numbers or booleans), none missing. Throws
// kInvalidParameter for another label column, a label among the features, one class only, more than 500
// features, or options out of range; kInterrupted when the user asked to stop.
std::shared_ptr<const Model> fit_logistic(const Table& table, const std::string& label, const FeatureSpec& features,
                                          const LogisticOptions& options = {}, TrainHooks* hooks = nullptr,
                                          const std::string& dataset_name = "train");

}  // namespace mlrt

#endif  // MLRT_TRAIN_LOGISTIC_HPP_
