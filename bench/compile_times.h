// How long a kernel takes to compile, for one level: every norm of the catalogue with all its extents open, and the shapes of the
// benchmark.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/workload.h"
#include "codegen/target.h"

namespace bench {

struct CompileTimes {
  std::string target;
  size_t kernels;
  double median, max;  ///< processor seconds of the compiling thread
  std::string slowest; ///< its problem
};

CompileTimes compile_times(const normforge::Target &);

} // namespace bench
