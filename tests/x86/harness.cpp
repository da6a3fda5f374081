#include "tests/x86/harness.h"

#include <cmath>
#include <map>

namespace normforge::testing {
namespace {

struct Compiled {
  Problem problem;
  Kernel kernel;
  LoadedKernel loaded;
};

/// Kernels by target, problem and schedule: tests call many shapes of one kernel.
const Compiled &compiled(const Case &c) {
  static std::map<std::string, std::unique_ptr<Compiled>> cache;
  std::unique_ptr<Compiled> &entry = cache[c.target + "|" + c.problem + "|" + c.schedule];
  if (!entry) {
    const Target &target = find_target(c.target);
    const Backend &backend = backend_for(target);
    const Problem problem = parse_problem(c.problem);
    const SweepPlan plan = make_sweep_plan(problem);
    const Schedule schedule = parse_schedule(c.schedule, backend.knobs(), backend.default_schedule(plan, target));
    Kernel kernel = backend.compile(plan, schedule, target, "kernel");
    LoadedKernel loaded(kernel);
    entry = std::make_unique<Compiled>(Compiled{problem, std::move(kernel), std::move(loaded)});
  }
  return *entry;
}

/// What one rounding to the dtype, on top of the arithmetic, may cost.
double tolerance(DType dtype) {
  switch (dtype) {
  case DType::f64: return 1e-13;
  case DType::bf16: return 4.1e-3;
  case DType::f16: return 5.2e-4;
  case DType::i8: return 1;
  case DType::f8e4m3: return 6.6e-2;
  default: return 2e-6;
  }
}

} // namespace

std::string run_bits(const Case &c) {
  const Compiled &kernel = compiled(c);
  KernelCall call(kernel.problem, c.extents, make_inputs(kernel.problem, c.extents, c.values), c.options);
  call.run(kernel.kernel, kernel.loaded);
  return call.output_bits();
}

double deviation(const Case &c) {
  const Compiled &kernel = compiled(c);
  const ReferenceInputs inputs = make_inputs(kernel.problem, c.extents, c.values);
  const auto expected = evaluate(kernel.problem, c.extents, inputs);
  KernelCall call(kernel.problem, c.extents, inputs, c.options);
  call.run(kernel.kernel, kernel.loaded);
  double worst = 0;
  for (const auto &[name, array] : expected) {
    const int tensor = kernel.problem.norm->program.tensor_named(name);
    if (kernel.problem.norm->program.tensors[size_t(tensor)].role == Tensor::output && !kernel.problem.wants(tensor))
      continue;
    const DType dtype = *kernel.problem.dtypes[size_t(tensor)];
    for (size_t i = 0; i < array.values.size(); ++i) {
      const double want = array.values[i], got = call.value(name, i);
      const bool unwritten = dtype == DType::i8 && std::isnan(want) && got == -1; // 0xff fills what is not written
      if (want == got || unwritten || (std::isnan(want) && std::isnan(got)))
        continue;
      const double error = std::fabs(got - want) / (tolerance(dtype) * std::fmax(1, std::fabs(want)));
      worst = std::fmax(worst, std::isnan(error) ? INFINITY : error);
    }
  }
  return worst;
}

bool applies(const Case &c) {
  const Target &target = find_target(c.target);
  const Backend &backend = backend_for(target);
  const SweepPlan plan = make_sweep_plan(parse_problem(c.problem));
  return !backend.inapplicable(plan, parse_schedule(c.schedule, backend.knobs(), backend.default_schedule(plan, target)), target);
}

std::vector<std::string> runnable_targets() {
  std::vector<std::string> names;
  for (const Target &target : targets())
    if (runs_here(target))
      names.emplace_back(target.name);
  return names;
}

} // namespace normforge::testing
