// A sweep and the one after it, chunk by chunk (codegen/moments.cpp): the first adds up a chunk, then the second goes over it again, while
// it is in the first cache, and squares what lies about the chunk's mean. The mean is taken lane by lane, so nothing folds before the row's
// end, and the count of each lane goes along: the last lanes of a run may have one element less.
//
// Both go over the same pieces of runs, so these are counted on from run to run, as for the parts of a split row. Where several runs share
// a chunk, it has the pieces of as many whole runs, be some of them empty.
#include "mlir/Dialect/Arith/IR/Arith.h"

#include "codegen/nest/math.h"
#include "codegen/nest/sweep_emitter.h"

namespace normforge::nest {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

/// All pieces of the rows' runs: as many as their extent has, or where there is a single run, its length.
Part Emitter::whole_row(const Frames &rows) {
  const int axis = shape.reduced.back();
  Value runs = ir.i64(1);
  for (size_t i = 0; i + 1 < shape.reduced.size(); ++i)
    runs = ir.mul(runs, extents[size_t(shape.reduced[i])]);
  Value run = shape.reduced.size() == 1 ? bound_of(axis, rows.front()) : extents[size_t(axis)];
  Value per_run = pieces_of_run(run);
  return {{}, ir.i64(0), ir.mul(runs, per_run), per_run};
}

Value Emitter::pieces_of_run(Value run) {
  const bool single = plan.specialized.axes[size_t(shape.reduced.back())].extent.hi <= numerics.chunk;
  return single ? ir.i64(1) : ir.div(ir.add(run, ir.i64(numerics.chunk - 1)), ir.i64(numerics.chunk));
}

/// The results of a part's reductions, and of the moments that the second sweep makes.
Values SweepEmitter::chunks(const Frames &rows, const Part &part) {
  Frames spread = rows;
  again->spread_scalars(spread);
  if (tree.shape() == ChunkShape::one)
    return chunk(spread, part);
  const bool grouped = tree.shape() == ChunkShape::grouped;
  Value group = grouped ? kernel.runs_per_chunk() : ir.i64(1);
  Value count = ir.div(ir.add(ir.sub(part.end, part.begin), ir.sub(group, ir.i64(1))), group);
  return tree.result(ir.loop(
      ir.i64(0), count, 1, ir.i64(0),
      [&](Value number, mlir::ValueRange ended) {
        Part pieces = part;
        pieces.begin = ir.add(part.begin, ir.mul(number, group));
        pieces.end = grouped ? ir.min(ir.add(pieces.begin, group), part.end) : Value();
        Value exists = ir.boolean(true); // a piece past a ragged length does not
        if (shape.ragged_reduction) {
          const Piece first = piece_at(spread, pieces, pieces.begin);
          exists = ir.logical_or(ir.is(Predicate::ne, group, ir.i64(1)), ir.is(Predicate::slt, first.begin, first.end));
        }
        return ir.when(exists, ended, [&] { return Values{tree.push(chunk(spread, pieces), ended[0])}; });
      },
      unrolled)[0]);
}

/// One chunk: what the first sweep accumulates, the squares of the second one, and the count.
Values SweepEmitter::chunk(const Frames &rows, const Part &pieces) {
  const Values start = tree.start();
  const size_t squares = again->sweep.moments.size() * rows.size(), all = tree.accumulators().size();
  Values state(start.begin(), start.begin() + (all - squares - 1));
  state.push_back(start[all - 1]);
  Values results = over_pieces(rows, pieces, state, /*counts=*/true);
  for (NodeId id : leaves)
    kernel.filled[size_t(id)] = 1;

  Value count = results.pop_back_val();
  Frames centred = rows;
  for (size_t r = 0; r < rows.size(); ++r)
    for (const Moment &moment : again->sweep.moments)
      centred[r].value[size_t(moment.mean)] = mean_of(ir, results[accumulator_of(kernel.plan.program(), sweep, r, moment.sum)], count);
  const Values second = again->over_pieces(centred, pieces, mlir::ValueRange(start).slice(all - squares - 1, squares), /*counts=*/false);
  results.append(second.begin(), second.end());
  results.push_back(count);
  return results;
}

/// The sweep over pieces; `counts`: the last of the state counts elements by lane.
Values SweepEmitter::over_pieces(const Frames &rows, const Part &pieces, mlir::ValueRange state, bool counts) {
  const auto body = [&](Value number, mlir::ValueRange carried) {
    const Piece at = piece_at(rows, pieces, number);
    Values next = piece(at.rows, at.begin, at.end, counts ? carried.drop_back() : carried);
    if (counts)
      next.push_back(arith::AddFOp::create(ir, carried.back(), count_of(ir.sub(at.end, at.begin))));
    return next;
  };
  return pieces.end ? ir.loop(pieces.begin, pieces.end, 1, state, body, unrolled) : body(pieces.begin, state);
}

/// Piece `number` of a row. What lies past a ragged length is left out.
SweepEmitter::Piece SweepEmitter::piece_at(const Frames &rows, const Part &part, Value number) {
  const int axis = shape.reduced.back();
  const int64_t chunk = kernel.numerics.chunk;
  Piece at{at_run(rows, ir.div(number, part.per_run)), ir.mul(ir.rem(number, part.per_run), ir.i64(chunk)), {}};
  Value bound = kernel.bound_of(axis, at.rows.front());
  const auto known = constant(bound);
  at.end = ir.add(at.begin, ir.i64(chunk));
  if (!known || *known % chunk)
    at.end = ir.min(at.end, bound);
  if (!shape.ragged_reduction)
    return at;
  at.end = ir.max(at.end, at.begin);
  for (int outer : shape.reduced)
    if (outer != axis && kernel.plan.program().axes[size_t(outer)].length >= 0) {
      const Frame &frame = at.rows.front();
      Value exists = ir.is(Predicate::slt, frame.index[size_t(outer)], kernel.bound_of(outer, frame));
      at.end = arith::SelectOp::create(ir, exists, at.end, at.begin);
    }
  return at;
}

/// The rows where their reduced axes but the run's stand at run `run`.
Frames SweepEmitter::at_run(const Frames &rows, Value run) {
  Frames at = rows;
  const size_t outer = shape.reduced.size() - 1;
  if (outer == 0)
    return at;
  for (size_t depth = outer; depth-- > 0;) {
    const int axis = shape.reduced[depth];
    Value extent = kernel.extents[size_t(axis)];
    for (Frame &frame : at)
      kernel.bind(frame, axis, depth ? ir.rem(run, extent) : run);
    if (depth)
      run = ir.div(run, extent);
  }
  kernel.evaluate_bound(points, at);
  spread_scalars(at);
  return at;
}

/// In the second sweep, which finds its chunk in the first cache: fetches what the first one will read two chunks further on, so that
/// memory does not rest meanwhile. The lines of chunks across the contiguous axis lie too far apart for that to pay; a GPU's memory has
/// other warps to work for.
void SweepEmitter::prefetch_chunk(const Frame &frame) {
  constexpr int64_t kAhead = 2;
  const auto &reduced = shape.reduced;
  if (!shape.inner || kernel.target.gpu())
    return;
  const ChunkShape chunks = chunk_shape(kernel.plan, shape, kernel.numerics);
  if (chunks == ChunkShape::pieces)
    prefetch(frame, points, reduced.back(), ir.i64(kAhead * kernel.numerics.chunk));
  else if (chunks == ChunkShape::grouped)
    prefetch(frame, points, reduced[reduced.size() - 2], ir.mul(ir.i64(kAhead), kernel.runs_per_chunk()));
}

/// How many of the next elements of a run go to each lane.
Value SweepEmitter::count_of(Value elements) {
  const auto splat = [&](Value number) { return ir.splat(arith::SIToFPOp::create(ir, kernel.compute_type, number), kernel.lane_count()); };
  if (!shape.inner)
    return splat(elements);
  Value each = splat(ir.div(elements, ir.i64(shape.width))), left = ir.rem(elements, ir.i64(shape.width));
  if (constant(left) == 0)
    return each;
  Value one = emit_constant(ir, each.getType(), 1);
  return arith::SelectOp::create(ir, kernel.lanes_of(shape.width, left).mask, arith::AddFOp::create(ir, each, one), each);
}

} // namespace normforge::nest
