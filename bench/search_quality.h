// How good the search is, on spaces small enough to measure whole: how far from the best it ends and how soon, whether another seed ends
// elsewhere, and whether it sees differences where there are none.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autotune/statistics.h"
#include "codegen/target.h"

namespace bench {

/// Problems of fixed extents, in and out of each cache.
std::span<const std::string_view> search_problems();

/// A moment of a search: how far the best that it knew was behind the best there is, as a ratio of times.
struct Moment {
  double seconds, behind;
};

/// One way to search, by its outcome.
struct Found {
  std::string schedule;
  double seconds = 0;          ///< that the search took
  normforge::LogRatio behind;  ///< cost of the schedule over that of the best, on fresh samples (autotune/choose.h)
  std::vector<Moment> moments; ///< in order
};

struct SearchCell {
  std::string_view problem;
  size_t schedules = 0; ///< of the whole space
  std::string best;
  double gain = 1;  ///< of the best over the default
  double noise = 0; ///< floor of the fresh samples, as a log-ratio
  Found quick, other_seed, patient;
  normforge::LogRatio between_seeds;
};

/// Measures the whole space of a problem, then lets searches loose on it. `patient_seconds` and `quick_seconds` are their budgets.
SearchCell search_quality(std::string_view problem, const normforge::Target &, double quick_seconds, double patient_seconds);

/// Of `runs` comparisons of a kernel with itself, as a search would confirm it, how many declare a winner.
int false_winners(const normforge::Target &, int runs);

} // namespace bench
