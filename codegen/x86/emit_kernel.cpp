// The function that a CPU calls: its arguments come behind a pointer, and it walks over its work items.
#include "codegen/x86/emitter.h"

#include <algorithm>

#include "codegen/nest/reduce_tree.h"

namespace normforge::x86 {

using namespace nest;
namespace LLVM = mlir::LLVM;

void Emitter::emit(llvm::StringRef symbol, const NestStep &step) {
  mlir::OpBuilder::InsertionGuard guard(ir);
  const mlir::Type types[] = {ir.pointer_type(), ir.getI64Type(), ir.getI64Type()};
  auto function = LLVM::LLVMFuncOp::create(ir, symbol, LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(ir.getContext()), types));
  mlir::Block *entry = function.addEntryBlock(ir);
  ir.setInsertionPointToStart(entry);
  arguments = entry->getArgument(0);
  load_arguments();
  make_buffers();
  filled.assign(plan.program().nodes.size(), 0);
  if (step.kind == NestStep::whole)
    emit_items(entry->getArgument(1), entry->getArgument(2));
  else
    ir.loop(entry->getArgument(1), entry->getArgument(2), 1, {}, [&, division = divide()](Value item, mlir::ValueRange) {
      emit_step_at(step, division, item);
      return Values();
    });
  if (shape.streams) // orders the streaming stores before whatever tells another thread that they are done
    LLVM::CallIntrinsicOp::create(ir, ir.getStringAttr("llvm.x86.sse.sfence"), mlir::ValueRange());
  LLVM::ReturnOp::create(ir, mlir::ValueRange());
}

Value Emitter::argument(mlir::Type type, size_t offset) {
  return ir.load(type, ir.address(arguments, ir.getI8Type(), ir.i64(int64_t(offset))), 8);
}

void Emitter::emit_items(Value begin, Value end) {
  const bool one = !shape.inner || shape.ragged_kept || shape.ragged_reduction;
  const int rows_at_once = one ? 1 : mapping.rows;
  const auto body = [&](int rows) {
    return [this, rows](Value item, mlir::ValueRange) {
      at_item(item, rows, [&](Frames &frames) { emit_rows(frames); });
      return Values();
    };
  };
  Value main = ir.add(begin, ir.round_down(ir.sub(end, begin), rows_at_once));
  ir.loop(begin, main, rows_at_once, {}, body(rows_at_once));
  if (rows_at_once > 1)
    ir.loop(main, end, 1, {}, body(1));
}

TreeMemory Emitter::tree_memory(mlir::VectorType type, int64_t slots, bool) {
  const unsigned bytes = unsigned(type.getNumElements()) * type.getElementTypeBitWidth() / 8;
  return {ir.stack(bytes * slots), 1, std::min(64u, bytes)};
}

Values Emitter::fold(llvm::ArrayRef<LaneSums> sums, Value counts) {
  const auto in_order = [&](Value vector) { return paired ? to_memory_order(ir, vector) : vector; };
  const size_t plain = size_t(std::ranges::count(sums, -1, &LaneSums::total));
  Values ordered, folded;
  for (const LaneSums &sum : sums.take_front(plain))
    ordered.push_back(in_order(sum.lanes));
  for (size_t i = 0; i < plain; ++i)
    folded.push_back(sums[i].nans ? fold_lanes(ir, sums[i].reduction, ordered[i], in_order(sums[i].nans), numerics.fold_high)
                                  : fold_lanes(ir, ordered[i], numerics.fold_high));
  for (const LaneSums &squares : sums.drop_front(plain)) {
    Value lanes = in_order(squares.lanes);
    folded.push_back(fold_moments(ir, lanes, ordered[size_t(squares.total)], in_order(counts), numerics.fold_high));
  }
  return folded;
}

} // namespace normforge::x86
