// The target that a flag names, for the verbs that compile, and whether a problem has one kernel there.
#pragma once

#include <string>

#include "codegen/backend.h"
#include "dsl/problem.h"

namespace normforge::cli {

/// The target of that name; empty: the best that this machine runs. Throws UserError.
const Target &chosen_target(const std::string &name);

/// Throws UserError where the target has several bands of row lengths (codegen/package/run_bands.h) for the problem, naming the parts to
/// choose among; `each`: what each of them has or was.
void check_is_one_part(const Problem &, const Target &, const std::string &each);

} // namespace normforge::cli
