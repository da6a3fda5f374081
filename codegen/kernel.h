// A compiled kernel: object code with the facts that the runtime needs to call it and a person needs to understand it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/abi.h"

namespace normforge {

struct Step {
  std::string symbol;
  nf_count items;     ///< how many independent work items it has
  int64_t item_bytes; ///< bytes that one item moves, at the smallest extents of the problem; 0: unknown (all ranges open)
};

struct Kernel {
  std::string object;                    ///< a relocatable object file
  std::string problem, schedule, target; ///< canonical texts
  std::vector<Step> steps;               ///< run in order, each when the one before has ended
  std::vector<nf_buffer> workspace;      ///< buffers that the steps share
  int64_t grain_bytes = 0;               ///< least work for one thread
  uint64_t code_hash = 0;                ///< of the object's machine code
};

} // namespace normforge
