// A row that several blocks share (knob cluster; thread block clusters, since sm_90): its threads are numbered through the blocks, so lanes
// and sums have the order that they have in one block. What threads leave for each other they leave in the shared memory of every block, so
// that each reads its own alone, and no block must outlive a reader. A block's memory may be written to once all have begun: they arrive
// when they begin, and wait before their first row.
#pragma once

#include <functional>

#include "codegen/cuda/threads.h"
#include "codegen/nest/ir.h"

namespace normforge::cuda {

using nest::Ir;
using nest::Value;

/// Waits for all threads of the cluster. What they wrote is then seen.
void sync_cluster(Ir &);

/// Stores `value` at `pointer`, of the block's shared memory, and there in all blocks that share the row.
void store_in_all(Ir &, const Threads &, Value value, Value pointer, unsigned alignment);

/// What all lanes of a warp have, one of them for each block does: `body` is told where an address of shared memory lies in that block.
using Place = std::function<Value(Value pointer)>;
void for_one_lane_each(Ir &, const Threads &, Value lane, const std::function<void(const Place &)> &body);

} // namespace normforge::cuda
