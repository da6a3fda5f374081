// Schedules that a test tries of those that a search can reach. Most products of the knob tables serve no problem: copies ahead want a
// grid that goes from row to row, a cluster rows of its own. So a draw begins with one value, beside values of the knobs that it goes with.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "codegen/backend.h"

namespace normforge::testing {

/// `count` schedules with the numerics of the default or the other algorithm, drawn by seed from the knob table, each applicable; the
/// default first, and second (though `count` be 1) its mapping with the other algorithm.
std::vector<Schedule> sample_schedules(const Backend &, const SweepPlan &, const Target &, int count, uint64_t seed);

using Choice = std::pair<size_t, int64_t>; ///< a row of the knob table, and a value

/// Which choices, or which pairs of choices, stand in some schedule of those taken, over any number of problems.
class Coverage {
public:
  /// `width`: 1: single choices, 2: pairs.
  Coverage(const Backend &backend, int width) : backend(backend), width(width) {}

  void take(const Schedule &);

  /// Draws and takes at most so many schedules for a problem, each with something that none before it had.
  std::vector<Schedule> draw(const SweepPlan &, const Target &, size_t most, uint64_t seed);

  /// What the table has and no schedule had.
  std::vector<std::vector<Choice>> missing() const;

private:
  std::vector<std::vector<Choice>> combinations(const std::vector<Choice> &) const;
  std::vector<std::vector<Choice>> fresh(const Schedule &) const;

  const Backend &backend;
  const int width;
  std::set<std::vector<Choice>> taken;
  std::map<std::vector<Choice>, int> in_vain; ///< how many problems no draw served
};

} // namespace normforge::testing
