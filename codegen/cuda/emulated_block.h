// One block of threads on a CPU: a fiber per thread, run one at a time until each has to wait for others.
#pragma once

#include <cstdint>

#include "runtime/abi.h"

namespace normforge::cuda {

/// What one thread of a kernel does of the items [begin, end).
using ThreadFunction = nf_kernel_fn;

/// How the threads of a warp exchange a word, or only wait.
enum class Exchange : uint32_t { none, by_xor, by_lane };

/// The functions that emulated code calls. They hold for the thread that runs.
uint32_t emulated_thread();
uint32_t emulated_row();
uint32_t emulated_block();
void *emulated_shared_memory();
uint32_t emulated_exchange(uint32_t mask, uint32_t value, uint32_t lane, Exchange how);
void emulated_barrier(uint32_t id, uint32_t count);

/// Runs as many blocks of `threads` times `rows` threads as the items want, one after the other.
void run_emulated(ThreadFunction function, int64_t threads, int64_t rows, int64_t shared_bytes, const nf_kernel_args *args, int64_t begin,
                  int64_t end);

} // namespace normforge::cuda
