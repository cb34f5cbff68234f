#ifndef MLRT_MODEL_LINEAR_HPP_
#define MLRT_MODEL_LINEAR_HPP_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/predictor.hpp"

namespace mlrt {

// What is made of the weighted sum.
enum class Link { kIdentity, kLogistic };

// One output: link(intercept + sum of coefficient[i] * feature[i], summed in order).
class LinearPredictor final : public Predictor {
 public:
  // Throws kInvalidParameter for a number that is not finite.
  LinearPredictor(std::vector<double> coefficients, double intercept, Link link);

  const std::vector<double>& coefficients() const { return coefficients_; }
  double intercept() const { return intercept_; }
  Link link() const { return link_; }

  std::string flavor() const override { return "linear"; }
  std::size_t feature_count() const override { return coefficients_.size(); }
  std::size_t output_count() const override { return 1; }
  Matrix predict(const Matrix& features) const override;
  void save(MemoryFiles& files) const override;  // "linear.json"

  // Reads what save wrote. Throws kInvalidParameter that names the key at fault.
  static std::shared_ptr<const LinearPredictor> load(const FileSet& files, const std::string& file);

 private:
  std::vector<double> coefficients_;
  double intercept_;
  Link link_;
};

// 1 / (1 + e^-x) without overflow.
double logistic(double x);

}  // namespace mlrt

#endif  // MLRT_MODEL_LINEAR_HPP_
