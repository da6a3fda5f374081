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
  int64_t entry = 0;  ///< where it starts, in Kernel::image
};

struct Kernel {
  std::string object;                    ///< a relocatable object file: what goes into a library
  std::string image;                     ///< the same machine code ready to run wherever it is copied to (codegen/image.h)
  std::string problem, schedule, target; ///< canonical texts
  std::vector<Step> steps;               ///< run in order, each when the one before has ended
  std::vector<nf_buffer> workspace;      ///< buffers that the steps share
  int64_t grain_bytes = 0;               ///< least work for one thread
  uint64_t code_hash = 0;                ///< of the object's machine code
  uint64_t writes = 0;                   ///< outputs (bits by tensor) that it writes and that must be there, and
  uint64_t may_write = 0;                ///< those that it leaves out where they are null
};

} // namespace normforge
