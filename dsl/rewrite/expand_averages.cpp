// What backends need not know: averages are sums over counts, and powers with constant exponents are products by repeated squaring.
//
// A count over axes of which one is ragged stays a count when the lengths vary over kept axes only: it is then a product of extents and of
// one length for each kept index. Where lengths vary over a counted axis, no such product exists, and the count is the sum of ones.
#include "dsl/rewrite/rewrites.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace normforge::dialect {
namespace {

Value constant(OpBuilder &builder, Location loc, double value) {
  return ConstantOp::create(builder, loc, builder.getF64FloatAttr(value)).getResult();
}

void expand(FuncOp func, AvgOp avg) {
  OpBuilder builder(avg);
  const AxesAttr count_axes = axes_reduced(func, {}, avg.getOver());
  Value sum = SumOp::create(builder, func.getLoc(), avg.getType(), avg.getOperand(), avg.getOver());
  Value count = CountOp::create(builder, func.getLoc(), ValueType::get(func.getContext(), count_axes), avg.getOver());
  avg.replaceAllUsesWith(DivOp::create(builder, avg.getLoc(), sum, count).getResult());
  avg.erase();
}

void expand(FuncOp func, CountOp count) {
  if (!lengths_vary_within(func, count.getOver()))
    return;
  OpBuilder builder(count);
  Value one = constant(builder, count.getLoc(), 1);
  count.replaceAllUsesWith(SumOp::create(builder, count.getLoc(), count.getType(), one, count.getOver()).getResult());
  count.erase();
}

/// x^5 = (x^2)^2 * x; x^-n = 1 / x^n; x^0 = 1.
void expand(FuncOp, PowOp pow) {
  const int64_t exponent = int64_t(pow.getExponent());
  OpBuilder builder(pow);
  const Location loc = pow.getLoc();
  Value product, square = pow.getOperand();
  for (uint64_t rest = exponent < 0 ? -uint64_t(exponent) : uint64_t(exponent); rest; rest >>= 1) {
    if (rest & 1)
      product = product ? MulOp::create(builder, loc, square, product).getResult() : square;
    if (rest > 1)
      square = MulOp::create(builder, loc, square, square);
  }
  if (exponent <= 0)
    product = exponent == 0 ? constant(builder, loc, 1) : DivOp::create(builder, loc, constant(builder, loc, 1), product).getResult();
  pow.replaceAllUsesWith(product);
  pow.erase();
}

template <class Operation> void expand_all(FuncOp func) {
  for (Operation op : llvm::make_early_inc_range(func.computed<Operation>()))
    expand(func, op);
}

} // namespace

void expand_averages(FuncOp func) {
  expand_all<AvgOp>(func);
  expand_all<CountOp>(func);
  expand_all<PowOp>(func);
  infer_types(func); // x^0 no longer varies over anything
}

} // namespace normforge::dialect
