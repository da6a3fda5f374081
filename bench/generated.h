// A workload's kernels as normforge generates them, called in this process.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/workload.h"
#include "codegen/schedule.h"
#include "codegen/sweep_plan.h"
#include "codegen/target.h"

namespace bench {

/// "layer_norm rows=512 cols=768 x=f32 outputs=y".
std::string problem_text(hand::Norm, hand::Element, Shape);

struct Generated {
  std::string schedule;
  std::function<void(int threads)> run;
};

/// The workload by one schedule; `plan` is of a problem that its shape lies within. The workload must outlive it.
Generated generate(const Workload &, const normforge::SweepPlan &plan, const normforge::Schedule &, const normforge::Target &);

/// The workload by the default schedule first, then by a handful of others that apply: what a person would try. The workload must outlive
/// them.
std::vector<Generated> generate(const Workload &, const normforge::Target &);

} // namespace bench
