#include "train/logistic.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"
#include "model/evaluate.hpp"
#include "model/linear.hpp"
#include "model/stable_math.hpp"

namespace mlrt {
namespace {

constexpr std::size_t kLogisticMaxFeatures = 500;
constexpr int kLogisticMaxIterations = 10000;
constexpr int kLogisticMaxHalvings = 40;
constexpr double kLogisticLargest = 1e300;
constexpr double kLogisticSmallest = 1e-150;

[[noreturn]] void throw_logistic(const std::string& what) {
  throw Error(ErrorCode::kInvalidParameter, what);
}

void check_logistic_options(const LogisticOptions& options) {
  if (!(options.l2 >= 0) || std::isinf(options.l2)) {
    throw_logistic("l2 must be a number of 0 or more, not " + format_double(options.l2));
  }
  if (options.max_iterations < 1 || options.max_iterations > kLogisticMaxIterations) {
    throw_logistic("max_iterations must be between 1 and " +
                   std::to_string(kLogisticMaxIterations) + ", not " +
                   std::to_string(options.max_iterations));
  }
  if (!(options.tolerance >= 0) || std::isinf(options.tolerance)) {
    throw_logistic("tolerance must be a number of 0 or more, not " +
                   format_double(options.tolerance));
  }
}

void check_label_is_no_feature(const std::string& label, const FeatureSpec& features) {
  for (const auto* names : {&features.standardize, &features.numeric, &features.one_hot}) {
    if (std::find(names->begin(), names->end(), label) != names->end()) {
      throw_logistic("the label " + quoted(label) + " is among the features");
    }
  }
}

std::vector<double> read_logistic_labels(const Table& table, const std::string& label) {
  const Column& column = table.column(label);
  if (!column.is_numeric())
    throw_logistic("the label " + quoted(label) + " holds strings; it must be 0 or 1");
  std::vector<double> labels(column.size());
  bool seen[2] = {false, false};
  for (std::size_t row = 0; row < labels.size(); ++row) {
    labels[row] = column.number(row);
    if (labels[row] != 0 && labels[row] != 1) {
      throw_logistic("the label " + quoted(label) + " must be 0 or 1; in row " +
                     std::to_string(row) + " it is " +
                     (column.is_missing(row) ? "missing" : format_double(labels[row])));
    }
    seen[labels[row] == 1] = true;
  }
  if (!labels.empty() && seen[0] != seen[1]) {
    throw_logistic("the label " + quoted(label) + " is " + (seen[1] ? "1" : "0") +
                   " in every row: there is nothing to tell apart");
  }
  return labels;
}

// The features as Newton's method wants them: each divided by its largest size, so that the Hessian
// is well scaled; those that are mostly non-zero moved to mean 0 too, so that they do not resemble
// the intercept. Zeros are not stored: one-hot features are nearly all zero. Column 0 is the
// intercept's, all 1.
class LogisticRows {
 public:
  LogisticRows(const Matrix& features, const std::vector<std::string>& names)
      : width_(features.columns + 1) {
    centers_.assign(width_, 0.0);
    scales_.assign(width_, 1.0);
    for (std::size_t j = 1; j < width_; ++j) measure(features, names[j - 1], j);
    starts_.reserve(features.rows + 1);
    starts_.push_back(0);
    for (std::size_t i = 0; i < features.rows; ++i) {
      indexes_.push_back(0);
      values_.push_back(1.0);
      const double* row = features.row(i);
      for (std::size_t j = 1; j < width_; ++j) {
        double value = scales_[j] == 0 ? 0.0 : (row[j - 1] - centers_[j]) / scales_[j];
        if (value == 0) continue;
        indexes_.push_back(static_cast<std::uint32_t>(j));
        values_.push_back(value);
      }
      starts_.push_back(indexes_.size());
    }
  }

