// The reference evaluator: a program run in double, one node at a time over whole arrays, with no rewrite and no order of its own that a
// kernel could share. Slow and plain on purpose. Sums are compensated (Neumaier, 1974). When an input is f64 it runs in quadruple
// precision, so that it is always better than what it judges.
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

/// Inputs of an evaluation: tensors by name, their values as they are after rounding to their dtype (optional ones may be left out, and
/// those that the problem has as none are not read); scalars by name (left out: the default).
struct ReferenceInputs {
  std::map<std::string, ReferenceArray> tensors;
  std::map<std::string, double> scalars;
};

/// Evaluates `problem.norm` on `inputs`; `extents` by axis. The result holds every output and inout by name, unrounded except where
/// `stored` rounds, or where the output's dtype is an integer. What ragged lengths leave unwritten is NaN. Throws UserError when an input
/// is missing or has other extents, a scalar is outside its domain, or a requirement does not hold.
std::map<std::string, ReferenceArray> evaluate(const Problem &problem, const std::vector<int64_t> &extents, const ReferenceInputs &inputs);

/// The same for any program, specialised ones among them: `dtypes` by tensor, arrays over the axes of the program's tensors.
std::map<std::string, ReferenceArray> evaluate(const Program &program, const std::vector<std::optional<DType>> &dtypes,
                                               const std::vector<int64_t> &extents, const ReferenceInputs &inputs);

} // namespace normforge
