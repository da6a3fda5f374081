// How many registers a thread needs, as far as a schedule tells. ptxas has the last word; what is promised here is that a kernel which may
// have so many does not spill.
#pragma once

#include "codegen/cuda/threads.h"

namespace normforge::cuda {

constexpr int kParts = 4;           ///< of a multiprocessor, to which warps are dealt, each with
constexpr int kPartFile = 16 << 10; ///< registers of its own

/// Bytes that a sweep moves for each point, elements as in memory; `points`: the nodes that it evaluates there.
int64_t moved_bytes(const SweepPlan &, const nest::NestShape &, const Sweep &, const std::vector<NodeId> &points);

/// 32-bit registers that a thread of the nest wants.
int registers_wanted(const SweepPlan &, const nest::NestShape &, const nest::Residency &, const CudaMapping &);

/// That it may have, if a multiprocessor is to hold mapping.blocks blocks.
int registers_allowed(const CudaMapping &);

} // namespace normforge::cuda
