// What the blocks of a cluster have in common beside the rows that they share: a barrier in two halves, and each other's shared memory,
// which is there from when a block has begun until its last thread ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codegen/cuda/thread_clocks.h"

namespace normforge::cuda {

class EmulatedCluster {
public:
  EmulatedCluster(size_t blocks, size_t block_threads) : block_threads(block_threads), threads(blocks * block_threads) {}

  void start();
  // What is wrong with what a thread does; empty: nothing.
  std::string arrive(ThreadClocks &, uint32_t thread);
  std::string wait(uint32_t thread) const;
  std::string reach(const ThreadClocks &, uint32_t thread, uint32_t rank);

  /// Opens the barrier where all threads have arrived.
  void open_barrier(const ThreadClocks &);
  /// Lets a thread that waits pass. False: the barrier is not open.
  bool pass(ThreadClocks &, uint32_t thread);
  /// After all have ended: a thread that reached into a block which may have ended before, and the block's rank.
  std::optional<std::pair<uint32_t, uint32_t>> late_reach(const ThreadClocks &) const;

private:
  struct Thread {
    enum State { apart, arrived, free } state = apart; ///< free: to pass the barrier
    bool knows_others = false;                         ///< that all blocks have begun
    ThreadClocks::Known known;                         ///< what those that wait learn of it
  };
  struct Reach {
    Access access;
    uint32_t rank;
  };
  size_t block_threads;
  std::vector<Thread> threads;
  ThreadClocks::Known known; ///< of all, when the barrier last opened
  std::vector<Reach> reaches;
};

} // namespace normforge::cuda
