// log and log2. x = 2^k m with m in [sqrt(1/2), sqrt(2)), so that near x = 1, where the logarithm vanishes, k is 0 and nothing cancels.
// With f = m - 1 and s = f / (2 + f), log(m) = log((1 + s)/(1 - s)) = 2 s + s R, R a polynomial in s^2. Written
// f - (f^2/2 - s (f^2/2 + R)), its rounding errors are in terms that are small beside f (Tang, 1990).
#include "codegen/nest/polynomials.h"
#include "codegen/nest/transcendental.h"

#include <cmath>
#include <limits>

namespace normforge::nest {
namespace {

struct Format {
  int mantissa, bias;
  int64_t sqrt_half; ///< bits of sqrt(1/2)
  double least_normal;
  double ln2_high, ln2_low;     ///< their sum is ln(2); the product of the first with any k is exact
  double log2e_high, log2e_low; ///< their sum is log2(e); the product of the first with a number that has `kept` bits is exact
  int64_t kept;                 ///< a mask of the upper half of a number's bits
  std::span<const double> polynomial;
};
constexpr Format kF32{
    .mantissa = 23,
    .bias = 127,
    .sqrt_half = 0x3f3504f3,
    .least_normal = 0x1p-126,
    .ln2_high = 0x1.62e4p-1,
    .ln2_low = 0x1.7f7d1cf79abcap-20,
    .log2e_high = 0x1.716p+0,
    .log2e_low = -0x1.7135a8fa03d11p-13,
    .kept = 0xfffff000,
    .polynomial = polynomials::kLogF32,
};
constexpr Format kF64{
    .mantissa = 52,
    .bias = 1023,
    .sqrt_half = 0x3fe6a09e667f3bcd,
    .least_normal = 0x1p-1022,
    .ln2_high = 0x1.62e42fefap-1,
    .ln2_low = 0x1.cf79abc9e3b3ap-40,
    .log2e_high = 0x1.715476p+0,
    .log2e_low = 0x1.4ae0bf85ddf44p-26,
    .kept = int64_t(0xffffffff00000000),
    .polynomial = polynomials::kLogF64,
};

const Format &format_of(Expr x) { return x.is_f64() ? kF64 : kF32; }

struct Split {
  Expr k, f; ///< x = 2^k (1 + f)
  Expr half; ///< f^2 / 2
  Expr rest; ///< log(1 + f) = f - (half - rest)
};

Split split(Expr x) {
  const Format &format = format_of(x);
  const Expr subnormal = less(x, x.constant(format.least_normal));
  const int lift = format.mantissa + 1;
  const Expr normal = select(subnormal, x * std::ldexp(1.0, lift), x);
  // Moving sqrt(1/2) to 1 makes the exponent field that of k.
  const int64_t one = int64_t(format.bias) << format.mantissa;
  const Expr moved = bits_of(normal) + (one - format.sqrt_half);
  const Expr m = float_of((moved & ((int64_t(1) << format.mantissa) - 1)) + format.sqrt_half);
  // An integer below 2^mantissa in the mantissa of 2^mantissa: subtracting the latter leaves it as a float.
  const double whole = std::ldexp(1.0, format.mantissa);
  const Expr biased = float_of((moved >> format.mantissa) | bits_of(x.constant(whole)));
  const Expr k = biased - select(subnormal, x.constant(whole + format.bias + lift), x.constant(whole + format.bias));
  const Expr f = m - 1.0, s = f / (f + 2.0), z = s * s, half = f * f * 0.5;
  return {k, f, half, s * multiply_add(z, polynomial(z, format.polynomial), half)};
}

// `log` where x is a positive number; elsewhere the limits.
Expr with_limits(Expr x, Expr log) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Expr zero = x.constant(0.0), nan = x.constant(std::numeric_limits<double>::quiet_NaN());
  const Expr elsewhere = select(equal(x, zero), x.constant(-infinity), select(less(x, zero), nan, x));
  return select(less(zero, x) & less(x, x.constant(infinity)), log, elsewhere);
}

} // namespace

Expr emit_log(Expr x) {
  const Format &format = format_of(x);
  const auto [k, f, half, rest] = split(x);
  const Expr low = multiply_add(k, x.constant(format.ln2_low), rest);
  return with_limits(x, multiply_add(k, x.constant(format.ln2_high), f - (half - low)));
}

// log(m) in two parts, the upper short enough for an exact product with the upper part of log2(e).
Expr emit_log2(Expr x) {
  const Format &format = format_of(x);
  const auto [k, f, half, rest] = split(x);
  const Expr high = float_of(bits_of(f - half) & format.kept);
  const Expr low = (f - high) - half + rest;
  const Expr tail = multiply_add(low + high, x.constant(format.log2e_low), low * format.log2e_high);
  return with_limits(x, multiply_add(high, x.constant(format.log2e_high), tail) + k);
}

} // namespace normforge::nest
