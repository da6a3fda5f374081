#include "codegen/nest/reduce_tree.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

#include "codegen/nest/math.h"
#include "dsl/error.h"

namespace normforge::nest {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

namespace {

Value trailing_zeros(Ir &ir, Value value) {
  const auto known = constant(value);
  return known ? ir.i64(std::countr_zero(uint64_t(*known))) : Value(mlir::math::CountTrailingZerosOp::create(ir, value));
}

Value fold(Ir &ir, Op reduction, Value vector, bool nans, bool high) {
  for (int64_t lanes = llvm::cast<mlir::VectorType>(vector.getType()).getNumElements(); lanes > 1; lanes /= 2) {
    Value right = half_of(ir, vector, 1, high);
    vector = combine(ir, {reduction}, half_of(ir, vector, 0, high), right);
    if (nans)
      vector = with_nans(ir, vector, right);
  }
  return ir.first_lane(vector);
}

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

Value mean_of(Ir &ir, Value sum, Value count) {
  return arith::DivFOp::create(ir, sum, combine(ir, {Op::max}, emit_constant(ir, count.getType(), 1), count));
}

/// The count is the last accumulator.
Values merge(Ir &ir, llvm::ArrayRef<Accumulator> all, mlir::ValueRange left, mlir::ValueRange right) {
  Values results;
  Value weight; // n_a n_b / n
  for (size_t i = 0; i < all.size(); ++i) {
    results.push_back(combine(ir, all[i], left[i], right[i]));
    if (all[i].total < 0)
      continue;
    Value a = left.back(), b = right.back();
    if (!weight)
      weight = arith::MulFOp::create(ir, a, mean_of(ir, b, arith::AddFOp::create(ir, a, b)));
    const auto total = size_t(all[i].total);
    Value apart = arith::SubFOp::create(ir, mean_of(ir, right[total], b), mean_of(ir, left[total], a));
    Value between = arith::MulFOp::create(ir, apart, arith::MulFOp::create(ir, apart, weight));
    results.back() = arith::AddFOp::create(ir, results.back(), between);
  }
  return results;
}

Value with_nans(Ir &ir, Value best, Value nans) { return arith::SelectOp::create(ir, is_nan(ir, nans), nans, best); }

std::vector<Accumulator> accumulators_of(Op reduction) {
  if (reduction == Op::sum)
    return {{reduction}};
  return {{reduction}, {reduction, /*nans=*/true}};
}

std::vector<Accumulator> accumulators_of(const Program &program, const Nest &nest, size_t sweep, size_t rows) {
  std::vector<Accumulator> all;
  for (size_t row = 0; row < rows; ++row)
    for (NodeId id : nest.sweeps[sweep].reductions)
      std::ranges::copy(accumulators_of(program.node(id).op), std::back_inserter(all));
  if (sweep + 1 == nest.sweeps.size() || nest.sweeps[sweep + 1].moments.empty())
    return all;
  for (size_t row = 0; row < rows; ++row)
    for (const Moment &moment : nest.sweeps[sweep + 1].moments)
      all.push_back({Op::sum, false, int(accumulator_of(program, nest.sweeps[sweep], row, moment.sum))});
  all.push_back({Op::sum});
  return all;
}

size_t accumulator_of(const Program &program, const Sweep &sweep, size_t row, NodeId reduction) {
  size_t at = 0, all = 0;
  for (NodeId id : sweep.reductions) {
    if (id == reduction)
      at = all;
    all += accumulators_of(program.node(id).op).size();
  }
  return row * all + at;
}

double Accumulator::start() const {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return nans || reduction == Op::sum ? 0.0 : reduction == Op::max ? -infinity : infinity;
}

ReduceTree::ReduceTree(Ir &ir, std::vector<Accumulator> accumulators, mlir::VectorType type, ChunkShape shape, Value group,
                       TreeMemory memory)
    : ir(ir), all(std::move(accumulators)), type(type), tree_shape(shape), group(group), memory(memory) {}

int64_t tree_slots(size_t accumulators, int64_t max_chunks) { return int64_t(accumulators) * std::bit_width(uint64_t(max_chunks)); }

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

Value ReduceTree::slot(Value level, size_t accumulator) {
  Value number = ir.add(ir.mul(level, ir.i64(int64_t(all.size()))), ir.i64(int64_t(accumulator)));
  return ir.address(memory.base, type, ir.mul(number, ir.i64(memory.stride)));
}

Values ReduceTree::stored(Value level) {
  Values loaded;
  for (size_t i = 0; i < all.size(); ++i)
    loaded.push_back(ir.load(type, slot(level, i), memory.alignment));
  return loaded;
}

Value ReduceTree::push(mlir::ValueRange chunk, Value ended) {
  Value now = ir.add(ended, ir.i64(1));
  Value level = trailing_zeros(ir, now);
  const Values sums =
      ir.loop(ir.i64(0), level, 1, chunk, [&](Value at, mlir::ValueRange right) { return merged(stored(at), right); }, /*unrolled=*/true);
  for (size_t i = 0; i < all.size(); ++i)
    ir.store(sums[i], slot(level, i), memory.alignment);
  return now;
}

Values ReduceTree::close(mlir::ValueRange state) {
  Value ended = push(state.take_front(all.size()), state[all.size()]);
  Values next = start();
  next[all.size()] = ended;
  return next;
}

Values ReduceTree::end_piece(mlir::ValueRange state, Value ends_run) {
  if (tree_shape == ChunkShape::one)
    return Values(state);
  if (tree_shape == ChunkShape::pieces)
    return close(state);
  const size_t runs = all.size() + 1;
  Values counted(state);
  counted[runs] = ir.createOrFold<arith::SelectOp>(ends_run, ir.add(state[runs], ir.i64(1)), group);
  return ir.when(ir.is(Predicate::eq, counted[runs], group), counted, [&] { return close(counted); });
}

Values ReduceTree::finish(mlir::ValueRange state) {
  const size_t n = all.size();
  if (tree_shape == ChunkShape::one)
    return Values(state);
  Values closed(state);
  if (tree_shape == ChunkShape::grouped)
    closed = ir.when(ir.is(Predicate::ne, state[n + 1], ir.i64(0)), state, [&] { return close(state); });
  return result(closed[n]);
}

/// Bit by bit of the number of chunks: the lowest is the rightmost partial result.
Values ReduceTree::result(Value ended) {
  Values identities = start();
  return ir.when(ir.is(Predicate::ne, ended, ir.i64(0)), mlir::ValueRange(identities).take_front(all.size()), [&] {
    Value lowest = trailing_zeros(ir, ended), one = ir.i64(1);
    const auto known = constant(ended);
    Value top = known ? ir.i64(std::bit_width(uint64_t(*known))) : ir.sub(ir.i64(64), mlir::math::CountLeadingZerosOp::create(ir, ended));
    return ir.loop(
        ir.add(lowest, one), top, 1, stored(lowest),
        [&](Value level, mlir::ValueRange sums) {
          Value bit = ir.logical_and(ir.createOrFold<arith::ShRUIOp>(ended, level), one);
          return ir.when(ir.is(Predicate::ne, bit, ir.i64(0)), sums, [&] { return merged(stored(level), sums); });
        },
        /*unrolled=*/true);
  });
}

Value half_of(Ir &ir, Value vector, int64_t half, bool high) {
  const int64_t lanes = llvm::cast<mlir::VectorType>(vector.getType()).getNumElements();
  llvm::SmallVector<int64_t> taken;
  for (int64_t i = 0; i < lanes / 2; ++i)
    taken.push_back(high ? i + half * (lanes / 2) : 2 * i + half);
  return mlir::vector::ShuffleOp::create(ir, vector, vector, taken);
}

Value fold_lanes(Ir &ir, Value sums, bool high) { return fold(ir, Op::sum, sums, /*nans=*/false, high); }

Value fold_lanes(Ir &ir, Op reduction, Value best, Value nans, bool high) {
  Value any = mlir::vector::ReductionOp::create(ir, mlir::vector::CombiningKind::OR, is_nan(ir, nans));
  return ir
      .when_else(
          any, mlir::getElementTypeOrSelf(best),
          [&] { return Values{fold(ir, reduction, with_nans(ir, best, nans), /*nans=*/true, high)}; },
          [&] { return Values{fold(ir, reduction, best, /*nans=*/false, high)}; })
      .front();
}

Value fold_moments(Ir &ir, Value squares, Value sums, Value counts, bool high) {
  constexpr Accumulator kMoments[] = {{Op::sum, false, 1}, {Op::sum}, {Op::sum}};
  Values vectors{squares, sums, counts};
  for (int64_t lanes = llvm::cast<mlir::VectorType>(squares.getType()).getNumElements(); lanes > 1; lanes /= 2) {
    Values halves[2];
    for (int64_t half : {0, 1})
      for (Value vector : vectors)
        halves[half].push_back(half_of(ir, vector, half, high));
    vectors = merge(ir, kMoments, halves[0], halves[1]);
  }
  return ir.first_lane(vectors.front());
}

} // namespace normforge::nest
