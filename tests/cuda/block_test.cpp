// The emulator on kernels written by hand: threads exchange words as a warp's do, and what a GPU leaves undefined is found and named.
#include <algorithm>
#include <cstring>
#include <functional>

#include <gtest/gtest.h>

#include "codegen/cuda/emulated_block.h"
#include "codegen/emulator.h"

namespace normforge::cuda {
namespace {

constexpr int kThreads = 64;
constexpr uint32_t kWholeWarp = ~0u;

/// x[3, 4] with rows 6 elements apart, y[3, 4] dense, both f32; a workspace of 8 bytes.
struct TestKernel {
  EmulatedKernel facts{};
  Meeting kinds[7] = {Meeting::shuffle,         Meeting::warp,        Meeting::barrier, Meeting::copy_group, Meeting::copy_wait,
                      Meeting::cluster_arrival, Meeting::cluster_wait};

  explicit TestKernel(int64_t cluster) {
    std::strcpy(facts.name, "test");
    facts.threads = kThreads, facts.rows = 1, facts.cluster = cluster, facts.shared_bytes = kThreads * sizeof(uint32_t);
    facts.tensors = 2, facts.buffers = 1, facts.meetings = 7;
    for (const bool output : {false, true}) {
      std::strcpy(facts.tensor[output].name, output ? "y" : "x");
      facts.tensor[output].element_bytes = 4, facts.tensor[output].rank = 2, facts.tensor[output].axes[1] = 1;
      facts.tensor[output].written = facts.tensor[output].dense = output, facts.tensor[output].unit = true;
    }
    facts.extents[1] = 4;
    facts.buffer[0] = {.count = {0, 0, 1, 2}, .bytes = 4};
  }
};

struct alignas(16) {
  float x[16], gap[16], y[12], gap_too[16], workspace[2];
} memory;
float *const x = memory.x, *const y = memory.y, *const workspace = memory.workspace;
std::function<void()> body; ///< what one thread does
void thread(const nf_kernel_args *, int64_t, int64_t) { body(); }

/// Runs `blocks` blocks, or clusters of them; what was wrong with them.
std::string fault_of(const std::function<void()> &one_thread, uint64_t order = 0, int64_t blocks = 1, int64_t cluster = 1) {
  const TestKernel kernel(cluster);
  nf_kernel_args args{};
  args.tensors[0] = x, args.tensors[1] = y, args.buffers[0] = workspace;
  args.extents[0] = 3, args.strides[0][0] = 6;
  body = one_thread;
  set_emulated_order(order);
  run_emulated(thread, &kernel.facts, &args, 0, blocks);
  return take_emulator_fault();
}

uint32_t *words() { return static_cast<uint32_t *>(emulated_shared_memory()); }
uint32_t shuffle(uint32_t value, uint32_t lane, Exchange how, uint32_t mask = kWholeWarp) {
  return emulated_exchange(0, mask, value, lane, how);
}
void warp_barrier(uint32_t mask = kWholeWarp) { emulated_exchange(1, mask, 0, 0, Exchange::none); }
void barrier(uint32_t id = 0, uint32_t count = kThreads) { emulated_barrier(2, id, count); }
void read(const void *at, uint32_t bytes = 4, uint32_t alignment = 4) { emulated_access(at, bytes, alignment, AccessKind::read); }
void write(const void *at, uint32_t bytes = 4, uint32_t alignment = 4) { emulated_access(at, bytes, alignment, AccessKind::write); }
/// One thread does it.
std::function<void()> by(uint32_t which, const std::function<void()> &what) {
  return [=] {
    if (emulated_thread() == which)
      what();
  };
}

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

/// Two threads of different warps; `wait` is between what they do.
std::string two_threads(const std::function<void()> &first, const std::function<void()> &wait, const std::function<void()> &second,
                        uint64_t order = 0) {
  return fault_of(
      [=] {
        by(3, first)();
        wait();
        by(35, second)();
      },
      order);
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

/// One thread copies four bytes of x to its first word.
void copy_word(const float *from = x) { emulated_copy(words(), from, 4, 4); }
void commit() { emulated_copy_group(3); }
void wait_for_all_but(uint32_t pending) { emulated_copy_wait(4, pending); }

TEST(EmulatedBlock, CopiesArriveWhenTheyAreWaitedFor) {
  x[0] = 5, x[1] = 6;
  float first = 0, second = 0, padding = 1;
  EXPECT_EQ(fault_of(by(3,
                        [&] {
                          copy_word();
                          commit();
                          emulated_copy(words() + 4, x + 1, 4, 4);
                          emulated_copy(words() + 8, x, 16, 4);
                          commit();
                          wait_for_all_but(1);
                          read(words());
                          std::memcpy(&first, words(), 4);
                          wait_for_all_but(0);
                          read(words() + 4);
                          std::memcpy(&second, words() + 4, 4);
                          std::memcpy(&padding, words() + 9, 4);
                        })),
            "");
  EXPECT_EQ(first, 5);
  EXPECT_EQ(second, 6);
  EXPECT_EQ(padding, 0);
}

TEST(EmulatedBlock, CopiesThatAreNotWaitedForAreFaults) {
  const std::string early = "test: block 0 row 0 thread 3: touches shared memory that a copy is on its way to, before the copy has been "
                            "waited for";
  EXPECT_EQ(fault_of(by(3,
                        [] {
                          copy_word();
                          commit();
                          read(words());
                        })),
            early);
  EXPECT_EQ(fault_of(by(3,
                        [] {
                          copy_word();
                          commit();
                          wait_for_all_but(1);
                          write(words());
                        })),
            early);
  EXPECT_EQ(fault_of(by(3,
                        [] {
                          copy_word(); // of no group
                          wait_for_all_but(0);
                          read(words());
                        })),
            early);
  EXPECT_EQ(fault_of(by(3,
                        [] {
                          copy_word();
                          commit();
                        })),
            "test: block 0 row 0 thread 3: ends while copies are on their way to shared memory");
  EXPECT_EQ(fault_of(by(3, [] { copy_word(x + 16); })),
            "test: block 0 row 0 thread 3: reads 4 bytes that reach 4 past the end of x, which has 64");
}

TEST(EmulatedBlock, WhatAThreadCopiesOthersReadBehindABarrier) {
  const std::function<void()> copies = [] {
    copy_word();
    commit();
    wait_for_all_but(0);
  };
  const std::function<void()> reads = [] { read(words()); };
  EXPECT_EQ(two_threads(copies, [] { barrier(); }, reads), "");
  EXPECT_EQ(two_threads(
                copies, [] {}, reads),
            "test: block 0 row 0 thread 35: reads 4 bytes at 0 of shared memory, which row 0 thread 3 has written since the two last met");
}

void arrive() { emulated_cluster_arrive(5); }
void wait_for_cluster() { emulated_cluster_wait(6); }
void meet_cluster() {
  arrive();
  wait_for_cluster();
}
uint32_t *words_of(uint32_t rank) { return static_cast<uint32_t *>(emulated_remote(words(), rank)); }

/// Two clusters of two blocks; each thread leaves its block's number in the other block.
std::string exchange_in_clusters(const std::function<void()> &before, const std::function<void()> &after, std::vector<uint32_t> &got,
                                 uint64_t order) {
  const auto kernel = [&] {
    before();
    uint32_t *there = words_of(1 - emulated_cluster_rank()) + emulated_thread();
    write(there);
    *there = emulated_block();
    after();
    read(words() + emulated_thread());
    got[emulated_block()] = words()[emulated_thread()];
  };
  return fault_of(kernel, order, 2, 2);
}

TEST(EmulatedBlock, BlocksOfAClusterReachEachOther) {
  for (uint64_t order : {0, 1, 5}) {
    std::vector<uint32_t> got(4);
    EXPECT_EQ(exchange_in_clusters(meet_cluster, meet_cluster, got, order), "");
    EXPECT_EQ(got, (std::vector<uint32_t>{1, 0, 3, 2}));
    EXPECT_NE(exchange_in_clusters([] {}, meet_cluster, got, order), "");
    EXPECT_NE(exchange_in_clusters(meet_cluster, [] {}, got, order), "");
    EXPECT_NE(exchange_in_clusters(meet_cluster, [] { barrier(); }, got, order), "");
  }
}

TEST(EmulatedBlock, BlocksThatAreNotThereAreNotReached) {
  EXPECT_EQ(fault_of([] { write(words_of(1 - emulated_cluster_rank()) + emulated_thread()); }, 0, 1, 2),
            "test: block 0 row 0 thread 0: reaches into the shared memory of block 1 of its cluster, which may not have begun");
  const auto reaches_last = [] {
    meet_cluster();
    if (emulated_block() == 0)
      by(7, [] { write(words_of(1)); })();
  };
  EXPECT_EQ(fault_of(reaches_last, 0, 1, 2),
            "test: block 0 row 0 thread 7: reaches into the shared memory of block 1 of its cluster, which may have ended");
  EXPECT_EQ(fault_of([] { words_of(2); }, 0, 1, 2), "test: block 0 row 0 thread 0: reaches into block 2 of its cluster, which has 2");
}

TEST(EmulatedBlock, ClustersMeetInTwoHalves) {
  const auto arrive_twice = [] {
    arrive();
    arrive();
  };
  EXPECT_EQ(fault_of(arrive_twice, 0, 1, 2),
            "test: block 0 row 0 thread 0: arrives at the cluster's barrier again before it has waited there");
  EXPECT_EQ(fault_of(wait_for_cluster, 0, 1, 2), "test: block 0 row 0 thread 0: waits at the cluster's barrier, where it has not arrived");
  const auto all_but_one = [] {
    if (emulated_block() != 1 || emulated_thread() != 3)
      meet_cluster();
  };
  EXPECT_EQ(fault_of(all_but_one, 0, 1, 2), "test: block 0 row 0 thread 0: waits for threads that never come to its cluster");
  const auto between_the_halves = [] { // what is done there is not known to others
    arrive();
    by(3, [] { write(words()); })();
    wait_for_cluster();
    by(35, [] { read(words()); })();
  };
  EXPECT_EQ(fault_of(between_the_halves, 0, 1, 2),
            "test: block 0 row 0 thread 35: reads 4 bytes at 0 of shared memory, which block 0 row 0 "
            "thread 3 has written since the two last met");
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
  ASSERT_EQ(points.size(), 7u);
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
