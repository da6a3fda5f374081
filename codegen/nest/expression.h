// MLIR values with operators, so that a formula in the code reads as it does on paper. All operands of an operator have one type; a number
// on either side becomes a constant of that type. Integer values wrap around.
#pragma once

#include <concepts>
#include <span>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

#include "codegen/target.h"

namespace normforge::nest {

/// How a formula is emitted.
struct Emission {
  mlir::ImplicitLocOpBuilder &builder;
  const Target &target;
  bool fma; ///< multiply_add is one rounding rather than two
};

template <class T>
concept Number = std::integral<T> || std::floating_point<T>;

/// A float or integer scalar or vector. Two words; passed by value.
class Expr {
public:
  Expr(const Emission &how, mlir::Value value) : how(&how), held(value) {}

  mlir::Value value() const { return held; }
  mlir::Type type() const { return held.getType(); }
  mlir::Type element_type() const { return mlir::getElementTypeOrSelf(type()); }
  const Emission &emission() const { return *how; }
  mlir::ImplicitLocOpBuilder &builder() const { return how->builder; }
  bool is_f64() const { return element_type().isF64(); }
  bool is_float() const { return mlir::isa<mlir::FloatType>(element_type()); }

  Expr with(mlir::Value value) const { return {*how, value}; }
  Expr constant(double number) const;  ///< of this float type, rounded to it
  Expr constant(int64_t number) const; ///< of this type
  template <Number T> Expr like(T number) const {
    if constexpr (std::integral<T>)
      return constant(int64_t(number));
    else
      return constant(double(number));
  }

private:
  const Emission *how;
  mlir::Value held;
};

Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator&(Expr a, Expr b); ///< integers and truth values
Expr operator|(Expr a, Expr b);
Expr operator^(Expr a, Expr b);
Expr operator<<(Expr a, Expr b); ///< integers
Expr operator>>(Expr a, Expr b); ///< zeros come in
Expr operator-(Expr a);          ///< floats: flips the sign bit

#define NORMFORGE_WITH_NUMBER(op)                                                                                                          \
  template <Number T> Expr operator op(Expr a, T b) { return a op a.like(b); }                                                             \
  template <Number T> Expr operator op(T a, Expr b) { return b.like(a) op b; }
NORMFORGE_WITH_NUMBER(+)
NORMFORGE_WITH_NUMBER(-)
NORMFORGE_WITH_NUMBER(*)
NORMFORGE_WITH_NUMBER(/)
NORMFORGE_WITH_NUMBER(&)
NORMFORGE_WITH_NUMBER(|)
NORMFORGE_WITH_NUMBER(^)
NORMFORGE_WITH_NUMBER(<<)
NORMFORGE_WITH_NUMBER(>>)
#undef NORMFORGE_WITH_NUMBER

/// Truth values; false where an operand is NaN, but not_equal and is_nan.
Expr less(Expr a, Expr b);
Expr less_equal(Expr a, Expr b);
Expr equal(Expr a, Expr b);
Expr is_nan(Expr a);
Expr signed_less(Expr a, Expr b);   ///< integers
Expr unsigned_less(Expr a, Expr b); ///< integers
Expr select(Expr condition, Expr then, Expr otherwise);

/// a * b + c: rounded once where the emission says fma, else twice.
Expr multiply_add(Expr a, Expr b, Expr c);
/// sum of coefficients[i] * x^i, by Horner's rule.
Expr polynomial(Expr x, std::span<const double> coefficients);

Expr absolute(Expr a);
Expr copy_sign(Expr magnitude, Expr sign);
Expr square_root(Expr a);

/// The bits of a float as an integer of its width, and back.
Expr bits_of(Expr a);
Expr float_of(Expr bits);
/// An integer rounded to f32 or f64 (scalar type), and a float truncated to an integer type.
Expr integer_to_float(Expr a, mlir::Type to);
Expr float_to_integer(Expr a, mlir::Type to);
/// Integers: to a narrower or wider type, zeros on top. Floats: to a narrower (rounded) or wider type.
Expr resize(Expr a, mlir::Type to);
Expr sign_extend(Expr a, mlir::Type to);

} // namespace normforge::nest
