// Every norm of the catalogue as a CUDA kernel, on the emulator: against the f64 reference, in several orders of threads, on aligned memory
// and not, in place, and with x86's numerics half against the x86 kernel, bit for bit. Which dtypes, extents and schedules, a seed draws;
// the long run takes all dtypes and extents, and every two choices of a schedule.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/emulator.h"
#include "codegen/loader.h"
#include "dsl/error.h"
#include "tests/conformance/cases.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;

uint64_t seed_of(const Norm &norm) { return std::hash<std::string>()(norm.program.name); }

std::vector<CatalogueCase> cases() {
  const auto drawn = [](const auto &table, uint64_t seed) { return &table[seed % table.size()]; };
  std::vector<CatalogueCase> all = catalogue_cases([](const Shape &shape, const Mix &mix, size_t picked) {
    return mix.brief && &shape == &shapes()[mix.first == DType::f32 ? 0 : picked % 2 ? 2 : 4];
  });
  for (const NormRef &norm : catalogue())
    if (const Mix *mix = drawn(mixes(), seed_of(*norm) / 7); !kLong && !mix->brief)
      all.push_back({norm, drawn(shapes(), seed_of(*norm)), mix});
  return all;
}

/// What a schedule gives on all ways to call it, and in each order of threads; one text, or the test has failed.
std::string emulated_bits(const Problem &problem, const SweepPlan &plan, const Schedule &schedule, const Target &gpu,
                          const std::vector<int64_t> &extents, const ReferenceInputs &inputs,
                          const std::function<void(const KernelCall &)> &check = {}) {
  const Kernel kernel = compile_for_emulator(plan, schedule, gpu, "kernel");
  const LoadedKernel loaded(kernel);
  struct Way {
    uint64_t order; ///< of threads: ascending, descending, any
    bool in_place;
    CallOptions options;
  };
  const Way ways[] = {{0, false, {.side = Guarded::at_start, .padding = 3}},
                      {1, false, {.side = Guarded::at_end, .padding = 4, .pieces = 2}},
                      {17, true, {.side = Guarded::at_start, .offset = 1, .padding = 5}}};
  // What a ragged row leaves unwritten is, in place, the input.
  const bool ragged = std::ranges::any_of(problem.norm->program.axes, [](const Axis &axis) { return axis.length >= 0; });
  std::string bits;
  for (const Way &way : ways) {
    set_emulated_order(way.order);
    KernelCall call(way.in_place && !ragged ? in_place(problem) : problem, extents, inputs, way.options);
    call.run(kernel, loaded);
    EXPECT_EQ(take_emulator_fault(), "");
    if (bits.empty()) {
      bits = call.output_bits();
      if (check)
        check(call);
    }
    EXPECT_TRUE(bits == call.output_bits()) << "order " << way.order << " of threads changes bits";
  }
  return bits;
}

/// A schedule with a CPU's numerics half: its lanes are few, and belong to few threads.
Schedule with_numerics(const Backend &cuda, const SweepPlan &plan, const Target &gpu, const Numerics &numerics) {
  Schedule neutral{numerics, {}};
  for (const Knob &knob : cuda.knobs())
    neutral.mapping.values.push_back(knob.values.front());
  const auto with = [&](int vector, int threads) {
    return parse_schedule("| rows=4 vector=" + std::to_string(vector) + " threads=" + std::to_string(threads), cuda.knobs(), neutral);
  };
  for (int vector : {8, 4, 2})
    for (int threads : {8, 4, 2, 1})
      if (const Schedule schedule = with(vector, threads); !cuda.inapplicable(plan, schedule, gpu))
        return schedule;
  return with(1, 1);
}

/// Schedules such that every two choices stand together in one of them that do so in any of many drawn ones; all that there are take days.
std::vector<Schedule> covering_schedules(const Backend &backend, const SweepPlan &plan, const Target &target, uint64_t seed) {
  constexpr int kDrawn = 4000;
  std::vector<Schedule> chosen;
  std::set<std::array<int64_t, 4>> met; // of two knobs and their values
  for (const Schedule &schedule : sample_schedules(backend, plan, target, kDrawn, seed)) {
    const std::vector<int64_t> &values = schedule.mapping.values;
    bool more = false;
    for (size_t a = 0; a < values.size(); ++a)
      for (size_t b = 0; b < a; ++b)
        more |= met.insert({int64_t(a), values[a], int64_t(b), values[b]}).second;
    if (more)
      chosen.push_back(schedule);
  }
  return chosen;
}

class Emulated : public ::testing::TestWithParam<CatalogueCase> {};

