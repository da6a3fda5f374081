#include "codegen/package/selection.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "codegen/package/run_bands.h"
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

/// Axes that are left when those that are treated alike have collapsed.
size_t axes_of(const Problem &problem) { return make_sweep_plan(problem).program().axes.size(); }

/// What a function has generic kernels for. Kernels for strides serve packed tensors as well, with the same bits, unless
/// packing lets axes collapse and so makes other runs of reduced elements: then there is a kernel for packed tensors before it.
std::vector<Problem> generic_problems(const Problem &function) {
  const Program &program = function.norm->program;
  uint64_t optional = 0;
  for (size_t t = 0; t < program.tensors.size(); ++t)
    if (program.tensors[t].fallback)
      optional |= uint64_t(1) << t;
  const uint64_t points = written_outputs(make_sweep_plan(function)).first;
  if (std::popcount(optional) + std::popcount(points) > kMostChoices)
    throw UserError(program.name + ": got more than " + std::to_string(kMostChoices) +
                    " optional inputs and full-size outputs, which would need a kernel for each combination; split it into several norms");
  const bool updates = std::ranges::any_of(program.tensors, [](const Tensor &tensor) { return tensor.role == Tensor::inout; });
  std::vector<Problem> packed, strided, irregular;
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
        irregular.push_back(problem);
      std::ranges::replace(problem.layouts, Layout::any, Layout::rows);
      strided.push_back(problem);
      std::ranges::fill(problem.layouts, Layout::dense);
      if (axes_of(problem) < axes_of(strided.back()))
        packed.push_back(problem);
    }
  for (std::vector<Problem> *more : {&strided, &irregular})
    std::ranges::move(*more, std::back_inserter(packed));
  return packed;
}

Schedule schedule_for(const SweepPlan &plan, const Target &target, const Numerics &numerics, const KernelChoice *choice) {
  const Backend &backend = backend_for(target);
  Schedule schedule = choice ? choice->schedule : default_schedule(backend, plan, target, numerics);
  schedule.numerics = numerics;
  if (!plan.has_moments()) // both algorithms are one
    schedule.numerics.algorithm = Numerics::two_pass;
  if (const auto reason = backend.inapplicable(plan, schedule, target))
    throw UserError("'" + to_text(plan.problem) + "' for " + std::string(target.name) + ": " + *reason);
  return schedule;
}

/// The numerics half that `choices`, which are a band's, pin on `target`, or its own. Throws UserError when a choice for `target` has
/// another one.
Numerics numerics_of(const Problem &function, const Target &target, const std::deque<KernelChoice> &choices) {
  Numerics numerics = pinned_numerics(function, target);
  const auto pins = [&](const KernelChoice &choice) { return choice.pins_numerics && choice.target->gpu() == target.gpu(); };
  if (const auto pin = std::ranges::find_if(choices, pins); pin != choices.end()) {
    numerics = pin->schedule.numerics;
    numerics.fma = target.fma && std::ranges::any_of(choices, [&](const KernelChoice &choice) { // a level without it says nothing of it
                     return pins(choice) && choice.schedule.numerics.fma;
                   });
  }
  for (const KernelChoice &choice : choices)
    if (choice.target == &target && choice.schedule.numerics != numerics)
      throw UserError("'" + to_text(choice.problem) + "' for " + std::string(target.name) + ": its schedule has the numerics half '" +
                      to_text(choice.schedule.numerics) + "', and the kernels of " + function_name(function) + " have '" +
                      to_text(numerics) + "', which a choice among them must not change; tune all problems of this function alike");
  return numerics;
}

/// What a function has a kernel for: a problem, by the default schedule or by a choice.
struct Wanted {
  const Problem *problem;
  const KernelChoice *choice;
  double bits;
  size_t turn; ///< among equally narrow ones
};

/// Every problem once, from the narrowest to the widest; of equal ones, what was chosen.
std::vector<Wanted> narrowest_first(const std::deque<Problem> &problems, const std::deque<KernelChoice> &choices, const Target &target) {
  std::vector<Wanted> wanted;
  const auto add = [&](const Problem &problem, const KernelChoice *choice) {
    wanted.push_back({&problem, choice, breadth(problem), wanted.size()});
  };
  for (const KernelChoice &choice : choices)
    if (choice.target == &target)
      add(choice.problem, &choice);
  for (const Problem &problem : problems)
    add(problem, nullptr);
  std::ranges::sort(wanted, {}, [](const Wanted &w) { return std::pair(w.bits, w.turn); });
  std::set<std::string> texts;
  std::erase_if(wanted, [&](const Wanted &w) { return !texts.insert(to_text(*w.problem)).second; });
  return wanted;
}

