// Rows that are copied ahead in bulk (cp.async.bulk): one thread of the row, the copier, begins the copies of whole runs, which the GPU's
// copy engine does by itself; the others spend no instruction on them. A stage has an mbarrier. Its phase expects the bytes that the copier
// announces and one arrival, the copier's after it has begun them all, so that a row that cannot be copied has a phase, too, of no bytes.
// All threads of the row wait for the end of that phase, one per row; its parity changes each time the stages begin anew.
//
// Two things are not as with copies that each thread makes for itself:
// - A stage is filled again after all threads have read it: they meet.
// - The engine reaches shared memory by another way than loads and stores, the async proxy. What came by the one is ordered before what
//   comes by the other only across a fence (PTX ISA, "Async proxy"), also where reads come before a copy overwrites what they have read. So
//   each thread has a fence behind its reads, before they meet. The end of a phase is a fence by itself.
#include "llvm/Support/FormatVariadic.h"

#include "codegen/cuda/async_copy.h"
#include "codegen/cuda/device.h"
#include "codegen/cuda/emitter.h"
#include "codegen/nest/convert.h"
#include "dsl/error.h"

namespace normforge::cuda {

namespace arith = mlir::arith;
using Predicate = arith::CmpIPredicate;

std::optional<std::string> unfit_bulk(const SweepPlan &plan, const nest::NestShape &shape, const Staging &staging, const Target &target) {
  if (!staging.bulk || staging.tensors.empty())
    return std::nullopt;
  if (target.level < kBulkCopies)
    return llvm::formatv("schedule: copy=bulk: {0} has no bulk copies, which sm_90 and later have; use copy=async", target.name).str();
  const int64_t extent = plan.specialized.axes[size_t(shape.vector_axis)].extent.lo;
  for (const StagedTensor &tensor : staging.tensors)
    if (const int64_t bytes = extent * info(*plan.specialized.dtypes[size_t(tensor.tensor)]).bytes; bytes % kBulkPiece)
      return llvm::formatv("schedule: copy=bulk: a row of {0} has {1} bytes, no multiple of {2}; use copy=async",
                           plan.program().tensors[size_t(tensor.tensor)].name, bytes, kBulkPiece)
          .str();
  return std::nullopt;
}

/// Bulk copies are one thread's of the row (in its block), others every thread's.
void Emitter::by_copier(const std::function<void()> &body) {
  ir.when(staging.bulk ? ir.is(Predicate::eq, row.local, ir.i64(0)) : ir.boolean(true), body);
}

/// What the stages are before the first copy: mbarriers, and zeros at the ends of runs.
void Emitter::open_stages() {
  const auto each_stage = [&](const std::function<void()> &body) {
    ir.loop(ir.i64(0), ir.i64(staging.stages), 1, {}, [&](Value stage, mlir::ValueRange) {
      take_stage(stage);
      body();
      return nest::Values();
    });
  };
  by_copier([&] { each_stage([&] { init_mbarrier(ir, mbarrier, 1); }); });
  clear_ends(false);
  each_stage([&] { clear_ends(true); });
  leave_stage();
}

/// Before the copier may fill a stage that the row's threads have read or written.
void Emitter::leave_stage() {
  fence_async_proxy(ir);
  row.sync_block(ir);
}

/// Copies end with a run. Behind it, its last block of lanes has zeros, which each thread writes for itself.
void Emitter::clear_ends(bool every_row) {
  Value extent = extents[size_t(shape.vector_axis)], full = ir.round_down(extent, shape.width);
  if (*nest::constant(full) == *nest::constant(extent))
    return;
  for (const StagedTensor &tensor : staging.tensors)
    if (tensor.every_row == every_row)
      for_runs(tensor.tensor, 0, frame_at(ir.i64(0)), [&](Frame run) {
        bind(run, shape.vector_axis, full);
        const auto near = size_t(staged[size_t(tensor.tensor)]);
        const mlir::VectorType type = ir.vector(row.threads.vector, nest::storage_type(ir.getContext(), views[near].dtype));
        Value zeros = arith::ConstantOp::create(ir, type, ir.getZeroAttr(type));
        for (int group = 0; group < row.threads.groups; ++group)
          ir.store(zeros, own_address(views[near], near, run, group), alignment_of(views[near]));
      });
}

/// A run, or those parts of it that the block's threads own: their lanes in one group of a block of lanes are neighbours.
void Emitter::copy_in_bulk(int tensor, const Frame &run) {
  const View &view = views[size_t(tensor)];
  const auto near = size_t(staged[size_t(tensor)]);
  const mlir::Type element = nest::storage_type(ir.getContext(), view.dtype);
  const auto copy = [&](const Frame &from, int group, Value lane, Value elements) {
    copy_bulk(ir, own_address(views[near], near, from, group), ir.address(address_of(view, size_t(tensor), from), element, lane),
              ir.mul(elements, ir.i64(info(view.dtype).bytes)), mbarrier);
  };
  if (row.threads.cluster == 1) {
    Frame start = run;
    bind(start, shape.vector_axis, ir.i64(0));
    return copy(start, 0, ir.i64(0), extents[size_t(shape.vector_axis)]);
  }
  for_blocks(run, [&](const Frame &block, Value left) {
    for (int group = 0; group < row.threads.groups; ++group) {
      Value lane = ir.add(row.lane, ir.i64(group * row.threads.stride())); // the copier's are the first
      Value owned = ir.i64(row.threads.of_block() * row.threads.vector), elements = left ? ir.min(ir.sub(left, lane), owned) : owned;
      ir.when(ir.is(Predicate::sgt, elements, ir.i64(0)), [&] { copy(block, group, lane, elements); });
    }
  });
}

} // namespace normforge::cuda
