// The last part of a reduction's order (codegen/schedule.h): lanes fold by halves, upper onto lower or odd onto even. A lane's number is,
// from the top, its group, its thread, its place among the thread's neighbours (threads.h), so a thread folds groups or neighbours by
// itself, and threads fold by shuffles and, from warp to warp, through shared memory. Each thread gets the result.
//
// Threads of any number, and of any number of groups, fold in the same order: lanes that none of them has are behind theirs, no element
// reaches them, and the identity stands for them, so that the tree is that of all lanes. Within a warp all lanes are some thread's.
#pragma once

#include "codegen/cuda/emitter.h"

namespace normforge::cuda {

/// Bytes of shared memory in which the threads of a row meet to fold the sums of a sweep, whichever has most; 0 for one warp.
int64_t fold_bytes(const SweepPlan &, const nest::NestShape &, const Threads &, bool high);

/// The lanes of all the row's threads, as a scalar each: the threads meet once for all sums. `counts`: elements of each lane, where there
/// are squares about a mean, else null. `scratch`: fold_bytes(); null for one warp.
nest::Values fold_row(Ir &, const Row &, llvm::ArrayRef<nest::LaneSums>, Value counts, bool high, Value scratch);

} // namespace normforge::cuda
