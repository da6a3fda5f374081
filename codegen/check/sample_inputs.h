// Made-up inputs that a norm makes sense of: by the role of each tensor, from a seed.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "dsl/problem.h"
#include "dsl/reference.h"

namespace normforge {

/// Inputs by their role: x-like tensors N(mean, 1), parameters near 1, variances positive, lengths from 0 past the extent.
struct Values {
  uint64_t seed = 1;
  double mean = 0;
};

/// Whether a call of the problem has that tensor: a wanted output, or an input that is not absent.
bool present(const Problem &, int tensor);

/// A seeded stream of random numbers.
struct Random {
  explicit Random(uint64_t seed) : bits(seed) {}
  std::mt19937_64 bits;
  std::normal_distribution<double> normal_numbers;
  double normal() { return normal_numbers(bits); }
};

/// Values for the elements of one input, one after the other, each rounded to its dtype.
class SampleValues {
public:
  SampleValues(const Problem &, int tensor, const std::vector<int64_t> &extents, const Values &);
  double next(Random &random);

private:
  enum Kind { plain, length, count, variance, parameter } kind = plain;
  DType dtype;
  double mean;
  int64_t bounded = 0; // of a length tensor: the extent that it bounds
};

/// Inputs for a problem at the given extents (by axis), rounded to their dtypes.
ReferenceInputs make_inputs(const Problem &, const std::vector<int64_t> &extents, const Values &);

} // namespace normforge
