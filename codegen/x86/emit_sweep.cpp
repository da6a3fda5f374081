// One sweep: loops over the reduced axes, outermost first. The innermost reduced axis is the run: it is cut into pieces that end where chunks
// end, and a piece is walked in blocks. Along the vector axis a block is `lanes` elements, the last one of a piece possibly fewer; across it, a block
// is one index. `unroll` blocks make an iteration, into the same accumulators, so it changes no order.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "codegen/x86/emitter.h"
#include "codegen/x86/math.h"
#include "codegen/x86/reduce_tree.h"
#include "dsl/error.h"

namespace normforge::x86 {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

class SweepEmitter {
public:
  SweepEmitter(Emitter &kernel, const Sweep &sweep, size_t rows);
  void run(Frames &rows);

private:
  ReduceTree make_tree(size_t rows);
  Values level(size_t depth, Frames rows, mlir::ValueRange state);
  Values run_of(const Frames &rows, mlir::ValueRange state);
  Values piece(const Frames &rows, Value begin, Value end, mlir::ValueRange state);
  Values block(Frames rows, Value index, Value active, mlir::ValueRange state);
  Value accumulate(NodeId reduction, Frame &frame, Value sum);
  void spread_scalars(Frames &rows);

  Emitter &kernel;
  Ir &ir;
  const NestShape &shape;
  const Sweep &sweep;
  ReduceTree tree;
};

SweepEmitter::SweepEmitter(Emitter &kernel, const Sweep &sweep, size_t rows)
    : kernel(kernel), ir(kernel.ir), shape(kernel.shape), sweep(sweep), tree(make_tree(rows)) {}

/// The shape of the tree, from what is known of the extents.
ReduceTree SweepEmitter::make_tree(size_t rows) {
  std::vector<Op> ops;
  for (size_t r = 0; r < rows; ++r)
    for (NodeId id : sweep.reductions)
      ops.push_back(kernel.node(id).op);
  const mlir::VectorType type = ir.vector(shape.width, kernel.compute_type);
  const int64_t chunk = kernel.numerics.chunk;
  if (ops.empty() || shape.reduced.empty())
    return ReduceTree(ir, ops, type, ReduceTree::one_chunk, {}, 1);

  const int run_axis = shape.reduced.back();
  const Extent run = kernel.plan.specialized.axes[size_t(run_axis)].extent;
  const Extent runs = extent_over(kernel.plan, shape.nest.reduced & ~axis_bit(run_axis));
  constexpr int64_t kAddressable = int64_t(1) << 47; // elements that fit a 47-bit address space
  const Extent all = extent_over(kernel.plan, shape.nest.reduced);
  const int64_t max_chunks = std::min(kAddressable, all.hi) / std::max<int64_t>(1, chunk / 2) + 2;
  if (shape.reduced.size() == 1)
    return ReduceTree(ir, ops, type, run.hi <= chunk ? ReduceTree::one_chunk : ReduceTree::chunks, {}, max_chunks);
  if (run.hi <= chunk && runs.hi <= chunk / std::max<int64_t>(1, run.hi))
    return ReduceTree(ir, ops, type, ReduceTree::one_chunk, {}, 1);
  if (run.lo > chunk / 2)
    return ReduceTree(ir, ops, type, ReduceTree::chunks, {}, max_chunks);
  Value group = ir.max(ir.i64(1), ir.div(ir.i64(chunk), ir.max(ir.i64(1), kernel.extents[size_t(run_axis)])));
  return ReduceTree(ir, ops, type, ReduceTree::grouped, group, max_chunks);
}

void SweepEmitter::run(Frames &rows) {
  spread_scalars(rows);
  Values sums = tree.finish(level(0, rows, tree.start()));
  for (size_t r = 0; r < rows.size(); ++r)
    for (size_t i = 0; i < sweep.reductions.size(); ++i) {
      const NodeId id = sweep.reductions[i];
      Value sum = sums[r * sweep.reductions.size() + i];
      if (shape.inner)
        sum = fold_lanes(ir, kernel.node(id).op, sum, kernel.numerics.fold_high);
      else if (!kernel.varies(id, shape.vector_axis))
        sum = ir.first_lane(sum);
      rows[r].value[size_t(id)] = sum;
    }
}

/// Scalars that vectors of this sweep read, spread over lanes before its loops.
void SweepEmitter::spread_scalars(Frames &rows) {
  const auto spread = [&](NodeId id) {
    for (Frame &frame : rows)
      if (kernel.is_bound(kernel.node(id).axes, frame) && frame.value[size_t(id)]) {
        const int width = frame.lanes.width;
        frame.lanes.width = shape.width;
        kernel.in_lanes(id, frame);
        frame.lanes.width = width;
      }
  };
  if (shape.vector_axis < 0)
    return;
  for (NodeId id : sweep.points)
    if (kernel.varies(id, shape.vector_axis) && !is_reduction(kernel.node(id).op) && info(kernel.node(id).op).operands > 1)
      for (int i = 0; i < info(kernel.node(id).op).operands; ++i)
        spread(kernel.node(id).operands[size_t(i)]);
}

/// The loop over reduced axis `depth`, and all within.
Values SweepEmitter::level(size_t depth, Frames rows, mlir::ValueRange state) {
  if (depth > 0 || shape.reduced.empty()) {
    kernel.evaluate_bound(sweep.points, rows);
    spread_scalars(rows);
  }
  if (shape.reduced.empty())
    return block(rows, {}, {}, state);
  if (depth + 1 == shape.reduced.size())
    return run_of(rows, state);
  const int axis = shape.reduced[depth];
  return ir.loop(ir.i64(0), kernel.bound_of(axis, rows.front()), 1, state, [&](Value index, mlir::ValueRange carried) {
    Frames inner = rows;
    for (Frame &frame : inner)
      kernel.bind(frame, axis, index);
    return level(depth + 1, inner, carried);
  });
}

/// One run, piece by piece.
Values SweepEmitter::run_of(const Frames &rows, mlir::ValueRange state) {
  const int axis = shape.reduced.back();
  Value end = kernel.bound_of(axis, rows.front());
  const int64_t chunk = kernel.numerics.chunk;
  const bool whole = kernel.plan.specialized.axes[size_t(axis)].extent.hi <= chunk;
  if (tree.shape() == ReduceTree::one_chunk)
    return piece(rows, ir.i64(0), end, state);
  if (whole)
    return tree.end_piece(piece(rows, ir.i64(0), end, state), ir.boolean(true));
  return ir.loop(ir.i64(0), end, chunk, state, [&](Value begin, mlir::ValueRange carried) {
    Value stop = ir.min(ir.add(begin, ir.i64(chunk)), end);
    return tree.end_piece(piece(rows, begin, stop, carried), ir.is(Predicate::eq, stop, end));
  });
}

Values SweepEmitter::piece(const Frames &rows, Value begin, Value end, mlir::ValueRange state) {
  const int64_t step = shape.inner ? shape.width : 1;
  const int64_t unroll = kernel.mapping.unroll;
  const auto blocks = [&](int64_t count) {
    return [&, count](Value index, mlir::ValueRange carried) {
      Values next(carried);
      for (int64_t u = 0; u < count; ++u)
        next = block(rows, ir.add(index, ir.i64(u * step)), {}, next);
      return next;
    };
  };
  Value length = ir.sub(end, begin);
  Value main = ir.add(begin, ir.round_down(length, step * unroll));
  Values next = ir.loop(begin, main, step * unroll, state, blocks(unroll));
  Value full = ir.add(begin, ir.round_down(length, step));
  if (unroll > 1)
    next = ir.loop(main, full, step, next, blocks(1));
  if (step == 1)
    return next;
  Value left = ir.sub(end, full);
  return ir.when(ir.is(Predicate::sgt, left, ir.i64(0)), next, [&] { return block(rows, full, left, next); });
}

/// The points at one block: evaluate them in all rows, accumulate, then write. `active`: how many lanes exist, null for all.
Values SweepEmitter::block(Frames rows, Value index, Value active, mlir::ValueRange state) {
  const Lanes lanes = shape.inner && shape.vector_axis >= 0 ? kernel.lanes_of(shape.width, active) : rows.front().lanes;
  for (Frame &frame : rows) {
    if (index)
      kernel.bind(frame, shape.reduced.back(), index);
    frame.lanes = lanes;
  }
  for (NodeId id : sweep.points)
    kernel.evaluate(id, rows);
  Values next(state);
  for (size_t i = 0; i < sweep.reductions.size(); ++i)
    for (size_t r = 0; r < rows.size(); ++r) {
      Value &sum = next[r * sweep.reductions.size() + i];
      sum = accumulate(sweep.reductions[i], rows[r], sum);
    }
  for (const Write &write : sweep.writes)
    for (Frame &frame : rows)
      kernel.write(write, frame, shape.asks_at_points);
  return next;
}

Value SweepEmitter::accumulate(NodeId reduction, Frame &frame, Value sum) {
  const Node &n = kernel.node(reduction);
  const Node &operand = kernel.node(n.operands[0]);
  const bool square = operand.op == Op::pow && operand.value == 2;
  Value next;
  if (n.op == Op::sum && kernel.numerics.fma && (operand.op == Op::mul || square))
    next = mlir::math::FmaOp::create(ir, kernel.in_lanes(operand.operands[0], frame), kernel.in_lanes(operand.operands[square ? 0 : 1], frame), sum);
  else
    next = combine(ir, n.op, sum, kernel.in_lanes(n.operands[0], frame));
  if (shape.inner && frame.lanes.mask)
    next = arith::SelectOp::create(ir, frame.lanes.mask, next, sum);
  return next;
}

void Emitter::emit_sweep(const Sweep &sweep, Frames &rows) {
  SweepEmitter(*this, sweep, rows.size()).run(rows);
  for (NodeId id : sweep.rows)
    evaluate(id, rows);
  for (const Write &row_write : sweep.row_writes)
    for (Frame &frame : rows)
      write(row_write, frame, /*asks=*/true);
}

} // namespace normforge::x86
