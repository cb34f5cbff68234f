#ifndef MLRT_MODEL_STABLE_MATH_HPP_
#define MLRT_MODEL_STABLE_MATH_HPP_

namespace mlrt {

// e^x and logarithms out of IEEE additions, multiplications and divisions alone, in a fixed order.
// The C library's own differ in the last bit from one processor or version to the next, and a
// prediction must not. Errors stay below 2 units in the last place. Pure; any thread.

// e^x; +infinity above 709.78..., 0 below -745.13..., NaN for NaN.
double stable_exp(double x);

// The natural logarithm; -infinity for 0, NaN for less and for NaN.
double stable_log(double x);

// ln(1 + u) for u in [0, 1], exact to the last bits for small u too.
double stable_log1p(double u);

}  // namespace mlrt

#endif  // MLRT_MODEL_STABLE_MATH_HPP_
