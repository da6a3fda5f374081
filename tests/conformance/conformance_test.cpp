// Every norm × extents × dtypes: the kernel of every x86 level and of sampled schedules against the f64 reference, and against each other
// bit for bit, apart and in place, whether or not the problem says so.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/loader.h"
#include "dsl/error.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/schedules.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;

std::vector<CatalogueCase> cases() {
  return catalogue_cases([](const Shape &shape, const Mix &mix, size_t) { return mix.brief || &shape == &shapes().front(); });
}

class Conformance : public ::testing::TestWithParam<CatalogueCase> {};

TEST_P(Conformance, ReferenceAndEveryLevelAndScheduleAgree) {
  const auto &[norm, shape, mix] = GetParam();
  const std::vector<int64_t> extents = shape->of(*norm);
  const Problem open = problem_of(norm, *mix), exact = fixed(open, extents);
  const ReferenceInputs inputs = make_inputs(exact, extents, {.seed = 7, .mean = 0.5});
  const auto reference = expected(exact, extents, inputs);
  if (!reference)
    return;

  std::map<std::pair<Numerics::Algorithm, bool>, std::string> bits; // one numerics half, one result
  const auto check = [&](const Problem &problem, const SweepPlan &plan, const Schedule &schedule, const Target &target) {
    const Backend &backend = backend_for(target);
    SCOPED_TRACE(to_text(problem) + " / " + to_text(schedule, backend.knobs()) + " / " + std::string(target.name));
    const Kernel kernel = backend.compile(plan, schedule, target, "kernel");
    const LoadedKernel loaded(kernel);
    KernelCall call(problem, extents, inputs, {.side = bits.empty() ? Guarded::at_start : Guarded::at_end, .pieces = bits.empty() ? 1 : 3});
    call.run(kernel, loaded);
    const auto [at, first] = bits.emplace(std::pair(schedule.numerics.algorithm, schedule.numerics.fma), call.output_bits());
    if (first)
      expect_near(problem, call, *reference);
    EXPECT_TRUE(at->second == call.output_bits()) << "bits differ";
    if (std::ranges::any_of(norm->program.axes, [](const Axis &axis) { return axis.length >= 0; }))
      return; // what a ragged row leaves unwritten is, in place, the input
    KernelCall shared(in_place(problem), extents, inputs);
    shared.run(kernel, loaded);
    EXPECT_TRUE(at->second == shared.output_bits()) << "bits differ in place";
  };
  const SweepPlan open_plan = make_sweep_plan(open), exact_plan = make_sweep_plan(exact);
  for (const Target *target : runnable_targets()) {
    const Backend &backend = backend_for(*target);
    check(open, open_plan, backend.default_schedule(open_plan, *target), *target);
    const bool widest = target == runnable_targets().back();
    for (const Schedule &schedule : sample_schedules(backend, exact_plan, *target,
                                                     kLong    ? 12
                                                     : widest ? 4
                                                              : 1,
                                                     std::hash<std::string>()(norm->program.name)))
      check(exact, exact_plan, schedule, *target);
    if (HasFailure())
      return;
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Conformance, ::testing::ValuesIn(cases()), [](const auto &info) {
  return info.param.norm->program.name + "_" + info.param.shape->label + "_" + info.param.mix->label;
});

} // namespace
} // namespace normforge::testing
