// Statistics as people write them, in the one form that the later rewrites know. Each rule holds in exact arithmetic; the form on the right
// is the one that loses least in floating point.
//
//   sum(v, A) / count(A)           ->  avg(v, A)
//   avg(avg(v, A), B)              ->  avg(v, A and B)           when the inner average has no other use and no axis is ragged
//   a + (-b), (-b) + a             ->  a - b
//   avg(v^2, A) - avg(v, A)^2      ->  avg((v - avg(v, A))^2, A)   the difference of two large numbers that may even come out negative
#include "dsl/rewrite/rewrites.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace normforge::dialect {
namespace {

LogicalResult sum_over_count(DivOp div, PatternRewriter &rewriter) {
  auto sum = div.getLhs().getDefiningOp<SumOp>();
  auto count = div.getRhs().getDefiningOp<CountOp>();
  if (!sum || !count || sum.getOver() != count.getOver() || div.getType() != sum.getType())
    return failure();
  rewriter.replaceOpWithNewOp<AvgOp>(div, sum.getType(), sum.getOperand(), sum.getOver());
  return success();
}

LogicalResult average_of_averages(AvgOp outer, PatternRewriter &rewriter) {
  auto inner = outer.getOperand().getDefiningOp<AvgOp>();
  if (!inner || !inner->hasOneUse())
    return failure();
  FuncOp func = outer->getParentOfType<FuncOp>();
  AxisNames over(inner.getOver().getNames());
  llvm::append_range(over, outer.getOver().getNames());
  if (llvm::any_of(over, [&](StringAttr axis) { return bool(func.axis(axis).getLengthAttr()); }))
    return failure();
  rewriter.replaceOpWithNewOp<AvgOp>(outer, outer.getType(), inner.getOperand(), func.in_declared_order(over));
  return success();
}

LogicalResult sum_with_negation(AddOp add, PatternRewriter &rewriter) {
  for (auto [left, right] : {std::pair(add.getLhs(), add.getRhs()), std::pair(add.getRhs(), add.getLhs())})
    if (auto neg = right.getDefiningOp<NegOp>()) {
      rewriter.replaceOpWithNewOp<SubOp>(add, left, neg.getOperand());
      return success();
    }
  return failure();
}

/// v where `value` is v^2 or v * v; null otherwise.
Value square_root(Value value) {
  if (auto pow = value.getDefiningOp<PowOp>(); pow && pow.getExponent() == 2)
    return pow.getOperand();
  if (auto mul = value.getDefiningOp<MulOp>(); mul && mul.getLhs() == mul.getRhs())
    return mul.getLhs();
  return {};
}

LogicalResult difference_of_squares(SubOp sub, PatternRewriter &rewriter) {
  auto mean_square = sub.getLhs().getDefiningOp<AvgOp>();
  const Value value = mean_square ? square_root(mean_square.getOperand()) : Value();
  const Value root = square_root(sub.getRhs());
  auto mean = root ? root.getDefiningOp<AvgOp>() : AvgOp();
  if (!value || !mean || mean.getOperand() != value || mean.getOver() != mean_square.getOver())
    return failure();
  const Value centred = SubOp::create(rewriter, location_named(sub.getContext(), "centred"), value, mean);
  const Value square = MulOp::create(rewriter, sub.getLoc(), centred, centred);
  rewriter.replaceOpWithNewOp<AvgOp>(sub, mean_square.getType(), square, mean.getOver());
  return success();
}

} // namespace

void recognise_statistics(FuncOp func) {
  RewritePatternSet rules(func.getContext());
  rules.add(sum_over_count);
  rules.add(average_of_averages);
  rules.add(sum_with_negation);
  rules.add(difference_of_squares);
  if (failed(applyPatternsGreedily(func, std::move(rules))))
    func.emitError("statistics are rewritten without end");
}

} // namespace normforge::dialect
