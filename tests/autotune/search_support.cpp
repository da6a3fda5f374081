#include "tests/autotune/search_support.h"

#include "autotune/gate.h"
#include "codegen/hash.h"
#include "dsl/error.h"

namespace normforge::testing {

std::optional<std::string> ChangedBackend::inapplicable(const SweepPlan &plan, const Schedule &schedule, const Target &target) const {
  const Schedule base = default_schedule(plan, target);
  for (size_t i = 0; i < knobs().size(); ++i)
    if (knobs()[i].name != "rows" && knobs()[i].name != "unroll" && schedule.mapping.values[i] != base.mapping.values[i])
      return std::string("schedule: ") + std::string(knobs()[i].name) + ": not in this test";
  return real().inapplicable(plan, schedule, target);
}

Kernel ChangedBackend::compile(const SweepPlan &plan, const Schedule &schedule, const Target &target, const std::string &symbol,
                               StageText *text) const {
  Kernel kernel = real().compile(plan, schedule, target, symbol, text);
  if (change)
    change(kernel, schedule);
  return kernel;
}

int64_t knob(const Schedule &schedule, std::string_view name) {
  const std::span<const Knob> knobs = backend_for(host_target()).knobs();
  for (size_t i = 0; i < knobs.size(); ++i)
    if (knobs[i].name == name)
      return schedule.mapping.values[i];
  throw InternalError("no knob " + std::string(name));
}

void replace_code(Kernel &kernel, std::string_view machine_code) {
  const auto entry = size_t(kernel.steps.front().entry);
  internal_check(kernel.image.size() >= entry + machine_code.size());
  kernel.image.replace(entry, machine_code.size(), machine_code);
  kernel.code_hash = hash_of(kernel.image);
}

PackedProblem packed_problem(const std::string &text, const Target &target, const std::vector<const char *> &changes) {
  PackedProblem packed{parse_problem(text)};
  packed.target = target.name;
  packed.backend = target.backend;
  packed.compiler = "a compiler";
  packed.search_rounds = packed.confirm_rounds = 5;
  packed.seconds = 0.1;
  const Problem small = gate_problem(packed.problem);
  const SweepPlan plan = make_sweep_plan(packed.problem), small_plan = make_sweep_plan(small);
  const Backend &backend = backend_for(target);
  const Schedule base = backend.default_schedule(plan, target);
  const auto compile = [&](const SweepPlan &of, const Schedule &schedule) {
    Kernel kernel = backend.compile(of, schedule, target, "kernel");
    if (!target.gpu())
      kernel.object.clear();
    return kernel;
  };
  const auto add = [&](const Schedule &schedule) {
    PackedCandidate &candidate = packed.candidates.emplace_back();
    candidate.kernel = compile(plan, schedule);
    if (!(small == packed.problem))
      candidate.gate = compile(small_plan, schedule);
  };
  add(base);
  for (const char *change : changes)
    add(parse_schedule(change, backend.knobs(), base));
  return packed;
}

} // namespace normforge::testing
