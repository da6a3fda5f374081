// One sweep: loops over the reduced axes, outermost first. The innermost reduced axis is the run: it is cut into pieces that end where
// chunks end, and a piece is walked in blocks. Along the vector axis a block is `lanes` elements, the last one of a piece possibly fewer;
// across it, a block is one index. `unroll` blocks make an iteration, into the same accumulators, so it changes no order.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "codegen/x86/emitter.h"
#include "codegen/x86/math.h"
#include "codegen/x86/reduce_tree.h"
#include "dsl/error.h"

namespace normforge::x86 {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

constexpr int64_t kLineBytes = 64;

class SweepEmitter {
public:
  SweepEmitter(Emitter &kernel, size_t sweep, size_t rows);
  void run(Frames &rows);

private:
  ReduceTree make_tree(size_t rows);
  Values level(size_t depth, Frames rows, mlir::ValueRange state);
  Values run_of(const Frames &rows, mlir::ValueRange state);
  Values written_run(const Frames &rows, Value end);
  Values piece(const Frames &rows, Value begin, Value end, mlir::ValueRange state);
  Values block(Frames rows, Value index, Value active, mlir::ValueRange state);
  void accumulate(NodeId reduction, Accumulator accumulator, Frame &frame, Value &sum);
  void spread_scalars(Frames &rows);
  void prefetch(const Frame &frame, int64_t rows);

