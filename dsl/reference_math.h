// The reference's arithmetic, in double or in quadruple precision. Quad is what it computes in when an input is f64, so that f64 kernels
// are compared with something better than themselves: at a mean of 1e6 a centred value keeps twice the digits of f64, where long double
// would lose nine bits of it. Its functions are the C library's, under names of our own: the library's header hides them from some
// compilers.
#pragma once

#include <cmath>
#include <cstdlib>

namespace normforge {

using Quad = __float128;

extern "C" {
Quad quad_sqrt(Quad) __asm__("sqrtf128");
Quad quad_exp(Quad) __asm__("expf128");
Quad quad_exp2(Quad) __asm__("exp2f128");
Quad quad_log(Quad) __asm__("logf128");
Quad quad_log2(Quad) __asm__("log2f128");
Quad quad_tanh(Quad) __asm__("tanhf128");
Quad quad_erf(Quad) __asm__("erff128");
Quad quad_floor(Quad) __asm__("floorf128");
Quad quad_ceil(Quad) __asm__("ceilf128");
Quad quad_nearbyint(Quad) __asm__("nearbyintf128");
}

#define NORMFORGE_QUAD_OVERLOAD(function)                                                                                                  \
  inline double function##_of(double v) { return std::function(v); }                                                                       \
  inline Quad function##_of(Quad v) { return quad_##function(v); }
NORMFORGE_QUAD_OVERLOAD(sqrt)
NORMFORGE_QUAD_OVERLOAD(exp)
NORMFORGE_QUAD_OVERLOAD(exp2)
NORMFORGE_QUAD_OVERLOAD(log)
NORMFORGE_QUAD_OVERLOAD(log2)
NORMFORGE_QUAD_OVERLOAD(tanh)
NORMFORGE_QUAD_OVERLOAD(erf)
NORMFORGE_QUAD_OVERLOAD(floor)
NORMFORGE_QUAD_OVERLOAD(ceil)
NORMFORGE_QUAD_OVERLOAD(nearbyint)
#undef NORMFORGE_QUAD_OVERLOAD

template <class T> bool is_nan(T v) { return v != v; }
template <class T> bool is_finite(T v) { return v - v == 0; }
template <class T> T magnitude(T v) { return v < 0 || (v == 0 && 1 / v < 0) ? -v : v; }
template <class T> T larger(T a, T b) { return is_nan(a) ? a : is_nan(b) ? b : a < b ? b : a; }
template <class T> T smaller(T a, T b) { return is_nan(a) ? a : is_nan(b) ? b : b < a ? b : a; }

template <class T> T power(T base, int exponent) {
  T result = 1;
  for (int i = std::abs(exponent); i; i /= 2, base *= base)
    if (i % 2)
      result *= base;
  return exponent < 0 ? 1 / result : result;
}

template <class T> T sigmoid(T v) {
  if (v < 0)
    return exp_of(v) / (1 + exp_of(v));
  return 1 / (1 + exp_of(-v));
}

/// Neumaier's sum (1974): what each addition rounds off is kept and added in the end.
template <class T> struct Sum {
  T sum = 0, lost = 0;
  void add(T v) {
    const T next = sum + v;
    lost += magnitude(sum) >= magnitude(v) ? (sum - next) + v : (v - next) + sum;
    sum = next;
  }
  T value() const { return is_finite(sum) ? sum + lost : sum; }
};

} // namespace normforge
