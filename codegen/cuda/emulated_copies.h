// Copies to shared memory that threads have begun (cp.async). Until a thread has waited for a copy, what it writes is anybody's guess: here
// it is poison that nobody may touch, and the copy itself happens when it is waited for, at the last moment that a GPU may take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace normforge::cuda {

constexpr char kPoison = '\xff'; ///< a NaN in every dtype

struct AsyncCopy {
  char *to;
  const char *from;
  uint32_t bytes, exist; ///< the first `exist` bytes are read
  char others = 0;       ///< what the other bytes are
};

class EmulatedCopies {
public:
  EmulatedCopies(size_t threads, const char *shared, int64_t shared_bytes) : threads(threads), shared(shared), owed(size_t(shared_bytes)) {}

  void start_block();
  void begin(uint32_t thread, const AsyncCopy &copy);
  /// Whether there is a copy in the group.
  bool commit(uint32_t thread);
  /// Copies of all the thread's groups but the last `pending`, done.
  std::vector<AsyncCopy> wait(uint32_t thread, size_t pending);
  /// Whether a copy to any of these bytes has not been waited for.
  bool under_way(const char *at, int64_t bytes) const;
  /// Whether the thread has copies that it has not waited for.
  bool owes(uint32_t thread) const;

private:
  struct Thread {
    std::vector<AsyncCopy> open; ///< of no group yet
    std::deque<std::vector<AsyncCopy>> groups;
  };
  std::vector<Thread> threads;
  const char *shared;
  std::vector<char> owed; ///< by byte of shared memory
};

} // namespace normforge::cuda
