#include "bench/generated.h"

#include <algorithm>
#include <memory>

namespace bench {
namespace {

using namespace normforge;

constexpr std::string_view kRowsAndUnroll[] = {"rows=1 unroll=1", "rows=1 unroll=2", "rows=1 unroll=4",
                                               "rows=2 unroll=1", "rows=2 unroll=2", "rows=4 unroll=1"};
constexpr std::string_view kStores[] = {"store=normal", "store=stream"};

std::vector<Schedule> handful_of_schedules(const SweepPlan &plan, const Target &target) {
  const Backend &backend = backend_for(target);
  std::vector<Schedule> all{backend.default_schedule(plan, target)};
  for (std::string_view shape : kRowsAndUnroll)
    for (std::string_view store : kStores) {
      const Schedule schedule = parse_schedule(std::string(shape) + " " + std::string(store), backend.knobs(), all[0]);
      if (!backend.inapplicable(plan, schedule, target) && std::ranges::find(all, schedule) == all.end())
        all.push_back(schedule);
    }
  return all;
}

void bind(CompiledCall &call, const Program &program, const Workload &work) {
  std::vector<int64_t> extents(program.axes.size());
  extents[size_t(program.axis_named("rows"))] = work.shape.rows;
  extents[size_t(program.axis_named("cols"))] = work.shape.cols;
  std::vector<void *> tensors(program.tensors.size());
  for (auto [name, memory] : {std::pair("x", work.x()), {"gamma", work.gamma()}, {"beta", work.beta()}, {"y", work.y()}})
    if (const int tensor = program.tensor_named(name); tensor >= 0)
      tensors[size_t(tensor)] = memory;
  call.bind(extents, tensors, std::vector<double>(program.scalars.size(), work.eps())); // eps is the one scalar that a norm here has
}

} // namespace

std::string problem_text(hand::Norm norm, hand::Element element, Shape shape) {
  return name(norm) + " rows=" + std::to_string(shape.rows) + " cols=" + std::to_string(shape.cols) + " x=" + name(element) + " outputs=y";
}

std::vector<Generated> generate(const Workload &work, const Target &target) {
  const SweepPlan plan = make_sweep_plan(parse_problem(problem_text(work.norm, work.element, work.shape)));
  std::vector<Generated> all;
  for (const Schedule &schedule : handful_of_schedules(plan, target)) {
    const auto call = std::make_shared<CompiledCall>(plan, schedule, target);
    bind(*call, plan.problem.norm->program, work);
    all.push_back({to_text(schedule, backend_for(target).knobs()), [call](int threads) { call->run(threads); }});
  }
  return all;
}

} // namespace bench
