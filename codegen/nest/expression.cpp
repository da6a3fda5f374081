#include "codegen/nest/expression.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include "codegen/nest/math.h"

namespace normforge::nest {
namespace {

using mlir::arith::CmpFPredicate;
namespace arith = mlir::arith;

template <class Op> Expr make(Expr a, auto &&...operands) { return a.with(Op::create(a.builder(), operands...)); }

template <class FloatOp, class IntegerOp> Expr binary(Expr a, Expr b) {
  return a.is_float() ? make<FloatOp>(a, a.value(), b.value()) : make<IntegerOp>(a, a.value(), b.value());
}

Expr compare(CmpFPredicate predicate, Expr a, Expr b) { return make<arith::CmpFOp>(a, predicate, a.value(), b.value()); }

// `type`, or a vector of it where `like` is one.
mlir::Type shaped(Expr like, mlir::Type type) {
  if (auto vector = mlir::dyn_cast<mlir::VectorType>(like.type()))
    return vector.clone(type);
  return type;
}

mlir::Value constant_of(mlir::ImplicitLocOpBuilder &builder, mlir::Type type, mlir::TypedAttr element) {
  if (auto vector = mlir::dyn_cast<mlir::VectorType>(type))
    element = mlir::DenseElementsAttr::get(vector, mlir::Attribute(element));
  return mlir::arith::ConstantOp::create(builder, element);
}

} // namespace

mlir::Value emit_constant(mlir::ImplicitLocOpBuilder &builder, mlir::Type type, double value) {
  llvm::APFloat rounded(value);
  bool inexact;
  const auto element = mlir::cast<mlir::FloatType>(mlir::getElementTypeOrSelf(type));
  rounded.convert(element.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return constant_of(builder, type, mlir::FloatAttr::get(element, rounded));
}

Expr Expr::constant(double number) const { return with(emit_constant(builder(), type(), number)); }

Expr Expr::constant(int64_t number) const {
  if (is_float())
    return constant(double(number));
  const auto width = unsigned(element_type().getIntOrFloatBitWidth());
  const llvm::APInt wrapped(width, uint64_t(number), /*isSigned=*/true, /*implicitTrunc=*/true);
  return with(constant_of(builder(), type(), mlir::IntegerAttr::get(element_type(), wrapped)));
}

Expr operator+(Expr a, Expr b) { return binary<arith::AddFOp, arith::AddIOp>(a, b); }
Expr operator-(Expr a, Expr b) { return binary<arith::SubFOp, arith::SubIOp>(a, b); }
Expr operator*(Expr a, Expr b) { return binary<arith::MulFOp, arith::MulIOp>(a, b); }
Expr operator/(Expr a, Expr b) { return make<arith::DivFOp>(a, a.value(), b.value()); }
Expr operator&(Expr a, Expr b) { return make<arith::AndIOp>(a, a.value(), b.value()); }
Expr operator|(Expr a, Expr b) { return make<arith::OrIOp>(a, a.value(), b.value()); }
Expr operator^(Expr a, Expr b) { return make<arith::XOrIOp>(a, a.value(), b.value()); }
Expr operator<<(Expr a, Expr b) { return make<arith::ShLIOp>(a, a.value(), b.value()); }
Expr operator>>(Expr a, Expr b) { return make<arith::ShRUIOp>(a, a.value(), b.value()); }
Expr operator-(Expr a) { return make<arith::NegFOp>(a, a.value()); }

Expr less(Expr a, Expr b) { return compare(CmpFPredicate::OLT, a, b); }
Expr less_equal(Expr a, Expr b) { return compare(CmpFPredicate::OLE, a, b); }
Expr equal(Expr a, Expr b) { return compare(CmpFPredicate::OEQ, a, b); }
Expr is_nan(Expr a) { return compare(CmpFPredicate::UNO, a, a); }
Expr signed_less(Expr a, Expr b) { return make<arith::CmpIOp>(a, arith::CmpIPredicate::slt, a.value(), b.value()); }
Expr unsigned_less(Expr a, Expr b) { return make<arith::CmpIOp>(a, arith::CmpIPredicate::ult, a.value(), b.value()); }
Expr select(Expr condition, Expr then, Expr otherwise) {
  return make<arith::SelectOp>(then, condition.value(), then.value(), otherwise.value());
}

Expr multiply_add(Expr a, Expr b, Expr c) {
  return a.emission().fma ? make<mlir::math::FmaOp>(a, a.value(), b.value(), c.value()) : a * b + c;
}

Expr polynomial(Expr x, std::span<const double> coefficients) {
  Expr sum = x.constant(coefficients.back());
  for (size_t i = coefficients.size() - 1; i-- > 0;)
    sum = multiply_add(sum, x, x.constant(coefficients[i]));
  return sum;
}

Expr absolute(Expr a) { return make<mlir::math::AbsFOp>(a, a.value()); }
Expr copy_sign(Expr magnitude, Expr sign) { return make<mlir::math::CopySignOp>(magnitude, magnitude.value(), sign.value()); }
Expr square_root(Expr a) { return make<mlir::math::SqrtOp>(a, a.value()); }

Expr bits_of(Expr a) {
  const mlir::Type integer = a.builder().getIntegerType(a.element_type().getIntOrFloatBitWidth());
  return make<arith::BitcastOp>(a, shaped(a, integer), a.value());
}

Expr float_of(Expr bits) {
  mlir::ImplicitLocOpBuilder &b = bits.builder();
  const unsigned width = bits.element_type().getIntOrFloatBitWidth();
  const mlir::Type type = width == 64 ? mlir::Type(b.getF64Type()) : width == 32 ? mlir::Type(b.getF32Type()) : b.getF16Type();
  return make<arith::BitcastOp>(bits, shaped(bits, type), bits.value());
}

Expr integer_to_float(Expr a, mlir::Type to) { return make<arith::SIToFPOp>(a, shaped(a, to), a.value()); }
Expr float_to_integer(Expr a, mlir::Type to) { return make<arith::FPToSIOp>(a, shaped(a, to), a.value()); }

Expr resize(Expr a, mlir::Type to) {
  const unsigned from = a.element_type().getIntOrFloatBitWidth(), width = to.getIntOrFloatBitWidth();
  if (from == width)
    return a;
  if (a.is_float())
    return width < from ? make<arith::TruncFOp>(a, shaped(a, to), a.value()) : make<arith::ExtFOp>(a, shaped(a, to), a.value());
  return width < from ? make<arith::TruncIOp>(a, shaped(a, to), a.value()) : make<arith::ExtUIOp>(a, shaped(a, to), a.value());
}

Expr sign_extend(Expr a, mlir::Type to) { return make<arith::ExtSIOp>(a, shaped(a, to), a.value()); }

} // namespace normforge::nest
