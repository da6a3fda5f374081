// The schedules that a search may try: what a backend's knob tables offer for a problem, less what cannot serve it. Good schedules lie near
// the default, which a cost model chose, so a search starts there and walks from the best that it has found to its neighbours; the whole
// product of the tables is for small spaces and much patience.
#pragma once

#include <vector>

#include "codegen/backend.h"

namespace normforge {

/// Where a search takes place.
struct Space {
  const Backend &backend;
  const Target &target;
  const SweepPlan &plan;
  Schedule start;        ///< the default mapping beside the numerics half that the library pins
  bool numerics = false; ///< whether that half is open, too
};

/// The space of a problem for a target.
Space space_of(const SweepPlan &, const Target &, const Backend &, bool numerics);

/// Schedules that can serve the problem and differ from `center` in one knob, or in more: those that their table pairs, and where one alone
/// cannot serve (a row that is kept in registers leaves room for fewer rows at once; bulk copies want rows that are copied ahead, and those
/// a grid that goes from row to row); in the tables' order. Where the numerics half is open, those that differ in a choice of it,
/// and in a knob's value that it alone makes room for.
std::vector<Schedule> neighbours(const Space &, const Schedule &center);

/// Every schedule of the space that can serve the problem; the start first.
std::vector<Schedule> all_schedules(const Space &);

} // namespace normforge
