#include "codegen/backend.h"

#include "codegen/cuda/backend.h"
#include "codegen/x86/backend.h"
#include "dsl/error.h"

namespace normforge {

std::span<const Backend *const> backends() {
  static const x86::X86Backend x86;
  static const cuda::CudaBackend cuda;
  static const Backend *const all[] = {&x86, &cuda};
  return all;
}

const Backend &backend_for(const Target &target) {
  for (const Backend *backend : backends())
    if (backend->name() == target.backend)
      return *backend;
  throw InternalError("target " + std::string(target.name) + " has no backend");
}

Schedule default_schedule(const Backend &backend, const SweepPlan &plan, const Target &target, const Numerics &numerics) {
  Schedule schedule{numerics, backend.mapping_under(plan, target, numerics)};
  const auto serves = [&](const Schedule &candidate) { return !backend.inapplicable(plan, candidate, target); };
  if (serves(schedule))
    return schedule;
  const std::span<const Knob> knobs = backend.knobs();
  for (size_t k = 0; k < knobs.size(); ++k) {
    Schedule other = schedule;
    other.mapping.values[k] = knobs[k].values.front();
    if (serves(other))
      return other;
  }
  for (size_t k = 0; k < knobs.size(); ++k)
    schedule.mapping.values[k] = knobs[k].values.front();
  return schedule;
}

} // namespace normforge
