#include "codegen/cuda/emulated_cluster.h"

#include <algorithm>

namespace normforge::cuda {

void EmulatedCluster::start() {
  std::ranges::fill(threads, Thread());
  reaches.clear();
}

std::string EmulatedCluster::arrive(ThreadClocks &clocks, uint32_t thread) {
  Thread &one = threads[thread];
  if (one.state != Thread::apart)
    return "arrives at the cluster's barrier again before it has waited there";
  one.state = Thread::arrived;
  one.known = clocks.arrive(thread);
  return {};
}

std::string EmulatedCluster::wait(uint32_t thread) const {
  return threads[thread].state == Thread::apart ? "waits at the cluster's barrier, where it has not arrived" : "";
}

std::string EmulatedCluster::reach(const ThreadClocks &clocks, uint32_t thread, uint32_t rank) {
  if (!threads[thread].knows_others)
    return "reaches into the shared memory of block " + std::to_string(rank) + " of its cluster, which may not have begun";
  const Access now = clocks.now(thread);
  const auto same = std::ranges::find_if(reaches, [&](const Reach &each) { return each.access.thread == thread && each.rank == rank; });
  if (same == reaches.end())
    reaches.push_back({now, rank});
  else
    same->access = now;
  return {};
}

void EmulatedCluster::open_barrier(const ThreadClocks &clocks) {
  if (!std::ranges::all_of(threads, [](const Thread &one) { return one.state == Thread::arrived; }))
    return;
  std::vector<ThreadClocks::Known> all;
  for (Thread &one : threads) {
    one.state = Thread::free;
    all.push_back(std::move(one.known));
  }
  known = ThreadClocks::all_of(all, clocks.threads());
}

bool EmulatedCluster::pass(ThreadClocks &clocks, uint32_t thread) {
  Thread &one = threads[thread];
  if (one.state != Thread::free)
    return false;
  one.state = Thread::apart;
  one.knows_others = true;
  clocks.join(thread, known);
  return true;
}

std::optional<std::pair<uint32_t, uint32_t>> EmulatedCluster::late_reach(const ThreadClocks &clocks) const {
  for (const Reach &reach : reaches) {
    bool seen = false;
    for (size_t t = 0; t < block_threads; ++t)
      seen |= clocks.before(reach.access, uint32_t(reach.rank * block_threads + t));
    if (!seen)
      return std::pair(reach.access.thread, reach.rank);
  }
  return std::nullopt;
}

} // namespace normforge::cuda
