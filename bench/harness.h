// Timing of candidates side by side on a machine that other work disturbs. In each round every candidate gives one sample, in a new random
// order; what is compared is the logarithm of the ratio of two samples of the same round, so that what slows a round slows both sides. An
// interval comes from resampling the rounds. (Google Benchmark runs one candidate after the other and compares means: minutes of drift
// between the two sides of a ratio.)
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

struct Candidate {
  std::string name;
  std::function<void()> run;
};

struct MeasureOptions {
  int rounds = 15;
  double sample_seconds = 1e-3; ///< at least; a sample is as many calls as that takes
  uint64_t seed = 1;
};

/// Seconds a call: by candidate, by round. Each sample follows an untimed call, so that no candidate finds the caches as another left them.
std::vector<std::vector<double>> measure(const std::vector<Candidate> &, const MeasureOptions &);

double median(std::vector<double> values);

/// A ratio of times: the median over rounds, and the interval that holds it with 95 % confidence (percentile bootstrap).
struct Ratio {
  double value, lo, hi;
};
Ratio paired_ratio(const std::vector<double> &times, const std::vector<double> &baseline);

} // namespace bench
