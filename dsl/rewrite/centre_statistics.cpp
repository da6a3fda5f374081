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
//
// A pivot that is infinite or NaN makes all of its row NaN, the mean included.
#include "dsl/rewrite/rewrites.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace normforge::dialect {
namespace {

/// first(value, over). What varies over none of `over` is its own first element, and an operation on elements is done on the first ones, so
/// that norm.first only ever picks from a tensor or from a reduction over other axes.
Value first_of(OpBuilder &builder, Value value, AxesAttr over, llvm::DenseMap<Value, Value> &known) {
  if (Value first = known.lookup(value))
    return first;
  const AxesAttr axes = axes_less(axes_of(value), over);
  if (axes.getNames() == axes_of(value))
    return value;
  Operation *op = value.getDefiningOp();
  const Location loc = builder.getUnknownLoc();
  const OpInfo::Kind kind = info(*op_of(op)).kind;
  if (kind != OpInfo::pointwise && kind != OpInfo::compare)
    return known[value] = FirstOp::create(builder, loc, ValueType::get(builder.getContext(), axes), value, over);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(first_of(builder, operand, over, known));
  const Type type =
      kind == OpInfo::compare ? Type(TruthType::get(builder.getContext(), axes)) : Type(ValueType::get(builder.getContext(), axes));
  return known[value] = builder.create(loc, op->getName().getIdentifier(), operands, type, op->getAttrs())->getResult(0);
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
  OpBuilder builder(avg);
  auto named = [&](StringRef name) { return location_named(func.getContext(), name); };
  auto average = [&](StringRef name, Value of) { return AvgOp::create(builder, named(name), avg.getType(), of, over).getResult(); };
  llvm::DenseMap<Value, Value> known;
  const Value pivot = lengths_vary_within(func, over) ? average("pivot", value) : first_of(builder, value, over, known);
  pivot.getDefiningOp()->setLoc(named("pivot"));
  const Value shifted = SubOp::create(builder, named("shifted"), value, pivot);
  const Value correction = average("correction", shifted);
  for (SubOp sub : subs) {
    OpBuilder here(sub);
    const bool negated = sub.getLhs() == avg;
    sub.replaceAllUsesWith(SubOp::create(here, sub.getLoc(), negated ? correction : shifted, negated ? shifted : correction).getResult());
    sub.erase();
  }
  avg.replaceAllUsesWith(AddOp::create(builder, avg.getLoc(), pivot, correction).getResult());
  avg.erase();
}

} // namespace

void centre_statistics(FuncOp func) {
  // Listed before the first is rewritten: the averages that this makes are not to be centred in turn.
  for (AvgOp avg : llvm::to_vector(func.computed<AvgOp>()))
    centre(func, avg);
}

} // namespace normforge::dialect