  std::size_t row_count() const { return starts_.size() - 1; }
  std::size_t width() const { return width_; }
  std::size_t begin(std::size_t row) const { return starts_[row]; }
  std::size_t end(std::size_t row) const { return starts_[row + 1]; }
  std::size_t index(std::size_t k) const { return indexes_[k]; }
  double value(std::size_t k) const { return values_[k]; }
  double scale(std::size_t column) const { return scales_[column]; }  // 0: a constant, left out

  double dot(std::size_t row, const std::vector<double>& weights) const {
    double sum = 0;
    for (std::size_t k = begin(row); k < end(row); ++k) sum += weights[indexes_[k]] * values_[k];
    return sum;
  }

  // The weights for features that are not scaled: the intercept, then the coefficients.
  std::vector<double> unscaled(const std::vector<double>& weights) const {
    std::vector<double> raw(width_, 0.0);
    raw[0] = weights[0];
    for (std::size_t j = 1; j < width_; ++j) {
      if (scales_[j] == 0) continue;
      raw[j] = weights[j] / scales_[j];
      raw[0] -= raw[j] * centers_[j];
    }
    return raw;
  }

 private:
  void measure(const Matrix& features, const std::string& name, std::size_t j) {
    double sum = 0, low = 0, high = 0;
    std::size_t filled = 0;
    for (std::size_t i = 0; i < features.rows; ++i) {
      double value = features.row(i)[j - 1];
      if (!(std::fabs(value) <= kLogisticLargest)) {
        throw_logistic("feature " + quoted(name) + " is beyond 1e300 in row " + std::to_string(i));
      }
      low = i == 0 ? value : std::min(low, value);
      high = i == 0 ? value : std::max(high, value);
      sum += value / static_cast<double>(features.rows);
      filled += value != 0 ? 1 : 0;
    }
    if (2 * filled > features.rows) centers_[j] = std::min(std::max(sum, low), high);
    double largest = std::max(high - centers_[j], centers_[j] - low);
    bool constant = low == high || largest < kLogisticSmallest;
    scales_[j] = constant ? 0.0 : largest;
  }

  std::size_t width_;
  std::vector<double> centers_;
  std::vector<double> scales_;
  std::vector<std::size_t> starts_;
  std::vector<std::uint32_t> indexes_;
  std::vector<double> values_;
};

// The penalised loss sum at some weights.
struct LogisticLoss {
  double log_loss = 0;  // over all rows
  double penalty = 0;
  double total() const { return log_loss + penalty; }
};

// Newton's method for one set of rows.
class LogisticSolver {
 public:
  LogisticSolver(const LogisticRows& rows, const std::vector<double>& labels, double l2)
      : rows_(rows), labels_(labels), weights_(rows.width(), 0.0), l2_(rows.width(), 0.0) {
    for (std::size_t j = 1; j < rows.width(); ++j) {
      // The penalty is on the coefficients of the features as they were.
      if (rows.scale(j) != 0) l2_[j] = l2 / rows.scale(j) / rows.scale(j);
    }
    loss_ = loss_at(weights_);
  }

  const LogisticLoss& loss() const { return loss_; }
  const std::vector<double>& weights() const { return weights_; }

  // One iteration: the loss never rises. Where no step along Newton's direction lowers it, all
  // stays.
  void step() {
    std::vector<double> direction = newton_direction();
    double fraction = 1;
    std::vector<double> trial(weights_.size());
    for (int halving = 0; halving <= kLogisticMaxHalvings; ++halving, fraction *= 0.5) {
      for (std::size_t j = 0; j < trial.size(); ++j)
        trial[j] = weights_[j] + fraction * direction[j];
      LogisticLoss loss = loss_at(trial);
      if (loss.total() <= loss_.total()) {  // false for NaN too
        weights_ = trial;
        loss_ = loss;
        return;
      }
    }
  }

