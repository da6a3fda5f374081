#include "codegen/x86/cost_model.h"

#include <algorithm>
#include <bit>

#include "codegen/x86/nest_shape.h"

namespace normforge::x86 {

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
  X86Mapping mapping{.rows = 2, .unroll = 1, .vector = target.vector_bits, .tile = 64, .stream = false, .grain = 64 << 10};
  return mapping;
}

} // namespace normforge::x86
