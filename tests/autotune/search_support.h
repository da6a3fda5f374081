// What the tests of the search share: a backend that changes what the x86 one does, and a search that keeps its files in a directory of its
// own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autotune/pack/packed_problem.h"
#include "autotune/search.h"
#include "codegen/backend.h"
#include "dsl/problem.h"

namespace normforge::testing {

/// The x86 backend with two knobs left of its table, so that a search is short, and a change of its kernels by schedule.
class ChangedBackend final : public Backend {
public:
  using Change = std::function<void(Kernel &, const Schedule &)>;
  explicit ChangedBackend(Change change = {}) : change(std::move(change)) {}

  std::string_view name() const override { return "x86"; }
  std::span<const Knob> knobs() const override { return real().knobs(); }
  Schedule default_schedule(const SweepPlan &plan, const Target &target) const override { return real().default_schedule(plan, target); }
  /// Schedules that change anything but rows or unroll are out of reach.
  std::optional<std::string> inapplicable(const SweepPlan &plan, const Schedule &schedule, const Target &target) const override;
  Kernel compile(const SweepPlan &, const Schedule &, const Target &, const std::string &symbol, StageText *text) const override;

private:
  static const Backend &real() { return backend_for(host_target()); }
  Change change;
};

/// Value of a knob by name.
int64_t knob(const Schedule &, std::string_view name);

/// Puts machine code in place of what a kernel's first step does.
void replace_code(Kernel &, std::string_view machine_code);

/// A problem of a pack: the default schedule and those that change it, to be gated where they are measured.
PackedProblem packed_problem(const std::string &text, const Target &, const std::vector<const char *> &changes);

} // namespace normforge::testing
