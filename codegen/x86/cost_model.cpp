#include "codegen/x86/cost_model.h"

#include <algorithm>
#include <bit>

#include "codegen/x86/nest_shape.h"
#include "codegen/x86/residency.h"

namespace normforge::x86 {

constexpr int64_t kBufferBytes = 16 << 10;     ///< of row buffers: a third of a first-level cache of 48 KB
constexpr int64_t kPrefetchedElements = 8192; ///< of a row: the next rows then fit the first levels of cache beside these

/// 32 lanes are two 512-bit, four 256-bit or eight 128-bit accumulators of f32: enough to hide an addition's latency with two rows at once, and
/// few enough for 16 registers. f64 takes half as many. A run that is known to be shorter needs no more lanes than elements. Across the contiguous
/// axis there is one partial sum per kept index instead of 32, so chunks are shorter to bound the error alike.
Numerics default_numerics(const SweepPlan &plan) {
  Numerics numerics;
  numerics.lanes = plan.specialized.compute == DType::f64 ? 16 : 32;
  int64_t longest = 0;
  for (const Nest &nest : plan.nests)
    if (is_outer(nest)) {
      numerics.chunk = 128;
    } else if (nest.reduced) {
      const Extent run = plan.specialized.axes[size_t(63 - std::countl_zero(nest.reduced))].extent;
      longest = std::max(longest, run.fixed() ? run.lo : numerics.lanes);
    }
  if (longest > 0 && longest < numerics.lanes)
    numerics.lanes = int(std::bit_ceil(uint64_t(longest)));
  numerics.fma = plan.transcendental();
  return numerics;
}

X86Mapping default_mapping(const SweepPlan &plan, const Numerics &numerics, const Target &target) {
  X86Mapping mapping{.rows = 2, .unroll = 1, .vector = target.vector_bits, .tile = 64, .keep = Keep::reread, .stream = false, .prefetch = 0, .grain = 64 << 10};
  const auto near = [&](const Nest &nest) { // row buffers that stay in the first-level cache beside the rows themselves
    const NestShape shape = shape_of(plan, nest, numerics, mapping);
    const Residency residency = residency_of(plan, shape, Keep::scratch);
    return residency.slots == 0 || (kept_elements(plan, shape) > 0 && residency.row_bytes() <= kBufferBytes / mapping.rows);
  };
  const auto keeps = [&](const Nest &nest) { return residency_of(plan, shape_of(plan, nest, numerics, mapping), Keep::scratch).slots > 0; };
  if (std::ranges::all_of(plan.nests, near) && std::ranges::any_of(plan.nests, keeps))
    mapping.keep = Keep::scratch;
  const auto short_rows = [&](const Nest &nest) {
    return nest.reduced && !is_outer(nest) && extent_over(plan, nest.reduced).hi <= kPrefetchedElements;
  };
  if (std::ranges::all_of(plan.nests, short_rows))
    mapping.prefetch = 1;
  return mapping;
}

} // namespace normforge::x86
