#include "bench/generated.h"

#include <algorithm>
#include <memory>

#include "codegen/backend.h"
#include "codegen/compiled_call.h"
#include "codegen/loader.h"

namespace bench {
namespace {

using namespace normforge;

constexpr std::string_view kHandful[] = {
    "rows=1 unroll=2 keep=reread prefetch=0",
    "rows=1 unroll=1 keep=reread prefetch=1",
    "rows=2 unroll=1 keep=scratch prefetch=1",
    "rows=4 unroll=1 keep=scratch prefetch=0",
    "rows=8 unroll=1 keep=scratch prefetch=1",
    "rows=4 unroll=1 keep=reread prefetch=0",
    "rows=8 unroll=1 keep=reread prefetch=0",
    "rows=1 unroll=1 keep=reread store=stream prefetch=1",
    "rows=2 unroll=1 keep=reread store=stream prefetch=0",
    "rows=4 unroll=1 keep=reread store=stream prefetch=1",
    "rows=2 unroll=1 keep=scratch store=stream prefetch=1",
};

std::vector<Schedule> handful_of_schedules(const SweepPlan &plan, const Target &target) {
  const Backend &backend = backend_for(target);
  std::vector<Schedule> all{backend.default_schedule(plan, target)};
  for (std::string_view text : kHandful) {
    const Schedule schedule = parse_schedule(text, backend.knobs(), all[0]);
    if (!backend.inapplicable(plan, schedule, target) && std::ranges::find(all, schedule) == all.end())
      all.push_back(schedule);
  }
  return all;
}

/// A kernel with its arguments. One thread calls the kernel alone, as the hand-written ones are called; several call it as an application
/// does, through nf_call and its pool.
class Call {
public:
  Call(const SweepPlan &plan, const Schedule &schedule, const Target &target, const Workload &work)
      : kernel(backend_for(target).compile(plan, schedule, target, "kernel")), loaded(kernel), checked(plan, schedule, target) {
    const Program &program = plan.problem.norm->program;
    const size_t rows = size_t(program.axis_named("rows")), cols = size_t(program.axis_named("cols"));
    extents.resize(program.axes.size());
    extents[rows] = work.shape.rows;
    extents[cols] = work.shape.cols;
    std::vector<void *> tensors(program.tensors.size());
    for (auto [name, memory] : {std::pair("x", work.x()), {"gamma", work.gamma()}, {"beta", work.beta()}, {"y", work.y()}})
      if (const int tensor = program.tensor_named(name); tensor >= 0)
        tensors[size_t(tensor)] = memory;
    const std::vector<double> scalars(program.scalars.size(), work.eps()); // eps is the one scalar that a norm here has
    checked.bind(extents, tensors, scalars);
    std::ranges::copy(extents, args.extents);
    std::ranges::copy(tensors, args.tensors);
    std::ranges::copy(scalars, args.scalars);
    for (size_t t = 0; t < tensors.size(); ++t) {
      args.strides[t][cols] = program.tensors[t].axes.back() == int(cols);
      args.strides[t][rows] = program.tensors[t].axes.size() == 2 ? work.shape.cols : program.tensors[t].axes.back() == int(rows);
    }
  }

  void run(int threads) const {
    if (threads == 1 && kernel.workspace.empty())
      for (const nf_step &step : loaded.steps())
        step.run(&args, 0, evaluate(step.items));
    else
      checked.run(threads);
  }

private:
  Kernel kernel;
  LoadedKernel loaded;
  CompiledCall checked;
  std::vector<int64_t> extents;
  nf_kernel_args args{};

  int64_t product(uint64_t axes) const {
    int64_t n = 1;
    for (size_t i = 0; i < extents.size(); ++i)
      n *= axes >> i & 1 ? extents[i] : 1;
    return n;
  }
  int64_t evaluate(const nf_count &count) const {
    return product(count.outer) * ((product(count.tiled) + count.tile - 1) / count.tile) * count.times;
  }
};

} // namespace

std::string problem_text(hand::Norm norm, hand::Element element, Shape shape) {
  return name(norm) + " rows=" + std::to_string(shape.rows) + " cols=" + std::to_string(shape.cols) + " x=" + name(element) + " outputs=y";
}

Generated generate(const Workload &work, const SweepPlan &plan, const Schedule &schedule, const Target &target) {
  const auto call = std::make_shared<Call>(plan, schedule, target, work);
  return {to_text(schedule, backend_for(target).knobs()), [call](int threads) { call->run(threads); }};
}

std::vector<Generated> generate(const Workload &work, const Target &target) {
  const SweepPlan plan = make_sweep_plan(parse_problem(problem_text(work.norm, work.element, work.shape)));
  std::vector<Generated> all;
  for (const Schedule &schedule : handful_of_schedules(plan, target))
    all.push_back(generate(work, plan, schedule, target));
  return all;
}

} // namespace bench
