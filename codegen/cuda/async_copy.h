// What a persistent grid has on its way to shared memory while it works on a row (knob stages): the next rows of inputs, as they are in
// memory, and once for all rows, what all of them read alike. By copy=async (cp.async, of every GPU since sm_80), each thread copies what
// it will read itself, so it waits for its own copies alone, and no threads meet for them. By copy=bulk (bulk_copy.cpp), one thread copies
// for all of the row.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/cuda/threads.h"
#include "codegen/target.h"

namespace normforge::cuda {

constexpr int kBulkCopies = 90;  ///< Target::level of the first GPUs that copy in bulk
constexpr int kBulkPiece = 16;   ///< bytes: what they move is a multiple of these, from and to multiples of these
constexpr int64_t kMbarrier = 8; ///< bytes

struct StagedTensor {
  int tensor;
  bool every_row; ///< else all rows read the same
  int64_t offset; ///< of a stage, or of what all rows read
};

/// What a row of a block has in shared memory: what all rows read, then `stages` times what one row reads, then an mbarrier for each stage
/// that is filled in bulk.
struct Staging {
  std::vector<StagedTensor> tensors; ///< none: nothing is copied
  int stages = 1;
  bool bulk = false;
  int64_t common_bytes = 0, stage_bytes = 0;
  int64_t mbarriers() const { return common_bytes + stages * stage_bytes; } ///< where they begin
  int64_t bytes() const { return tensors.empty() ? 0 : mbarriers() + (bulk ? (stages + 1) / 2 * 2 * kMbarrier : 0); }
};

/// Inputs whose vectors a copy can move (4, 8 or 16 bytes), of nests with fixed reduced extents.
Staging staging_of(const SweepPlan &, const nest::NestShape &, const Threads &, const CudaMapping &);

/// Why bulk copies cannot move what `mapping` has them move; nullopt where they can, and where it has them move nothing.
std::optional<std::string> unfit_bulk(const SweepPlan &, const nest::NestShape &, const Staging &, const Target &);

} // namespace normforge::cuda
