// The reference evaluator: a program run in double, one node at a time over whole arrays, with no rewrite and no order of its own that a
// kernel could share. Slow and plain on purpose. Sums are compensated (Neumaier) and centred values come out right to the last bits of f64.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dsl/problem.h"

namespace normforge {

/// A dense array in double, over a tensor's axes in declared order.
struct ReferenceArray {
  std::vector<int64_t> extents;
  std::vector<double> values;
};

/// Inputs of an evaluation by tensor name (absent optional inputs left out; values as they were after rounding to their dtype) and scalars by
/// name (left out: the default).
struct ReferenceInputs {
  std::map<std::string, ReferenceArray> tensors;
  std::map<std::string, double> scalars;
};

/// Evaluates `problem.norm` on `inputs`. `extents` by axis. The result holds every output and inout by name, unrounded except where
/// `stored` rounds, or where the output's dtype is an integer. What ragged lengths leave unwritten is NaN. Sums in long double when an
/// input is f64. Throws UserError when a scalar is outside its domain or a requirement does not hold.
std::map<std::string, ReferenceArray> evaluate(const Problem &problem, const std::vector<int64_t> &extents, const ReferenceInputs &inputs);

} // namespace normforge
