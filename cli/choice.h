// The target that a flag names, for the verbs that compile.
#pragma once

#include <string>

#include "codegen/backend.h"

namespace normforge::cli {

/// The target of that name; empty: the best that this machine runs. Throws UserError.
const Target &chosen_target(const std::string &name);

} // namespace normforge::cli
