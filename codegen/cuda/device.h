// What a kernel asks of a GPU, and nothing else: a handful of NVVM operations. PTX has an instruction for each; the emulator has a function
// for each (emulate.cpp).
#pragma once

#include "codegen/nest/ir.h"

namespace normforge::cuda {

using nest::Ir;
using nest::Value;

/// Indexes of the thread within its row, of the row within its block, and of the block, as i32.
Value thread_index(Ir &);
Value row_index(Ir &);
Value block_index(Ir &);
/// Blocks of the grid, and which one of its cluster's the block is, as i32.
Value block_count(Ir &);
Value cluster_rank(Ir &);

/// The block's shared memory, 16-byte aligned; how much there is, the launch says.
Value shared_memory(Ir &);

/// `value` (f32 or f64) of the lane `offset` away (bit by bit), or of lane `lane`. Every thread of the warp in `mask` takes part.
Value shuffle_xor(Ir &, Value mask, Value value, int offset);
Value shuffle_from(Ir &, Value mask, Value value, Value lane);

/// Waits for the threads of the warp in `mask`, or for `count` threads (whole warps) at barrier `id`. What they wrote is then seen.
void sync_warp(Ir &, Value mask);
void sync_threads(Ir &, Value id, int count);

/// What stands at `pointer`, of the block's shared memory, in that of the cluster's block `rank` (i32): for stores alone.
Value remote_address(Ir &, Value pointer, Value rank);
/// The threads of all blocks of a cluster meet in two halves: a thread that waits goes on when all have arrived. What they wrote before
/// that is then seen.
void arrive_at_cluster(Ir &);
void wait_for_cluster(Ir &);

/// Begins to copy `bytes` (4, 8 or 16, which both addresses are multiples of) from global to shared memory. `exist` (i64): how many of them
/// are there to read, zeros stand for the others; null: all.
void copy_async(Ir &, Value to, Value from, int bytes, Value exist);
/// Ends a group of the copies that the thread has begun; waits until all its groups but the last `pending` have arrived, for itself alone.
void commit_copies(Ir &);
void wait_for_copies(Ir &, int pending);

/// An mbarrier, 8 bytes of shared memory, counts arrivals and bytes (sm_90 and later). Each of its phases ends when `arrivals` threads have
/// arrived and all bytes that the phase expects are there; the next one then begins.
void init_mbarrier(Ir &, Value mbarrier, int arrivals);
void arrive_at_mbarrier(Ir &, Value mbarrier);
/// Waits for the end of a phase. `parity` (i32): 0 for the first, 1 for the second, and so on in turn.
void wait_for_mbarrier(Ir &, Value mbarrier, Value parity);
/// Begins to copy `bytes` (i64; a multiple of 16, as both addresses are) from global to shared memory, which the mbarrier's phase expects.
void copy_bulk(Ir &, Value to, Value from, Value bytes, Value mbarrier);
/// Bulk copies reach shared memory another way (the async proxy) than loads, stores and mbarriers: those that follow do so after what the
/// thread knows to have been done there so far, and no others.
void fence_async_proxy(Ir &);

/// `value`, of which the optimizer knows nothing from here on: what makes it stays before this place, and what follows from it behind.
Value opaque(Ir &, Value value);

/// Marks `function` as a kernel for blocks of `threads` times `rows` threads, of which a multiprocessor has registers for `blocks`, and
/// `cluster` share an item.
void mark_kernel(Ir &, mlir::LLVM::LLVMFuncOp function, int threads, int rows, int blocks, int cluster);

constexpr char kSharedSymbol[] = "shared_memory";

} // namespace normforge::cuda
