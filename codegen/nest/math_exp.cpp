// exp and what is made from it. x = n ln(2) + r with n an integer and |r| <= ln(2)/2, so exp(x) = 2^n exp(r), and exp(r) is a polynomial.
//
// n is had by adding 1.5 * 2^m (m: bits of the mantissa), which pushes the fraction off the end: the sum's low bits are n, ready to be
// shifted into an exponent field. n ln(2) is subtracted in two parts, the first with so few bits that its product with n is exact (Cody and
// Waite, 1980).
//
// 2^n itself may be too large or too small for a number where the result is not. Multiplying by 2^(n -+ h), then by 2^(+-h), h half the
// exponent range and its sign that of x, has one rounding, in the last multiplication. A level that multiplies by a power of two of any
// size (vscalefps) has that same rounding in one instruction.
#include "codegen/nest/polynomials.h"
#include "codegen/nest/transcendental.h"

#include <cmath>

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace normforge::nest {
namespace {

struct Format {
  int mantissa, bias;
  int half;                 ///< the h above
  double to_integer;        ///< 1.5 * 2^mantissa
  double ln2_high, ln2_low; ///< their sum is ln(2)
  double lowest, highest;   ///< exp is 0 below and infinite above
  double lowest2, highest2; ///< exp2
  double tanh_one;          ///< tanh is 1 above
  std::span<const double> exp, exp2, tanh;
};
constexpr Format kF32{
    .mantissa = 23,
    .bias = 127,
    .half = 64,
    .to_integer = 0x1.8p23,
    .ln2_high = 0x1.62e4p-1,
    .ln2_low = 0x1.7f7d1cf79abcap-20,
    .lowest = -104,
    .highest = 89,
    .lowest2 = -151,
    .highest2 = 129,
    .tanh_one = 10,
    .exp = polynomials::kExpF32,
    .exp2 = polynomials::kExp2F32,
    .tanh = polynomials::kTanhF32,
};
constexpr Format kF64{
    .mantissa = 52,
    .bias = 1023,
    .half = 512,
    .to_integer = 0x1.8p52,
    .ln2_high = 0x1.62e42fefap-1,
    .ln2_low = 0x1.cf79abc9e3b3ap-40,
    .lowest = -746,
    .highest = 710,
    .lowest2 = -1076,
    .highest2 = 1025,
    .tanh_one = 20,
    .exp = polynomials::kExpF64,
    .exp2 = polynomials::kExp2F64,
    .tanh = polynomials::kTanhF64,
};

const Format &format_of(Expr x) { return x.is_f64() ? kF64 : kF32; }

// 2^n * power, with n + `bias` in the low bits of `shifted`.
struct Reduced {
  Expr shifted, n, power;
};

// exp(r) = 1 + r + r^2 P(r). Nested, it is one operation less; with a rounding per multiplication and per addition that one is well spent.
Expr exp_polynomial(Expr r) {
  const Expr one = r.constant(1.0), tail = polynomial(r, format_of(r).exp);
  return r.emission().fma ? multiply_add(multiply_add(tail, r, one), r, one) : r * r * tail + r + one;
}

// The polynomial part of exp(x); the magic number carries `bias` along into the low bits.
Reduced reduce_exp(Expr x, int bias) {
  const Format &format = format_of(x);
  const double magic = format.to_integer + bias;
  const Expr shifted = multiply_add(x, x.constant(0x1.71547652b82fep+0), x.constant(magic)); // log2(e)
  const Expr n = shifted - magic;
  Expr r = multiply_add(n, x.constant(-format.ln2_high), x);
  r = multiply_add(n, x.constant(-format.ln2_low), r);
  return {shifted, n, exp_polynomial(r)};
}

Reduced reduce_exp2(Expr x, int bias) {
  const Format &format = format_of(x);
  const double magic = format.to_integer + bias;
  const Expr shifted = x + magic;
  const Expr n = shifted - magic, r = x - n;
  return {shifted, n, multiply_add(polynomial(r, format.exp2), r, x.constant(1.0))};
}

// The integer in the low bits of `shifted` as an exponent field: 2^(n + carried - bias).
Expr power_of_two(Expr shifted) { return float_of(bits_of(shifted) << format_of(shifted).mantissa); }

bool has_scale(Expr x) { return x.emission().target.scale && !x.is_f64(); }

// power * 2^n in one instruction: x86::compile_module makes vscalefps of ldexp by a floor.
Expr scale(const Reduced &reduced) {
  mlir::ImplicitLocOpBuilder &b = reduced.n.builder();
  const Expr whole = float_to_integer(reduced.n.with(mlir::math::FloorOp::create(b, reduced.n.value())), b.getI32Type());
  return reduced.power.with(mlir::LLVM::LoadExpOp::create(b, reduced.power.type(), reduced.power.value(), whole.value()));
}

// Limits that let NaN through, each one instruction.
Expr at_least(Expr x, double low) { return select(less(x, x.constant(low)), x.constant(low), x); }
Expr at_most(Expr x, double high) { return select(less(x.constant(high), x), x.constant(high), x); }

// 2^n * power over the whole range of results. `carried` is the bias of both factors, so that subtracting the bits of one leaves the
// other's.
Expr scale_any(Expr x, Reduced (*reduce)(Expr, int)) {
  const Format &format = format_of(x);
  if (has_scale(x))
    return scale(reduce(x, 0));
  const Reduced reduced = reduce(x, 2 * format.bias);
  const Expr second = select(signed_less(bits_of(x), bits_of(x).constant(int64_t(0))), x.constant(std::ldexp(1.0, -format.half)),
                             x.constant(std::ldexp(1.0, format.half)));
  const Expr first = float_of((bits_of(reduced.shifted) << format.mantissa) - bits_of(second));
  return reduced.power * first * second;
}

} // namespace

Expr emit_exp(Expr x) {
  const Format &format = format_of(x);
  return scale_any(at_least(at_most(x, format.highest), format.lowest), reduce_exp);
}

Expr emit_exp2(Expr x) {
  const Format &format = format_of(x);
  return scale_any(at_least(at_most(x, format.highest2), format.lowest2), reduce_exp2);
}

Expr emit_exp_small(Expr x) {
  const Reduced reduced = reduce_exp(x, format_of(x).bias);
  return reduced.power * power_of_two(reduced.shifted);
}

Expr emit_exp_negative(Expr x) {
  const Format &format = format_of(x);
  x = at_least(x, format.lowest);
  if (has_scale(x))
    return scale(reduce_exp(x, 0));
  const Reduced reduced = reduce_exp(x, format.bias + format.half);
  return reduced.power * power_of_two(reduced.shifted) * std::ldexp(1.0, -format.half);
}

// The quotient is taken with exp(-|x|), which cannot overflow: for x < 0 it is exp(x) / (1 + exp(x)), small results included. What rounding
// cut off the denominator (exactly e - (denominator - 1)) is made good in the quotient, else errors of three operations would pass 2 ulp.
Expr emit_sigmoid(Expr x) {
  const Expr e = emit_exp_negative(-absolute(x)), denominator = e + 1.0;
  const Expr quotient = select(less(x, x.constant(0.0)), e, x.constant(1.0)) / denominator;
  return multiply_add((denominator - 1.0) - e, quotient, quotient);
}

// Near 0 a polynomial; elsewhere 1 - 2 / (exp(2|x|) + 1), where the subtraction halves the quotient's error at least.
Expr emit_tanh(Expr x) {
  const Format &format = format_of(x);
  const Expr z = absolute(x), square = z * z;
  const Expr near = multiply_add(z * square, polynomial(square, format.tanh), z);
  const Expr limited = at_most(z, format.tanh_one);
  const Expr far = 1.0 - 2.0 / (emit_exp_small(limited + limited) + 1.0);
  return copy_sign(select(less(z, x.constant(0.625)), near, far), x);
}

} // namespace normforge::nest
