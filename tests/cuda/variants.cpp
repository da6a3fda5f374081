#include "tests/cuda/variants.h"

#include <cstdlib>

#include "tests/conformance/cases.h"
#include "tests/conformance/schedules.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;

/// Knobs that defaults leave alone: each is tried on some norms, and on all in the long run.
constexpr const char *kOptions[] = {
    "grid=resident",
    "cluster=2 rows=1 blocks=1 vector=4",
    "grid=resident stages=2 blocks=1",
    "cluster=4 rows=1 blocks=1 vector=4 threads=32 keep=reread",
    "grid=resident keep=shared",
    "grid=resident stages=3 keep=reread blocks=1",
    "cluster=2 rows=1 blocks=1 threads=32 vector=4 grid=resident stages=2",
    "grid=resident keep=reread",
    "grid=resident stages=4 keep=shared blocks=2",
};

/// Those of them that a kernel may have, beside schedules that a search draws.
std::vector<Schedule> schedules(const Backend &backend, const SweepPlan &plan, const Target &target, size_t number) {
  std::vector<Schedule> all = sample_schedules(backend, plan, target, kLong ? 8 : 1, 3);
  for (size_t option = 0; option < std::size(kOptions); ++option)
    if (const Schedule schedule = parse_schedule(kOptions[option], backend.knobs(), backend.default_schedule(plan, target));
        (kLong || option == number % std::size(kOptions)) && !backend.inapplicable(plan, schedule, target))
      all.push_back(schedule);
  return all;
}

/// In the short run, each norm has one mix for one architecture and another for the next: all architectures have their share.
bool is_chosen(size_t norm, const Mix &mix, const Target &target) {
  constexpr int kLevels[] = {80, 86, 89, 90};
  return target.backend == "cuda" &&
         (kLong || (mix.brief && target.level == kLevels[(norm + (mix.first == DType::f32)) % std::size(kLevels)]));
}

} // namespace

void for_each_variant(size_t number, int step, const std::function<void(const Variant &)> &look) {
  size_t count = number; // so that norms of few variants differ in which they have
  for (const Mix &mix : mixes())
    for (const Target &target : targets()) {
      if (!is_chosen(number, mix, target))
        continue;
      const NormRef &norm = catalogue()[number];
      const Backend &backend = backend_for(target);
      const Problem open = problem_of(norm, mix);
      const std::vector<Problem> both{open, fixed(open, shapes()[mix.first == DType::f32 ? 2 : 0].of(*norm))};
      for (const Problem &problem : both) {
        const SweepPlan plan = make_sweep_plan(problem);
        for (const Schedule &schedule : schedules(backend, plan, target, number))
          if (count++ % size_t(step) == 0)
            look({to_text(problem) + " / " + to_text(schedule, backend.knobs()) + " / " + std::string(target.name), &target, schedule,
                  backend.compile(plan, schedule, target, "kernel")});
      }
    }
}

void for_each_variant(const std::function<void(const Variant &)> &look) {
  for (size_t number = 0; number < catalogue().size(); ++number)
    for_each_variant(number, 1, look);
}

} // namespace normforge::testing
