// Ratios of disturbed timings: intervals hold what they should, and noise is no difference.
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "autotune/statistics.h"

namespace normforge::testing {
namespace {

/// Log-ratios of two kernels whose times differ by `log_ratio`, with bursts in which other work slows either.
std::vector<double> disturbed(double log_ratio, int pairs, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> jitter(0, 0.02);
  std::vector<double> logs;
  for (int i = 0; i < pairs; ++i) {
    const auto time = [&] { return jitter(random) + (random() % 10 == 0 ? 0.7 : 0); };
    logs.push_back(log_ratio + time() - time());
  }
  return logs;
}

TEST(Median, OfOddAndEvenCounts) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({5, 1, 3}), 3);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

TEST(Summary, HoldsTheTruthAsOftenAsItSays) {
  int held = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const LogRatio ratio = summarize(disturbed(-0.2, 15, seed));
    held += ratio.lo <= -0.2 && -0.2 <= ratio.hi;
    EXPECT_LE(ratio.lo, ratio.value);
    EXPECT_LE(ratio.value, ratio.hi);
    EXPECT_EQ(ratio.pairs, 15);
  }
  EXPECT_GE(held, 400 * 0.92);
}

TEST(Summary, IsTheSameForTheSameSamples) {
  const std::vector<double> logs = disturbed(0.1, 15, 1);
  EXPECT_EQ(summarize(logs).lo, summarize(logs).lo);
  EXPECT_EQ(summarize(logs).hi, summarize(logs).hi);
}

TEST(Summary, AFewPairsProveNothing) {
  const LogRatio ratio = summarize(std::vector<double>{-1, -1, -1, -1});
  EXPECT_EQ(ratio.value, -1);
  EXPECT_EQ(ratio.hi, INFINITY);
  EXPECT_EQ(summarize({}).pairs, 0);
}

TEST(NoiseFloor, CoversTheIntervalOfEqualKernels) {
  EXPECT_EQ(noise_floor({0, -0.03, 0.02, 15}), 0.03);
  EXPECT_EQ(noise_floor({0, -0.03, 0.05, 15}), 0.05);
  EXPECT_EQ(noise_floor({0, 0, 0, 15}), 0.01);
}

} // namespace
} // namespace normforge::testing
