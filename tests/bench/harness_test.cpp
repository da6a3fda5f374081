// The statistics on samples whose answer is known, and a measurement of candidates that differ by more than any noise.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "bench/harness.h"

namespace {

using namespace bench;

TEST(Harness, Median) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({5, 1, 3}), 3);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

TEST(Harness, RatioSeesThroughWhatSlowsBothSides) {
  std::mt19937 random(3);
  std::lognormal_distribution<double> disturbance(0, 1), noise(0, 0.01);
  std::vector<double> a, b;
  for (int round = 0; round < 41; ++round) {
    const double slow = disturbance(random);
    a.push_back(1.1 * slow * noise(random));
    b.push_back(slow * noise(random));
  }
  const Ratio ratio = paired_ratio(a, b);
  EXPECT_NEAR(ratio.value, 1.1, 0.01);
  EXPECT_LE(ratio.lo, ratio.value);
  EXPECT_GE(ratio.hi, ratio.value);
  EXPECT_LT(ratio.hi / ratio.lo, 1.02);
}

// Of 200 experiments without a difference, some 10 are left out of their 95 % intervals.
TEST(Harness, IntervalHoldsTheTruthAsOftenAsItSays) {
  std::mt19937 random(5);
  std::lognormal_distribution<double> noise(0, 0.1);
  int outside = 0;
  for (int experiment = 0; experiment < 200; ++experiment) {
    std::vector<double> a(21), b(21);
    for (int i = 0; i < 21; ++i)
      a[size_t(i)] = noise(random), b[size_t(i)] = noise(random);
    const Ratio ratio = paired_ratio(a, b);
    outside += ratio.lo > 1 || ratio.hi < 1;
  }
  EXPECT_GE(outside, 1);
  EXPECT_LE(outside, 26);
}

TEST(Harness, MeasuresMoreWorkAsSlower) {
  std::vector<double> values(4096, 1.5);
  volatile double sink;
  const auto work = [&](int times) {
    return [&, times] {
      double total = 0;
      for (int i = 0; i < times; ++i)
        for (double &v : values)
          total += std::sqrt(v += 1e-9);
      sink = total;
    };
  };
  const auto samples = measure({{"once", work(1)}, {"sixteen times", work(16)}}, {.rounds = 9});
  ASSERT_EQ(samples.size(), 2u);
  ASSERT_EQ(samples[0].size(), 9u);
  EXPECT_GT(paired_ratio(samples[1], samples[0]).value, 2);
}

} // namespace
