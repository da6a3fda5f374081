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
constexpr int64_t kNominalRun = 8192;   ///< or what is nearest to it, where the extent is open
constexpr int64_t kChunkElements = 256; ///< that a lane adds before it merges
constexpr int64_t kLongestChunk = 256 << 10;
constexpr int64_t kTreeBytes = 192; ///< of shared memory for a thread's sums of chunks: leaves room for some 36 warps
constexpr int kMostUnrolled = 4;
constexpr int kAccess = 16;         ///< bytes of the widest load, which a thread should have in flight at least
constexpr int kBlock = 128;         ///< threads of a block of short rows
constexpr int64_t kLongTurn = 1024; ///< elements of a thread from which on parts of a row are worth the steps that merge them
constexpr int64_t kMany = 1 << 20;
constexpr int64_t kMultiprocessors = 132; ///< of a large GPU: fewer blocks leave some without any

/// Rows of a band have as many lanes. A warp does short rows; longer ones want more threads with a load of 16 bytes each, and a thread that
/// keeps few sums; the longest that make one chunk want all of a block, or a cluster. Past that there are few lanes, since the sums of
/// chunks take room.
constexpr Extent kBands[] = {
    {0, 1 << 10}, {(1 << 10) + 1, 4 << 10}, {(4 << 10) + 1, 16 << 10}, {(16 << 10) + 1, kLongestChunk}, {kLongestChunk + 1, Extent{}.hi}};
constexpr int kBandLanes[] = {256, 1024, 2048, 4096, 128};
static_assert(std::size(kBandLanes) == std::size(kBands));

int64_t power_of_two(int64_t value) { return int64_t(std::bit_ceil(uint64_t(std::max<int64_t>(1, value)))); }

/// The longest run that a nest reduces along the contiguous axis; 0: none does.
int64_t longest_run(const SweepPlan &plan) {
  int64_t longest = 0;
  for (const Nest &nest : plan.nests) {
    const AxisSet axes = nest.reduced ? nest.reduced : nest.kept;
    if (nest::is_outer(nest) || !axes)
      continue;
    const Extent run = plan.specialized.axes[size_t(63 - std::countl_zero(axes))].extent;
    longest = std::max({longest, int64_t(1), std::clamp(kNominalRun, run.lo, run.hi)});
  }
  return longest;
}

int64_t threads_for(int64_t run) {
  return std::clamp<int64_t>(power_of_two((run + kThreadElements - 1) / kThreadElements), kWarp, kBlockThreads);
}

/// Bytes of the narrowest tensor that a thread moves at once, so that what it reads is `kAccess` bytes of the narrowest input.
int widest_vector(const SweepPlan &plan) {
  const Program &program = plan.program();
  int input = kAccess;
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (program.tensors[t].role != Tensor::output && plan.specialized.dtypes[t] &&
        (program.axes_of(program.tensors[t]) & axis_bit(plan.vector_axis())))
      input = std::min(input, info(*plan.specialized.dtypes[t]).bytes);
  return std::max(1, kAccess * narrowest_bytes(plan) / input);
}

/// The widest accesses after which a row of fixed extent leaves no remainder.
int vector_bytes(const SweepPlan &plan) {
  const Extent &extent = plan.specialized.axes[size_t(plan.vector_axis())].extent;
  for (int64_t bytes : mapping_knobs()[kVectorKnob].values)
    if (bytes <= widest_vector(plan) && (!extent.fixed() || extent.lo % vector_elements(plan, int(bytes)) == 0))
      return int(bytes);
  return 1;
}

/// Rows of a nest, or its tiles of columns, at most. Nothing depends on how many exactly, where there are `kMany`.
int64_t items_of(const SweepPlan &plan, const nest::NestShape &shape) {
  if (shape.inner)
    return nest::extent_over(plan, shape.nest.kept).hi;
  const int64_t columns = plan.specialized.axes[size_t(shape.vector_axis)].extent.hi;
  const int64_t others = nest::extent_over(plan, shape.nest.kept & ~axis_bit(shape.vector_axis)).hi;
  return std::min(others, kMany) * std::min((columns - 1) / shape.width + 1, kMany);
}

/// With accesses of at most `vector` bytes, beside what is settled.
CudaMapping mapping_for(const SweepPlan &plan, const Numerics &numerics, int vector, const MappingChoices &settled) {
  CudaMapping mapping{.threads = kWarp,
                      .rows = 1,
                      .vector = vector,
                      .unroll = 1,
                      .keep = Keep::reread,
                      .blocks = 1,
                      .grid = Grid::whole,
                      .stages = 1,
                      .copy = Copy::async,
                      .cluster = 1,
                      .split = 1};
  mapping = with_choices(mapping, settled);
  if (mapping.stages > 1)
    mapping.grid = Grid::resident;
  const int lanes = row_lanes(plan, numerics, mapping);
  const int most = mapping.rows > kNamedBarriers ? kWarp : kBlockThreads / mapping.rows;
  const int64_t run = longest_run(plan);
  const int words = info(plan.specialized.compute).bytes / 4; // registers of an element: those of f64 go to twice the threads
  if (run)
    mapping.threads =
        std::clamp(std::min(int(threads_for(run)) * words, lanes / vector_elements(plan, mapping.vector)) / mapping.cluster, 1, most);
  mapping = with_choices(mapping, settled);
  while (mapping.vector > narrowest_bytes(plan) && run && mapping.threads * mapping.cluster * vector_elements(plan, mapping.vector) > lanes)
    mapping.vector /= 2;

  int64_t items = 1;
  for (const Nest &nest : plan.nests)
    items = std::max(items, items_of(plan, nest::shape_of(plan, nest, numerics, nest_mapping(plan, mapping))));
  if (mapping.cluster == 1)
    mapping.rows = int(std::clamp<int64_t>(std::bit_floor(uint64_t(items / kMultiprocessors)), std::max(1, kWarp / mapping.threads),
                                           std::max(1, kBlock / mapping.threads)));
  return with_choices(mapping, settled);
}

