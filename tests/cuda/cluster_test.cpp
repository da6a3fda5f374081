// The emulator on copies to shared memory that a thread waits for, and on blocks of a cluster, which reach into each other's: what arrives,
// and what a GPU leaves undefined.
#include <cstring>

#include <gtest/gtest.h>

#include "tests/cuda/hand_written.h"

namespace normforge::cuda {
namespace {

/// One thread copies four bytes of x to its first word.
void copy_word(const float *from = x) { emulated_copy(13, words(), from, 4); }
void commit() { emulated_copy_group(3); }
void wait_for_all_but(uint32_t pending) { emulated_copy_wait(4, pending); }

TEST(EmulatedCopies, ArriveWhenTheyAreWaitedFor) {
  x[0] = 5, x[1] = 6;
  float first = 0, second = 0, padding = 1;
  EXPECT_EQ(fault_of(by(3,
                        [&] {
                          copy_word();
                          commit();
                          emulated_copy(13, words() + 4, x + 1, 4);
                          emulated_filled_copy(13, words() + 8, x, 16, 4);
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

TEST(EmulatedCopies, ThatAreNotWaitedForAreFaults) {
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

TEST(EmulatedCopies, WhatAThreadCopiesOthersReadBehindABarrier) {
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

TEST(EmulatedCluster, BlocksOfAClusterReachEachOther) {
  for (uint64_t order : {0, 1, 5}) {
    std::vector<uint32_t> got(4);
    EXPECT_EQ(exchange_in_clusters(meet_cluster, meet_cluster, got, order), "");
    EXPECT_EQ(got, (std::vector<uint32_t>{1, 0, 3, 2}));
    EXPECT_NE(exchange_in_clusters([] {}, meet_cluster, got, order), "");
    EXPECT_NE(exchange_in_clusters(meet_cluster, [] {}, got, order), "");
    EXPECT_NE(exchange_in_clusters(meet_cluster, [] { barrier(); }, got, order), "");
  }
}

TEST(EmulatedCluster, BlocksThatAreNotThereAreNotReached) {
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

TEST(EmulatedCluster, ClustersMeetInTwoHalves) {
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

} // namespace
} // namespace normforge::cuda
