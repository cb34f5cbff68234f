#ifndef MLRT_DATA_MATRIX_HPP_
#define MLRT_DATA_MATRIX_HPP_

#include <cstddef>
#include <vector>

namespace mlrt {

// Dense doubles, row after row.
struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t column_count)
      : rows(row_count), columns(column_count), values(row_count * column_count) {}

  double* row(std::size_t i) { return values.data() + i * columns; }
  const double* row(std::size_t i) const { return values.data() + i * columns; }
};

}  // namespace mlrt

#endif  // MLRT_DATA_MATRIX_HPP_
