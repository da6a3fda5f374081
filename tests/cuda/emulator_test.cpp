// Every norm of the catalogue as a CUDA kernel, on the emulator: against the f64 reference, in several orders of threads, and with x86's
// numerics half against the x86 kernel, bit for bit.
#include <cstdlib>

#include <gtest/gtest.h>

#include "codegen/check/kernel_call.h"
#include "codegen/check/tolerance.h"
#include "codegen/emulator.h"
#include "codegen/loader.h"
#include "dsl/error.h"
#include "tests/conformance/cases.h"

namespace normforge::testing {
namespace {

const bool kLong = std::getenv("NORMFORGE_LONG") != nullptr;
constexpr uint64_t kOrders[] = {0, 1, 17}; ///< ascending, descending, any

std::vector<CatalogueCase> cases() {
  return catalogue_cases([](const Shape &shape, const Mix &mix, size_t picked) {
    return mix.brief && &shape == &shapes()[mix.first == DType::f32 ? 0 : picked % 2 ? 2 : 4];
  });
}

/// What a schedule gives in each order of threads; one text, or the test has failed.
std::string emulated_bits(const Problem &problem, const SweepPlan &plan, const Schedule &schedule, const Target &gpu,
                          const std::vector<int64_t> &extents, const ReferenceInputs &inputs,
                          const std::function<void(const KernelCall &)> &check = {}) {
  const Kernel kernel = compile_for_emulator(plan, schedule, gpu, "kernel");
  const LoadedKernel loaded(kernel);
  std::string bits;
  for (uint64_t order : kOrders) {
    set_emulated_order(order);
    KernelCall call(problem, extents, inputs, {.side = order ? Guarded::at_end : Guarded::at_start, .pieces = order == 1 ? 2 : 1});
    call.run(kernel, loaded);
    EXPECT_EQ(take_emulator_fault(), "");
    if (order == 0) {
      bits = call.output_bits();
      if (check)
        check(call);
    }
    EXPECT_TRUE(bits == call.output_bits()) << "order " << order << " of threads changes bits";
  }
  return bits;
}

/// A schedule with a CPU's numerics half: its lanes are few, and belong to few threads.
Schedule with_numerics(const Backend &cuda, const SweepPlan &plan, const Target &gpu, const Numerics &numerics) {
  for (int64_t vector : {8, 4, 2})
    for (int64_t threads : {8, 4, 2, 1})
      if (const Schedule schedule{numerics, {{threads, 4, vector, 1, 0}}}; !cuda.inapplicable(plan, schedule, gpu))
        return schedule;
  return {numerics, {{1, 4, 1, 1, 0}}};
}

class Emulated : public ::testing::TestWithParam<CatalogueCase> {};

TEST_P(Emulated, ReferenceAndEveryOrderAndX86Agree) {
  const auto &[norm, shape, mix] = GetParam();
  const std::vector<int64_t> extents = shape->of(*norm);
  const Problem open = problem_of(norm, *mix), exact = fixed(open, extents);
  const ReferenceInputs inputs = make_inputs(exact, extents, {.seed = 7, .mean = 0.5});
  std::map<std::string, ReferenceArray> reference;
  try {
    reference = evaluate(exact, extents, inputs);
  } catch (const UserError &) { // a `require` that does not hold
    ASSERT_FALSE(norm->program.requirements.empty());
    return;
  }
  const auto near = [&](const KernelCall &call) {
    for (const auto &[name, want] : reference) {
      const Tolerance allowed = tolerance(exact, *exact.dtypes[size_t(norm->program.tensor_named(name))]);
      for (size_t i = 0; i < want.values.size(); ++i)
        ASSERT_TRUE(allowed.accepts(call.value(name, i), want.values[i]))
            << name << "[" << i << "]: " << call.value(name, i) << ", reference " << want.values[i];
    }
  };
  const Target &gpu = find_target("sm_90"), &cpu = host_target();
  const Backend &cuda = backend_for(gpu), &x86 = backend_for(cpu);
  const auto emulate = [&](const Problem &problem, const SweepPlan &plan, const Schedule &schedule, const auto &check) {
    SCOPED_TRACE(to_text(problem) + " / " + to_text(schedule, cuda.knobs()));
    return emulated_bits(problem, plan, schedule, gpu, extents, inputs, check);
  };
  const SweepPlan open_plan = make_sweep_plan(open), plan = make_sweep_plan(exact);
  emulate(open, open_plan, cuda.default_schedule(open_plan, gpu), near);
  std::string first;
  for (const Schedule &schedule : sample_schedules(cuda, plan, gpu, kLong ? 12 : 2, std::hash<std::string>()(norm->program.name))) {
    const std::string bits = emulate(exact, plan, schedule, near);
    if (first.empty())
      first = bits;
    EXPECT_TRUE(first == bits) << to_text(schedule, cuda.knobs()) << ": bits differ from the default's";
    if (HasFailure())
      return;
  }

  Schedule pinned = x86.default_schedule(plan, cpu);
  pinned.numerics.algorithm = Numerics::two_pass; // what both have
  const Kernel kernel = x86.compile(plan, pinned, cpu, "kernel");
  const LoadedKernel loaded(kernel);
  KernelCall call(exact, extents, inputs);
  call.run(kernel, loaded);
  const Schedule same = with_numerics(cuda, plan, gpu, pinned.numerics);
  EXPECT_TRUE(emulate(exact, plan, same, near) == call.output_bits()) << "bits differ from x86's";
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Emulated, ::testing::ValuesIn(cases()), [](const auto &info) {
  return info.param.norm->program.name + "_" + info.param.shape->label + "_" + info.param.mix->label;
});

} // namespace
} // namespace normforge::testing