  Emitter &kernel;
  Ir &ir;
  const NestShape &shape;
  const Sweep &sweep;
  const std::vector<NodeId> &points, &leaves;
  const bool unrolled;   // every loop: its buffers become registers
  const bool prefetches; // the second sweep, which finds its row in a cache, fetches what the next rows will read
  bool lies_alike(const View &view) const;
  bool is_streamed(const Write &write) const;
  int64_t streamed_bytes = 0; // of an element that streaming stores write; 0: there are none
  bool nontemporal = false;   // what is written now
  ReduceTree tree;
};

SweepEmitter::SweepEmitter(Emitter &kernel, size_t index, size_t rows)
    : kernel(kernel), ir(kernel.ir), shape(kernel.shape), sweep(shape.nest.sweeps[index]), points(kernel.residency.points[index]),
      leaves(kernel.residency.leaves[index]), unrolled(kernel.mapping.keep == Keep::registers),
      prefetches(kernel.mapping.prefetch && shape.inner && index == std::min<size_t>(1, shape.nest.sweeps.size() - 1)),
      tree(make_tree(rows)) {
  if (shape.streams && sweep.reductions.empty())
    for (const Write &write : sweep.writes)
      if (const View &view = kernel.views[size_t(write.tensor)]; view.contiguous)
        streamed_bytes = std::max<int64_t>(streamed_bytes, info(view.dtype).bytes);
}

/// The shape of the tree, from what is known of the extents.
ReduceTree SweepEmitter::make_tree(size_t rows) {
  std::vector<Accumulator> all;
  for (size_t r = 0; r < rows; ++r)
    for (NodeId id : sweep.reductions) {
      all.push_back({kernel.node(id).op});
      if (kernel.node(id).op != Op::sum)
        all.push_back({kernel.node(id).op, /*nans=*/true});
    }
  const mlir::VectorType type = ir.vector(shape.width, kernel.compute_type);
  const int64_t chunk = kernel.numerics.chunk;
  if (all.empty() || shape.reduced.empty())
    return ReduceTree(ir, all, type, ReduceTree::one_chunk, {}, 1);

  const int run_axis = shape.reduced.back();
  const Extent run = kernel.plan.specialized.axes[size_t(run_axis)].extent;
  const Extent runs = extent_over(kernel.plan, shape.nest.reduced & ~axis_bit(run_axis));
  constexpr int64_t kAddressable = int64_t(1) << 47; // elements that fit a 47-bit address space
  const Extent points = extent_over(kernel.plan, shape.nest.reduced);
  const int64_t max_chunks = std::min(kAddressable, points.hi) / std::max<int64_t>(1, chunk / 2) + 2;
  if (shape.reduced.size() == 1)
    return ReduceTree(ir, all, type, run.hi <= chunk ? ReduceTree::one_chunk : ReduceTree::chunks, {}, max_chunks);
  if (run.hi <= chunk && runs.hi <= chunk / std::max<int64_t>(1, run.hi))
    return ReduceTree(ir, all, type, ReduceTree::one_chunk, {}, 1);
  if (run.lo > chunk / 2)
    return ReduceTree(ir, all, type, ReduceTree::chunks, {}, max_chunks);
  Value group = ir.max(ir.i64(1), ir.div(ir.i64(chunk), ir.max(ir.i64(1), kernel.extents[size_t(run_axis)])));
  return ReduceTree(ir, all, type, ReduceTree::grouped, group, max_chunks);
}

void SweepEmitter::run(Frames &rows) {
  spread_scalars(rows);
  Values results = tree.finish(level(0, rows, tree.start()));
  Value *result = results.begin();
  for (size_t r = 0; r < rows.size(); ++r)
    for (NodeId id : sweep.reductions) {
      Value sum = *result++;
      if (kernel.node(id).op != Op::sum)
        sum = with_nans(ir, sum, *result++);
      if (shape.inner)
        sum = fold_lanes(ir, kernel.node(id).op, kernel.paired ? to_memory_order(ir, sum) : sum, kernel.numerics.fold_high);
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
  for (NodeId id : points)
    if (kernel.varies(id, shape.vector_axis) && !is_reduction(kernel.node(id).op) && info(kernel.node(id).op).operands > 1)
      for (int i = 0; i < info(kernel.node(id).op).operands; ++i)
        spread(kernel.node(id).operands[size_t(i)]);
}

/// The loop over reduced axis `depth`, and all within.
Values SweepEmitter::level(size_t depth, Frames rows, mlir::ValueRange state) {
  if (depth > 0 || shape.reduced.empty()) {
    kernel.evaluate_bound(points, rows);
    spread_scalars(rows);
  }
  if (shape.reduced.empty())
    return block(rows, {}, {}, state);
  if (depth + 1 == shape.reduced.size())
    return run_of(rows, state);
  const int axis = shape.reduced[depth];
  return ir.loop(
      ir.i64(0), kernel.bound_of(axis, rows.front()), 1, state,
      [&](Value index, mlir::ValueRange carried) {
        Frames inner = rows;
        for (Frame &frame : inner)
          kernel.bind(frame, axis, index);
        return level(depth + 1, inner, carried);
      },
      unrolled);
}

/// One run, piece by piece.
Values SweepEmitter::run_of(const Frames &rows, mlir::ValueRange state) {
  const int axis = shape.reduced.back();
  Value end = kernel.bound_of(axis, rows.front());
  const int64_t chunk = kernel.numerics.chunk;
  const bool whole = kernel.plan.specialized.axes[size_t(axis)].extent.hi <= chunk;
  if (streamed_bytes)
    return written_run(rows, end);
  if (tree.shape() == ReduceTree::one_chunk)
    return piece(rows, ir.i64(0), end, state);
  if (whole)
    return tree.end_piece(piece(rows, ir.i64(0), end, state), ir.boolean(true));
  return ir.loop(ir.i64(0), end, chunk, state, [&](Value begin, mlir::ValueRange carried) {
    Value stop = ir.min(ir.add(begin, ir.i64(chunk)), end);
    return tree.end_piece(piece(rows, begin, stop, carried), ir.is(Predicate::eq, stop, end));
  });
}

/// A run of a sweep that only writes, so that no order matters, with streaming stores: from the first element on a cache line's boundary,
/// where all that is written lies alike to such boundaries; else with normal stores. Blocks of a buffer whose lanes are paired cannot be
/// shifted; there, as across the contiguous axis, everything must lie on boundaries.
Values SweepEmitter::written_run(const Frames &rows, Value end) {
  Value line = ir.i64(kLineBytes - 1), first, alike = ir.boolean(true);
  const bool shifts = shape.inner && !(kernel.paired && kernel.residency.slots);
  for (const Write &write : sweep.writes) {
    const View &view = kernel.views[size_t(write.tensor)];
    Value bytes = ir.i64(streamed_bytes);
    for (size_t r = 0; r < rows.size() && is_streamed(write); ++r) {
      Frame at = rows[r];
      kernel.bind(at, shape.reduced.back(), ir.i64(0));
      Value past = ir.logical_and(ir.integer(kernel.address_of(view, size_t(write.tensor), at)), line);
      if (!shifts) {
        for (int axis : shape.reduced)
          if (axis != shape.vector_axis && (view.axes & axis_bit(axis))) // other indexes of the reduced axes lie as this one
            past = ir.logical_or(past, ir.logical_and(ir.mul(view.stride[size_t(axis)], bytes), line));
        alike = ir.logical_and(alike, ir.is(Predicate::eq, past, ir.i64(0)));
      } else if (!first) {
        first = past;
      } else if (r == 0 || !lies_alike(view)) {
        alike = ir.logical_and(alike, ir.is(Predicate::eq, past, first));
      }
    }
  }
  const auto normal = [&] { return piece(rows, ir.i64(0), end, {}); };
  const auto streaming = [&] {
    Value begin = ir.i64(0);
    if (shifts) {
      begin = ir.min(end, ir.div(ir.logical_and(ir.sub(ir.i64(kLineBytes), first), line), ir.i64(streamed_bytes)));
      piece(rows, ir.i64(0), begin, {});
    }
    nontemporal = true;
    piece(rows, begin, end, {});
    nontemporal = false;
    return Values();
  };
  return ir.when_else(alike, {}, streaming, normal);
}

/// Streaming stores go to contiguous outputs of the widest type: vectors of narrower ones start on boundaries at other elements.
bool SweepEmitter::is_streamed(const Write &write) const {
  const View &view = kernel.views[size_t(write.tensor)];
  return view.contiguous && info(view.dtype).bytes == streamed_bytes;
}

/// Whether rows of a tensor are known to be whole cache lines apart.
bool SweepEmitter::lies_alike(const View &view) const {
  for (int axis : shape.kept)
    if (const auto stride = constant(view.stride[size_t(axis)]);
        (view.axes & axis_bit(axis)) && (!stride || *stride * streamed_bytes % kLineBytes))
      return false;
  return true;
}

/// Fetches what the rows `mapping.prefetch` groups further on will read at this block first: the tensors that vary over kept axes.
void SweepEmitter::prefetch(const Frame &frame, int64_t rows) {
  for (NodeId id : shape.nest.sweeps.front().points) {
    const Node &n = kernel.node(id);
    if (n.op != Op::tensor || !kernel.varies(id, shape.vector_axis) || !(n.axes & shape.nest.kept))
      continue;
    const View &view = kernel.views[size_t(n.symbol)];
    int innermost = -1; // of the axes that tell one row from the next
    for (int axis : shape.kept)
      if (view.axes & axis_bit(axis))
        innermost = axis;
    Value ahead = ir.mul(view.stride[size_t(innermost)], ir.i64(rows * kernel.mapping.prefetch));
    const int64_t bytes = info(view.dtype).bytes, line = kLineBytes / bytes;
    for (int64_t element = 0; element < shape.width; element += line)
      ir.prefetch(ir.address(ir.address(kernel.address_of(view, size_t(n.symbol), frame), ir.getI8Type(), ir.mul(ahead, ir.i64(bytes))),
                             ir.getI8Type(), ir.i64(element * bytes)));
  }
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
  Values next = ir.loop(begin, main, step * unroll, state, blocks(unroll), unrolled);
  Value full = ir.add(begin, ir.round_down(length, step));
  if (unroll > 1)
    next = ir.loop(main, full, step, next, blocks(1), unrolled);
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
  for (NodeId id : points)
    if (!(kernel.node(id).axes & shape.nest.kept))
      kernel.evaluate(id, rows);
  Values next(state);
  Value *accumulator = next.begin();
  for (Frame &frame : rows) { // one row after the other: few values live at once
    for (NodeId id : points)
      kernel.evaluate(id, frame);
    for (NodeId id : sweep.reductions) {
      accumulate(id, {kernel.node(id).op}, frame, *accumulator++);
      if (kernel.node(id).op != Op::sum)
        accumulate(id, {kernel.node(id).op, /*nans=*/true}, frame, *accumulator++);
    }
    for (NodeId id : leaves)
      kernel.store(kernel.buffer_of(id), kernel.in_lanes(id, frame), frame);
    for (const Write &write : sweep.writes)
      kernel.write(write, frame, shape.asks_at_points, nontemporal && is_streamed(write));
  }
  if (prefetches && !active)
    for (const Frame &frame : rows)
      prefetch(frame, int64_t(rows.size()));
  return next;
}

void SweepEmitter::accumulate(NodeId reduction, Accumulator accumulator, Frame &frame, Value &sum) {
  const Node &n = kernel.node(reduction);
  const Node &operand = kernel.node(n.operands[0]);
  const bool square = operand.op == Op::pow && operand.value == 2;
  Value next;
  if (n.op == Op::sum && kernel.numerics.fma && (operand.op == Op::mul || square))
    next = mlir::math::FmaOp::create(ir, kernel.in_lanes(operand.operands[0], frame),
                                     kernel.in_lanes(operand.operands[square ? 0 : 1], frame), sum);
  else
    next = combine(ir, accumulator, sum, kernel.in_lanes(n.operands[0], frame));
  sum = shape.inner && frame.lanes.mask ? Value(arith::SelectOp::create(ir, frame.lanes.mask, next, sum)) : next;
}

void Emitter::emit_sweep(size_t index, Frames &rows) {
  const Sweep &sweep = shape.nest.sweeps[index];
  SweepEmitter(*this, index, rows.size()).run(rows);
  for (NodeId id : residency.leaves[index])
    filled[size_t(id)] = 1;
  for (NodeId id : sweep.rows)
    evaluate(id, rows);
  for (const Write &row_write : sweep.row_writes)
    for (Frame &frame : rows)
      write(row_write, frame, /*asks=*/true);
}

} // namespace normforge::x86
