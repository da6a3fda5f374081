// What timings on a disturbed machine can say. Two kernels are compared by the logarithms of the ratios of samples that were taken side by
// side, so that what slows a round slows both; medians, so that a burst of other work does not count; and an interval from resampling the
// rounds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace normforge {

/// Throws InternalError for no values.
double median(std::vector<double> values);

/// A logarithm of a ratio of times, and the interval that holds it with 95 % confidence. Below 0 is faster.
struct LogRatio {
  double value = 0, lo = 0, hi = 0;
  int pairs = 0;
};

/// Median and percentile bootstrap interval (Efron, 1979) of log-ratios, one for each pair of samples; the same for the same input. With
/// fewer than kLeastPairs pairs the interval is unbounded: so few can agree by chance.
LogRatio summarize(std::span<const double> logs);
inline constexpr int kLeastPairs = 5;

/// How far from 0 the ratio of two equal kernels was found: what a difference must exceed. `twin` compares the default with itself, over
/// the same rounds as the candidates.
double noise_floor(const LogRatio &twin);

} // namespace normforge
