#include "tests/cuda/variants.h"

#include <cstdlib>

#include "tests/conformance/cases.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;

/// In the short run, the oldest architecture has one mix and the newest the other.
bool is_chosen(const Mix &mix, const Target &target) {
  return target.backend == "cuda" && (kLong || (mix.brief && target.level == (mix.first == DType::f32 ? 80 : 90)));
}

} // namespace

void for_each_variant(const std::function<void(const Variant &)> &look) {
  for (const NormRef &norm : catalogue())
    for (const Mix &mix : mixes())
      for (const Target &target : targets()) {
        if (!is_chosen(mix, target))
          continue;
        const Backend &backend = backend_for(target);
        const Problem open = problem_of(norm, mix);
        const std::vector<Problem> both{open, fixed(open, shapes()[mix.first == DType::f32 ? 2 : 0].of(*norm))};
        for (const Problem &problem : both) {
          const SweepPlan plan = make_sweep_plan(problem);
          for (const Schedule &schedule : sample_schedules(backend, plan, target, kLong ? 8 : 1, 3))
            look({to_text(problem) + " / " + to_text(schedule, backend.knobs()) + " / " + std::string(target.name), &target, schedule,
                  backend.compile(plan, schedule, target, "kernel"), &problem != &both.front()});
        }
      }
}

} // namespace normforge::testing
