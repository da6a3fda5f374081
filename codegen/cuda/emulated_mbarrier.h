// mbarriers and the bulk copies that they count (sm_90): strictly, as PTX has them. A phase ends when its arrivals and its bytes are
// complete, and its bytes arrive no sooner than a thread waits for them. Until then they are poison.
//
// The engine that copies is, for each mbarrier, a thread of its own among the clocks (thread_clocks.h): its accesses are ordered after what
// the thread that begins a copy has fenced, and before what follows a wait for the end of the phase; nothing else orders them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codegen/cuda/thread_clocks.h"

namespace normforge::cuda {

constexpr int64_t kMbarrierBytes = 8;
constexpr int64_t kBulkBytes = 16; ///< what bulk copies move is a multiple of these, from and to multiples of these

struct BulkCopy {
  char *to;
  const char *from;
  uint32_t bytes;
};

class EmulatedMbarriers {
public:
  explicit EmulatedMbarriers(size_t threads) : threads(threads) {}

  void start_block();
  /// Whether any of these bytes are an mbarrier's.
  bool touches(const char *at, int64_t bytes) const;
  // What is wrong with what a thread does; empty: nothing. All but init() want an mbarrier there.
  std::string init(ThreadClocks &, const char *at, uint32_t arrivals);
  std::string missing(const char *at) const;
  std::string expect(const char *at, uint32_t bytes);
  std::string arrive(ThreadClocks &, uint32_t thread, const char *at);
  std::string wait(uint32_t thread, const char *at, uint32_t parity);
  std::string begin(const char *at, const BulkCopy &copy);

  /// The engine's number among the clocks.
  uint32_t engine(const char *at) const { return all.at(at).engine; }
  /// Lets a thread pass that waits for a phase which has ended, or can end now. `wrong`: what is wrong with its wait.
  bool pass(ThreadClocks &, uint32_t thread, std::string &wrong);
  /// What the phase that a thread waits for lacks.
  std::string lack(uint32_t thread) const;
  /// Whether a copy is on its way, or a phase has begun to fill, that nobody has waited for.
  bool unfinished() const;

private:
  struct Mbarrier {
    uint32_t engine, arrivals, pending; ///< arrivals of each phase, and those that this one lacks
    uint32_t phase = 0;
    int64_t expected = 0, begun = 0;        ///< bytes of this phase
    std::vector<BulkCopy> copies;           ///< on their way
    std::vector<ThreadClocks::Known> known; ///< of those that have arrived
    ThreadClocks::Known ended;              ///< what those learn that wait for the phase before this one
    bool complete() const { return pending == 0 && begun == expected; }
  };
  struct Thread {
    const char *at = nullptr;                ///< the mbarrier that it waits at
    std::map<const char *, uint32_t> phases; ///< that it has waited for
  };
  static void end_phase(ThreadClocks &, Mbarrier &);

  std::map<const char *, Mbarrier> all;
  std::vector<Thread> threads;
};

} // namespace normforge::cuda
