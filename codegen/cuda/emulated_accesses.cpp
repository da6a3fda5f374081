// What a thread does to memory: its loads and stores, the copies that it begins and waits for, the mbarriers that count them. Each is told
// to those who know what is allowed there; the first to object stops the thread.
#include "codegen/cuda/emulated_threads.h"

namespace normforge::cuda {

void EmulatedThreads::access(const char *at, uint32_t bytes, uint32_t alignment, AccessKind how) {
  const char *stack = stacks.get() + running * kStackBytes;
  if (at >= stack && at < stack + kStackBytes)
    return;
  std::string wrong = memory.access(clocks, running, at, bytes, alignment, how);
  if (const auto rank = rank_of(at); wrong.empty() && rank && *rank != this->rank())
    wrong = cluster.reach(clocks, running, *rank);
  if (wrong.empty() && copies.under_way(at, bytes))
    wrong = "touches shared memory that a copy is on its way to, before the copy has been waited for";
  if (wrong.empty() && mbarriers.touches(at, bytes))
    wrong = "touches an mbarrier as if it were data";
  stop_if(wrong);
}

/// Both ends of a copy are touched when it begins and, for all that other threads know, until it has been waited for.
void EmulatedThreads::begin_copy(const AsyncCopy &copy) {
  touch(copy);
  copies.begin(running, copy);
}

bool EmulatedThreads::wait_for_copies(size_t pending) {
  const std::vector<AsyncCopy> done = copies.wait(running, pending);
  for (const AsyncCopy &copy : done)
    touch(copy);
  return !done.empty();
}

void EmulatedThreads::touch(const AsyncCopy &copy) {
  if (copy.exist)
    access(copy.from, copy.exist, copy.bytes, AccessKind::read);
  access(copy.to, copy.bytes, copy.bytes, AccessKind::write);
}

void EmulatedThreads::init_mbarrier(const char *at, uint32_t arrivals) {
  stop_if(mbarriers.touches(at, kMbarrierBytes) ? "initializes an mbarrier where there is one" : "");
  access(at, kMbarrierBytes, kMbarrierBytes, AccessKind::write);
  stop_if(mbarriers.init(clocks, at, arrivals));
}

void EmulatedThreads::expect_bytes(const char *at, uint32_t bytes) {
  use_mbarrier(at);
  stop_if(mbarriers.expect(at, bytes));
}

void EmulatedThreads::arrive_at_mbarrier(const char *at) {
  use_mbarrier(at);
  stop_if(mbarriers.arrive(clocks, running, at));
}

void EmulatedThreads::wait_for_mbarrier(const char *at, uint32_t parity) {
  use_mbarrier(at);
  stop_if(mbarriers.wait(running, at, parity));
  wait(Fiber::at_mbarrier);
}

/// The thread must know of the mbarrier; many may use it at once.
void EmulatedThreads::use_mbarrier(const char *at) {
  stop_if(mbarriers.missing(at));
  stop_if(memory.access(clocks, running, at, kMbarrierBytes, kMbarrierBytes, AccessKind::read));
}

/// What the copy touches, the engine does, which knows of other accesses what the thread has fenced.
void EmulatedThreads::begin_bulk_copy(const BulkCopy &copy, const char *mbarrier) {
  use_mbarrier(mbarrier);
  if (copy.bytes == 0 || copy.bytes % kBulkBytes)
    stop("copies " + std::to_string(copy.bytes) + " bytes in bulk, no multiple of " + std::to_string(kBulkBytes));
  if (rank_of(copy.to) != rank() || mbarriers.touches(copy.to, copy.bytes))
    stop("copies in bulk to what is not shared memory of its block's own, or an mbarrier");
  const uint32_t engine = mbarriers.engine(mbarrier);
  clocks.follow_fenced(engine, running);
  const auto touch = [&](const char *at, int64_t bytes, int64_t alignment, AccessKind how) {
    const std::string wrong = memory.access(clocks, engine, at, bytes, alignment, how);
    const char *met = wrong.ends_with("met") ? " before a proxy fence" : "";
    stop_if(wrong.empty() ? wrong : "begins a bulk copy that " + wrong + met);
  };
  touch(mbarrier, kMbarrierBytes, kMbarrierBytes, AccessKind::read);
  touch(copy.from, copy.bytes, kBulkBytes, AccessKind::read);
  touch(copy.to, copy.bytes, kBulkBytes, AccessKind::write);
  stop_if(mbarriers.begin(mbarrier, copy));
}

} // namespace normforge::cuda
