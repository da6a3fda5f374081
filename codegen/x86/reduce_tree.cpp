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

Value combine(Ir &ir, Op reduction, Value left, Value right) {
  if (reduction == Op::sum)
    return arith::AddFOp::create(ir, left, right);
  // x86's max and min return their second operand where either is NaN, and where both are zero. So LLVM's lowering is that instruction and, for a NaN
  // on the right, a blend that does not wait for it; with `nsz` nothing more is done about the zeros' signs.
  const auto zeros = arith::FastMathFlagsAttr::get(ir.getContext(), arith::FastMathFlags::nsz);
  if (reduction == Op::max)
    return arith::MaximumFOp::create(ir, right, left, zeros);
  return arith::MinimumFOp::create(ir, right, left, zeros);
}

double identity(Op reduction) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return reduction == Op::sum ? 0.0 : reduction == Op::max ? -infinity : infinity;
}

ReduceTree::ReduceTree(Ir &ir, std::vector<Op> ops, mlir::VectorType type, Shape shape, Value group, int64_t max_chunks)
    : ir(ir), ops(std::move(ops)), type(type), tree_shape(shape), group(group) {
  if (shape == one_chunk)
    return;
  const int64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
  stack = ir.stack(bytes * int64_t(this->ops.size()) * std::bit_width(uint64_t(max_chunks)));
}

Values ReduceTree::start() {
  Values state;
  for (Op op : ops)
    state.push_back(emit_constant(ir, type, identity(op)));
  if (tree_shape != one_chunk)
    state.push_back(ir.i64(0)); // chunks that have ended
  if (tree_shape == grouped)
    state.push_back(ir.i64(0)); // runs in the open chunk
  return state;
}

Value ReduceTree::slot(Value level, size_t accumulator) {
  return ir.address(stack, type, ir.add(ir.mul(level, ir.i64(int64_t(ops.size()))), ir.i64(int64_t(accumulator))));
}

Values ReduceTree::push(mlir::ValueRange state) {
  const size_t n = ops.size();
  Value ended = ir.add(state[n], ir.i64(1));
  Value level = mlir::math::CountTrailingZerosOp::create(ir, ended);
  Values merged = ir.loop(ir.i64(0), level, 1, state.take_front(n), [&](Value at, mlir::ValueRange right) {
    Values sums;
    for (size_t i = 0; i < n; ++i)
      sums.push_back(combine(ir, ops[i], ir.load(type, slot(at, i), 64), right[i]));
    return sums;
  });
  for (size_t i = 0; i < n; ++i)
    ir.store(merged[i], slot(level, i), 64);
  Values next = start();
  next[n] = ended;
  return next;
}

Values ReduceTree::end_piece(mlir::ValueRange state, Value ends_run) {
  if (tree_shape == one_chunk)
    return Values(state);
  if (tree_shape == chunks)
    return push(state);
  const size_t runs = ops.size() + 1;
  Values counted(state);
  counted[runs] = ir.createOrFold<arith::SelectOp>(ends_run, ir.add(state[runs], ir.i64(1)), group);
  return ir.when(ir.is(Predicate::eq, counted[runs], group), counted, [&] { return push(counted); });
}

Values ReduceTree::finish(mlir::ValueRange state) {
  const size_t n = ops.size();
  if (tree_shape == one_chunk)
    return Values(state);
  Values closed(state);
  if (tree_shape == grouped)
    closed = ir.when(ir.is(Predicate::ne, state[n + 1], ir.i64(0)), state, [&] { return push(state); });
  // Bit by bit of the number of chunks: the lowest is the rightmost partial result.
  Value ended = closed[n];
  Values identities = start();
  return ir.when(ir.is(Predicate::ne, ended, ir.i64(0)), mlir::ValueRange(identities).take_front(n), [&] {
    Value lowest = mlir::math::CountTrailingZerosOp::create(ir, ended);
    Values right;
    for (size_t i = 0; i < n; ++i)
      right.push_back(ir.load(type, slot(lowest, i), 64));
    Value one = ir.i64(1);
    Value top = ir.sub(ir.i64(64), mlir::math::CountLeadingZerosOp::create(ir, ended));
    return ir.loop(ir.add(lowest, one), top, 1, right, [&](Value level, mlir::ValueRange sums) {
      Value bit = arith::AndIOp::create(ir, arith::ShRUIOp::create(ir, ended, level), one);
      return ir.when(ir.is(Predicate::ne, bit, ir.i64(0)), sums, [&] {
        Values merged;
        for (size_t i = 0; i < n; ++i)
          merged.push_back(combine(ir, ops[i], ir.load(type, slot(level, i), 64), sums[i]));
        return merged;
      });
    });
  });
}

Value fold_lanes(Ir &ir, Op reduction, Value vector, bool high) {
  for (int64_t lanes = llvm::cast<mlir::VectorType>(vector.getType()).getNumElements(); lanes > 1; lanes /= 2) {
    llvm::SmallVector<int64_t> left, right;
    for (int64_t i = 0; i < lanes / 2; ++i) {
      left.push_back(high ? i : 2 * i);
      right.push_back(high ? i + lanes / 2 : 2 * i + 1);
    }
    Value low = mlir::vector::ShuffleOp::create(ir, vector, vector, left);
    vector = combine(ir, reduction, low, mlir::vector::ShuffleOp::create(ir, vector, vector, right));
  }
  return ir.first_lane(vector);
}

} // namespace normforge::x86
