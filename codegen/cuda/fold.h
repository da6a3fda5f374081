// The last part of a reduction's order (codegen/schedule.h): lanes fold by halves, upper onto lower or odd onto even. A lane's number is,
// from the top, its group, its thread, its place among the thread's neighbours (threads.h), so a thread folds groups or neighbours by
// itself, and threads fold by shuffles and, from warp to warp, through shared memory. Each thread gets the result.
#pragma once

#include "codegen/cuda/emitter.h"

namespace normforge::cuda {

/// Values that the threads of a row leave in shared memory when they fold; 0 for one warp.
int64_t fold_values(const Threads &, bool high);

/// The lanes of all the row's threads, as a scalar. `scratch`: room for fold_values(); null for one warp.
Value fold_row(Ir &, const Row &, Op reduction, Value lanes, bool high, Value scratch);

} // namespace normforge::cuda
