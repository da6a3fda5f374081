#include "cli/choice.h"

#include "dsl/error.h"

namespace normforge::cli {

const Target &chosen_target(const std::string &name) { return name.empty() ? host_target() : find_target(name); }

Schedule chosen_schedule(const SweepPlan &plan, const Target &target, const std::string &text) {
  const Backend &backend = backend_for(target);
  Schedule schedule = parse_schedule(text, backend.knobs(), backend.default_schedule(plan, target));
  if (const auto reason = backend.inapplicable(plan, schedule, target))
    throw UserError(*reason);
  return schedule;
}

} // namespace normforge::cli