TEST_P(Emulated, ReferenceAndEveryOrderAndX86Agree) {
  const auto &[norm, shape, mix] = GetParam();
  const std::vector<int64_t> extents = shape->of(*norm);
  const Problem open = problem_of(norm, *mix), exact = fixed(open, extents);
  const ReferenceInputs inputs = make_inputs(exact, extents, {.seed = 7, .mean = 0.5});
  const auto reference = expected(exact, extents, inputs);
  if (!reference)
    return;
  const auto near = [&](const KernelCall &call) { expect_near(exact, call, *reference); };
  const Target &gpu = find_target("sm_90"), &cpu = host_target();
  const Backend &cuda = backend_for(gpu), &x86 = backend_for(cpu);
  const auto emulate = [&](const Problem &problem, const SweepPlan &plan, const Schedule &schedule, const auto &check) {
    SCOPED_TRACE(to_text(problem) + " / " + to_text(schedule, cuda.knobs()));
    return emulated_bits(problem, plan, schedule, gpu, extents, inputs, check);
  };
  const SweepPlan open_plan = make_sweep_plan(open), plan = make_sweep_plan(exact);
  emulate(open, open_plan, cuda.default_schedule(open_plan, gpu), near);
  std::map<Numerics::Algorithm, std::string> first;
  const bool every = kLong && mix->brief && shape == &shapes()[mix->first == DType::f32 ? 0 : 2];
  for (const Schedule &schedule :
       every ? covering_schedules(cuda, plan, gpu, seed_of(*norm)) : sample_schedules(cuda, plan, gpu, kLong ? 12 : 2, seed_of(*norm))) {
    const std::string bits = emulate(exact, plan, schedule, near);
    const auto &[same, added] = first.emplace(schedule.numerics.algorithm, bits);
    EXPECT_TRUE(same->second == bits) << to_text(schedule, cuda.knobs()) << ": bits depend on the mapping";
    if (HasFailure())
      return;
  }

  Schedule pinned = x86.default_schedule(plan, cpu);
  const Kernel kernel = x86.compile(plan, pinned, cpu, "kernel");
  const LoadedKernel loaded(kernel);
  KernelCall call(exact, extents, inputs);
  call.run(kernel, loaded);
  const Schedule same = with_numerics(cuda, plan, gpu, pinned.numerics);
  EXPECT_TRUE(emulate(exact, plan, same, near) == call.output_bits()) << "bits differ from x86's";
}

/// Memory in every order of the first tensor's axes, and tensors with gaps: inner reductions become outer or mixed ones.
class EmulatedLayout : public ::testing::TestWithParam<NormRef> {};

TEST_P(EmulatedLayout, EveryMemoryOrderAndStridesAreServed) {
  const NormRef norm = GetParam();
  const Target &gpu = find_target("sm_80");
  const Backend &cuda = backend_for(gpu);
  const Mix &mix = mixes()[seed_of(*norm) / 3 % mixes().size()];
  const std::vector<int64_t> extents = shapes().front().of(*norm);
  Problem problem = fixed(problem_of(norm, mix), extents);
  const ReferenceInputs inputs = make_inputs(problem, extents, {.seed = 11, .mean = 0.5});
  const auto reference = evaluate(problem, extents, inputs);
  for (size_t turn = 0; turn < problem.order.size(); ++turn) {
    for (size_t t = 0; t < problem.layouts.size(); ++t)
      problem.layouts[t] = Layout((t + turn) % 3);
    SCOPED_TRACE(to_text(problem));
    const SweepPlan plan = make_sweep_plan(problem);
    const Schedule schedule = cuda.default_schedule(plan, gpu);
    if (cuda.inapplicable(plan, schedule, gpu)) // a ragged axis outside those of its lengths
      EXPECT_TRUE(std::ranges::any_of(norm->program.axes, [](const Axis &axis) { return axis.length >= 0; }));
    else
      emulated_bits(problem, plan, schedule, gpu, extents, inputs, [&](const KernelCall &call) { expect_near(problem, call, reference); });
    std::ranges::rotate(problem.order, problem.order.begin() + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EmulatedLayout, ::testing::ValuesIn(catalogue()),
                         [](const auto &info) { return info.param->program.name; });

INSTANTIATE_TEST_SUITE_P(Catalogue, Emulated, ::testing::ValuesIn(cases()), [](const auto &info) {
  return info.param.norm->program.name + "_" + info.param.shape->label + "_" + info.param.mix->label;
});

} // namespace
} // namespace normforge::testing
