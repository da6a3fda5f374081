#include "codegen/x86/reduce_tree.h"

#include <bit>
#include <limits>
#include <numeric>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "codegen/x86/math.h"
#include "dsl/error.h"

namespace normforge::x86 {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

namespace {

Value is_nan(Ir &ir, Value value) { return arith::CmpFOp::create(ir, arith::CmpFPredicate::UNO, value, value); }

} // namespace

Value combine(Ir &ir, Accumulator accumulator, Value left, Value right) {
  if (accumulator.nans)
    return with_nans(ir, left, right);
  if (accumulator.reduction == Op::sum)
    return arith::AddFOp::create(ir, left, right);
  // This is x86's instruction, which returns its second operand where either is NaN and where both are zero.
  const auto beats = accumulator.reduction == Op::max ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
  return arith::SelectOp::create(ir, arith::CmpFOp::create(ir, beats, right, left), right, left);
}

Value with_nans(Ir &ir, Value best, Value nans) { return arith::SelectOp::create(ir, is_nan(ir, nans), nans, best); }

std::vector<Accumulator> accumulators_of(Op reduction) {
  if (reduction == Op::sum)
    return {{reduction}};
  return {{reduction}, {reduction, /*nans=*/true}};
}

double Accumulator::start() const {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return nans || reduction == Op::sum ? 0.0 : reduction == Op::max ? -infinity : infinity;
}

ReduceTree::ReduceTree(Ir &ir, std::vector<Accumulator> accumulators, mlir::VectorType type, ChunkShape shape, Value group,
                       int64_t max_chunks)
    : ir(ir), all(std::move(accumulators)), type(type), tree_shape(shape), group(group) {
  if (shape == ChunkShape::one)
    return;
  const int64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
  stack = ir.stack(bytes * int64_t(all.size()) * std::bit_width(uint64_t(max_chunks)));
}

Values ReduceTree::start() {
  Values state;
  for (const Accumulator &accumulator : all)
    state.push_back(emit_constant(ir, type, accumulator.start()));
  if (tree_shape != ChunkShape::one)
    state.push_back(ir.i64(0)); // chunks that have ended
  if (tree_shape == ChunkShape::grouped)
    state.push_back(ir.i64(0)); // runs in the open chunk
  return state;
}

unsigned ReduceTree::alignment() const { return std::min(64u, unsigned(type.getNumElements() * type.getElementTypeBitWidth() / 8)); }

Value ReduceTree::slot(Value level, size_t accumulator) {
  return ir.address(stack, type, ir.add(ir.mul(level, ir.i64(int64_t(all.size()))), ir.i64(int64_t(accumulator))));
}

Values ReduceTree::push(mlir::ValueRange state) {
  const size_t n = all.size();
  Value ended = ir.add(state[n], ir.i64(1));
  Value level = mlir::math::CountTrailingZerosOp::create(ir, ended);
  Values merged = ir.loop(ir.i64(0), level, 1, state.take_front(n), [&](Value at, mlir::ValueRange right) {
    Values sums;
    for (size_t i = 0; i < n; ++i)
      sums.push_back(combine(ir, all[i], ir.load(type, slot(at, i), alignment()), right[i]));
    return sums;
  });
  for (size_t i = 0; i < n; ++i)
    ir.store(merged[i], slot(level, i), alignment());
  Values next = start();
  next[n] = ended;
  return next;
}

Values ReduceTree::end_piece(mlir::ValueRange state, Value ends_run) {
  if (tree_shape == ChunkShape::one)
    return Values(state);
  if (tree_shape == ChunkShape::pieces)
    return push(state);
  const size_t runs = all.size() + 1;
  Values counted(state);
  counted[runs] = ir.createOrFold<arith::SelectOp>(ends_run, ir.add(state[runs], ir.i64(1)), group);
  return ir.when(ir.is(Predicate::eq, counted[runs], group), counted, [&] { return push(counted); });
}

Values ReduceTree::finish(mlir::ValueRange state) {
  const size_t n = all.size();
  if (tree_shape == ChunkShape::one)
    return Values(state);
  Values closed(state);
  if (tree_shape == ChunkShape::grouped)
    closed = ir.when(ir.is(Predicate::ne, state[n + 1], ir.i64(0)), state, [&] { return push(state); });
  // Bit by bit of the number of chunks: the lowest is the rightmost partial result.
  Value ended = closed[n];
  Values identities = start();
  return ir.when(ir.is(Predicate::ne, ended, ir.i64(0)), mlir::ValueRange(identities).take_front(n), [&] {
    Value lowest = mlir::math::CountTrailingZerosOp::create(ir, ended);
    Values right;
    for (size_t i = 0; i < n; ++i)
      right.push_back(ir.load(type, slot(lowest, i), alignment()));
    Value one = ir.i64(1);
    Value top = ir.sub(ir.i64(64), mlir::math::CountLeadingZerosOp::create(ir, ended));
    return ir.loop(ir.add(lowest, one), top, 1, right, [&](Value level, mlir::ValueRange sums) {
      Value bit = arith::AndIOp::create(ir, arith::ShRUIOp::create(ir, ended, level), one);
      return ir.when(ir.is(Predicate::ne, bit, ir.i64(0)), sums, [&] {
        Values merged;
        for (size_t i = 0; i < n; ++i)
          merged.push_back(combine(ir, all[i], ir.load(type, slot(level, i), alignment()), sums[i]));
        return merged;
      });
    });
  });
}

Value fold_lanes(Ir &ir, Op reduction, Value vector, bool high) {
  const auto folded = [&](Value value, int64_t lanes, int64_t half) -> Value {
    llvm::SmallVector<int64_t> taken;
    for (int64_t i = 0; i < lanes / 2; ++i)
      taken.push_back(high ? i + half * (lanes / 2) : 2 * i + half);
    return mlir::vector::ShuffleOp::create(ir, value, value, taken);
  };
  for (int64_t lanes = llvm::cast<mlir::VectorType>(vector.getType()).getNumElements(); lanes > 1; lanes /= 2) {
    Value right = folded(vector, lanes, 1);
    vector = combine(ir, {reduction}, folded(vector, lanes, 0), right);
    if (reduction != Op::sum)
      vector = with_nans(ir, vector, right);
  }
  return ir.first_lane(vector);
}

} // namespace normforge::x86
