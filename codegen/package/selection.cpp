#include "codegen/package/selection.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "dsl/error.h"

namespace normforge {
namespace {

constexpr int kMostChoices = 10; // 1024 combinations

/// Every subset of `mask`.
std::vector<uint64_t> subsets(uint64_t mask) {
  std::vector<uint64_t> found;
  for (uint64_t subset = mask;; subset = (subset - 1) & mask) {
    found.push_back(subset);
    if (subset == 0)
      return found;
  }
}

/// How many shapes a problem spans, as a logarithm: of two kernels that serve a call, the one for fewer knows more.
double breadth(const Problem &problem) {
  double bits = 0;
  for (const Extent &extent : problem.extents)
    bits += std::log2(double(extent.hi) - double(extent.lo) + 1);
  return bits - double(problem.in_place.size()) / 2;
}

/// The functions that `problems` call for: first those of problems that have everything; what another problem lacks has the dtype that it
/// has there.
std::vector<Problem> functions_of(std::span<const Problem> problems) {
  std::vector<Problem> functions;
  for (const bool complete : {true, false})
    for (const Problem &problem : problems) {
      if (complete != std::ranges::all_of(problem.dtypes, [](const auto &dtype) { return dtype.has_value(); }))
        continue;
      const auto found = std::ranges::find_if(functions, [&](const Problem &function) { return serves(function, problem); });
      if (found == functions.end())
        functions.push_back(function_problem(problem));
      else // a stride that one problem wants to say, the function's arguments can say
        for (size_t t = 0; t < found->layouts.size(); ++t)
          found->layouts[t] = std::max(found->layouts[t], problem.layouts[t]);
    }
  return functions;
}

/// Outputs that kernels of `plan` write at every point, without asking whether they are wanted.
uint64_t point_outputs(const SweepPlan &plan) {
  uint64_t outputs = 0;
  for (const Nest &nest : plan.nests)
    for (const Sweep &sweep : nest.sweeps)
      for (const Write &write : sweep.writes)
        if (size_t(write.tensor) < plan.program().tensors.size() && plan.program().tensors[size_t(write.tensor)].role == Tensor::output)
          outputs |= uint64_t(1) << write.tensor;
  return outputs;
}

/// The generic plans of a function, whose own plan is `full`. Kernels for strides serve packed tensors as well, with the same bits, unless
/// packing lets axes collapse and so makes other runs of reduced elements: then there is a kernel for packed tensors before it.
std::vector<SweepPlan> generic_plans(const Problem &function, const SweepPlan &full) {
  const Program &program = function.norm->program;
  uint64_t optional = 0;
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (program.tensors[t].fallback)
      optional |= uint64_t(1) << t;
  const uint64_t points = point_outputs(full);
  if (std::popcount(optional) + std::popcount(points) > kMostChoices)
    throw UserError(program.name + ": got more than " + std::to_string(kMostChoices) +
                    " optional inputs and full-size outputs, which would need a kernel for each combination; split it into several norms");
  const bool updates = std::ranges::any_of(program.tensors, [](const Tensor &tensor) { return tensor.role == Tensor::inout; });
  std::vector<SweepPlan> packed, strided, irregular;
  for (const uint64_t inputs : subsets(optional))
    for (const uint64_t outputs : subsets(points)) {
      Problem problem = function;
      problem.outputs = (function.outputs & ~points) | outputs;
      if (problem.outputs == 0 && !updates)
        continue;
      for (size_t t = 0; t < program.tensors.size(); ++t)
        if ((optional & ~inputs) >> t & 1)
          problem.dtypes[t].reset();
      if (std::ranges::find(problem.layouts, Layout::any) != problem.layouts.end())
        irregular.push_back(make_sweep_plan(problem));
      std::ranges::replace(problem.layouts, Layout::any, Layout::rows);
      strided.push_back(make_sweep_plan(problem));
      std::ranges::fill(problem.layouts, Layout::dense);
      if (SweepPlan plan = make_sweep_plan(problem); plan.program().axes.size() < strided.back().program().axes.size())
        packed.push_back(std::move(plan));
    }
  for (std::vector<SweepPlan> *more : {&strided, &irregular})
    std::ranges::move(*more, std::back_inserter(packed));
  return packed;
}

Schedule schedule_for(const SweepPlan &plan, const Target &target, const Numerics &numerics) {
  const Backend &backend = backend_for(target);
  Schedule schedule = backend.default_schedule(plan, target);
  schedule.numerics = numerics;
  if (const auto reason = backend.inapplicable(plan, schedule, target))
    throw UserError("'" + to_text(plan.problem) + "' for " + std::string(target.name) + ": " + *reason);
  return schedule;
}

} // namespace

Numerics pinned_numerics(const Problem &problem, const Target &target) {
  return backend_for(target).default_schedule(make_sweep_plan(function_problem(problem)), target).numerics;
}

Selection select_kernels(std::span<const Problem> problems, std::span<const Target *const> targets) {
  if (problems.empty())
    throw UserError("there is no problem to build a library for; write a line such as 'layer_norm cols=768'");
  Selection selection;
  std::vector<const Target *> best_first(targets.begin(), targets.end());
  std::ranges::sort(best_first, std::greater(), [](const Target *target) { return target->level; });
  std::set<std::string> names;
  for (const Problem &function : functions_of(problems)) {
    SelectedFunction &selected = selection.functions.emplace_back(std::make_unique<FunctionTable>(function));
    if (const std::string name = selected.table->function().name; !names.insert(name).second)
      throw UserError("two norms give a function called '" + name + "'; rename one of them");

    std::vector<std::pair<double, size_t>> narrowest_first;
    for (size_t i = 0; i < problems.size(); ++i)
      if (serves(function, problems[i]))
        narrowest_first.emplace_back(breadth(problems[i]), i);
    std::ranges::sort(narrowest_first);
    const SweepPlan full = make_sweep_plan(function);
    std::vector<SweepPlan> plans;
    for (const auto &[bits, i] : narrowest_first)
      plans.push_back(make_sweep_plan(problems[i]));
    std::ranges::move(generic_plans(function, full), std::back_inserter(plans));

    std::set<std::string> texts;
    std::vector<std::pair<const SweepPlan *, nf_origin>> distinct;
    for (size_t i = 0; i < plans.size(); ++i)
      if (texts.insert(to_text(plans[i].problem)).second)
        distinct.emplace_back(&selection.plans.emplace_back(std::move(plans[i])), i < narrowest_first.size() ? NF_SPECIALIZED : NF_GENERIC);
    for (const Target *target : best_first) {
      const Numerics numerics = pinned_numerics(function, *target);
      for (const auto &[plan, origin] : distinct)
        selected.kernels.push_back({plan, target, schedule_for(*plan, *target, numerics), origin});
    }
    for (const SelectedKernel &kernel : selected.kernels) { // levels differ in fma alone, and only where one has none
      Numerics best = selected.kernels.front().schedule.numerics;
      best.fma &= kernel.target->fma;
      internal_check(kernel.schedule.numerics == best);
    }
  }
  return selection;
}

} // namespace normforge
