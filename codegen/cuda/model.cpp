// A GPU is busy when each multiprocessor has some 1024 threads with a few loads of 16 bytes each in flight. So a thread gets up to 32
// elements of a row: a warp does rows of up to 1024 elements, shuffling; longer rows take more warps. Rows are then kept in registers, each
// read once from memory. Where rows outgrow that they go to shared memory, and the longest are read again (from L2, mostly).
#include "codegen/cuda/model.h"

#include <algorithm>
#include <bit>

#include "codegen/cuda/threads.h"
#include "codegen/nest/nest_shape.h"

namespace normforge::cuda {
namespace {

constexpr int64_t kThreadElements = 32; ///< of a row, per thread
constexpr int64_t kNominalRun = 4096;   ///< where the extent is open
constexpr int64_t kChunkElements = 32;  ///< that a lane adds before it merges
constexpr int kAccess = 16;             ///< bytes of the widest load
constexpr int kBlock = 128;             ///< threads of a block of short rows

int64_t power_of_two(int64_t value) { return int64_t(std::bit_ceil(uint64_t(std::max<int64_t>(1, value)))); }

/// The longest run that a nest reduces along the contiguous axis; 0: none does.
int64_t longest_run(const SweepPlan &plan) {
  int64_t longest = 0;
  for (const Nest &nest : plan.nests) {
    const AxisSet axes = nest.reduced ? nest.reduced : nest.kept;
    if (nest::is_outer(nest) || !axes)
      continue;
    const Extent run = plan.specialized.axes[size_t(63 - std::countl_zero(axes))].extent;
    longest = std::max(longest, run.fixed() ? run.lo : kNominalRun);
  }
  return longest;
}

int64_t threads_for(int64_t run) {
  return std::clamp<int64_t>(power_of_two((run + kThreadElements - 1) / kThreadElements), kWarp, kBlockThreads);
}

/// The widest accesses after which a row of fixed extent leaves no remainder.
int vector_bytes(const SweepPlan &plan) {
  const Extent &extent = plan.specialized.axes[size_t(plan.vector_axis())].extent;
  for (int64_t bytes : mapping_knobs()[2].values)
    if (!extent.fixed() || extent.lo % vector_elements(plan, int(bytes)) == 0)
      return int(bytes);
  return 1;
}

} // namespace

Numerics default_numerics(const SweepPlan &plan) {
  Numerics numerics;
  numerics.fold_high = false; // a thread folds its own lanes first, then one value crosses threads
  numerics.fma = plan.transcendental();
  const int elements = vector_elements(plan, kAccess);
  const bool outer = std::ranges::any_of(plan.nests, nest::is_outer);
  if (const int64_t run = longest_run(plan)) {
    numerics.lanes = int(std::min(threads_for(run) * elements, power_of_two(run)));
    numerics.chunk = kChunkElements * numerics.lanes;
  }
  if (outer) {
    numerics.lanes = std::min(numerics.lanes, 128);
    numerics.chunk = 128;
  }
  return numerics;
}

CudaMapping default_mapping(const SweepPlan &plan, const Numerics &numerics) {
  CudaMapping mapping{.threads = kWarp, .rows = 1, .vector = kAccess, .unroll = 1, .keep = Keep::reread};
  if (plan.vector_axis() < 0)
    return mapping;
  mapping.vector = vector_bytes(plan);
  const int64_t run = longest_run(plan);
  if (run)
    mapping.threads = int(std::min<int64_t>(threads_for(run), std::max(1, numerics.lanes / vector_elements(plan, mapping.vector))));
  while (mapping.vector > narrowest_bytes(plan) && run && mapping.threads * vector_elements(plan, mapping.vector) > numerics.lanes)
    mapping.vector /= 2;
  mapping.rows = std::max(1, kBlock / mapping.threads);

  int64_t rows = 1;
  for (const Nest &nest : plan.nests)
    rows = std::clamp<int64_t>(nest::extent_over(plan, nest.kept).hi, rows, kBlock);
  mapping.rows = int(std::min<int64_t>(mapping.rows, power_of_two(rows)));
  return mapping;
}

} // namespace normforge::cuda
