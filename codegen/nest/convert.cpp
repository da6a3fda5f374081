// Conversions between what memory holds and f32 or f64. bf16 is the upper half of an f32. A smaller float (f16, f8e4m3) is an f32 with bits
// left out of both fields: its normal numbers are had by shifting and moving the exponent's bias, its subnormals by an addition that leaves
// them at the end of the mantissa, where the adder has rounded them.
//
// f64 reaches a 16-bit type through an f32 rounded to odd (Boldo and Melquiond, 2008): the last bit says whether anything was cut off,
// so the second rounding decides as if it had seen the f64.
#include "codegen/nest/convert.h"

#include <cmath>

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "codegen/nest/expression.h"
#include "dsl/error.h"

namespace normforge::nest {
namespace {

// A float under a sign bit, in an integer of `width` bits.
struct SmallFloat {
  int width, mantissa, bias;
  bool infinity;   ///< holds what is too large; else `largest` stands for it
  int64_t nan;     ///< its code
  int64_t special; ///< codes from here on are infinity and NaNs
  double largest;
  int shift() const { return 23 - mantissa; }                  ///< of the mantissa within that of f32
  int64_t rebias() const { return int64_t(127 - bias) << 23; } ///< difference of exponent fields, in f32's place
  double least_normal() const { return std::ldexp(1.0, 1 - bias); }
  double unit() const { return std::ldexp(1.0, 23 + 1 - bias - mantissa); } ///< where f32's last bit is this float's least subnormal
};
constexpr SmallFloat kF16{.width = 16, .mantissa = 10, .bias = 15, .infinity = true, .nan = 0x7e00, .special = 0x7c00, .largest = 65504};
constexpr SmallFloat kF8{.width = 8, .mantissa = 3, .bias = 7, .infinity = false, .nan = 0x7f, .special = 0x7f, .largest = 448};

mlir::Type i32_of(Expr x) { return x.builder().getI32Type(); }
mlir::Type f32_of(Expr x) { return x.builder().getF32Type(); }

int lanes_of(Expr x) {
  const auto vector = mlir::dyn_cast<mlir::VectorType>(x.type());
  return vector ? int(vector.getNumElements()) : 1;
}

Expr bitcast_lanes(Expr x, int lanes, mlir::Type element) {
  return x.with(mlir::vector::BitCastOp::create(x.builder(), mlir::VectorType::get({lanes}, element), x.value()));
}

Expr shuffle_lanes(Expr a, Expr b, llvm::ArrayRef<int64_t> from) {
  return a.with(mlir::vector::ShuffleOp::create(a.builder(), a.value(), b.value(), from));
}

// Zeros below each element: one permutation instead of an extension and a shift, where there is one.
Expr widen_bf16(Expr stored) {
  const int lanes = lanes_of(stored);
  if (lanes == 1 || !stored.emission().target.permute)
    return float_of(resize(stored, i32_of(stored)) << 16);
  llvm::SmallVector<int64_t> from;
  for (int lane = 0; lane < lanes; ++lane)
    from.append({lanes, lane});
  return bitcast_lanes(shuffle_lanes(stored, stored.constant(int64_t(0)), from), lanes, f32_of(stored));
}

// The upper 16 bits of each element. As a shuffle: LLVM packs by shifting, truncating and joining otherwise.
Expr upper_halves(Expr bits) {
  const int lanes = lanes_of(bits);
  const mlir::Type i16 = bits.builder().getI16Type();
  if (lanes == 1)
    return resize(bits >> 16, i16);
  llvm::SmallVector<int64_t> from;
  for (int lane = 0; lane < lanes; ++lane)
    from.push_back(2 * lane + 1);
  const Expr halves = bitcast_lanes(bits, 2 * lanes, i16);
  return shuffle_lanes(halves, halves, from);
}

Expr widen_small(Expr stored, const SmallFloat &format) {
  const Expr code = resize(stored, i32_of(stored));
  const Expr magnitude = code & ((int64_t(1) << (format.width - 1)) - 1);
  const Expr shifted = magnitude << format.shift();
  const Expr normal = shifted + format.rebias();
  const Expr least = code.constant(int64_t(1) << format.mantissa);
  const Expr subnormal = float_of(shifted + (format.rebias() + (int64_t(1) << 23)));
  const Expr number = select(signed_less(magnitude, least), bits_of(subnormal - format.least_normal()), normal);
  const Expr any = select(signed_less(magnitude, code.constant(format.special)), number, shifted | 0x7f800000);
  return float_of(any | (code & (int64_t(1) << (format.width - 1))) << (32 - format.width));
}

Expr narrow_bf16(Expr x) {
  const Expr bits = bits_of(x);
  const Expr rounded = bits + ((bits >> 16 & 1) + 0x7fff);
  return upper_halves(select(is_nan(x), bits.constant(int64_t(0x7fc00000)), rounded));
}

Expr narrow_small(Expr x, const SmallFloat &format) {
  const Expr bits = bits_of(x), magnitude = bits & 0x7fffffff, size = float_of(magnitude);
  const Expr limit = x.constant(format.infinity ? 2 * std::ldexp(1.0, format.bias) : format.largest);
  const Expr limited = select(less(limit, size), limit, size); // NaN stays
  const Expr fields = bits_of(limited);
  const int shift = format.shift();
  const Expr last = fields >> shift & 1;
  const Expr normal = (fields + last + ((int64_t(1) << (shift - 1)) - 1 - format.rebias())) >> shift;
  const Expr unit = x.constant(format.unit());
  const Expr subnormal = bits_of(limited + unit) - bits_of(unit);
  const Expr number = select(less(size, x.constant(format.least_normal())), subnormal, normal);
  const Expr any = select(is_nan(x), bits.constant(format.nan), number);
  const Expr sign = bits >> (32 - format.width) & (int64_t(1) << (format.width - 1));
  return resize(any | sign, x.builder().getIntegerType(unsigned(format.width)));
}

// Limits first, so that adding 1.5 * 2^m leaves the integer in the low bits, rounded half to even.
Expr narrow_i8(Expr x) {
  const Expr number = select(is_nan(x), x.constant(0.0), x);
  const Expr low = x.constant(-128.0), high = x.constant(127.0);
  const Expr above = select(less(number, low), low, number);
  const Expr limited = select(less(high, above), high, above);
  return resize(bits_of(limited + (x.is_f64() ? 0x1.8p52 : 0x1.8p23)), x.builder().getI8Type());
}

Expr f32_rounded_to_odd(Expr x) {
  if (!x.is_f64())
    return x;
  const Expr nearest = resize(x, f32_of(x)), back = resize(nearest, x.element_type());
  const Expr bits = bits_of(nearest), zero = bits.constant(int64_t(0)), one = bits.constant(int64_t(1));
  const Expr toward_zero = bits - select(less(absolute(x), absolute(back)), one, zero);
  const Expr inexact = select(less(x, back), one, zero) | select(less(back, x), one, zero);
  return float_of(toward_zero | inexact);
}

} // namespace

mlir::Type storage_type(mlir::MLIRContext *context, DType dtype) {
  switch (dtype) {
  case DType::f64: return mlir::Float64Type::get(context);
  case DType::f32: return mlir::Float32Type::get(context);
  default: return mlir::IntegerType::get(context, unsigned(8 * info(dtype).bytes));
  }
}

mlir::Value widen(mlir::ImplicitLocOpBuilder &builder, mlir::Value stored, DType from, mlir::Type compute, const Target &target) {
  const Emission how{builder, target, /*fma=*/false};
  const Expr x(how, stored);
  const auto widened = [&]() -> Expr {
    switch (from) {
    case DType::f64:
    case DType::f32: return x;
    case DType::bf16: return widen_bf16(x);
    case DType::f16: return target.f16_convert ? resize(float_of(x), f32_of(x)) : widen_small(x, kF16);
    case DType::f8e4m3: return widen_small(x, kF8);
    case DType::i8: return integer_to_float(sign_extend(x, i32_of(x)), compute);
    case DType::i32: return integer_to_float(x, compute);
    }
    throw InternalError("a dtype outside the table");
  };
  return resize(widened(), compute).value();
}

mlir::Value narrow(mlir::ImplicitLocOpBuilder &builder, mlir::Value computed, DType to, const Target &target) {
  const Emission how{builder, target, /*fma=*/false};
  const Expr x(how, computed);
  switch (to) {
  case DType::f64:
  case DType::f32: return resize(x, storage_type(builder.getContext(), to)).value();
  case DType::bf16: {
    const Expr odd = f32_rounded_to_odd(x);
    return (target.bf16_convert ? bits_of(resize(odd, builder.getBF16Type())) : narrow_bf16(odd)).value();
  }
  case DType::f16: {
    const Expr odd = f32_rounded_to_odd(x);
    return (target.f16_convert ? bits_of(resize(odd, builder.getF16Type())) : narrow_small(odd, kF16)).value();
  }
  case DType::f8e4m3: return narrow_small(f32_rounded_to_odd(x), kF8).value();
  case DType::i8: return narrow_i8(x).value();
  case DType::i32: break;
  }
  throw InternalError("no kernel writes " + std::string(name(to)));
}

} // namespace normforge::nest
