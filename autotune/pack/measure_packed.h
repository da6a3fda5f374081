// What a pack's runner does with a problem of it: gates what was not gated where the pack was made, then measures what its database does
// not have yet, or says what it chooses.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autotune/choose.h"
#include "autotune/machine.h"
#include "autotune/pack/packed_problem.h"
#include "autotune/pack/trials.h"

namespace normforge {

/// Throws UserError when the machine cannot run what the pack holds: kernels for another kind of device, or for a level that it lacks.
void check_runs_on(const Machine &, const PackedProblem &);

/// How a problem ended.
struct PackedResult {
  int timed = 0, rejected = 0; ///< candidates
  bool known = false;          ///< there was nothing left to do
};

/// Appends Records to `database` as they come. Throws UserError: see check_runs_on(), and a database that cannot be written.
PackedResult measure_packed(const Machine &, const PackedProblem &, const std::string &database, const Trials::Tell &tell);

/// What Records choose: a schedule for each band of the problem's range; none where not all of it was measured on such a device, or its
/// default was rejected there, which others are compared with.
std::vector<Band> choices(const Machine &, const PackedProblem &, Database &known);

} // namespace normforge
