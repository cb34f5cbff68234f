#ifndef MLRT_MODEL_PREDICTOR_HPP_
#define MLRT_MODEL_PREDICTOR_HPP_

#include <cstddef>
#include <string>

#include "core/file_set.hpp"
#include "data/matrix.hpp"

namespace mlrt {

// The numeric heart of a model: a feature matrix in, an output matrix out. Immutable after it is
// made, so any number of threads may use one at once. The same input gives the same bits on every
// machine.
class Predictor {
 public:
  virtual ~Predictor() = default;

  virtual std::string flavor() const = 0;  // its row in the table of flavors: "linear"
  virtual std::size_t feature_count() const = 0;
  virtual std::size_t output_count() const = 0;

  // `features` is rows x feature_count(); the result rows x output_count(). Throws
  // kInvalidParameter for another width.
  virtual Matrix predict(const Matrix& features) const = 0;

  // Adds the files that its reader needs.
  virtual void save(MemoryFiles& files) const = 0;
};

}  // namespace mlrt

#endif  // MLRT_MODEL_PREDICTOR_HPP_
