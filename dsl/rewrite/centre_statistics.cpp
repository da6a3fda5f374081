// Centred values, independent of where the data lie. With m = avg(v, A), the difference v - m cancels: m carries the rounding of a sum of
// values as large as the mean. So an average that is subtracted from the very value that it averages is taken about a pivot s that lies
// among the data:
//
//   s = first(v, A)    d = avg(v - s, A)    v - m  ->  (v - s) - d    m  ->  s + d   (in its other uses)
//
// v - s is exact, or nearly so, when the data lie close together, and d is as small as their spread: the error no longer depends on the
// mean. Everything made of v - m follows by itself, such as the variance avg((v - m)^2, A).
//
// The first element must be one that counts. A ragged axis in A whose lengths vary over another axis in A (batch statistics that leave
// padding out) has empty rows among full ones, and the first element may be padding: there the rounded average itself is the pivot, s =
// avg(v, A), and d corrects it.
#include "dsl/rewrite/rewrites.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace normforge::dialect {
namespace {

/// sum(v, A) / count(A), as a person may have written it, is avg(v, A).
void recognise_averages(FuncOp func) {
  for (DivOp div : llvm::make_early_inc_range(func.computed<DivOp>())) {
    auto sum = div.getLhs().getDefiningOp<SumOp>();
    auto count = div.getRhs().getDefiningOp<CountOp>();
    if (!sum || !count || sum.getOver() != count.getOver() || div.getType() != sum.getType())
      continue;
    OpBuilder builder(div);
    div.replaceAllUsesWith(AvgOp::create(builder, div.getLoc(), sum.getType(), sum.getOperand(), sum.getOver()).getResult());
    div.erase();
  }
}

bool first_always_counts(FuncOp func, AxesAttr over) {
  return llvm::none_of(over.getNames(), [&](StringAttr axis) {
    return llvm::any_of(func.length_axes(axis), [&](StringAttr outer) { return llvm::is_contained(over.getNames(), outer); });
  });
}

/// The subtractions between `avg` and the value that it averages, either way round.
SmallVector<SubOp> centrings(AvgOp avg) {
  SmallVector<SubOp> subs;
  for (Operation *user : avg->getUsers())
    if (auto sub = llvm::dyn_cast<SubOp>(user))
      if ((sub.getLhs() == avg.getOperand()) != (sub.getRhs() == avg.getOperand()))
        subs.push_back(sub);
  return subs;
}

void centre(FuncOp func, AvgOp avg) {
  const SmallVector<SubOp> subs = centrings(avg);
  if (subs.empty())
    return;
  const Value value = avg.getOperand();
  const AxesAttr over = avg.getOver();
  const Location loc = avg.getLoc();
  OpBuilder builder(avg);
  auto average = [&](Value of) { return AvgOp::create(builder, loc, avg.getType(), of, over).getResult(); };
  Value pivot;
  if (first_always_counts(func, over))
    pivot = FirstOp::create(builder, loc, ValueType::get(func.getContext(), axes_less(axes_of(value), over)), value, over);
  else
    pivot = average(value);
  const Value shifted = SubOp::create(builder, loc, value, pivot);
  const Value correction = average(shifted);
  for (SubOp sub : subs) {
    OpBuilder here(sub);
    const bool negated = sub.getLhs() == avg;
    sub.replaceAllUsesWith(SubOp::create(here, loc, negated ? correction : shifted, negated ? shifted : correction).getResult());
    sub.erase();
  }
  avg.replaceAllUsesWith(AddOp::create(builder, loc, pivot, correction).getResult());
  avg.erase();
}

} // namespace

void centre_statistics(FuncOp func) {
  recognise_averages(func);
  // Listed before the first is rewritten: the averages that this makes are not to be centred in turn.
  for (AvgOp avg : llvm::to_vector(func.computed<AvgOp>()))
    centre(func, avg);
}

} // namespace normforge::dialect