/// Those of `all` that `function` serves; `problem_of` says what an element is about.
template <class T> std::vector<const T *> served_by(const Problem &function, std::span<const T> all, auto problem_of) {
  std::vector<const T *> served;
  for (const T &one : all)
    if (serves(function, std::invoke(problem_of, one)))
      served.push_back(&one);
  return served;
}

/// Adds the kernels of one function, target by target.
class FunctionSelector {
public:
  FunctionSelector(Selection &selection, const Problem &function, std::span<const Problem> problems, std::span<const KernelChoice> choices)
      : selection(selection), selected(selection.functions.emplace_back(std::make_unique<FunctionTable>(function))), function(function),
        problems(served_by(function, problems, std::identity())), choices(served_by(function, choices, &KernelChoice::problem)),
        generic(generic_problems(function)) {}

  /// `ruling`: the target whose numerics half the kernels for `target` have.
  void add_target(const Target &target, const Target &ruling) {
    const RunBands rows = run_bands(function, ruling);
    for (const Extent &band : rows.bands)
      add_band(target, ruling, rows, band);
  }

private:
  void add_band(const Target &target, const Target &ruling, const RunBands &rows, const Extent &band) {
    std::deque<Problem> asked;
    std::deque<KernelChoice> chosen;
    for (const Problem *problem : problems)
      if (std::optional<Problem> part = rows.part(*problem, band))
        asked.push_back(std::move(*part));
    for (const KernelChoice *choice : choices)
      if (std::optional<Problem> part = rows.part(choice->problem, band))
        chosen.push_back(*choice), chosen.back().problem = std::move(*part);
    const Numerics numerics = numerics_of(*rows.part(function, band), ruling, chosen);
    std::set<const SweepPlan *> there;
    const auto add = [&](const SweepPlan *plan, nf_origin origin, const KernelChoice *choice = nullptr) {
      if (!there.insert(plan).second)
        return;
      const Schedule schedule = schedule_for(*plan, target, numerics, choice);
      Numerics first = shared.try_emplace({ruling.gpu(), band.lo}, schedule.numerics).first->second;
      first.fma &= target.fma;
      internal_check(schedule.numerics == first); // levels differ in fma alone, and only where one has none
      selected.kernels.push_back({plan, &target, schedule, origin, choice ? choice->device : ""});
    };
    for (const Wanted &wanted : narrowest_first(asked, chosen, target))
      add(plan_of(*wanted.problem), wanted.choice ? NF_TUNED : NF_SPECIALIZED, wanted.choice);
    for (const Problem &problem : generic)
      add(plan_of(*rows.part(problem, band)), NF_GENERIC);
  }

  /// The one plan of a problem.
  const SweepPlan *plan_of(const Problem &problem) {
    const auto [at, added] = plans.try_emplace(to_text(problem));
    if (added)
      at->second = &selection.plans.emplace_back(make_sweep_plan(problem));
    return at->second;
  }

  Selection &selection;
  SelectedFunction &selected;
  const Problem function;
  const std::vector<const Problem *> problems;
  const std::vector<const KernelChoice *> choices;
  const std::vector<Problem> generic;
  std::map<std::string, const SweepPlan *> plans;
  std::map<std::pair<bool, int64_t>, Numerics> shared; ///< by whose half it is and where its band begins
};

} // namespace

Numerics pinned_numerics(const Problem &problem, const Target &target) {
  return backend_for(target).default_schedule(make_sweep_plan(band_of(problem, target)), target).numerics;
}

Selection select_kernels(std::span<const Problem> problems, std::span<const Target *const> targets, std::span<const KernelChoice> choices,
                         bool same_bits) {
  if (problems.empty())
    throw UserError("there is no problem to build a library for; write a line such as 'layer_norm cols=768'");
  std::vector<const Target *> best_first(targets.begin(), targets.end());
  std::ranges::sort(best_first, std::greater(), [](const Target *target) { return target->level; });
  const auto cpu = std::ranges::find_if_not(best_first, &Target::gpu);
  if (same_bits && cpu == best_first.end())
    throw UserError("same bits on GPU and CPU: there is no CPU target whose order the GPU could take; add one such as x86-64-v3");
  Selection selection;
  std::set<std::string> names;
  for (const Problem &function : functions_of(problems)) {
    if (const std::string name = function_name(function); !names.insert(name).second)
      throw UserError("two norms give a function called '" + name + "'; rename one of them");
    FunctionSelector selector(selection, function, problems, choices);
    for (const Target *target : best_first)
      selector.add_target(*target, same_bits && target->gpu() ? **cpu : *target);
  }
  return selection;
}

} // namespace normforge
