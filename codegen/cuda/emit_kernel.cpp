// The kernel: its parameters, which row a thread works for, and the two versions of a row.
#include <bit>
#include <cstddef>

#include "codegen/cuda/cluster.h"
#include "codegen/cuda/device.h"
#include "codegen/cuda/emitter.h"
#include "codegen/cuda/fold.h"
#include "codegen/cuda/registers.h"
#include "dsl/error.h"
#include "runtime/abi.h"

namespace normforge::cuda {

namespace arith = mlir::arith;
namespace LLVM = mlir::LLVM;
using Predicate = arith::CmpIPredicate;

constexpr int64_t kSharedAlignment = 16;

Emitter::Emitter(Ir &ir, const SweepPlan &plan, const nest::NestShape &shape, const Numerics &numerics, const nest::NestMapping &mapping,
                 const Target &target, const std::optional<nest::RowRecord> &record, const Threads &threads, const CudaMapping &cuda)
    : nest::Emitter(ir, plan, shape, numerics, mapping, target, record), staging(staging_of(plan, shape, threads, cuda)), keep(cuda.keep),
      blocks(cuda.blocks), grid(cuda.grid) {
  row.threads = threads;
}

Launch Emitter::emit(llvm::StringRef symbol, const nest::NestStep &step) {
  mlir::OpBuilder::InsertionGuard guard(ir);
  const mlir::Type range[] = {ir.getI64Type(), ir.getI64Type()};
  const auto type_of = [&](mlir::TypeRange parameters) {
    return LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(ir.getContext()), llvm::to_vector(parameters));
  };
  auto function = LLVM::LLVMFuncOp::create(ir, symbol, type_of(range));
  entry = function.addEntryBlock(ir);
  ir.setInsertionPointToStart(entry);
  load_arguments();
  function.setFunctionType(type_of(entry->getArgumentTypes()));
  mark_kernel(ir, function, row.threads.of_block(), row.threads.rows, blocks, row.threads.cluster);
  for (unsigned parameter : only_read)
    for (llvm::StringRef name : {LLVM::LLVMDialect::getNoAliasAttrName(), LLVM::LLVMDialect::getReadonlyAttrName()})
      function.setArgAttr(parameter, name, ir.getUnitAttr());
  enter();
  make_buffers();
  make_staging();
  launch.threads = row.threads.of_block();
  launch.rows = row.threads.rows;
  launch.cluster = row.threads.cluster;
  launch.resident = grid == Grid::resident ? blocks : 0;
  promise(step);

  filled.assign(plan.program().nodes.size(), 0);
  if (row.shared && row.threads.cluster > 1)
    wait_for_cluster(ir); // all blocks have begun: their shared memory may be written to
  for_items([&](Value item) { emit_item(step, item); });
  LLVM::ReturnOp::create(ir, mlir::ValueRange());
  if (trees)
    launch.shared_bytes = int64_t(llvm::alignTo(launch.shared_bytes, kSharedAlignment)) + trees;
  internal_check(launch.shared_bytes <= target.shared_bytes);
  return launch;
}

void Emitter::emit_item(const nest::NestStep &step, Value item) {
  if (step.kind != nest::NestStep::whole)
    return emit_step_at(step, divide(), item);
  at_item(item, 1, [&](Frames &frames) {
    as_memory_lies(frames, [&](Frames &rows) {
      emit_rows(rows);
      part_rows();
    });
  });
}

/// What the step's sweeps move.
void Emitter::promise(const nest::NestStep &step) {
  const auto &sweeps = shape.nest.sweeps;
  size_t first = 0, end = sweeps.size();
  if (step.kind != nest::NestStep::whole) {
    first = step.index;
    end = step.kind == nest::NestStep::sweep ? first + 1 : first;
    while (end > first && end < sweeps.size() && !sweeps[end].moments.empty())
      ++end;
  }
  const bool whole = may_be_aligned() && (whole_vectors() || plan.specialized.axes[size_t(shape.vector_axis)].extent.hi >= shape.width);
  for (size_t sweep = first; sweep < end; ++sweep) {
    launch.point_bytes += double(moved_bytes(plan, shape, sweeps[sweep], residency.points[sweep]));
    for (NodeId id : residency.points[sweep])
      if (const Node &node = plan.program().node(id); whole && node.op == Op::tensor && moves_vectors(views[size_t(node.symbol)]))
        launch.access_bytes = std::max(launch.access_bytes, int(alignment_of(views[size_t(node.symbol)])));
  }
}

/// An entry of nf_kernel_args is a parameter of its own.
Value Emitter::argument(mlir::Type type, size_t offset) {
  if (constexpr size_t first = offsetof(nf_kernel_args, tensors);
      offset >= first && offset < first + sizeof(nf_kernel_args::tensors) && is_only_read(int((offset - first) / sizeof(void *))))
    only_read.push_back(entry->getNumArguments());
  launch.parameters.push_back(offset);
  return entry->addArgument(type, ir.getLoc());
}

