#include "codegen/backend.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "codegen/cuda/backend.h"
#include "codegen/x86/backend.h"
#include "dsl/error.h"

namespace normforge {
namespace {

constexpr int kFewKnobs = 3; ///< that are tried at their neutral values together

/// The other values of a knob, the nearest first.
std::vector<int64_t> by_nearness(std::span<const int64_t> values, int64_t from) {
  std::vector<int64_t> others(values.begin(), values.end());
  std::erase(others, from);
  std::ranges::sort(others, {}, [&](int64_t value) { return std::pair(std::abs(value - from), value); });
  return others;
}

} // namespace

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

Schedule default_schedule(const Backend &backend, const SweepPlan &plan, const Target &target, const Numerics &numerics,
                          const MappingChoices &settled) {
  const Schedule model{numerics, backend.mapping_under(plan, target, numerics, settled)};
  const std::span<const Knob> knobs = backend.knobs();
  std::vector<uint64_t> sets; // of knobs that are set to their neutral values, small ones first
  for (uint64_t set = 0; set < uint64_t(1) << knobs.size(); ++set)
    if (std::popcount(set) <= kFewKnobs || std::popcount(set) == int(knobs.size()))
      sets.push_back(set);
  std::ranges::sort(sets, {}, [](uint64_t set) { return std::pair(std::popcount(set), set); });
  for (uint64_t set : sets) {
    Schedule schedule = model;
    for (size_t k = 0; k < knobs.size(); ++k)
      if (set >> k & 1)
        schedule.mapping.values[k] = knobs[k].values.front();
    schedule.mapping = with_choices(std::move(schedule.mapping), settled);
    if (!backend.inapplicable(plan, schedule, target))
      return schedule;
  }
  return model;
}

Schedule schedule_for(const SweepPlan &plan, const Target &target, std::string_view text) {
  const Backend &backend = backend_for(target);
  const std::span<const Knob> knobs = backend.knobs();
  const Numerics numerics = parse_schedule(text, knobs, backend.default_schedule(plan, target)).numerics;
  const MappingChoices settled = mapping_choices(text, knobs);
  const Schedule schedule = default_schedule(backend, plan, target, numerics, settled);
  const auto reason = backend.inapplicable(plan, schedule, target);
  if (!reason)
    return schedule;
  for (size_t k = 0; k < knobs.size(); ++k)
    for (int64_t value : settled[k] ? by_nearness(knobs[k].values, *settled[k]) : std::vector<int64_t>()) {
      MappingChoices other = settled;
      other[k] = value;
      const std::string remedy = to_text(knobs[k], value);
      if (!backend.inapplicable(plan, default_schedule(backend, plan, target, numerics, other), target))
        throw UserError(reason->find(remedy) == reason->npos ? *reason + " (" + remedy + " would do)" : *reason);
    }
  throw UserError(*reason);
}

} // namespace normforge
