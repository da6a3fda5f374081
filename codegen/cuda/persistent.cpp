// A persistent grid has no more blocks than the GPU holds at once (nf_launch::resident). A block goes from row to row, a whole grid ahead
// each time, so that what a block does once, it does not do for each row, and the next rows can be on their way while this one is worked on
// (async_copy.h). Which block does a row depends on the device; no bit of the row does.
#include "mlir/Dialect/SCF/IR/SCF.h"

#include "codegen/cuda/device.h"
#include "codegen/cuda/emitter.h"

namespace normforge::cuda {

namespace arith = mlir::arith;

/// The items of the thread's row in the block.
void Emitter::for_items(const std::function<void(Value item)> &body) {
  const auto wide = [&](Value index) -> Value { return arith::ExtUIOp::create(ir, ir.getI64Type(), index); };
  const auto of_clusters = [&](Value blocks) { return ir.div(wide(blocks), ir.i64(row.threads.cluster)); };
  Value begin = entry->getArgument(0), end = entry->getArgument(1), rows = ir.i64(row.threads.rows);
  Value item = ir.add(begin, ir.add(ir.mul(of_clusters(block_index(ir)), rows), wide(row_index(ir))));
  if (grid == Grid::whole)
    return ir.when(ir.is(arith::CmpIPredicate::slt, item, end), [&] { body(item); });
  Value step = ir.mul(of_clusters(block_count(ir)), rows);
  const bool stages = !staging.tensors.empty();
  auto loop = mlir::scf::ForOp::create(ir, item, end, step, stages ? fetch_first(item, step) : nest::Values());
  mlir::OpBuilder::InsertionGuard guard(ir);
  ir.setInsertionPointToStart(loop.getBody());
  // The addresses of all that a thread reads are the same for every row but for the row's own place: computed once, they would take its
  // registers.
  place(opaque(ir, row.local));
  if (!stages)
    return body(loop.getInductionVar());
  const nest::Values next = fetch_next(loop.getInductionVar(), step, loop.getRegionIterArgs());
  body(loop.getInductionVar());
  mlir::scf::YieldOp::create(ir, next);
}

/// Folds take turns in shared memory. After an odd number of them, the next row's first would follow one in the same memory.
void Emitter::part_rows() {
  if (grid == Grid::resident && row.shared && folds % 2)
    row.sync(ir);
}

} // namespace normforge::cuda
