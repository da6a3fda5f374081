#include "autotune/superseded.h"

#include <deque>

#include "autotune/choose.h"
#include "codegen/hash.h"
#include "codegen/package/compile.h"
#include "codegen/package/run_bands.h"
#include "codegen/toolchain.h"
#include "dsl/error.h"

namespace normforge {
namespace {

RecordKey without_code(RecordKey key) {
  key.code.clear();
  return key;
}

/// A Record's schedule as it compiles for `plan`, or nothing where it no longer can.
std::optional<SelectedKernel> kernel_of(const RecordKey &key, const SweepPlan &plan) {
  try {
    const Target &target = find_target(key.target);
    const Backend &backend = backend_for(target);
    Schedule schedule = parse_schedule(key.schedule, backend.knobs(), backend.default_schedule(plan, target));
    if (!backend.inapplicable(plan, schedule, target))
      return SelectedKernel{&plan, &target, std::move(schedule), NF_TUNED};
  } catch (const UserError &) {
  }
  return std::nullopt;
}

} // namespace

std::optional<Problem> known_problem(const RecordKey &key, const std::string &directory) {
  try {
    Problem problem = parse_problem(key.problem, "database", directory);
    return hash_text(problem.norm->hash) == key.norm ? std::optional(std::move(problem)) : std::nullopt;
  } catch (const UserError &) {
    return std::nullopt;
  }
}

EmittedCode emitted_code(const Database &database, std::span<const Problem> problems, const std::string &directory,
                         const KernelCache &cache, int jobs) {
  std::map<std::pair<std::string, std::string>, std::optional<Problem>> known; // by norm and problem
  std::deque<SweepPlan> plans;
  std::deque<SelectedKernel> kernels;
  std::vector<const RecordKey *> keys; // by kernel
  EmittedCode codes;
  std::vector<std::pair<const Target *, Problem>> measured;
  for (const Target &target : targets())
    for (Problem &part : in_bands({problems.begin(), problems.end()}, target))
      measured.emplace_back(&target, std::move(part));
  for (const auto &[target, problem] : measured) {
    const SweepPlan &plan = plans.emplace_back(make_sweep_plan(problem));
    for (const auto &[key, record] : database.records()) {
      if (key.compiler != toolchain() || key.target != target->name)
        continue;
      const auto [at, added] = known.try_emplace({key.norm, key.problem});
      if (added)
        at->second = known_problem(key, directory);
      if (!at->second || !lies_within(*at->second, problem))
        continue;
      codes[without_code(key)];
      if (auto kernel = kernel_of(key, plan)) {
        kernels.push_back(std::move(*kernel));
        keys.push_back(&key);
      }
    }
  }
  std::vector<const SelectedKernel *> selected;
  for (const SelectedKernel &kernel : kernels)
    selected.push_back(&kernel);
  const std::vector<Kernel> compiled = compile_kernels(selected, cache, jobs, nullptr);
  for (size_t i = 0; i < compiled.size(); ++i)
    codes[without_code(*keys[i])].insert(hash_text(compiled[i].code_hash));
  return codes;
}

std::string superseded(const RecordKey &key, const EmittedCode &codes, const std::string &directory) {
  if (key.compiler != toolchain())
    return "by another compiler, " + key.compiler;
  if (!known_problem(key, directory))
    return "of a norm that is not there or has another text now";
  const auto found = codes.find(without_code(key));
  if (found != codes.end() && !key.code.empty() && !found->second.contains(key.code))
    return "of code that is no longer emitted";
  return "";
}

} // namespace normforge
