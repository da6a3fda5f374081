#include "codegen/cuda/fold.h"

#include <algorithm>
#include <bit>

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

#include "codegen/cuda/cluster.h"
#include "codegen/cuda/device.h"
#include "codegen/nest/math.h"
#include "codegen/nest/reduce_tree.h"

namespace normforge::cuda {
namespace {

using nest::Values;
constexpr int kAligned = 16; ///< bytes: what one instruction reads

/// Vectors that the threads of a row leave in shared memory when they fold one sum, and their elements.
struct Handover {
  int vectors, elements;
};

/// From above, threads fold their own groups where they are a power of two; else the other half of a group is another thread's.
bool folds_groups(const Threads &threads) { return std::has_single_bit(unsigned(threads.count)); }
int groups_left(const Threads &threads) { return folds_groups(threads) ? 1 : threads.groups; }

/// Folding from above, each thread leaves what is left of its groups; from below, each warp a value of every group.
Handover handover_of(const Threads &threads, bool high) {
  if (threads.count <= kWarp)
    return {0, 1};
  if (high)
    return {threads.count * groups_left(threads), threads.vector};
  return {threads.count / kWarp * threads.groups, 1};
}

int64_t handover_bytes(const Threads &threads, bool high, int64_t element_bytes) {
  const Handover left = handover_of(threads, high);
  return (left.vectors * left.elements * element_bytes + kAligned - 1) / kAligned * kAligned;
}

int64_t count_of(Value value) { return llvm::cast<mlir::VectorType>(value.getType()).getNumElements(); }

/// All sums of a sweep, one vector of the thread's lanes each.
class Fold {
public:
  Fold(Ir &ir, const Row &row, llvm::ArrayRef<nest::LaneSums> sums, Value counts, bool high)
      : ir(ir), row(row), threads(row.threads), high(high) {
    for (const nest::LaneSums &sum : sums) {
      all.push_back({sum.reduction, false, sum.total});
      lanes.push_back(sum.nans ? nest::with_nans(ir, sum.lanes, sum.nans) : sum.lanes);
    }
    if (counts) {
      all.push_back({Op::sum});
      lanes.push_back(counts);
    }
  }

  Values run(Value scratch) const {
    Values values = high ? folded_groups() : across_lanes(narrowed(lanes, threads.groups));
    if (scratch) {
      leave(values, scratch);
      row.sync(ir);
      values = high ? taken_from_above(scratch, 0, 1) : taken_from_below(scratch, 0, values_of_row());
    }
    values = narrowed(high ? across_lanes(values) : scratch ? values : padded(values, values_of_row()), 1);
    for (size_t i = 0; i < all.size(); ++i) {
      values[i] = ir.first_lane(values[i]);
      if (scratch) // merged here even where one thread alone uses it: what was loaded would wait in registers
        values[i] = opaque(ir, values[i]);
      // The row's first thread merged from left to right in each step. In others, sums come to the same, but not squares about a mean, nor
      // which of two zeros is a maximum.
      if ((all[i].reduction != Op::sum || all[i].total >= 0) && threads.count > 1 && (high || !scratch))
        values[i] = shuffle_from(ir, row.mask, values[i], row.first);
    }
    return values;
  }

private:
  Values combined(const Values &left, const Values &right) const {
    Values merged = nest::merge(ir, all, left, right);
    for (size_t i = 0; i < all.size(); ++i)
      if (all[i].reduction != Op::sum)
        merged[i] = nest::with_nans(ir, merged[i], right[i]);
    return merged;
  }

  /// The thread's own lanes by halves, down to `left` of them.
  Values narrowed(Values values, int64_t left) const {
    while (count_of(values.front()) > left) {
      Values halves[2];
      for (int64_t half : {0, 1})
        for (Value value : values)
          halves[half].push_back(nest::half_of(ir, value, half, high));
      values = combined(halves[0], halves[1]);
    }
    return values;
  }

  /// From above, the thread's own groups.
  Values folded_groups() const {
    return folds_groups(threads) ? narrowed(padded(lanes, threads.order / threads.count), threads.vector) : lanes;
  }

  /// With what lanes hold that no element reaches, up to `count` of them.
  Values padded(Values values, int64_t count) const {
    for (size_t i = 0; i < all.size() && count_of(values[i]) < count; ++i) {
      const mlir::Type type = ir.vector(int(count), mlir::getElementTypeOrSelf(values[i].getType()));
      values[i] = mlir::vector::InsertStridedSliceOp::create(ir, values[i], nest::emit_constant(ir, type, all[i].start()),
                                                             llvm::ArrayRef<int64_t>{0}, llvm::ArrayRef<int64_t>{1});
    }
    return values;
  }

  Values across_lanes(Values values) const {
    const int width = std::min(threads.count, kWarp);
    for (int step = 1; step < width; step *= 2) {
      const int offset = high ? width / 2 / step : step;
      Values others;
      for (Value value : values) {
        Value other = value;
        for (int64_t i = 0; i < count_of(value); ++i)
          other = mlir::vector::InsertOp::create(ir, shuffle_xor(ir, row.mask, mlir::vector::ExtractOp::create(ir, value, i), offset),
                                                 other, i);
        others.push_back(other);
      }
      values = combined(values, others);
    }
    return values;
  }

