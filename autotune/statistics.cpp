#include "autotune/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "dsl/error.h"

namespace normforge {
namespace {

constexpr int kResamples = 1000;
constexpr double kLeastNoise = 0.01; ///< a hundredth: what layout of code and memory alone can make between two builds of one kernel

} // namespace

double median(std::vector<double> values) {
  internal_check(!values.empty());
  const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2)
    return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

LogRatio summarize(std::span<const double> logs) {
  LogRatio ratio;
  ratio.pairs = int(logs.size());
  if (logs.size() < size_t(kLeastPairs)) {
    constexpr double unbounded = std::numeric_limits<double>::infinity();
    return {logs.empty() ? 0 : median({logs.begin(), logs.end()}), -unbounded, unbounded, ratio.pairs};
  }
  std::mt19937_64 random(logs.size());
  std::vector<double> medians, resample(logs.size());
  for (int i = 0; i < kResamples; ++i) {
    for (double &value : resample)
      value = logs[random() % logs.size()];
    medians.push_back(median(resample));
  }
  std::ranges::sort(medians);
  ratio.value = median({logs.begin(), logs.end()});
  ratio.lo = medians[kResamples / 40];
  ratio.hi = medians[kResamples - 1 - kResamples / 40];
  return ratio;
}

double noise_floor(const LogRatio &twin) { return std::max({kLeastNoise, std::fabs(twin.lo), std::fabs(twin.hi)}); }

} // namespace normforge
