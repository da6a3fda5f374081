// What the values of a call must satisfy, whoever runs it: a scalar's domain, and the norm's `require` lines.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dsl/program.h"

namespace normforge {

/// The value of every scalar: the one given by name, else its default. Throws UserError on a name that is no scalar and on a value outside
/// its domain.
std::vector<double> scalar_values(const Program &program, const std::map<std::string, double> &given);

/// Throws UserError, naming the condition and what was found, when a requirement does not hold. `extents` by axis, `scalars` by scalar.
void check_requirements(const Program &program, const std::vector<int64_t> &extents, const std::vector<double> &scalars);

} // namespace normforge
