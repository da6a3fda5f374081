// Which kernels a library holds. For each function, level and band of the length of rows (run_bands.h): one for every problem that was
// asked for, and the generic ones, with all extents open, for every combination of optional inputs that may be there and outputs that
// kernels write at every point, so that every legal call has a kernel.
//
// A choice, of a schedule that was found by measuring, makes a kernel of its own for the problem that it holds for, in front of wider ones.
//
// All kernels of a function and band that run on one level share one numerics half, and the levels share it but for `fma` where a level has
// none. So which kernel serves a call never changes a bit. GPUs have a numerics half of their own, unless the CPU's is asked for.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "codegen/backend.h"
#include "codegen/package/function.h"

namespace normforge {

/// A schedule to use for a problem on a target.
struct KernelChoice {
  Problem problem;
  const Target *target;
  Schedule schedule;
  bool pins_numerics = false; ///< its numerics half is that of the function's kernels, in place of the default one
  std::string device;         ///< that it was measured on, for the manifest
};

struct SelectedKernel {
  const SweepPlan *plan;
  const Target *target;
  Schedule schedule;
  nf_origin origin;
  std::string device; ///< NF_TUNED: as the choice has it
};

struct SelectedFunction {
  std::unique_ptr<FunctionTable> table; ///< without its kernels
  std::vector<SelectedKernel> kernels;  ///< best first: GPUs', by level, band by band from the narrowest problem to the generic ones
};

struct Selection {
  std::vector<SelectedFunction> functions;
  std::deque<SweepPlan> plans;
};

/// The numerics half that all kernels of the function serving `problem` share on `target`, for rows in the band of `problem`'s, so that
/// which one serves a call never changes a bit: what the default schedule has for the plan with all that the function may be given.
Numerics pinned_numerics(const Problem &problem, const Target &target);

/// `choices` of a target that is not among `targets`, or that no function of `problems` serves, are left out; of two for one problem and
/// target the first counts. Throws UserError when there is no problem, when two functions would have one name, when a norm has too many
/// combinations, or when a choice has another numerics half than its function. `same_bits`: kernels of GPUs have the numerics half of the
/// best CPU target; there must be one.
Selection select_kernels(std::span<const Problem> problems, std::span<const Target *const> targets,
                         std::span<const KernelChoice> choices = {}, bool same_bits = false);

} // namespace normforge
