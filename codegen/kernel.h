// A compiled kernel: object code with the facts that the runtime needs to call it and a person needs to understand it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/abi.h"

namespace normforge {

/// How a GPU starts a step: item i is done by row i mod `rows` of block i / rows, or of the `cluster` blocks that share it. A persistent
/// grid (`resident`) has no more blocks than the multiprocessors hold at once: each does the items that lie whole grids further on, too.
struct Launch {
  int threads = 0;  ///< of a row, in one block; 0: the step is a function that a CPU calls
  int rows = 0;     ///< per block
  int cluster = 1;  ///< blocks
  int resident = 0; ///< blocks per multiprocessor; 0: as many as the items want
  int64_t shared_bytes = 0;
  int access_bytes = 0;           ///< of its widest loads, where memory is aligned; 0: elements alone
  double point_bytes = 0;         ///< that it moves for each point of a row, of all sweeps together
  std::vector<size_t> parameters; ///< offsets in nf_kernel_args, behind the first item and the end of them
};

struct Step {
  std::string symbol;
  nf_count items;     ///< how many independent work items it has
  int64_t item_bytes; ///< bytes that one item moves, at the smallest extents of the problem; 0: unknown (all ranges open)
  int64_t entry = 0;  ///< where it starts, in Kernel::image
  Launch launch{};
};

struct Kernel {
  std::string object;                    ///< a relocatable object file: what goes into a library; of a GPU's kernel, its PTX
  std::string image;                     ///< the same machine code ready to run wherever it is copied to (codegen/image.h); of a GPU's
                                         ///< kernel a cubin, or nothing
  std::string problem, schedule, target; ///< canonical texts
  std::vector<Step> steps;               ///< run in order, each when the one before has ended
  std::vector<nf_buffer> workspace;      ///< buffers that the steps share
  int64_t grain_bytes = 0;               ///< least work for one thread
  int64_t spilled_bytes = 0;             ///< of registers that a GPU's machine code stores and loads again for want of room
  uint64_t code_hash = 0;                ///< of the object's machine code
  uint64_t writes = 0;                   ///< outputs (bits by tensor) that it writes and that must be there, and
  uint64_t may_write = 0;                ///< those that it leaves out where they are null
};

} // namespace normforge
