// The emulator on kernels written by hand: threads exchange words as a warp's do, and what a GPU leaves undefined is found and named.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/cuda/hand_written.h"

namespace normforge::cuda {
namespace {

TEST(EmulatedBlock, ThreadsExchangeWords) {
  std::vector<uint32_t> xored(kThreads), taken(kThreads);
  EXPECT_EQ(fault_of([&] {
              const uint32_t me = emulated_thread();
              xored[me] = shuffle(me, 3, Exchange::by_xor);
              taken[me] = shuffle(me, 5, Exchange::by_lane);
            }),
            "");
  for (uint32_t me = 0; me < kThreads; ++me) {
    EXPECT_EQ(xored[me], me ^ 3);
    EXPECT_EQ(taken[me], me / 32 * 32 + 5);
  }
}

/// Each thread reads what its neighbour has left in shared memory.
std::vector<uint32_t> neighbours(bool with_barrier, uint64_t order) {
  std::vector<uint32_t> got(kThreads);
  EXPECT_EQ(fault_of(
                [&] {
                  const uint32_t me = emulated_thread();
                  words()[me] = me;
                  if (with_barrier)
                    barrier();
                  got[me] = words()[(me + 1) % kThreads];
                },
                order),
            "");
  return got;
}

TEST(EmulatedBlock, BarriersMakeOrdersAgree) {
  for (uint64_t order : {0, 1, 5})
    for (uint32_t me = 0; me < kThreads; ++me)
      EXPECT_EQ(neighbours(true, order)[me], (me + 1) % kThreads);
  EXPECT_NE(neighbours(false, 0), neighbours(false, 1));
}

TEST(EmulatedBlock, OrderIsOfThreadsAndBlocks) {
  const auto run = [](uint64_t order) {
    std::vector<uint32_t> ran;
    EXPECT_EQ(fault_of([&] { ran.push_back(emulated_block() * kThreads + emulated_thread()); }, order, 3), "");
    return ran;
  };
  const auto up = run(0), down = run(1), any = run(7);
  EXPECT_TRUE(std::ranges::is_sorted(up));
  EXPECT_TRUE(std::equal(up.begin(), up.end(), down.rbegin(), down.rend()));
  EXPECT_TRUE(any != up && any != down && std::ranges::is_permutation(any, up));
  EXPECT_EQ(any, run(7));
}

TEST(EmulatedBlock, AccessesOutsideATensorAreFaults) {
  EXPECT_EQ(fault_of(by(3, [] { read(x + 16); })),
            "test: block 0 row 0 thread 3: reads 4 bytes that reach 4 past the end of x, which has 64");
  EXPECT_EQ(fault_of(by(3, [] { read(x + 14, 16, 4); })),
            "test: block 0 row 0 thread 3: reads 16 bytes that reach 8 past the end of x, which has 64");
  EXPECT_EQ(fault_of(by(0, [] { write(y - 1); })),
            "test: block 0 row 0 thread 0: writes 4 bytes that reach 4 before the start of y, which has 48");
  EXPECT_EQ(fault_of(by(0, [] { read(x + 5); })), "test: block 0 row 0 thread 0: reads 4 bytes at 20 of x, between its elements");
  EXPECT_EQ(fault_of(by(0, [] { read(nullptr); })),
            "test: block 0 row 0 thread 0: reads 4 bytes at address 0x0, where the call has no memory");
  EXPECT_EQ(fault_of(by(0, [] { write(workspace + 1, 8); })),
            "test: block 0 row 0 thread 0: writes 8 bytes that reach 4 past the end of workspace 0, which has 8");
  EXPECT_EQ(fault_of(by(0, [] { write(words() + kThreads); })),
            "test: block 0 row 0 thread 0: writes 4 bytes that reach 4 past the end of shared memory, which has 256");
}

TEST(EmulatedBlock, MisalignedAccessesAreFaults) {
  EXPECT_EQ(fault_of(by(1, [] { read(x + 6, 16, 16); })),
            "test: block 0 row 0 thread 1: reads 16 bytes at 24 of x, an address that is no multiple of 16");
  EXPECT_EQ(fault_of(by(1, [] { write(words() + 1, 8, 8); })),
            "test: block 0 row 0 thread 1: writes 8 bytes at 4 of shared memory, an address that is no multiple of 8");
}

TEST(EmulatedBlock, InputsAreNotWritten) {
  EXPECT_EQ(fault_of(by(0, [] { write(x); })), "test: block 0 row 0 thread 0: writes 4 bytes at 0 of x, which is an input");
}

TEST(EmulatedBlock, SharedMemoryIsWrittenBeforeItIsRead) {
  const char *never = "reads 4 bytes at 28 of shared memory, which no thread has written";
  EXPECT_EQ(fault_of(by(2, [] { read(words() + 7); })), std::string("test: block 0 row 0 thread 2: ") + never);
  EXPECT_EQ(fault_of(by(2,
                        [] {
                          if (emulated_block() == 0)
                            write(words() + 7);
                          read(words() + 7);
                        }),
                     0, 2),
            std::string("test: block 1 row 0 thread 2: ") + never);
}

TEST(EmulatedBlock, UnorderedAccessesAreFaultsInEveryOrder) {
  const std::function<void()> nothing = [] {}, block = [] { barrier(); }, warp = [] { warp_barrier(); };
  const std::function<void()> exchange = [] { shuffle(0, 1, Exchange::by_xor); };
  const std::function<void()> reads = [] { read(y + 2); }, writes = [] { write(y + 2); }, wide = [] { write(y, 16, 16); };
  const std::string who = "test: block 0 row 0 thread 35: ";
  EXPECT_EQ(two_threads(writes, nothing, reads), who + "reads 4 bytes at 8 of y, which row 0 thread 3 has written since the two last met");
  EXPECT_EQ(two_threads(reads, nothing, writes), who + "writes 4 bytes at 8 of y, which row 0 thread 3 has read since the two last met");
  EXPECT_EQ(two_threads(writes, exchange, wide),
            who + "writes 16 bytes at 0 of y, which row 0 thread 3 has written since the two last met");
  EXPECT_NE(two_threads(writes, warp, reads), ""); // they are of different warps
  for (uint64_t order : {0, 1, 9}) {
    EXPECT_NE(two_threads(writes, nothing, reads, order), "");
    EXPECT_EQ(two_threads(writes, block, reads, order), "");
    EXPECT_EQ(two_threads(reads, block, writes, order), "");
    EXPECT_EQ(two_threads(reads, nothing, reads, order), "");
  }
  EXPECT_NE(fault_of([] { // all read, one writes
              read(y);
              warp_barrier();
              by(0, [] { write(y); })();
            }),
            "");
  EXPECT_EQ(fault_of([] { write(y + emulated_block()); }, 0, 2),
            "test: block 0 row 0 thread 1: writes 4 bytes at 0 of y, which row 0 thread 0 has written since the two last met");
  EXPECT_EQ(fault_of(by(0, [] { write(y); }), 0, 2),
            "test: block 1 row 0 thread 0: writes 4 bytes at 0 of y, which block 0 has written as well");
}

TEST(EmulatedBlock, WhatIsReadAndDroppedMustExistAlone) {
  const auto drop = [](const float *at) { return [at] { emulated_access(at, 4, 4, AccessKind::read_and_drop); }; };
  EXPECT_EQ(two_threads([] { write(y); }, [] {}, drop(y)), "");
  EXPECT_EQ(two_threads(drop(y), [] {}, [] { write(y); }), "");
  EXPECT_NE(two_threads([] {}, [] {}, drop(y + 12)), "");
}

TEST(EmulatedBlock, WarpBarriersOrderAndShufflesDoNot) {
  const auto neighbours_of_a_warp = [](const std::function<void()> &wait) {
    return fault_of([&] {
      const uint32_t me = emulated_thread();
      write(words() + me);
      wait();
      read(words() + (me ^ 1));
    });
  };
  EXPECT_EQ(neighbours_of_a_warp([] { warp_barrier(); }), "");
  EXPECT_NE(neighbours_of_a_warp([] { shuffle(0, 1, Exchange::by_xor); }), "");
}

TEST(EmulatedBlock, ABarrierThatSomeNeverReachIsAFault) {
  EXPECT_EQ(fault_of([] {
              if (emulated_thread() != 7)
                barrier(2);
            }),
            "test: block 0 row 0 thread 0: waits for threads that never come to its barrier 2");
}

TEST(EmulatedBlock, AShuffleThatSomeNeverReachIsAFault) {
  EXPECT_EQ(fault_of([] {
              if (emulated_thread() % 2)
                shuffle(0, 1, Exchange::by_xor);
            }),
            "test: block 0 row 0 thread 1: waits for threads that never come to its shuffle");
}

TEST(EmulatedBlock, MeetingsMustAgree) {
  EXPECT_EQ(fault_of([] { shuffle(0, 1, Exchange::by_xor, emulated_thread() % 2 ? kWholeWarp : kWholeWarp >> 1); }),
            "test: block 0 row 0 thread 0: meets row 0 thread 1 in another shuffle");
  EXPECT_EQ(fault_of([] {
              if (emulated_thread() % 32 < 2)
                shuffle(0, 2, Exchange::by_xor, 3);
            }),
            "test: block 0 row 0 thread 0: shuffles with lane 2, which takes no part");
  EXPECT_EQ(fault_of([] { shuffle(0, 1, Exchange::by_xor, 6); }),
            "test: block 0 row 0 thread 0: takes part in a shuffle whose mask leaves it out");
  EXPECT_EQ(fault_of([] { barrier(1, emulated_thread() % 2 ? kThreads : kThreads / 2); }),
            "test: block 0 row 0 thread 0: waits at barrier 1 for 32 threads, but row 0 thread 1 there for 64");
  EXPECT_EQ(fault_of([] { barrier(1, kThreads / 2); }),
            "test: block 0 row 0 thread 0: waits at barrier 1 for 32 threads, but 64 have come");
  EXPECT_EQ(fault_of([] { barrier(16); }),
            "test: block 0 row 0 thread 0: waits at barrier 16 for 64 threads; barriers 0 to 15 take whole warps");
}

TEST(EmulatedBlock, RunsAgainAfterAFault) {
  EXPECT_NE(fault_of([] { barrier(1, kThreads + 32); }), "");
  EXPECT_EQ(fault_of([] { barrier(1); }), "");
}

TEST(EmulatedBlock, WhatIsLeftOutIsPassed) {
  take_meeting_points();
  uint32_t got = 0;
  const auto kernel = [&] {
    const uint32_t other = shuffle(emulated_thread(), 1, Exchange::by_xor);
    by(0, [&] { got = other; })();
    barrier();
  };
  EXPECT_EQ(fault_of(kernel), "");
  EXPECT_EQ(got, 1u);
  const std::vector<MeetingPoint> points = take_meeting_points();
  ASSERT_EQ(points.size(), std::size(TestKernel(1).kinds));
  EXPECT_TRUE(points[0].kernel == "test" && points[0].kind == "shuffle" && points[0].reached);
  EXPECT_TRUE(points[1].kind == "warp barrier" && !points[1].reached);
  EXPECT_TRUE(points[2].kind == "barrier" && points[2].number == 2 && points[2].reached);
  leave_out(points[0]);
  EXPECT_EQ(fault_of(kernel), "");
  EXPECT_EQ(got, 0u);
  leave_out(points[2]);
  EXPECT_EQ(fault_of(by(1, [] { barrier(); })), "");
  leave_out(std::nullopt);
}

} // namespace
} // namespace normforge::cuda
