// The threads of a block, or of a cluster's blocks, which run together. They run in rounds: each that can runs until it waits or ends, and
// then those go on who have all met. So in a round no thread runs twice, and the order of a round is all the freedom there is.
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "codegen/check/guarded.h"
#include "codegen/cuda/emulated_block.h"
#include "codegen/cuda/emulated_cluster.h"
#include "codegen/cuda/emulated_copies.h"
#include "codegen/cuda/emulated_mbarrier.h"
#include "codegen/cuda/emulated_memory.h"
#include "codegen/cuda/stack_switch.h"

namespace normforge::cuda {

struct Fiber {
  enum State { ready, exchanging, at_barrier, at_cluster, at_mbarrier, ended } state = ready;
  StackTop stack;
  uint32_t meeting;
  uint32_t mask, value, lane; ///< of an exchange
  Exchange how;
  uint32_t barrier, count;
};

/// The order of threads or of blocks: 0 ascending, 1 descending, else any.
class Order {
public:
  explicit Order(uint64_t order) : order(order), random(order) {}
  std::vector<uint32_t> of(std::vector<uint32_t> all);

private:
  const uint64_t order;
  std::mt19937_64 random;
};

/// Where a kernel's threads may meet, and where they did.
struct Meetings {
  std::vector<Meeting> kinds;
  std::vector<bool> reached, moved;
};

class EmulatedThreads {
public:
  /// `left_out`: a meeting that all pass; -1: none. `entry`: what a fiber runs.
  EmulatedThreads(const EmulatedKernel &, const nf_kernel_args &, Meetings &, int64_t left_out, void (*entry)());

  /// Runs all threads of the block, or of the cluster that begins with it, to their end. False: they never get there, see fault().
  bool run(uint32_t block, Order &);
  std::string fault() const;

  // For the thread that runs:

  Fiber &current() { return fibers[running]; }
  uint32_t thread() const { return running % uint32_t(kernel.threads); }
  uint32_t row() const { return running % block_threads / uint32_t(kernel.threads); }
  uint32_t rank() const { return running / block_threads; }
  uint32_t number() const { return first + rank(); }
  char *shared_memory() const { return shared.data() + rank() * shared_stride; }
  /// Whether it passes a meeting as if it were not there.
  bool passes(uint32_t meeting);
  /// Lets other threads run until it may go on.
  void wait(Fiber::State);
  void access(const char *at, uint32_t bytes, uint32_t alignment, AccessKind);
  void begin_copy(const AsyncCopy &);
  /// Whether there was a copy to commit or to wait for.
  bool commit_copies() { return copies.commit(running); }
  bool wait_for_copies(size_t pending);
  /// That a meeting has had an effect.
  void note(uint32_t meeting, bool effect) {
    if (effect)
      meetings.moved[meeting] = true;
  }
  void init_mbarrier(const char *at, uint32_t arrivals);
  void expect_bytes(const char *at, uint32_t bytes);
  void arrive_at_mbarrier(const char *at);
  void wait_for_mbarrier(const char *at, uint32_t parity);
  void begin_bulk_copy(const BulkCopy &, const char *mbarrier);
  void fence_async_proxy() { clocks.fence(running); }
  void arrive_at_cluster();
  void wait_for_cluster();
  char *remote(const char *at, uint32_t rank);
  /// Its code is done.
  void end_thread();

private:
  static constexpr size_t kStackBytes = 64 << 10;
  void prepare(size_t index);
  bool all_ended() const;
  template <class Condition> std::vector<uint32_t> fibers_where(const Condition &) const;
  std::vector<uint32_t> ready() const;
  /// The block whose shared memory an address is of.
  std::optional<uint32_t> rank_of(const char *at) const;
  std::string name_of(size_t fiber) const;
  /// The start of a message about a thread.
  std::string place_of(size_t fiber) const;
  void stop(const std::string &wrong);
  void stop_if(const std::string &wrong); ///< it is not empty
  void touch(const AsyncCopy &);
  void use_mbarrier(const char *at);
  /// Lets those go on who have all met. False: nobody has.
  bool release();
  /// Whether a thread goes on that does not go on with certain others.
  bool passes_alone(uint32_t index);
  bool release_barrier(uint32_t index);
  bool release_warp(uint32_t index);
  /// The threads of a warp that meet, by lane; those that take no part: kAbsent. Empty: not all have come.
  std::vector<uint32_t> warp_of(uint32_t index);

  const EmulatedKernel &kernel;
  Meetings &meetings;
  const int64_t left_out;
  void (*const entry)();
  const uint32_t block_threads;
  const size_t shared_stride; ///< from one block's shared memory to that of the next in the cluster
  const Guarded shared;
  std::vector<Fiber> fibers;
  const std::unique_ptr<char[]> stacks;
  ThreadClocks clocks;
  EmulatedMemory memory;
  EmulatedCopies copies;
  EmulatedMbarriers mbarriers;
  EmulatedCluster cluster;
  uint32_t first = 0; ///< block of the cluster
  StackTop scheduler;
  uint32_t running = 0;
  std::string what;
};

} // namespace normforge::cuda
