// Which accesses of a block's threads are ordered, whatever the order in which threads run: vector clocks, as race detectors keep them
// (Mattern, 1989). A thread counts its meetings; where threads meet at a barrier, each learns how far the others have come and all that
// they had learnt before. A shuffle orders nothing: on a GPU it is no memory barrier. Blocks are never ordered.
//
// Engines that copy in bulk are threads, too, added as they are used. They learn from the thread that begins a copy, and of what it knows,
// only what came before a proxy fence.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace normforge::cuda {

constexpr uint32_t kNoBlock = ~0u;

/// By which thread, numbered within its block, and after how many of its meetings.
struct Access {
  uint32_t block = kNoBlock, thread = 0, epoch = 0;
};

class ThreadClocks {
public:
  explicit ThreadClocks(size_t threads) : own(threads) {}

  /// A new block, whose threads know nothing of each other. It has no engines.
  void start(uint32_t block);
  void meet(std::span<const uint32_t> threads);
  /// The two halves of a meeting: what threads have done when they arrive is known to those that join them.
  using Known = std::shared_ptr<const std::vector<uint32_t>>;
  Known arrive(uint32_t thread);
  static Known all_of(std::span<const Known> arrived, size_t threads);
  void join(uint32_t thread, const Known &all);
  /// An engine's number; a thread's fence; an engine that begins what the thread asks for.
  uint32_t add();
  void fence(uint32_t thread);
  void follow_fenced(uint32_t engine, uint32_t thread);
  Access now(uint32_t thread) const { return {block, thread, clocks[thread].epoch}; }
  size_t threads() const { return clocks.size(); }
  /// Whether the access is ordered before what `thread` does next.
  bool before(const Access &access, uint32_t thread) const {
    const std::vector<uint32_t> &seen = *clocks[thread].seen;
    return access.block == block && (access.thread == thread || (access.thread < seen.size() && seen[access.thread] >= access.epoch));
  }

private:
  struct Clock {
    Known seen;   ///< last epoch of each thread that is known to have ended
    Known fenced; ///< those of them that a proxy fence has come after, here or at a thread that has been met since; null: none
    uint32_t epoch;
  };
  size_t own; ///< threads that are no engines
  std::vector<Clock> clocks;
  uint32_t block = kNoBlock;
};

/// The accesses to the cells of a memory that later ones must be ordered after: the last write, and the reads since.
class AccessHistory {
public:
  explicit AccessHistory(size_t cells) : cells(cells) {}

  /// Memory of a block's own, for the next block.
  void forget();
  /// Memory that outlives blocks, before the next block.
  void forget_readers() { readers.clear(); }

  struct Conflict {
    Access with;
    bool written;
  };
  /// Records an access by `thread`. An earlier one that it conflicts with: one of the two is a write, and they are not ordered.
  std::optional<Conflict> record(size_t cell, const ThreadClocks &clocks, uint32_t thread, bool write);
  /// Whether anybody has written the cell in `block`.
  bool written_in(size_t cell, uint32_t block) const { return cells[cell].write.block == block; }

private:
  struct Cell {
    Access write, read;
    uint32_t elsewhere = kNoBlock; ///< another block that has read it
    uint32_t several = 0;          ///< of readers of this block, where more than one thread has read it: index + 1 in `readers`
  };
  std::optional<Conflict> unordered_read(const Cell &, const ThreadClocks &, uint32_t thread) const;

  std::vector<Cell> cells;
  std::vector<std::vector<uint32_t>> readers; ///< epochs by thread; 0: has not read
};

} // namespace normforge::cuda
