// How far a kernel's result may lie from the reference: what section "Numerics promised" of the documentation states, as numbers.
#pragma once

#include <limits>

#include "dsl/problem.h"

namespace normforge {

/// Half a unit in the last place of the output, plus the compute dtype's error (2e-6 · max(1, |y|) for f32). Where statistics are taken of
/// values as stored in a narrow dtype, an f32 error can move a stored value by one unit, so that unit is allowed.
struct Tolerance {
  double scaled;   ///< times max(1, |want|)
  double relative; ///< times |want|
  double absolute;
  double largest = std::numeric_limits<double>::infinity(); ///< what lies beyond it is stored as it

  /// How far `got` lies from the f64 result `want`, in units of what is allowed: at most 1 is right; infinity where one is NaN or infinite
  /// and the other is not.
  double deviation(double got, double want) const;
  bool accepts(double got, double want) const { return deviation(got, want) <= 1; }
};
Tolerance tolerance(const Problem &, DType output);

} // namespace normforge
