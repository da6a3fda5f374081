// The emulator on kernels written by hand: threads exchange words as a warp's do, and what would hang or race on a GPU is found.
#include <functional>

#include <gtest/gtest.h>

#include "codegen/cuda/emulated_block.h"
#include "codegen/emulator.h"

namespace normforge::cuda {
namespace {

constexpr int kThreads = 64;
constexpr uint32_t kWholeWarp = ~0u;

std::function<void()> body; ///< what one thread does
void thread(const nf_kernel_args *, int64_t, int64_t) { body(); }

/// Runs one block; what was wrong with it.
std::string fault_of(const std::function<void()> &one_thread, uint64_t order = 0) {
  body = one_thread;
  set_emulated_order(order);
  run_emulated(thread, kThreads, 1, kThreads * sizeof(uint32_t), nullptr, 0, 1);
  return take_emulator_fault();
}

uint32_t *words() { return static_cast<uint32_t *>(emulated_shared_memory()); }

TEST(EmulatedBlock, ThreadsExchangeWords) {
  std::vector<uint32_t> xored(kThreads), taken(kThreads);
  EXPECT_EQ(fault_of([&] {
              const uint32_t me = emulated_thread();
              xored[me] = emulated_exchange(kWholeWarp, me, 3, Exchange::by_xor);
              taken[me] = emulated_exchange(kWholeWarp, me, 5, Exchange::by_lane);
            }),
            "");
  for (uint32_t me = 0; me < kThreads; ++me) {
    EXPECT_EQ(xored[me], me ^ 3);
    EXPECT_EQ(taken[me], me / 32 * 32 + 5);
  }
}

/// Each thread reads what its neighbour has left in shared memory.
std::vector<uint32_t> neighbours(bool with_barrier, uint64_t order) {
  std::vector<uint32_t> read(kThreads);
  EXPECT_EQ(fault_of(
                [&] {
                  const uint32_t me = emulated_thread();
                  words()[me] = me;
                  if (with_barrier)
                    emulated_barrier(0, kThreads);
                  read[me] = words()[(me + 1) % kThreads];
                },
                order),
            "");
  return read;
}

TEST(EmulatedBlock, BarriersMakeOrdersAgreeAndRacesDoNot) {
  for (uint64_t order : {0, 1, 5})
    for (uint32_t me = 0; me < kThreads; ++me)
      EXPECT_EQ(neighbours(true, order)[me], (me + 1) % kThreads);
  EXPECT_NE(neighbours(false, 0), neighbours(false, 1));
}

TEST(EmulatedBlock, SharedMemoryStartsAsNaNs) {
  uint32_t first = 0;
  EXPECT_EQ(fault_of([&] { first = words()[0]; }), "");
  EXPECT_EQ(first, ~0u);
}

TEST(EmulatedBlock, ABarrierThatSomeNeverReachIsAFault) {
  EXPECT_EQ(fault_of([] {
              if (emulated_thread() != 7)
                emulated_barrier(2, kThreads);
            }),
            "block 0 row 0 thread 0 waits for threads that never come to its barrier 2");
}

TEST(EmulatedBlock, AShuffleThatSomeNeverReachIsAFault) {
  EXPECT_EQ(fault_of([] {
              if (emulated_thread() % 2)
                emulated_exchange(kWholeWarp, 0, 1, Exchange::by_xor);
            }),
            "block 0 row 0 thread 1 waits for threads that never come to its shuffle");
}

TEST(EmulatedBlock, ShufflesMustAgree) {
  EXPECT_EQ(fault_of([] { emulated_exchange(emulated_thread() % 2 ? kWholeWarp : kWholeWarp >> 1, 0, 1, Exchange::by_xor); }),
            "block 0 row 0 thread 0 and block 0 row 0 thread 1 meet in different shuffles");
  EXPECT_EQ(fault_of([] {
              if (emulated_thread() % 32 < 2)
                emulated_exchange(3, 0, 2, Exchange::by_xor);
            }),
            "block 0 row 0 thread 0 shuffles with lane 2, which takes no part");
  EXPECT_EQ(fault_of([] { emulated_barrier(1, emulated_thread() % 2 ? kThreads : kThreads / 2); }),
            "threads wait at barrier 1 for different numbers of threads");
}

TEST(EmulatedBlock, RunsAgainAfterAFault) {
  EXPECT_NE(fault_of([] { emulated_barrier(1, kThreads + 32); }), "");
  EXPECT_EQ(fault_of([] { emulated_barrier(1, kThreads); }), "");
}

} // namespace
} // namespace normforge::cuda