/// Rows, or tiles of columns, that are known to be few and long are split, into as many parts as they have chunks.
int parts_of(const SweepPlan &plan, const Numerics &numerics, const CudaMapping &mapping) {
  int parts = 1;
  for (const Nest &nest : plan.nests) {
    const Extent row = nest::extent_over(plan, nest.reduced);
    if (!nest::extent_over(plan, nest.kept).fixed() || !row.fixed())
      continue;
    const nest::NestShape shape = nest::shape_of(plan, nest, numerics, nest_mapping(plan, mapping));
    if (row.lo / mapping.threads * (shape.inner ? 1 : shape.width) < kLongTurn)
      continue;
    for (int64_t split : mapping_knobs()[kSplitKnob].values)
      if (split * items_of(plan, shape) <= kMultiprocessors * mapping.rows && split * numerics.chunk <= row.lo)
        parts = std::max(parts, int(split));
  }
  return parts;
}

/// Whether the partial sums of chunks take so much shared memory that a multiprocessor has few warps.
bool is_crowded(const SweepPlan &plan, const Numerics &numerics, const CudaMapping &mapping) {
  return std::ranges::any_of(plan.nests, [&](const Nest &nest) {
    const nest::NestShape shape = nest::shape_of(plan, nest, numerics, nest_mapping(plan, mapping));
    const Threads threads = threads_of(plan, shape, mapping);
    return tree_bytes(plan, shape, numerics, mapping) > kTreeBytes * threads.count * threads.rows;
  });
}

} // namespace

std::span<const Extent> run_bands() { return kBands; }

Numerics default_numerics(const SweepPlan &plan) {
  Numerics numerics;
  numerics.fold_high = false; // a thread folds its own lanes first, then one value crosses threads
  numerics.fma = plan.transcendental();
  if (const int axis = run_axis(plan); axis >= 0) {
    const Extent &rows = plan.problem.extents[size_t(axis)];
    size_t band = 0;
    while (kBands[band].hi < rows.hi) // what reaches into several must serve the longest
      ++band;
    numerics.lanes = kBandLanes[kBands[band].lo <= rows.lo ? band : std::size(kBands) - 1];
    numerics.chunk = std::min(kLongestChunk, kChunkElements * numerics.lanes);
    return numerics;
  }
  if (const int64_t run = longest_run(plan)) {
    const auto with_lanes = [&](int64_t lanes) {
      numerics.lanes = int(std::min({lanes, power_of_two(run), int64_t(kMostLanes)}));
      numerics.chunk = std::min(kLongestChunk, kChunkElements * numerics.lanes);
    };
    int vector = widest_vector(plan);
    for (with_lanes(threads_for(run) * vector_elements(plan, vector));
         vector > narrowest_bytes(plan) && is_crowded(plan, numerics, mapping_for(plan, numerics, vector, {})); vector /= 2)
      with_lanes(threads_for(run) * vector_elements(plan, vector / 2));
  }
  if (std::ranges::any_of(plan.nests, nest::is_outer)) {
    numerics.lanes = std::min(numerics.lanes, 128);
    numerics.chunk = 128;
  }
  return numerics;
}

CudaMapping default_mapping(const SweepPlan &plan, const Numerics &numerics, const MappingChoices &settled) {
  if (plan.vector_axis() < 0)
    return mapping_for(plan, numerics, kAccess, settled);
  CudaMapping mapping = mapping_for(plan, numerics, vector_bytes(plan), settled);
  while (mapping.vector > narrowest_bytes(plan) && is_crowded(plan, numerics, mapping) && !is_settled(settled, kVectorKnob))
    mapping = mapping_for(plan, numerics, mapping.vector / 2, settled);
  const int lanes = longest_run(plan) ? row_lanes(plan, numerics, mapping) / mapping.threads / mapping.cluster : 1;
  const int at_once = std::max(mapping.vector, lanes * narrowest_bytes(plan)); // bytes that an iteration has in flight
  while (mapping.unroll < kMostUnrolled && at_once * mapping.unroll < widest_vector(plan))
    mapping.unroll *= 2;
  if (mapping.keep == Keep::reread && mapping.grid == Grid::whole && mapping.cluster == 1)
    mapping.split = parts_of(plan, numerics, mapping);
  return with_choices(mapping, settled);
}

} // namespace normforge::cuda
