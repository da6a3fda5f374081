#include "tests/autotune/search_support.h"

#include "codegen/hash.h"
#include "dsl/error.h"

namespace normforge::testing {

std::optional<std::string> ChangedBackend::inapplicable(const SweepPlan &plan, const Schedule &schedule, const Target &target) const {
  const Schedule base = default_schedule(plan, target);
  for (size_t i = 0; i < knobs().size(); ++i)
    if (knobs()[i].name != "rows" && knobs()[i].name != "unroll" && schedule.mapping.values[i] != base.mapping.values[i])
      return std::string("schedule: ") + std::string(knobs()[i].name) + ": not in this test";
  return real().inapplicable(plan, schedule, target);
}

Kernel ChangedBackend::compile(const SweepPlan &plan, const Schedule &schedule, const Target &target, const std::string &symbol,
                               StageText *text) const {
  Kernel kernel = real().compile(plan, schedule, target, symbol, text);
  if (change)
    change(kernel, schedule);
  return kernel;
}

int64_t knob(const Schedule &schedule, std::string_view name) {
  const std::span<const Knob> knobs = backend_for(host_target()).knobs();
  for (size_t i = 0; i < knobs.size(); ++i)
    if (knobs[i].name == name)
      return schedule.mapping.values[i];
  throw InternalError("no knob " + std::string(name));
}

void replace_code(Kernel &kernel, std::string_view machine_code) {
  const auto entry = size_t(kernel.steps.front().entry);
  internal_check(kernel.image.size() >= entry + machine_code.size());
  kernel.image.replace(entry, machine_code.size(), machine_code);
  kernel.code_hash = hash_of(kernel.image);
}

} // namespace normforge::testing
