// A problem compiled into this process and called as an application would call it: the same tables, the same nf_call, the same checks. What
// `normforge run` does, and what a measurement repeats.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "codegen/backend.h"

namespace normforge {

class CompiledCall {
public:
  /// Compiles and loads. Throws UserError when `schedule` does not apply or this machine cannot run `target`.
  CompiledCall(const SweepPlan &plan, const Schedule &schedule, const Target &target)
      : CompiledCall(plan.problem, target, backend_for(target).compile(plan, schedule, target, plan.program().name)) {}
  /// Loads what was compiled from `problem` for `target`.
  CompiledCall(const Problem &problem, const Target &target, const Kernel &kernel);
  ~CompiledCall();
  CompiledCall(CompiledCall &&) noexcept;
  CompiledCall &operator=(CompiledCall &&) noexcept;

  /// What the next calls work on: extents by axis, dense tensors in memory order by tensor (null: absent or unwanted; otherwise alive as
  /// long as calls are made), scalars by scalar.
  void bind(const std::vector<int64_t> &extents, const std::vector<void *> &tensors, const std::vector<double> &scalars);

  /// Other tensors for the next calls, at the extents and with the scalars that are bound.
  void rebind(const std::vector<void *> &tensors);

  /// Runs on at most `threads` threads; 0: one per CPU. Throws UserError with the reason when the runtime refuses the call.
  void run(int threads) const;

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace normforge
