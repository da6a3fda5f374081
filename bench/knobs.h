// What each knob of the x86 backend is good for: a problem on which one of its values wins, beside the value that serves elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/harness.h"

namespace bench {

struct KnobWin {
  std::string_view knob;
  std::string_view problem; ///< of fixed extents
  std::string_view target;
  int threads;
  std::string_view wins, loses; ///< schedules; what both leave out is the default's
};
std::vector<KnobWin> knob_wins();

struct KnobResult {
  KnobWin win;
  Ratio ratio; ///< time by the winning schedule over time by the other, side by side: below 1 where the knob does what it is for
};

/// Throws UserError for a schedule that cannot serve the problem.
KnobResult measure(const KnobWin &, bool quick);

} // namespace bench
