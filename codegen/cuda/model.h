// Schedules that are good without having been measured.
#pragma once

#include "codegen/cuda/knobs.h"
#include "codegen/sweep_plan.h"

namespace normforge::cuda {

/// Backend::run_bands().
std::span<const Extent> run_bands();

/// One for all GPUs: depends on the norm, the reduced extents, memory order and dtypes.
Numerics default_numerics(const SweepPlan &);

/// Beside what is settled. Keeps nothing: what there is room for, CudaBackend finds out.
CudaMapping default_mapping(const SweepPlan &, const Numerics &, const MappingChoices &settled);

} // namespace normforge::cuda
