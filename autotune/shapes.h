// At which extents a problem is measured. A problem with open extents is a promise for many shapes; a few stand for all. Along the
// outermost axis that is kept and open they form a geometric ladder, since that is what the best mapping depends on; every other open axis
// gets one ordinary extent.
#pragma once

#include <vector>

#include "dsl/problem.h"

namespace normforge {

/// Axes over which nothing is reduced (bits by axis of the norm): a schedule may depend on their extents, the numerics may not.
AxisSet kept_axes(const Program &);

/// The axis along which shapes of the problem form a ladder; -1 when every kept axis has a fixed extent.
int ladder_axis(const Problem &);

/// The problem at fixed extents, one for each step of the ladder, smallest first.
std::vector<Problem> measured_shapes(const Problem &);

/// The extents (by axis) of a problem whose extents are fixed.
std::vector<int64_t> fixed_extents(const Problem &);

/// Bytes of all tensors of a call at fixed extents.
int64_t tensor_bytes(const Problem &shape);

} // namespace normforge
