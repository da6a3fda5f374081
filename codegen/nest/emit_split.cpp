// The steps of a nest whose rows are split (split.h): which part of which row an item is, what a row's record holds, and the loops over a
// part.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <algorithm>
#include <bit>

#include "codegen/nest/sweep_emitter.h"

namespace normforge::nest {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

namespace {

Value ceil_div(Ir &ir, Value a, Value b) { return ir.div(ir.add(a, ir.sub(b, ir.i64(1))), b); }

/// The least power of two that is no less than `value` > 0.
Value power_of_two(Ir &ir, Value value) {
  Value zeros = mlir::math::CountLeadingZerosOp::create(ir, ir.sub(value, ir.i64(1)));
  return arith::ShLIOp::create(ir, ir.i64(1), ir.sub(ir.i64(64), zeros));
}

/// The part that an item does. Parts past the end of a row are empty; with the bits of their numbers reversed, each thread, which takes
/// successive items, gets as many of them as any other.
Value part_of(Ir &ir, Value item, int64_t parts) {
  if (parts == 1)
    return ir.i64(0);
  Value reversed = mlir::LLVM::BitReverseOp::create(ir, ir.rem(item, ir.i64(parts)));
  return arith::ShRUIOp::create(ir, reversed, ir.i64(64 - std::countr_zero(uint64_t(parts))));
}

} // namespace

/// Whole runs that share a chunk, at least 1.
Value Emitter::runs_per_chunk() {
  return ir.max(ir.i64(1), ir.div(ir.i64(numerics.chunk), ir.max(ir.i64(1), extents[size_t(shape.reduced.back())])));
}

Emitter::Division Emitter::divide() {
  Value runs = ir.i64(1);
  for (size_t i = 0; i + 1 < shape.reduced.size(); ++i)
    runs = ir.mul(runs, extents[size_t(shape.reduced[i])]);
  Division division;
  division.per_run = pieces_of_run(extents[size_t(shape.reduced.back())]);
  division.per_row = ir.mul(runs, division.per_run);
  const bool grouped = chunk_shape(plan, shape, numerics) == ChunkShape::grouped;
  Value group = grouped ? runs_per_chunk() : ir.i64(1);
  Value chunks = ceil_div(ir, division.per_row, group);
  division.per_part = ir.mul(group, power_of_two(ir, ceil_div(ir, chunks, ir.i64(mapping.split))));
  division.parts = ceil_div(ir, division.per_row, division.per_part);
  return division;
}

void Emitter::emit_step_at(const NestStep &step, const Division &division, Value item) {
  const int64_t parts = step.kind == NestStep::sweep ? mapping.split : 1;
  Value part = part_of(ir, item, parts);
  ir.when(ir.is(Predicate::ult, part, division.parts), [&] {
    Value number = ir.div(item, ir.i64(parts));
    at_item(number, 1, [&](Frames &row) {
      Value row_record = ir.address(records, ir.getI8Type(), ir.mul(number, ir.i64(record->bytes)));
      const auto body = [&](Frames &rows) { emit_step_of(step, division, rows, row_record, part); };
      step.kind == NestStep::sweep ? as_memory_lies(row, body) : body(row);
    });
  });
}

void Emitter::emit_step_of(const NestStep &step, const Division &division, Frames &row, Value row_record, Value part) {
  const auto &sweeps = shape.nest.sweeps;
  const std::vector<NodeId> pivots = pivots_of(plan, shape);
  if (!step.picks)
    move_known(pivots, row, row_record, /*store=*/false);
  for (NodeId id : shape.nest.rows)
    evaluate(id, row);
  if (step.picks && step.kind != NestStep::sweep)
    move_known(pivots, row, row_record, /*store=*/true);
  if (step.kind == NestStep::pivots)
    return;

  const size_t ended = step.kind == NestStep::row_writes ? sweeps.size() : step.index;
  std::ranges::fill(filled, 0);
  for (size_t sweep = 0; sweep < ended; ++sweep) {
    move_known(sweeps[sweep].reductions, row, row_record, /*store=*/false);
    for (NodeId id : residency.leaves[sweep])
      filled[size_t(id)] = 1;
    for (NodeId id : sweeps[sweep].rows)
      evaluate(id, row);
  }
  if (step.kind == NestStep::sweep) {
    Value begin = ir.mul(part, division.per_part);
    Value end = ir.min(ir.add(begin, division.per_part), division.per_row);
    return SweepEmitter(*this, step.index, 1).run_part(row, {part, begin, end, division.per_run}, row_record);
  }
  if (step.kind == NestStep::merge)
    SweepEmitter(*this, step.index, 1).merge_parts(row, division.parts, row_record);
  for (size_t sweep = ended; sweep < sweeps.size(); ++sweep) { // what has merged now, and what follows from it
    if (sweep == ended || !sweeps[sweep].moments.empty())
      move_known(sweeps[sweep].reductions, row, row_record, /*store=*/true);
    else if (!step.writes_rows)
      break;
    for (NodeId id : sweeps[sweep].rows)
      evaluate(id, row);
  }
  if (step.writes_rows)
    write_rows(row);
}

/// Pivots or reductions between a row's record and its frame.
void Emitter::move_known(const std::vector<NodeId> &nodes, Frames &row, Value row_record, bool store) {
  const mlir::VectorType vector = ir.vector(shape.width, compute_type), lanes = ir.vector(lane_count(), compute_type);
  const unsigned alignment = unsigned(info(plan.specialized.compute).bytes);
  for (NodeId id : nodes) {
    const mlir::Type type = !shape.inner && varies(id, shape.vector_axis) ? mlir::Type(lanes) : compute_type;
    Value at = ir.address(row_record, vector, ir.i64(std::ranges::find(record->known, id) - record->known.begin()));
    Value &value = row.front().value[size_t(id)];
    if (store)
      store_record(value, at, alignment);
    else
      value = load_record(type, at, alignment);
  }
}

void Emitter::write_rows(Frames &row) {
  std::vector<Write> all = shape.nest.row_writes;
  for (const Sweep &sweep : shape.nest.sweeps)
    all.insert(all.end(), sweep.row_writes.begin(), sweep.row_writes.end());
  write_row_outputs(all, row);
}

/// Of the vectors of a record.
unsigned SweepEmitter::record_alignment() const {
  return std::min(64u, std::bit_ceil(unsigned(shape.width)) * unsigned(info(kernel.plan.specialized.compute).bytes));
}

/// Where a part's result of an accumulator stands in a row's record.
Value SweepEmitter::partial(Value row_record, Value part, size_t accumulator) {
  const RowRecord &record = *kernel.record;
  Value vector = ir.add(ir.i64(int64_t(record.known.size() + accumulator)), ir.mul(part, ir.i64(record.partials)));
  return ir.address(row_record, ir.vector(shape.width, kernel.compute_type), vector);
}

void SweepEmitter::run_part(Frames &row, const Part &part, Value record) {
  spread_scalars(row);
  const Values results = again ? chunks(row, part) : tree.finish(runs_of(part, row, tree.start()));
  for (size_t i = 0; i < tree.accumulators().size(); ++i)
    kernel.store_record(results[i], partial(record, part.number, i), record_alignment());
}

void SweepEmitter::merge_parts(Frames &row, Value parts, Value record) {
  const mlir::VectorType type = ir.vector(kernel.lane_count(), kernel.compute_type);
  const bool together = kernel.loads_first() && constant(parts); // parts are then loaded together
  ReduceTree merged(ir, tree.accumulators(), type, ChunkShape::pieces, {},
                    kernel.tree_memory(type, tree_slots(tree.accumulators().size(), kernel.mapping.split), together));
  const auto merge_part = [&](Value part, mlir::ValueRange carried) {
    Values next(carried);
    for (size_t i = 0; i < merged.accumulators().size(); ++i)
      next[i] = kernel.load_record(type, partial(record, part, i), record_alignment());
    return merged.end_piece(next, ir.boolean(true));
  };
  settle(row, merged.finish(ir.loop(ir.i64(0), parts, 1, merged.start(), merge_part, together)));
}

/// The runs of a part, the first and the last of them perhaps not whole.
Values SweepEmitter::runs_of(const Part &part, const Frames &row, mlir::ValueRange state) {
  const size_t outer = shape.reduced.size() - 1;
  Value extent = kernel.extents[size_t(shape.reduced.back())], chunk = ir.i64(kernel.numerics.chunk);
  if (outer == 0)
    return run_of(row, ir.mul(part.begin, chunk), ir.min(ir.mul(part.end, chunk), extent), state);
  const bool whole = constant(part.per_run) == 1;
  return ir.loop(ir.div(part.begin, part.per_run), ceil_div(ir, part.end, part.per_run), 1, state,
                 [&](Value run, mlir::ValueRange carried) {
                   const Frames at = at_run(row, run);
                   if (whole)
                     return run_of(at, ir.i64(0), extent, carried);
                   Value before = ir.mul(run, part.per_run); // pieces of the runs before this one
                   Value begin = ir.mul(ir.max(ir.sub(part.begin, before), ir.i64(0)), chunk);
                   Value end = ir.min(ir.mul(ir.sub(part.end, before), chunk), extent);
                   return run_of(at, begin, end, carried);
                 });
}

} // namespace normforge::nest