  void leave(const Values &values, Value scratch) const {
    if (high) {
      for (size_t i = 0; i < all.size(); ++i)
        for (int group = 0; group < groups_left(threads); ++group)
          store_in_all(ir, threads, group_of(values[i], group), at(scratch, i, ir.add(row.thread, ir.i64(group * threads.count))),
                       element_bytes());
      return;
    }
    const int warps = threads.count / kWarp;
    for_one_lane_each(ir, threads, lane(), [&](const Place &place) {
      for (size_t i = 0; i < all.size(); ++i)
        for (int group = 0; group < threads.groups; ++group)
          ir.store(mlir::vector::ExtractOp::create(ir, values[i], int64_t(group)),
                   place(at(scratch, i, ir.add(row.warp, ir.i64(group * warps)))), element_bytes());
    });
  }

  /// Values that are left of a row from below once warps have folded their lanes, and vectors of them from above.
  int values_of_row() const { return threads.order / threads.vector / std::min(threads.count, kWarp); }

  /// Each warp for itself, the same lane of every `step`th warp from `first` on. Loads stand next to what merges them, as in the function
  /// below: a thread never holds more of them than the tree is deep.
  Values taken_from_above(Value scratch, int first, int step) const {
    if (step < values_of_row())
      return combined(taken_from_above(scratch, first, 2 * step), taken_from_above(scratch, first + step, 2 * step));
    return taken(scratch, ir.add(lane(), ir.i64(first * kWarp)), first * kWarp < handover_of(threads, high).vectors, threads.vector);
  }

  /// Each thread for itself, `count` neighbouring values from `first` on.
  Values taken_from_below(Value scratch, int first, int count) const {
    if (count > int(kAligned / element_bytes()))
      return combined(taken_from_below(scratch, first, count / 2), taken_from_below(scratch, first + count / 2, count / 2));
    const int there = std::min(count, handover_of(threads, high).vectors - first);
    return narrowed(padded(taken(scratch, ir.i64(first), there > 0, std::max(there, 1)), count), 1);
  }

  /// What threads have left from vector `number` on, or what stands for it where they have left nothing.
  Values taken(Value scratch, Value number, bool there, int64_t elements) const {
    const mlir::VectorType type = ir.vector(int(elements), mlir::getElementTypeOrSelf(lanes.front().getType()));
    Values values;
    for (size_t i = 0; i < all.size(); ++i)
      values.push_back(there ? ir.load(type, at(scratch, i, number), high ? element_bytes() : kAligned)
                             : nest::emit_constant(ir, type, all[i].start()));
    return values;
  }

  Value group_of(Value vector, int group) const {
    return mlir::vector::ExtractStridedSliceOp::create(ir, vector, llvm::ArrayRef<int64_t>{group * threads.vector},
                                                       llvm::ArrayRef<int64_t>{threads.vector}, llvm::ArrayRef<int64_t>{1});
  }

  Value lane() const { return ir.rem(row.thread, ir.i64(kWarp)); }

  unsigned element_bytes() const { return mlir::getElementTypeOrSelf(lanes.front().getType()).getIntOrFloatBitWidth() / 8; }

  /// Of sum `i`, vector `number` of what threads leave.
  Value at(Value scratch, size_t i, Value number) const {
    Value own = ir.address(scratch, ir.getI8Type(), ir.i64(int64_t(i) * handover_bytes(threads, high, element_bytes())));
    return ir.address(own, ir.getI8Type(), ir.mul(number, ir.i64(handover_of(threads, high).elements * int64_t(element_bytes()))));
  }

  Ir &ir;
  const Row &row;
  const Threads &threads;
  const bool high;
  std::vector<nest::Accumulator> all;
  Values lanes;
};

} // namespace

int64_t fold_bytes(const SweepPlan &plan, const nest::NestShape &shape, const Threads &threads, bool high) {
  size_t most = 0;
  const auto &sweeps = shape.nest.sweeps;
  for (size_t s = 0; s < sweeps.size() && shape.inner; ++s) {
    const size_t moments = s + 1 < sweeps.size() && !sweeps[s + 1].moments.empty() ? sweeps[s + 1].moments.size() + 1 : 0;
    most = std::max(most, sweeps[s].reductions.size() + moments);
  }
  return int64_t(most) * handover_bytes(threads, high, info(plan.specialized.compute).bytes);
}

Values fold_row(Ir &ir, const Row &row, llvm::ArrayRef<nest::LaneSums> sums, Value counts, bool high, Value scratch) {
  // Shuffles order no memory. What was read before a sum may be overwritten by another thread after it: an output may be the memory of an
  // input.
  if (!scratch && row.threads.count > 1)
    sync_warp(ir, row.mask);
  return Fold(ir, row, sums, counts, high).run(scratch);
}

} // namespace normforge::cuda
