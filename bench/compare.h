// One cell of the benchmark: the default schedule, the best of a handful of schedules, the plain and the best hand-written kernel and two
// copies of the same bytes, all side by side.
#pragma once

#include <string>
#include <vector>

#include "bench/generated.h"
#include "bench/harness.h"
#include "bench/workload.h"

namespace bench {

struct Cell {
  std::string norm, element;
  Shape shape;
  int threads;
  double seconds; ///< a call by the default schedule
  std::string default_schedule;
  Ratio plain; ///< default schedule / plain hand-written kernel
  std::string best_schedule, best_hand;
  Ratio best;              ///< best schedule / best hand-written kernel
  Ratio copy, stream_copy; ///< copy / default schedule: 1 is as fast as copying
};

/// Throws std::runtime_error when a result is wrong: only right kernels are timed. The best of either side are chosen on samples of their
/// own, and compared on fresh ones.
Cell compare(const Workload &, const std::vector<Generated> &, int level, int threads, bool quick);

} // namespace bench