 private:
  LogisticLoss loss_at(const std::vector<double>& weights) const {
    LogisticLoss loss;
    for (std::size_t i = 0; i < rows_.row_count(); ++i) {
      // -ln P(label) = ln(1 + e^z) - label z, written so that nothing overflows.
      double z = rows_.dot(i, weights);
      double margin = labels_[i] == 1 ? z : -z;
      loss.log_loss += std::max(-margin, 0.0) + stable_log1p(stable_exp(-std::fabs(z)));
    }
    for (std::size_t j = 1; j < weights.size(); ++j)
      loss.penalty += 0.5 * l2_[j] * weights[j] * weights[j];
    return loss;
  }

  // Solves Hessian * direction = -gradient.
  std::vector<double> newton_direction() const {
    std::size_t n = weights_.size();
    std::vector<double> down(n, 0.0);  // minus the gradient
    Matrix hessian(n, n);              // its lower half
    for (std::size_t i = 0; i < rows_.row_count(); ++i) {
      double p = logistic(rows_.dot(i, weights_));
      double error = labels_[i] - p;
      double weight = p * (1 - p);
      for (std::size_t k = rows_.begin(i); k < rows_.end(i); ++k) {
        down[rows_.index(k)] += error * rows_.value(k);
        double weighted = weight * rows_.value(k);
        double* row = hessian.row(rows_.index(k));
        for (std::size_t m = rows_.begin(i); m <= k; ++m)
          row[rows_.index(m)] += weighted * rows_.value(m);
      }
    }
    for (std::size_t j = 1; j < n; ++j) {
      down[j] -= l2_[j] * weights_[j];
      hessian.row(j)[j] += l2_[j];
    }
    return solve(hessian, down);
  }

  // The Hessian is brought to a diagonal of 1 first. Features that depend on each other make it
  // singular: then the diagonal grows by little, by ten times more, and so on, until it can be
  // solved. That bends the step, not the loss that is minimised, so that the result is the same up
  // to what the loss cannot tell.
  static std::vector<double> solve(const Matrix& hessian, const std::vector<double>& down) {
    std::size_t n = down.size();
    std::vector<double> root(n);
    for (std::size_t j = 0; j < n; ++j) {
      double diagonal = hessian.row(j)[j];
      root[j] = diagonal > 0 ? std::sqrt(diagonal) : 0;
    }
    std::vector<double> solution(n, 0.0);
    for (double jitter = 0; jitter <= 10; jitter = jitter == 0 ? 1e-9 : jitter * 10) {
      Matrix lower(n, n);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          bool both = root[i] > 0 && root[j] > 0;
          lower.row(i)[j] = both ? hessian.row(i)[j] / root[i] / root[j] : 0.0;
        }
        lower.row(i)[i] = 1 + jitter;
      }
      if (!factor(lower)) continue;
      for (std::size_t j = 0; j < n; ++j) solution[j] = root[j] > 0 ? down[j] / root[j] : 0.0;
      substitute(lower, solution);
      for (std::size_t j = 0; j < n; ++j) solution[j] = root[j] > 0 ? solution[j] / root[j] : 0.0;
      break;
    }
    return solution;
  }

  // Cholesky in place: a = L L^T. False if a pivot is lost in rounding: the matrix is singular,
  // nearly so, or holds a NaN.
  static bool factor(Matrix& a) {
    constexpr double kSmallestPivot = 1e-10;  // of a diagonal of 1
    for (std::size_t i = 0; i < a.rows; ++i) {
      double* row_i = a.row(i);
      for (std::size_t j = 0; j <= i; ++j) {
        const double* row_j = a.row(j);
        double sum = row_i[j];
        for (std::size_t k = 0; k < j; ++k) sum -= row_i[k] * row_j[k];
        if (j < i) {
          row_i[j] = sum / row_j[j];
        } else {
          if (!(sum > kSmallestPivot)) return false;
          row_i[i] = std::sqrt(sum);
        }
      }
    }
    return true;
  }

