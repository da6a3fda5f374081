// The target and the schedule that flags name, for the verbs that compile.
#pragma once

#include <string>

#include "codegen/backend.h"

namespace normforge::cli {

/// The target of that name; empty: the best that this machine runs. Throws UserError.
const Target &chosen_target(const std::string &name);

/// The default schedule of `plan` with the choices in `text` in place of its own. Throws UserError when it is no schedule or cannot apply.
Schedule chosen_schedule(const SweepPlan &plan, const Target &target, const std::string &text);

} // namespace normforge::cli
