#include "bench/harness.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

namespace bench {
namespace {

double seconds(const Candidate &candidate, int64_t calls) {
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < calls; ++i)
    candidate.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Calls that take sample_seconds: grown until a try takes a tenth of that, then extrapolated.
int64_t calls_per_sample(const Candidate &candidate, double sample_seconds) {
  candidate.run();
  int64_t calls = 1;
  double took = seconds(candidate, calls);
  while (took < sample_seconds / 10)
    took = seconds(candidate, calls *= 4);
  return std::max<int64_t>(1, int64_t(std::ceil(sample_seconds / took * double(calls))));
}

} // namespace

std::vector<std::vector<double>> measure(const std::vector<Candidate> &candidates, const MeasureOptions &options) {
  std::vector<int64_t> calls;
  for (const Candidate &candidate : candidates)
    calls.push_back(calls_per_sample(candidate, options.sample_seconds));
  std::vector<size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(options.seed);
  std::vector<std::vector<double>> samples(candidates.size());
  for (int round = 0; round < options.rounds; ++round) {
    std::ranges::shuffle(order, random);
    for (size_t c : order) {
      candidates[c].run();
      samples[c].push_back(seconds(candidates[c], calls[c]) / double(calls[c]));
    }
  }
  return samples;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2)
    return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

Ratio paired_ratio(const std::vector<double> &times, const std::vector<double> &baseline) {
  std::vector<double> logs;
  for (size_t i = 0; i < times.size(); ++i)
    logs.push_back(std::log(times[i] / baseline[i]));
  std::mt19937_64 random(logs.size());
  std::uniform_int_distribution<size_t> any(0, logs.size() - 1);
  std::vector<double> medians, resample(logs.size());
  for (int i = 0; i < 1000; ++i) {
    std::ranges::generate(resample, [&] { return logs[any(random)]; });
    medians.push_back(median(resample));
  }
  std::ranges::sort(medians);
  return {std::exp(median(logs)), std::exp(medians[25]), std::exp(medians[974])};
}

} // namespace bench