  // Solves L L^T x = b in place.
  static void substitute(const Matrix& lower, std::vector<double>& x) {
    std::size_t n = x.size();
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < i; ++k) x[i] -= lower.row(i)[k] * x[k];
      x[i] /= lower.row(i)[i];
    }
    for (std::size_t i = n; i-- > 0;) {
      for (std::size_t k = i + 1; k < n; ++k) x[i] -= lower.row(k)[i] * x[k];
      x[i] /= lower.row(i)[i];
    }
  }

  const LogisticRows& rows_;
  const std::vector<double>& labels_;
  std::vector<double> weights_;
  std::vector<double> l2_;
  LogisticLoss loss_;
};

void describe_logistic_training(const Table& table, const std::string& label,
                                const FeatureSpec& features, const LogisticOptions& options,
                                const std::string& dataset_name, TrainingInfo& info) {
  info.params = {{"label", label},
                 {"standardize", join(features.standardize, ",")},
                 {"numeric", join(features.numeric, ",")},
                 {"one_hot", join(features.one_hot, ",")},
                 {"max_categories", std::to_string(features.max_categories)},
                 {"l2", format_double(options.l2)},
                 {"max_iterations", std::to_string(options.max_iterations)},
                 {"tolerance", format_double(options.tolerance)}};
  info.dataset_name = dataset_name;
  info.dataset_digest = table.digest();
  info.row_count = table.row_count();
  for (const Column& column : table.columns()) {
    info.columns.push_back({column.name(), column_type_name(column.type()), true});
  }
}

NamedValues logistic_training_metrics(const Predictor& predictor, const Matrix& features,
                                      const std::vector<double>& labels) {
  BinaryMetrics m = evaluate_binary(labels, predictor.predict(features).values);
  return {{"training_accuracy_score", m.accuracy_score},
          {"training_precision_score", m.precision_score},
          {"training_recall_score", m.recall_score},
          {"training_f1_score", m.f1_score},
          {"training_log_loss", m.log_loss},
          {"training_roc_auc", m.roc_auc}};
}

}  // namespace

std::shared_ptr<const Model> fit_logistic(const Table& table, const std::string& label,
                                          const FeatureSpec& features,
                                          const LogisticOptions& options, TrainHooks* hooks,
                                          const std::string& dataset_name) {
  check_logistic_options(options);
  check_label_is_no_feature(label, features);
  std::vector<double> labels = read_logistic_labels(table, label);
  Transform transform = Transform::fit(table, features);
  if (transform.feature_count() > kLogisticMaxFeatures) {
    throw_logistic(std::to_string(transform.feature_count()) + " features are more than the " +
                   std::to_string(kLogisticMaxFeatures) +
                   " that logistic regression takes; name fewer columns or lower max_categories");
  }
  Matrix matrix = transform.apply(table);
  LogisticRows rows(matrix, transform.feature_names());

  bool heard = hooks != nullptr && !hooks->empty();
  TrainingInfo info;
  info.learner = "logistic_regression";
  if (heard) describe_logistic_training(table, label, features, options, dataset_name, info);
  Training training(hooks, info);
  try {
    LogisticSolver solver(rows, labels, options.l2);
    double row_count = static_cast<double>(labels.size());
    for (int iteration = 1; iteration <= options.max_iterations; ++iteration) {
      double before = solver.loss().total();
      solver.step();
      training.round(iteration, {{"log_loss", solver.loss().log_loss / row_count}});
      if (!((before - solver.loss().total()) / row_count > options.tolerance)) break;
    }
    std::vector<double> weights = rows.unscaled(solver.weights());
    std::vector<double> coefficients(weights.begin() + 1, weights.end());
    auto predictor = std::make_shared<const LinearPredictor>(std::move(coefficients), weights[0],
                                                             Link::kLogistic);
    std::map<std::string, std::string> metadata{{"label", label}, {"learner", info.learner}};
    auto model =
        std::make_shared<const Model>(std::move(transform), predictor, std::move(metadata));
    training.finish(model,
                    heard ? logistic_training_metrics(*predictor, matrix, labels) : NamedValues{});
    return model;
  } catch (const std::exception& error) {
    training.set_failure(error.what());
    throw;
  }
}

}  // namespace mlrt
