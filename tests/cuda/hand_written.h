// Kernels written by hand for the emulator: a function is what one thread does, by the calls that emulated code makes.
#pragma once

#include <cstring>
#include <functional>
#include <iterator>
#include <string>

#include "codegen/cuda/emulated_block.h"
#include "codegen/emulator.h"

namespace normforge::cuda {

constexpr int kThreads = 64;
constexpr uint32_t kWholeWarp = ~0u;

/// x[3, 4] with rows 6 elements apart, y[3, 4] dense, both f32; a workspace of 8 bytes.
struct TestKernel {
  EmulatedKernel facts{};
  Meeting kinds[15] = {Meeting::shuffle,         Meeting::warp,         Meeting::barrier,   Meeting::copy_group, Meeting::copy_wait,
                       Meeting::cluster_arrival, Meeting::cluster_wait, Meeting::mbarrier,  Meeting::bytes,      Meeting::arrival,
                       Meeting::byte_wait,       Meeting::fence,        Meeting::bulk_copy, Meeting::copy,       Meeting::zero_fill};

  explicit TestKernel(int64_t cluster) {
    std::strcpy(facts.name, "test");
    facts.threads = kThreads, facts.rows = 1, facts.cluster = cluster, facts.shared_bytes = kThreads * sizeof(uint32_t);
    facts.tensors = 2, facts.buffers = 1, facts.meetings = std::size(kinds);
    for (const bool output : {false, true}) {
      std::strcpy(facts.tensor[output].name, output ? "y" : "x");
      facts.tensor[output].element_bytes = 4, facts.tensor[output].rank = 2, facts.tensor[output].axes[1] = 1;
      facts.tensor[output].written = facts.tensor[output].dense = output, facts.tensor[output].unit = true;
    }
    facts.extents[1] = 4;
    facts.buffer[0] = {.count = {0, 0, 1, 2}, .bytes = 4};
  }
};

inline struct alignas(16) TestMemory {
  float x[16], gap[16], y[12], gap_too[16], workspace[2];
} memory;
inline float *const x = memory.x, *const y = memory.y, *const workspace = memory.workspace;
inline std::function<void()> body; ///< what one thread does
inline void thread(const nf_kernel_args *, int64_t, int64_t) { body(); }

/// Runs `blocks` blocks, or clusters of them; what was wrong with them.
inline std::string fault_of(const std::function<void()> &one_thread, uint64_t order = 0, int64_t blocks = 1, int64_t cluster = 1) {
  const TestKernel kernel(cluster);
  nf_kernel_args args{};
  args.tensors[0] = x, args.tensors[1] = y, args.buffers[0] = workspace;
  args.extents[0] = 3, args.strides[0][0] = 6;
  body = one_thread;
  set_emulated_order(order);
  run_emulated(thread, &kernel.facts, &args, 0, blocks);
  return take_emulator_fault();
}

inline uint32_t *words() { return static_cast<uint32_t *>(emulated_shared_memory()); }
inline uint32_t shuffle(uint32_t value, uint32_t lane, Exchange how, uint32_t mask = kWholeWarp) {
  return emulated_exchange(0, mask, value, lane, how);
}
inline void warp_barrier(uint32_t mask = kWholeWarp) { emulated_exchange(1, mask, 0, 0, Exchange::none); }
inline void barrier(uint32_t id = 0, uint32_t count = kThreads) { emulated_barrier(2, id, count); }
inline void read(const void *at, uint32_t bytes = 4, uint32_t alignment = 4) { emulated_access(at, bytes, alignment, AccessKind::read); }
inline void write(const void *at, uint32_t bytes = 4, uint32_t alignment = 4) { emulated_access(at, bytes, alignment, AccessKind::write); }
/// Of 256 bytes of shared memory, the last are for two mbarriers.
inline uint32_t *mbarrier(int number = 0) { return words() + 60 + 2 * number; }
inline void init_mbarrier(int number = 0, uint32_t arrivals = 1) { emulated_mbarrier(7, mbarrier(number), arrivals); }
inline void expect_bytes(uint32_t bytes, int number = 0) { emulated_bytes(8, mbarrier(number), bytes); }
inline void arrive(int number = 0) { emulated_arrival(9, mbarrier(number)); }
inline void wait_for_bytes(uint32_t parity, int number = 0) { emulated_byte_wait(10, mbarrier(number), parity); }
inline void proxy_fence() { emulated_fence(11); }
inline void bulk_copy(const float *from = x, uint32_t bytes = 16, uint32_t *to = words(), int number = 0) {
  emulated_bulk_copy(12, to, from, bytes, mbarrier(number));
}
/// An mbarrier that copies know of.
inline void open_mbarrier(int number = 0, uint32_t arrivals = 1) {
  init_mbarrier(number, arrivals);
  proxy_fence();
}
inline void fill(const float *from = x, int number = 0, uint32_t *to = words()) {
  expect_bytes(16, number);
  bulk_copy(from, 16, to, number);
  arrive(number);
}

/// One thread does it.
inline std::function<void()> by(uint32_t which, const std::function<void()> &what) {
  return [=] {
    if (emulated_thread() == which)
      what();
  };
}

/// Two threads of different warps; `wait` is between what they do.
inline std::string two_threads(const std::function<void()> &first, const std::function<void()> &wait, const std::function<void()> &second,
                               uint64_t order = 0) {
  return fault_of(
      [=] {
        by(3, first)();
        wait();
        by(35, second)();
      },
      order);
}

} // namespace normforge::cuda
