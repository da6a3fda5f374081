// The gate: what a kernel must pass before it may be timed, since a wrong kernel is never a fast kernel. Its results are compared with the
// reference evaluator on odd tails, large offsets, misaligned rows, non-finite values and work cut in pieces, between guard pages; and bit
// for bit with the default schedule of the same numerics half, which is the stronger check.
#pragma once

#include <span>

#include "autotune/contain.h"
#include "autotune/machine.h"
#include "codegen/kernel.h"
#include "dsl/problem.h"

namespace normforge {

struct Verdict {
  std::string rejected; ///< empty: passed; else "gate: …", "crash: …", "hang: …"
  double deviation = 0; ///< worst deviation from the reference, in units of what is allowed
};

/// The problem whose kernels are tried: `problem`, with its kept axes open where the reference evaluator would take too long at its own
/// extents.
Problem gate_problem(const Problem &problem);

/// A kernel to try, and whether it has the numerics half of the first one.
struct Entrant {
  const Kernel *kernel;
  bool same_bits = true;
};

/// Verdicts in the entrants' order, about kernels compiled from `problem`. The first is the default, which others are compared with; when
/// it crashes, all are rejected. Kernels run in a child process; one that takes more than `limit_seconds` is rejected. Verdicts come short
/// when stop() says so.
std::vector<Verdict> pass_gate(const Problem &problem, std::span<const Entrant> entrants, double limit_seconds,
                               const std::function<bool()> &stop, const Machine &machine = this_cpu());

} // namespace normforge
