// What a persistent grid has on its way to shared memory while it works on a row (knob stages; cp.async, of every GPU since sm_80): the
// next rows of inputs, as they are in memory, and once for all rows, what all of them read alike. Each thread copies what it will read
// itself, so it waits for its own copies alone, and no threads meet for them.
#pragma once

#include <vector>

#include "codegen/cuda/threads.h"

namespace normforge::cuda {

struct StagedTensor {
  int tensor;
  bool every_row; ///< else all rows read the same
  int64_t offset; ///< of a stage, or of what all rows read
};

/// What a row of a block has in shared memory: what all rows read, then `stages` times what one row reads.
struct Staging {
  std::vector<StagedTensor> tensors; ///< none: nothing is copied
  int stages = 1;
  int64_t common_bytes = 0, stage_bytes = 0;
  int64_t bytes() const { return tensors.empty() ? 0 : common_bytes + stages * stage_bytes; }
};

/// Inputs whose vectors a copy can move (4, 8 or 16 bytes), of nests with fixed reduced extents.
Staging staging_of(const SweepPlan &, const nest::NestShape &, const Threads &, const CudaMapping &);

} // namespace normforge::cuda
