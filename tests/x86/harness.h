// Compiles a problem by the x86 backend, runs it between guard pages and compares with the reference evaluator.
#pragma once

#include <string>
#include <vector>

#include "codegen/backend.h"
#include "codegen/check/kernel_call.h"

namespace normforge::testing {

struct Case {
  std::string problem;          ///< problem text
  std::vector<int64_t> extents; ///< by axis of the norm
  std::string schedule = {};    ///< beside the default
  std::string target = "x86-64-v4";
  Values values = {};
  CallOptions options = {};
};

/// Outputs of a case, bit by bit.
std::string run_bits(const Case &);

/// Worst deviation from the reference over all outputs, in units of what their dtype can hold: |got - expected| / (tolerance · max(1,
/// |expected|)). At most 1 is right. Infinite where one is NaN and the other isn't, or where a ragged tail was written.
double deviation(const Case &);

/// Whether the case's schedule can serve its problem.
bool applies(const Case &);

/// The targets that this machine runs.
std::vector<std::string> runnable_targets();

} // namespace normforge::testing
