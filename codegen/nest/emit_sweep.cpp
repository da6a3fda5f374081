// One sweep: loops over the reduced axes, outermost first. The innermost reduced axis is the run: it is cut into pieces that end where
// chunks end, and a piece is walked in blocks. Along the vector axis a block is NestShape::width elements, the last one of a piece possibly
// fewer; across it, a block is one index. `unroll` blocks make an iteration, into the same accumulators, so it changes no order.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "codegen/nest/sweep_emitter.h"

namespace normforge::nest {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

SweepEmitter::SweepEmitter(Emitter &kernel, size_t index, size_t rows)
    : kernel(kernel), ir(kernel.ir), shape(kernel.shape), sweep(shape.nest.sweeps[index]), points(kernel.residency.points[index]),
      leaves(kernel.residency.leaves[index]), unrolled(kernel.mapping.keep == Keep::registers && kernel.residency.slots),
      prefetches(kernel.mapping.prefetch && !kernel.record && shape.inner && index == std::min<size_t>(1, shape.nest.sweeps.size() - 1)),
      tree(make_tree(index, rows)) {
  if (sweep.moments.empty() && index + 1 < shape.nest.sweeps.size() && !shape.nest.sweeps[index + 1].moments.empty())
    again = std::make_unique<SweepEmitter>(kernel, index + 1, rows);
  if (shape.streams && sweep.reductions.empty())
    for (const Write &write : sweep.writes)
      if (const View &view = kernel.views[size_t(write.tensor)]; view.contiguous)
        streamed_bytes = std::max<int64_t>(streamed_bytes, info(view.dtype).bytes);
}

/// The shape of the tree, from what is known of the extents.
ReduceTree SweepEmitter::make_tree(size_t index, size_t rows) {
  std::vector<Accumulator> all = accumulators_of(kernel.plan.program(), shape.nest, index, rows);
  const mlir::VectorType type = ir.vector(kernel.lane_count(), kernel.compute_type);
  const ChunkShape chunks = all.empty() ? ChunkShape::one : chunk_shape(kernel.plan, shape, kernel.numerics);
  const size_t accumulators = all.size();
  return ReduceTree(
      ir, std::move(all), type, chunks, chunks == ChunkShape::grouped ? kernel.runs_per_chunk() : Value(),
      chunks == ChunkShape::one
          ? TreeMemory()
          : kernel.tree_memory(type, tree_slots(accumulators, most_chunks(kernel.plan, shape, kernel.numerics, kernel.most_points())),
                               unrolled && !shape.ragged_reduction));
}

void SweepEmitter::run(Frames &rows) {
  spread_scalars(rows);
  settle(rows, again ? chunks(rows, kernel.whole_row(rows)) : tree.finish(level(0, rows, tree.start())));
}

/// The values of the reductions and moments, from the tree's results. Lanes of all of them fold together.
void SweepEmitter::settle(Frames &rows, const Values &results) {
  llvm::SmallVector<LaneSums> sums;
  llvm::SmallVector<std::pair<Frame *, NodeId>> names;
  const Value *result = results.begin();
  for (Frame &frame : rows)
    for (NodeId id : sweep.reductions) {
      Value sum = *result++;
      sums.push_back({kernel.node(id).op, sum, kernel.node(id).op == Op::sum ? Value() : *result++});
      names.emplace_back(&frame, id);
    }
  for (size_t r = 0; again && r < rows.size(); ++r)
    for (const Moment &moment : again->sweep.moments) {
      const auto total = std::ranges::find(sweep.reductions, moment.sum) - sweep.reductions.begin();
      sums.push_back({Op::sum, *result++, {}, int(r * sweep.reductions.size()) + int(total)});
      names.emplace_back(&rows[r], moment.squares);
    }
  const auto known = [&](size_t i) -> Value & { return names[i].first->value[size_t(names[i].second)]; };
  if (!shape.inner) {
    for (size_t i = 0; i < sums.size(); ++i) {
      Value sum = sums[i].nans ? with_nans(ir, sums[i].lanes, sums[i].nans) : sums[i].lanes;
      known(i) = kernel.varies(names[i].second, shape.vector_axis) ? sum : ir.first_lane(sum);
    }
  } else if (!sums.empty()) {
    const Values folded = kernel.fold(sums, again ? results.back() : Value());
    for (size_t i = 0; i < sums.size(); ++i)
      known(i) = folded[i];
  }
}

/// Scalars that vectors of this sweep read, spread over lanes before its loops.
void SweepEmitter::spread_scalars(Frames &rows) {
  const auto spread = [&](NodeId id) {
    for (Frame &frame : rows)
      if (kernel.is_bound(kernel.node(id).axes, frame) && frame.value[size_t(id)]) {
        const int width = frame.lanes.width;
        frame.lanes.width = kernel.lane_count();
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
    return block(place(rows, {}, {}), state);
  if (depth + 1 == shape.reduced.size())
    return run_of(rows, ir.i64(0), kernel.bound_of(shape.reduced.back(), rows.front()), state);
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

/// The elements [begin, end) of a run, piece by piece; `begin` is where a chunk begins, and `end` where one ends.
Values SweepEmitter::run_of(const Frames &rows, Value begin, Value end, mlir::ValueRange state) {
  const int64_t chunk = kernel.numerics.chunk;
  if (streamed_bytes)
    return written_run(rows, begin, end);
  if (tree.shape() == ChunkShape::one)
    return piece(rows, begin, end, state);
  if (kernel.plan.specialized.axes[size_t(shape.reduced.back())].extent.hi <= chunk)
    return ir.when(shape.ragged_reduction ? ir.is(Predicate::slt, begin, end) : ir.boolean(true), state,
                   [&] { return tree.end_piece(piece(rows, begin, end, state), ir.boolean(true)); });
  return ir.loop(
      begin, end, chunk, state,
      [&](Value first, mlir::ValueRange carried) {
        Value stop = ir.min(ir.add(first, ir.i64(chunk)), end);
        return tree.end_piece(piece(rows, first, stop, carried), ir.is(Predicate::eq, stop, end));
      },
      unrolled);
}

Values SweepEmitter::piece(const Frames &rows, Value begin, Value end, mlir::ValueRange state) {
  const int64_t step = shape.inner ? shape.width : 1;
  const int64_t unroll = kernel.mapping.unroll;
  const auto blocks = [&](int64_t count) {
    return [&, count](Value index, mlir::ValueRange carried) {
      std::vector<Frames> places;
      for (int64_t u = 0; u < count; ++u)
        places.push_back(place(rows, ir.add(index, ir.i64(u * step)), {}));
      if (kernel.loads_first())
        for (Frames &at : places)
          load(at);
      Values next(carried);
      for (Frames &at : places)
        next = block(at, next);
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
  return ir.when(ir.is(Predicate::sgt, left, ir.i64(0)), next, [&] { return block(place(rows, full, left), next); });
}

/// The rows at one block. `active`: how many lanes exist, null for all.
Frames SweepEmitter::place(Frames rows, Value index, Value active) {
  const Lanes lanes = shape.inner && shape.vector_axis >= 0 ? kernel.lanes_of(shape.width, active) : rows.front().lanes;
  for (Frame &frame : rows) {
    if (index)
      kernel.bind(frame, shape.reduced.back(), index);
    frame.lanes = lanes;
  }
  return rows;
}

/// What a block reads at its points.
void SweepEmitter::load(Frames &rows) {
  for (NodeId id : points)
    if (kernel.node(id).op == Op::tensor)
      kernel.evaluate(id, rows);
}

/// The points at one block: evaluate them in all rows, accumulate, then write.
Values SweepEmitter::block(Frames rows, mlir::ValueRange state) {
  const bool all = !rows.front().lanes.active;
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
  if (prefetches && all)
    for (const Frame &frame : rows)
      prefetch(frame, shape.nest.sweeps.front().points, shape.kept, ir.i64(int64_t(rows.size()) * kernel.mapping.prefetch));
  if (!sweep.moments.empty() && all)
    for (const Frame &frame : rows)
      prefetch_chunk(frame);
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
  SweepEmitter(*this, index, rows.size()).run(rows);
  const auto &sweeps = shape.nest.sweeps;
  do {
    for (NodeId id : residency.leaves[index])
      filled[size_t(id)] = 1;
    for (NodeId id : sweeps[index].rows)
      evaluate(id, rows);
    write_row_outputs(sweeps[index].row_writes, rows);
  } while (++index < sweeps.size() && !sweeps[index].moments.empty());
}

} // namespace normforge::nest
