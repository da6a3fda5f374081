#include "autotune/bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>

#include "autotune/workload.h"

namespace normforge {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kSampleSeconds = 2e-3;
constexpr int kSamples = 15;

/// Copies within one block: its lower half to its upper one.
class Copy {
public:
  explicit Copy(int64_t bytes) : half(size_t(bytes / 2)), block(new char[2 * half]) {
    std::memset(block.get(), 1, 2 * half);
    while ((seconds = run(calls)) < kSampleSeconds)
      calls *= 2;
  }
  /// Seconds of one sample.
  double sample() { return run(calls); }
  double bytes_per_second(double sample_seconds) const { return 2.0 * double(half) * double(calls) / sample_seconds; }

private:
  size_t half;
  std::unique_ptr<char[]> block;
  int64_t calls = 1;
  double seconds = 0;

  double run(int64_t count) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(block.get() + half, block.get(), half);
      asm volatile("" ::: "memory"); // each copy counts
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
};

} // namespace

std::vector<Bandwidth> measure_bandwidth(const Device &device) {
  std::vector<Bandwidth> list;
  for (size_t i = 0; i < device.cache.size(); ++i)
    list.push_back({"L" + std::to_string(i + 1), std::min(device.cache[i] / 2, kMostRotation / 8), 0});
  list.push_back({"memory", kMostRotation, 0});
  for (Bandwidth &each : list) {
    Copy copy(each.bytes);
    std::vector<double> samples;
    for (int i = 0; i < kSamples; ++i)
      samples.push_back(copy.sample());
    each.bytes_per_second = copy.bytes_per_second(median(std::move(samples)));
  }
  return list;
}

double measure_noise_floor() {
  Copy copy(16 << 10);
  std::vector<double> logs;
  for (int i = 0; i < kSamples; ++i) {
    const double first = copy.sample();
    logs.push_back(std::log(copy.sample() / first));
  }
  return noise_floor(summarize(logs));
}

} // namespace normforge
