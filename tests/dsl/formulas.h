// What tests of the reference evaluator write formulas with: rows in long double, and calls on made-up data.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "dsl/reference.h"

namespace normforge {

using Real = long double;
using Row = std::vector<Real>;

inline ReferenceArray random(std::vector<int64_t> extents, uint64_t seed, double mean = 0, DType dtype = DType::f32) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal(mean, 1);
  ReferenceArray array{extents, {}};
  int64_t elements = 1;
  for (int64_t extent : extents)
    elements *= extent;
  for (int64_t i = 0; i < elements; ++i)
    array.values.push_back(round_to(dtype, normal(generator)));
  return array;
}

inline Real mean_of(const Row &v) {
  Real sum = 0;
  for (Real e : v)
    sum += e;
  return sum / Real(v.size());
}
inline Real squares_of(const Row &v, Real centre) {
  Real sum = 0;
  for (Real e : v)
    sum += (e - centre) * (e - centre);
  return sum;
}
inline Real variance_of(const Row &v) { return squares_of(v, mean_of(v)) / Real(v.size()); }
inline Real largest_of(const Row &v) { return *std::ranges::max_element(v); }

inline std::map<std::string, ReferenceArray> run(const std::string &problem, std::vector<int64_t> extents,
                                                 std::map<std::string, ReferenceArray> tensors,
                                                 std::map<std::string, double> scalars = {}) {
  return evaluate(parse_problem(problem), extents, {std::move(tensors), std::move(scalars)});
}

inline void expect_near(double got, Real expected, const std::string &what, Real tolerance = 1e-12L) {
  if (std::isnan(expected))
    EXPECT_TRUE(std::isnan(got)) << what;
  else
    EXPECT_NEAR(got, double(expected), double(tolerance * std::max<Real>(1, std::fabs(expected)))) << what;
}

} // namespace normforge
