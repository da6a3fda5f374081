// Every norm of the catalogue as a CUDA kernel, on the emulator: against the f64 reference, in several orders of threads, on aligned memory
// and not, in place, and with x86's numerics half against the x86 kernel, bit for bit.
//
// In the short run, each norm has few dtypes, extents and schedules; in some schedule of it, each value of each knob stands. The long run
// has each norm at all extents in all mixes of dtypes; and, spread over those, schedules such that each two values of two knobs stand
// together in one of that norm, where draws find one that serves it. (All products of the knobs' values would take years.)
#include <algorithm>
#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/emulator.h"
#include "codegen/loader.h"
#include "dsl/error.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/schedules.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;

uint64_t seed_of(const Norm &norm) { return std::hash<std::string>()(norm.program.name); }

const std::vector<CatalogueCase> &cases() {
  static const std::vector<CatalogueCase> all = [] {
    const auto any = [](const auto &table, uint64_t seed) { return &table[seed % table.size()]; };
    std::vector<CatalogueCase> result = catalogue_cases([](const Shape &shape, const Mix &mix, size_t picked) {
      return mix.brief && &shape == &shapes()[mix.first == DType::f32 ? 0 : picked % 2 ? 2 : 4];
    });
    for (const NormRef &norm : catalogue())
      if (const Mix *mix = any(mixes(), seed_of(*norm) / 7); !kLong && !mix->brief)
        result.push_back({norm, any(shapes(), seed_of(*norm)), mix});
    return result;
  }();
  return all;
}

/// What a schedule gives on all ways to call it, and in each order of threads; one text, or the test has failed.
std::string emulated_bits(const Problem &problem, const SweepPlan &plan, const Schedule &schedule, const Target &gpu,
                          const std::vector<int64_t> &extents, const ReferenceInputs &inputs,
                          const std::function<void(const KernelCall &)> &check) {
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

/// The schedules of a case beside the defaults: for its open extents, and for those that it has.
struct Drawn {
  std::vector<Schedule> open, exact;
};

/// By case, and the values of knobs that stand nowhere in them.
struct AllDrawn {
  std::vector<Drawn> cases;
  std::vector<std::vector<Choice>> missing;
};

/// Whether kernels have work at those extents, or the library refuses such a call.
bool is_served(const NormRef &norm, const Shape &shape) {
  const std::vector<int64_t> extents = shape.of(*norm);
  const Problem problem = fixed(default_problem(norm), extents);
  return std::ranges::find(extents, 0) == extents.end() &&
         (norm->program.requirements.empty() || expected(problem, extents, make_inputs(problem, extents, {})));
}

const AllDrawn &drawn() {
  static const AllDrawn all = [] {
    const Target &gpu = find_target("sm_90");
    const Backend &cuda = backend_for(gpu);
    const size_t most = kLong ? 8 : 1;
    AllDrawn result{std::vector<Drawn>(cases().size()), {}};
    Coverage values(cuda, 1);
    std::map<std::string, Coverage> pairs; // by norm
    const auto draw = [&](size_t number) {
      const auto &[norm, shape, mix] = cases()[number];
      if (!is_served(norm, *shape))
        return;
      const bool open = number % 3 == 0;
      const Problem problem = problem_of(norm, *mix);
      Coverage &wanted = kLong ? pairs.try_emplace(norm->program.name, cuda, 2).first->second : values;
      for (const Schedule &schedule : wanted.draw(make_sweep_plan(open ? problem : fixed(problem, shape->of(*norm))), gpu, most, number)) {
        (open ? result.cases[number].open : result.cases[number].exact).push_back(schedule);
        values.take(schedule);
      }
    };
    for (int round = 0; round < 2; ++round) // some values serve few of the problems, for which others were drawn in the first
      for (size_t number = 0; number < cases().size() && (round == 0 || !values.missing().empty()); ++number)
        draw(number);
    result.missing = values.missing();
    return result;
  }();
  return all;
}

TEST(EmulatedSchedules, HaveEveryValueOfEveryKnob) {
  const std::span<const Knob> knobs = backend_for(find_target("sm_90")).knobs();
  for (const std::vector<Choice> &choices : drawn().missing)
    for (const auto &[knob, value] : choices)
      ADD_FAILURE() << to_text(knobs[knob], value) << " stands in no schedule that is tried";
}

/// By number of the case.
class Emulated : public ::testing::TestWithParam<size_t> {};

TEST_P(Emulated, ReferenceAndEveryOrderAndX86Agree) {
  const auto &[norm, shape, mix] = cases()[GetParam()];
  const Drawn &more = drawn().cases[GetParam()];
  const std::vector<int64_t> extents = shape->of(*norm);
  const Problem open = problem_of(norm, *mix), exact = fixed(open, extents);
  const ReferenceInputs inputs = make_inputs(exact, extents, {.seed = 7, .mean = 0.5});
  const auto reference = expected(exact, extents, inputs);
  if (!reference)
    return;
  const auto near = [&](const KernelCall &call) { expect_near(exact, call, *reference); };
  const Target &gpu = find_target("sm_90"), &cpu = host_target();
  const Backend &cuda = backend_for(gpu), &x86 = backend_for(cpu);
  const auto emulate = [&](const Problem &problem, const SweepPlan &plan, const Schedule &schedule) {
    SCOPED_TRACE(to_text(problem) + " / " + to_text(schedule, cuda.knobs()));
    return emulated_bits(problem, plan, schedule, gpu, extents, inputs, near);
  };
  const auto emulate_all = [&](const Problem &problem, const SweepPlan &plan, std::vector<Schedule> schedules,
                               const std::vector<Schedule> &more) {
    std::map<Numerics::Algorithm, std::string> first;
    schedules.insert(schedules.end(), more.begin(), more.end());
    for (const Schedule &schedule : schedules) {
      const std::string bits = emulate(problem, plan, schedule);
      const auto &[same, added] = first.emplace(schedule.numerics.algorithm, bits);
      EXPECT_TRUE(same->second == bits) << to_text(schedule, cuda.knobs()) << ": bits depend on the mapping";
      if (HasFailure())
        return;
    }
  };
  const SweepPlan open_plan = make_sweep_plan(open), plan = make_sweep_plan(exact);
  emulate_all(open, open_plan, {cuda.default_schedule(open_plan, gpu)}, more.open);
  emulate_all(exact, plan, sample_schedules(cuda, plan, gpu, 1, 0), more.exact);
  if (HasFailure())
    return;

  Schedule pinned = x86.default_schedule(plan, cpu);
  const Kernel kernel = x86.compile(plan, pinned, cpu, "kernel");
  const LoadedKernel loaded(kernel);
  KernelCall call(exact, extents, inputs);
  call.run(kernel, loaded);
  const Schedule same = with_numerics(cuda, plan, gpu, pinned.numerics);
  EXPECT_TRUE(emulate(exact, plan, same) == call.output_bits()) << "bits differ from x86's";
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

INSTANTIATE_TEST_SUITE_P(Catalogue, Emulated, ::testing::Range(size_t(0), cases().size()), [](const auto &info) {
  const CatalogueCase &each = cases()[info.param];
  return each.norm->program.name + "_" + each.shape->label + "_" + each.mix->label;
});

} // namespace
} // namespace normforge::testing
