// One block of threads on a CPU: a fiber per thread, run one at a time until each has to wait for others.
#pragma once

#include <cstdint>

#include "codegen/cuda/emulated_kernel.h"

namespace normforge::cuda {

/// What one thread of a kernel does of the items [begin, end).
using ThreadFunction = nf_kernel_fn;

/// How the threads of a warp exchange a word, or only wait.
enum class Exchange : uint32_t { none, by_xor, by_lane };

/// The functions that emulated code calls. They hold for the thread that runs. `meeting`: its number in EmulatedKernel::kinds.
uint32_t emulated_thread();
uint32_t emulated_row();
uint32_t emulated_block();
uint32_t emulated_blocks();
void *emulated_shared_memory();
uint32_t emulated_exchange(uint32_t meeting, uint32_t mask, uint32_t value, uint32_t lane, Exchange how);
void emulated_barrier(uint32_t meeting, uint32_t id, uint32_t count);
/// Which one of its cluster's the block is; where `at`, of its shared memory, lies in that of block `rank`; the two halves of meeting all
/// threads of the cluster.
uint32_t emulated_cluster_rank();
void *emulated_remote(void *at, uint32_t rank);
void emulated_cluster_arrive(uint32_t meeting);
void emulated_cluster_wait(uint32_t meeting);
/// Begins to copy to shared memory; the same where only `exist` of the bytes do and zeros take the place of others, which is the meeting
/// after `meeting`; ends a group of copies; waits for all groups but the last `pending`.
void emulated_copy(uint32_t meeting, void *to, const void *from, uint32_t bytes);
void emulated_filled_copy(uint32_t meeting, void *to, const void *from, uint32_t bytes, uint32_t exist);
void emulated_copy_group(uint32_t meeting);
void emulated_copy_wait(uint32_t meeting, uint32_t pending);
/// Of an mbarrier: makes it, announces bytes to its phase, arrives there, waits for the end of a phase; begins to copy such bytes; orders
/// copies after what the thread knows to have been done.
void emulated_mbarrier(uint32_t meeting, const void *at, uint32_t arrivals);
void emulated_bytes(uint32_t meeting, const void *at, uint32_t bytes);
void emulated_arrival(uint32_t meeting, const void *at);
void emulated_byte_wait(uint32_t meeting, const void *at, uint32_t parity);
void emulated_bulk_copy(uint32_t meeting, void *to, const void *from, uint32_t bytes, const void *mbarrier);
void emulated_fence(uint32_t meeting);
/// Before each load and store. Does not return where the access is wrong.
void emulated_access(const void *at, uint32_t bytes, uint32_t alignment, AccessKind how);

/// Runs as many blocks as the items want, one after the other.
void run_emulated(ThreadFunction function, const EmulatedKernel *kernel, const nf_kernel_args *args, int64_t begin, int64_t end);

} // namespace normforge::cuda
