// How fast this machine moves bytes, by the cache that they lie in, and how steadily it keeps time: what a person compares a kernel's bytes
// a second with, and by what a small gain must be judged.
#pragma once

#include <string>
#include <vector>

#include "autotune/device.h"
#include "autotune/statistics.h"

namespace normforge {

struct Bandwidth {
  std::string level;       ///< "L1", "L2", "L3", "memory"
  int64_t bytes = 0;       ///< that were copied over and over: source and destination
  double bytes_per_second; ///< read and written, by one thread
};

/// A copy at half the size of each cache, and far past the last. A last cache that is larger than what one core can count on is measured at
/// kMostRotation (workload.h) at most.
std::vector<Bandwidth> measure_bandwidth(const Device &);

/// One piece of work timed against itself: what equal kernels differ by here and now.
double measure_noise_floor();

} // namespace normforge
