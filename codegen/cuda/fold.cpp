#include "codegen/cuda/fold.h"

#include <algorithm>

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

#include "codegen/cuda/device.h"
#include "codegen/nest/reduce_tree.h"

namespace normforge::cuda {
namespace {

class Fold {
public:
  Fold(Ir &ir, const Row &row, Op reduction, bool high) : ir(ir), row(row), threads(row.threads), reduction(reduction), high(high) {}

  /// What the row's warps have to say each.
  Value before_warps(Value lanes) const {
    Value value = narrowed(lanes, high ? threads.vector : threads.groups);
    return high ? value : across_lanes(value);
  }

  Value after_warps(Value value) const {
    if (high)
      value = across_lanes(value);
    // Sums are the same in all threads. Which of two zeros a maximum is depends on the side that a thread stood on.
    Value folded = nest::fold_lanes(ir, reduction, value, high);
    return reduction == Op::sum || threads.count == 1 ? folded : shuffle_from(ir, row.mask, folded, row.first);
  }

  /// High: the same lane of all warps, each warp for itself. Low: all warps, whose lanes have folded already.
  void leave(Value value, Value scratch) const {
    if (high)
      return ir.store(value, at(scratch, value.getType(), row.thread), alignment_of(value.getType()));
    ir.when(ir.is(mlir::arith::CmpIPredicate::eq, lane(), ir.i64(0)),
            [&] { ir.store(value, at(scratch, value.getType(), row.warp), alignment_of(value.getType())); });
  }

  Value take(mlir::Type type, Value scratch) const {
    std::vector<Value> all;
    for (int warp = 0; warp < threads.count / kWarp; ++warp)
      all.push_back(ir.load(type, at(scratch, type, high ? ir.add(lane(), ir.i64(warp * kWarp)) : ir.i64(warp)), alignment_of(type)));
    for (; all.size() > 1; all.resize(all.size() / 2))
      for (size_t i = 0; i < all.size() / 2; ++i)
        all[i] = high ? combined(all[i], all[i + all.size() / 2]) : combined(all[2 * i], all[2 * i + 1]);
    return all.front();
  }

private:
  int64_t count_of(Value value) const { return llvm::cast<mlir::VectorType>(value.getType()).getNumElements(); }

  Value combined(Value left, Value right) const {
    Value best = nest::combine(ir, {reduction}, left, right);
    return reduction == Op::sum ? best : nest::with_nans(ir, best, right);
  }

  /// The thread's own lanes by halves, down to `left` of them.
  Value narrowed(Value value, int64_t left) const {
    while (count_of(value) > left) {
      const int64_t half = count_of(value) / 2;
      const auto taken = [&](int64_t which) -> Value {
        llvm::SmallVector<int64_t> from;
        for (int64_t i = 0; i < half; ++i)
          from.push_back(high ? i + which * half : 2 * i + which);
        return mlir::vector::ShuffleOp::create(ir, value, value, from);
      };
      value = combined(taken(0), taken(1));
    }
    return value;
  }

  Value across_lanes(Value value) const {
    const int width = std::min(threads.count, kWarp);
    for (int step = 1; step < width; step *= 2) {
      const int offset = high ? width / 2 / step : step;
      Value other = value;
      for (int64_t i = 0; i < count_of(value); ++i)
        other =
            mlir::vector::InsertOp::create(ir, shuffle_xor(ir, row.mask, mlir::vector::ExtractOp::create(ir, value, i), offset), other, i);
      value = combined(value, other);
    }
    return value;
  }

  Value lane() const { return ir.rem(row.thread, ir.i64(kWarp)); }

  unsigned alignment_of(mlir::Type type) const { return mlir::getElementTypeOrSelf(type).getIntOrFloatBitWidth() / 8; }

  Value at(Value scratch, mlir::Type type, Value number) const {
    return ir.address(scratch, mlir::getElementTypeOrSelf(type),
                      ir.mul(number, ir.i64(llvm::cast<mlir::VectorType>(type).getNumElements())));
  }

  Ir &ir;
  const Row &row;
  const Threads &threads;
  const Op reduction;
  const bool high;
};

/// Values that the threads of a row leave in shared memory when they fold one sum.
int64_t fold_values(const Threads &threads, bool high) {
  if (threads.count <= kWarp)
    return 0;
  return high ? threads.stride() : threads.count / kWarp * threads.groups;
}

} // namespace

int64_t fold_bytes(const SweepPlan &plan, const nest::NestShape &shape, const Threads &threads, bool high) {
  size_t sums = 0;
  for (const Sweep &sweep : shape.nest.sweeps)
    sums = std::max(sums, shape.inner ? sweep.reductions.size() : 0);
  return int64_t(sums) * fold_values(threads, high) * info(plan.specialized.compute).bytes;
}

nest::Values fold_row(Ir &ir, const Row &row, llvm::ArrayRef<nest::LaneSums> sums, bool high, Value scratch) {
  const int64_t values = fold_values(row.threads, high);
  std::vector<Fold> folds;
  nest::Values partial;
  for (const nest::LaneSums &sum : sums) {
    folds.emplace_back(ir, row, sum.reduction, high);
    partial.push_back(folds.back().before_warps(sum.lanes));
  }
  if (scratch) {
    const auto own = [&](size_t i) {
      return ir.address(scratch, mlir::getElementTypeOrSelf(partial[i].getType()), ir.i64(int64_t(i) * values));
    };
    for (size_t i = 0; i < folds.size(); ++i)
      folds[i].leave(partial[i], own(i));
    row.sync(ir);
    for (size_t i = 0; i < folds.size(); ++i)
      partial[i] = folds[i].take(partial[i].getType(), own(i));
  } else if (row.threads.count > 1) {
    // Shuffles order no memory. What was read before a sum may be overwritten by another thread after it: an output may be the memory of an
    // input.
    sync_warp(ir, row.mask);
  }
  for (size_t i = 0; i < folds.size(); ++i)
    partial[i] = folds[i].after_warps(partial[i]);
  return partial;
}

} // namespace normforge::cuda