/// An output that is written at every point may be the memory of an input with the axes of the first tensor and its element width (design:
/// the library's calls). No other memory that is written overlaps any.
bool Emitter::is_only_read(int tensor) const {
  const Program &program = plan.program();
  const auto &dtypes = plan.specialized.dtypes;
  const auto axes_of = [&](size_t t) { return program.axes_of(program.tensors[t]); };
  if (program.tensors[size_t(tensor)].role != Tensor::input && program.tensors[size_t(tensor)].role != Tensor::length)
    return false;
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (program.tensors[t].role == Tensor::output && dtypes[t] && axes_of(t) == axes_of(size_t(tensor)) &&
        info(*dtypes[t]).bytes == info(*dtypes[size_t(tensor)]).bytes)
      return false;
  return true;
}

/// Finds the thread's place in its row, and lays out the block's shared memory: room for two folds of each row, then row buffers.
void Emitter::enter() {
  const Threads &threads = row.threads;
  const auto i32 = [&](int64_t value) -> Value { return arith::ConstantIntOp::create(ir, value, 32); };
  Value thread = thread_index(ir), number = row_index(ir);
  place(arith::ExtUIOp::create(ir, ir.getI64Type(), thread));
  row.first = i32(0);
  row.mask = i32(-1);
  if (threads.count < kWarp) {
    row.first = ir.mul(ir.rem(number, i32(kWarp / threads.count)), i32(threads.count));
    row.mask = arith::ShLIOp::create(ir, i32((int64_t(1) << threads.count) - 1), row.first);
  }
  row.barrier = threads.rows == 1 ? number : ir.add(number, i32(1));
  if (const int64_t bytes = 2 * fold_bytes(plan, shape, threads, numerics.fold_high)) {
    row.shared = ir.address(shared_memory(ir), ir.getI8Type(), ir.mul(arith::ExtUIOp::create(ir, ir.getI64Type(), number), ir.i64(bytes)));
    launch.shared_bytes = llvm::alignTo(bytes * threads.rows, kSharedAlignment);
    if (threads.cluster > 1)
      arrive_at_cluster(ir);
  }
}

/// `local`: the thread within the row's part of the block.
void Emitter::place(Value local) {
  row.local = row.thread = local;
  if (row.threads.cluster > 1)
    row.thread = ir.add(local, ir.mul(arith::ExtUIOp::create(ir, ir.getI64Type(), cluster_rank(ir)), ir.i64(row.threads.of_block())));
  row.lane = ir.mul(row.thread, ir.i64(row.threads.vector));
  row.warp = ir.div(row.thread, ir.i64(kWarp));
}

Value Emitter::buffer_memory(int64_t bytes) {
  if (keep == Keep::registers)
    return ir.stack(bytes);
  const int64_t start = launch.shared_bytes;
  launch.shared_bytes += bytes * row.threads.rows;
  Value number = arith::ExtUIOp::create(ir, ir.getI64Type(), row_index(ir));
  return ir.address(shared_memory(ir), ir.getI8Type(), ir.add(ir.i64(start), ir.mul(number, ir.i64(bytes))));
}

/// Where slots are known they are registers. Else in shared memory, each slot's vectors beside each other.
nest::TreeMemory Emitter::tree_memory(mlir::VectorType type, int64_t slots, bool unrolled) {
  const unsigned bytes = std::bit_ceil(unsigned(type.getNumElements())) * type.getElementTypeBitWidth() / 8;
  if (unrolled)
    return {ir.stack(bytes * slots), 1, std::min(64u, bytes)};
  const int64_t threads = row.threads.of_block() * row.threads.rows;
  trees = std::max(trees, int64_t(bytes) * slots * threads);
  Value number = ir.add(ir.mul(arith::ExtUIOp::create(ir, ir.getI64Type(), row_index(ir)), ir.i64(row.threads.of_block())), row.local);
  Value first = ir.address(shared_memory(ir), ir.getI8Type(), ir.i64(int64_t(llvm::alignTo(launch.shared_bytes, kSharedAlignment))));
  return {ir.address(first, type, number), threads, std::min(unsigned(kSharedAlignment), bytes)};
}

void Row::sync(Ir &ir) const {
  if (threads.cluster > 1)
    sync_cluster(ir);
  else
    sync_block(ir);
}

void Row::sync_block(Ir &ir) const {
  if (threads.of_block() <= kWarp)
    sync_warp(ir, mask);
  else
    sync_threads(ir, barrier, threads.of_block());
}

/// Two folds in a row use different memory: before a thread writes to the first again, all have passed the second's barrier, after they
/// have read the first.
nest::Values Emitter::fold(llvm::ArrayRef<nest::LaneSums> sums, Value counts) {
  Value scratch = row.shared;
  if (scratch && folds++ % 2)
    scratch = ir.address(scratch, ir.getI8Type(), ir.i64(fold_bytes(plan, shape, row.threads, numerics.fold_high)));
  return fold_row(ir, row, sums, counts, numerics.fold_high, scratch);
}

void Emitter::as_memory_lies(Frames &rows, const RowsBody &body) {
  const auto version = [&](bool vectors) {
    return [this, vectors, &body, frames = rows]() mutable {
      wide = vectors;
      folds = 0;
      body(frames);
      return nest::Values();
    };
  };
  if (may_be_aligned())
    ir.when_else(is_aligned(rows.front()), {}, version(true), version(false));
  else
    version(false)();
}

/// An output may be the memory of an input that other threads of the row still read.
void Emitter::write_row_outputs(const std::vector<Write> &writes, Frames &rows) {
  if (writes.empty())
    return;
  row.sync(ir);
  nest::Emitter::write_row_outputs(writes, rows);
}

} // namespace normforge::cuda
