// The pointwise operations that machines have an instruction for, and the table that leads from an Op to what emits it.
#include "codegen/nest/math.h"

#include <span>

#include "mlir/Dialect/Math/IR/Math.h"

#include "codegen/nest/expression.h"
#include "codegen/nest/transcendental.h"
#include "dsl/error.h"

namespace normforge::nest {
namespace {

// `a < b ? b : a` is one instruction (maxps) whose result is a when either is NaN: so a NaN in a stays, and the second select brings b's
// in.
Expr emit_maximum(Expr a, Expr b) { return select(is_nan(b), b, select(less(a, b), b, a)); }
Expr emit_minimum(Expr a, Expr b) { return select(is_nan(b), b, select(less(b, a), b, a)); }

template <class Op> Expr rounded(Expr x) { return x.with(Op::create(x.builder(), x.value())); }

using Operands = std::span<const Expr>;
struct Row {
  Op op;
  Expr (*emit)(Operands);
};

constexpr Row kRows[] = {
    {Op::add, [](Operands x) { return x[0] + x[1]; }},
    {Op::sub, [](Operands x) { return x[0] - x[1]; }},
    {Op::mul, [](Operands x) { return x[0] * x[1]; }},
    {Op::div, [](Operands x) { return x[0] / x[1]; }},
    {Op::less, [](Operands x) { return less(x[0], x[1]); }},
    {Op::less_equal, [](Operands x) { return less_equal(x[0], x[1]); }},
    {Op::equal, [](Operands x) { return equal(x[0], x[1]); }},
    {Op::select, [](Operands x) { return select(x[0], x[1], x[2]); }},
    {Op::maximum, [](Operands x) { return emit_maximum(x[0], x[1]); }},
    {Op::minimum, [](Operands x) { return emit_minimum(x[0], x[1]); }},
    {Op::neg, [](Operands x) { return -x[0]; }},
    {Op::abs, [](Operands x) { return absolute(x[0]); }},
    {Op::sqrt, [](Operands x) { return square_root(x[0]); }},
    {Op::rsqrt, [](Operands x) { return 1.0 / square_root(x[0]); }},
    {Op::exp, [](Operands x) { return emit_exp(x[0]); }},
    {Op::exp2, [](Operands x) { return emit_exp2(x[0]); }},
    {Op::log, [](Operands x) { return emit_log(x[0]); }},
    {Op::log2, [](Operands x) { return emit_log2(x[0]); }},
    {Op::tanh, [](Operands x) { return emit_tanh(x[0]); }},
    {Op::erf, [](Operands x) { return emit_erf(x[0]); }},
    {Op::sigmoid, [](Operands x) { return emit_sigmoid(x[0]); }},
    {Op::floor, [](Operands x) { return rounded<mlir::math::FloorOp>(x[0]); }},
    {Op::ceil, [](Operands x) { return rounded<mlir::math::CeilOp>(x[0]); }},
    {Op::round, [](Operands x) { return rounded<mlir::math::RoundEvenOp>(x[0]); }},
};

} // namespace

mlir::Value emit_pointwise(mlir::ImplicitLocOpBuilder &builder, Op op, mlir::ValueRange operands, bool fma, const Target &target) {
  internal_check(!fma || target.fma);
  const Emission how{builder, target, fma};
  std::vector<Expr> values;
  for (mlir::Value operand : operands)
    values.emplace_back(how, operand);
  internal_check(int(values.size()) == info(op).operands);
  for (const Row &row : kRows)
    if (row.op == op)
      return row.emit(values).value();
  throw InternalError("no code for the op '" + std::string(info(op).name) + "'");
}

mlir::Value emit_power(mlir::ImplicitLocOpBuilder &builder, mlir::Value base, int64_t exponent) {
  const uint64_t magnitude = exponent < 0 ? -uint64_t(exponent) : uint64_t(exponent);
  if (magnitude == 0)
    return emit_constant(builder, base.getType(), 1);
  mlir::Value power = base, result;
  for (uint64_t rest = magnitude;; power = mlir::arith::MulFOp::create(builder, power, power)) {
    if (rest & 1)
      result = result ? mlir::arith::MulFOp::create(builder, result, power).getResult() : power;
    if ((rest >>= 1) == 0)
      break;
  }
  return exponent < 0 ? mlir::arith::DivFOp::create(builder, emit_constant(builder, base.getType(), 1), result).getResult() : result;
}

} // namespace normforge::nest
