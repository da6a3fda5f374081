#include "codegen/cuda/fold.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "codegen/cuda/device.h"
#include "codegen/nest/reduce_tree.h"

namespace normforge::cuda {
namespace {

class Fold {
public:
  Fold(Ir &ir, const Row &row, Op reduction, bool high) : ir(ir), row(row), threads(row.threads), reduction(reduction), high(high) {}

  Value run(Value lanes, Value scratch) {
    Value value = narrowed(lanes, high ? threads.vector : threads.groups);
    if (high) {
      if (scratch)
        value = across_warps(value, scratch);
      value = across_lanes(value);
    } else {
      value = across_lanes(value);
      if (scratch)
        value = across_warps(value, scratch);
    }
    // Shuffles order no memory. What was read before a sum may be overwritten by another thread after it: an output may be the memory of
    // an input.
    if (!scratch && threads.count > 1)
      sync_warp(ir, row.mask);
    // Sums are the same in all threads. Which of two zeros a maximum is depends on the side that a thread stood on.
    Value folded = nest::fold_lanes(ir, reduction, value, high);
    return reduction == Op::sum || threads.count == 1 ? folded : shuffle_from(ir, row.mask, folded, row.first);
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

  /// High: the same lane of all warps, each warp for itself. Low: all warps, whose lanes have folded already.
  Value across_warps(Value value, Value scratch) const {
    const int warps = threads.count / kWarp;
    const mlir::Type type = value.getType(), element = llvm::cast<mlir::VectorType>(type).getElementType();
    const int64_t count = count_of(value);
    const unsigned alignment = unsigned(element.getIntOrFloatBitWidth() / 8);
    const auto at = [&](Value number) { return ir.address(scratch, element, ir.mul(number, ir.i64(count))); };
    Value lane = ir.rem(row.thread, ir.i64(kWarp));
    if (high)
      ir.store(value, at(row.thread), alignment);
    else
      ir.when(ir.is(mlir::arith::CmpIPredicate::eq, lane, ir.i64(0)), [&] { ir.store(value, at(row.warp), alignment); });
    row.sync(ir);
    std::vector<Value> all;
    for (int warp = 0; warp < warps; ++warp)
      all.push_back(ir.load(type, at(high ? ir.add(lane, ir.i64(warp * kWarp)) : ir.i64(warp)), alignment));
    for (; all.size() > 1; all.resize(all.size() / 2))
      for (size_t i = 0; i < all.size() / 2; ++i)
        all[i] = high ? combined(all[i], all[i + all.size() / 2]) : combined(all[2 * i], all[2 * i + 1]);
    return all.front();
  }

  Ir &ir;
  const Row &row;
  const Threads &threads;
  const Op reduction;
  const bool high;
};

} // namespace

int64_t fold_values(const Threads &threads, bool high) {
  if (threads.count <= kWarp)
    return 0;
  return high ? threads.stride() : threads.count / kWarp * threads.groups;
}

Value fold_row(Ir &ir, const Row &row, Op reduction, Value lanes, bool high, Value scratch) {
  return Fold(ir, row, reduction, high).run(lanes, scratch);
}

} // namespace normforge::cuda
