// Constant folding and identities, only where they are exact. A constant operation is folded when its operands and its result in f64 are
// all representable in f32: a correctly rounded f32 or f64 operation then gives that very result, so folding changes no bit on any target.
// x + 0 is no identity (it turns -0 into +0) and is left alone.
#include "dsl/dialect/dialect.h"

#include <cmath>

using namespace mlir;

namespace normforge::dialect {
namespace {

double maximum(double a, double b) { return std::isnan(a) || a > b || (a == b && std::signbit(b)) ? a : b; }

/// The operations that IEEE 754 rounds correctly, in double.
struct Exact {
  Op op;
  double (*evaluate)(double, double);
};
constexpr Exact kExact[] = {
    {Op::add, [](double a, double b) { return a + b; }},
    {Op::sub, [](double a, double b) { return a - b; }},
    {Op::mul, [](double a, double b) { return a * b; }},
    {Op::div, [](double a, double b) { return a / b; }},
    {Op::maximum, maximum},
    {Op::minimum, [](double a, double b) { return -maximum(-a, -b); }},
    {Op::neg, [](double a, double) { return -a; }},
    {Op::abs, [](double a, double) { return std::fabs(a); }},
    {Op::sqrt, [](double a, double) { return std::sqrt(a); }},
    {Op::floor, [](double a, double) { return std::floor(a); }},
    {Op::ceil, [](double a, double) { return std::ceil(a); }},
    {Op::round, [](double a, double) { return std::nearbyint(a); }},
};

/// x op value == x for every x, NaN and -0 included.
struct RightIdentity {
  Op op;
  double value;
};
constexpr RightIdentity kRightIdentities[] = {{Op::mul, 1}, {Op::div, 1}, {Op::sub, 0}};

std::optional<double> constant(Attribute attribute) {
  auto value = llvm::dyn_cast_or_null<FloatAttr>(attribute);
  return value ? std::optional(value.getValueAsDouble()) : std::nullopt;
}

bool fits_f32(double value) { return double(float(value)) == value; }

/// `value`, if it varies over the axes over which `op` does.
OpFoldResult pass_on(Operation *op, Value value) { return value.getType() == op->getResult(0).getType() ? value : Value(); }

} // namespace

OpFoldResult fold_exactly(Operation *op, ArrayRef<Attribute> operands) {
  if (auto constant = llvm::dyn_cast<ConstantOp>(op))
    return constant.getValueAttr();
  if (auto power = llvm::dyn_cast<PowOp>(op); power && power.getExponent() == 1)
    return power.getOperand();
  const std::optional<Op> code = op_of(op);
  const std::optional<double> lhs = operands.empty() ? std::nullopt : constant(operands.front());
  const std::optional<double> rhs = operands.empty() ? std::nullopt : constant(operands.back());
  for (const RightIdentity &row : kRightIdentities)
    if (row.op == code && rhs == row.value && !std::signbit(*rhs))
      return pass_on(op, op->getOperand(0));
  if (lhs && rhs && fits_f32(*lhs) && fits_f32(*rhs))
    for (const Exact &row : kExact)
      if (const double value = row.op == code ? row.evaluate(*lhs, *rhs) : NAN; fits_f32(value))
        return Builder(op->getContext()).getF64FloatAttr(value);
  return {};
}

} // namespace normforge::dialect
