// Schedules that are good without having been measured.
#pragma once

#include "codegen/sweep_plan.h"
#include "codegen/target.h"
#include "codegen/x86/knobs.h"

namespace normforge::x86 {

/// One for all x86 levels: depends on the norm, the reduced extents, memory order and dtypes.
Numerics default_numerics(const SweepPlan &);

X86Mapping default_mapping(const SweepPlan &, const Numerics &, const Target &);

} // namespace normforge::x86
