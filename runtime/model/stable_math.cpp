#include "model/stable_math.hpp"

#include <cmath>
#include <limits>

namespace mlrt {
namespace {

// ln 2 in two parts; the high one has 41 bits, so that its product with an exponent is exact.
constexpr double kLn2High = 0x1.62e42fefa3000p-1;
constexpr double kLn2Low = 0x1.3de6af278ece6p-42;
constexpr double kLog2OfE = 0x1.71547652b82fep+0;

// (atanh(s) - s) / s for s^2 = `square`, by its series s^2/3 + s^4/5 + ..., of `terms` terms.
double atanh_tail(double square, int terms) {
  double sum = 0;
  for (int n = terms; n >= 1; --n) sum = square * (1.0 / (2 * n + 1) + sum);
  return sum;
}

}  // namespace

double stable_exp(double x) {
  if (std::isnan(x)) return x;
  if (x > 709.782712893384) return std::numeric_limits<double>::infinity();
  if (x < -745.1332191019412) return 0;
  // e^x = 2^k e^r with |r| <= ln(2)/2, where 14 terms of the series reach the last bit.
  double k = std::floor(x * kLog2OfE + 0.5);
  double high = x - k * kLn2High;  // exact
  double low = k * kLn2Low;
  double r = high - low;
  double sum = 0;
  for (int n = 14; n >= 3; --n) sum = (sum + 1.0) * r / n;
  // sum is now r/3 + r^2/(3*4) + ...
  double tail = r * r * 0.5 * (1.0 + sum);
  return std::ldexp(1.0 + (high + (tail - low)), static_cast<int>(k));
}

double stable_log(double x) {
  if (std::isnan(x) || x < 0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return -std::numeric_limits<double>::infinity();
  if (std::isinf(x)) return x;
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  // ln(1 + f) = 2 atanh(f / (2 + f)) = f - s (f - tail), which keeps f's own bits.
  double f = m - 1.0;
  double s = f / (2.0 + f);
  double series = f - s * (f - 2.0 * atanh_tail(s * s, 12));
  double k = exponent;
  return k * kLn2High + (k * kLn2Low + series);
}

double stable_log1p(double u) {
  double s = u / (2.0 + u);
  return u - s * (u - 2.0 * atanh_tail(s * s, 18));
}

}  // namespace mlrt
