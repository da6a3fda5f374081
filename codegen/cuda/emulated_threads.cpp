#include "codegen/cuda/emulated_threads.h"

#include <algorithm>

#include "codegen/cuda/threads.h"

namespace normforge::cuda {
namespace {

constexpr size_t kSharedAlignment = 16;
constexpr uint32_t kAbsent = ~0u;

} // namespace

std::vector<uint32_t> Order::of(std::vector<uint32_t> all) {
  if (order == 1)
    std::ranges::reverse(all);
  else if (order)
    std::ranges::shuffle(all, random);
  return all;
}

EmulatedThreads::EmulatedThreads(const EmulatedKernel &kernel, const nf_kernel_args &args, Meetings &meetings, int64_t left_out,
                                 void (*entry)())
    : kernel(kernel), meetings(meetings), left_out(left_out), entry(entry), block_threads(uint32_t(kernel.threads * kernel.rows)),
      shared_stride((size_t(kernel.shared_bytes) / kSharedAlignment + (kernel.cluster > 1 ? 2 : 1)) * kSharedAlignment),
      shared(shared_stride * size_t(kernel.cluster)), fibers(size_t(kernel.cluster * block_threads)),
      stacks(new char[fibers.size() * kStackBytes]), clocks(fibers.size()), memory(kernel, args, shared.data(), int64_t(shared_stride)),
      copies(fibers.size(), shared.data(), int64_t(shared_stride) * kernel.cluster), mbarriers(fibers.size()),
      cluster(size_t(kernel.cluster), block_threads) {}

bool EmulatedThreads::run(uint32_t block, Order &order) {
  first = block;
  clocks.start(block);
  cluster.start();
  memory.start_block();
  copies.start_block();
  mbarriers.start_block();
  for (size_t i = 0; i < fibers.size(); ++i)
    prepare(i);
  do {
    for (uint32_t next : order.of(ready())) {
      running = next;
      normforge_switch_stack(&scheduler, fibers[running].stack);
      if (!what.empty())
        return false;
    }
  } while (release());
  if (all_ended() && mbarriers.unfinished())
    what = std::string(kernel.name) + ": block " + std::to_string(first) + " ends while an mbarrier counts what nobody has waited for";
  if (const auto late = cluster.late_reach(clocks); late && all_ended())
    what = place_of(late->first) + "reaches into the shared memory of block " + std::to_string(late->second) +
           " of its cluster, which may have ended";
  return what.empty() && all_ended();
}

std::string EmulatedThreads::fault() const {
  if (!what.empty())
    return what;
  const auto waiting = std::ranges::find_if(fibers, [](const Fiber &fiber) { return fiber.state != Fiber::ended; });
  if (waiting->state == Fiber::at_mbarrier)
    return place_of(size_t(waiting - fibers.begin())) + "waits at an mbarrier for a phase that never ends: it lacks " +
           mbarriers.lack(uint32_t(waiting - fibers.begin()));
  return place_of(size_t(waiting - fibers.begin())) + "waits for threads that never come to its " +
         (waiting->state == Fiber::at_cluster   ? std::string("cluster")
          : waiting->state == Fiber::at_barrier ? "barrier " + std::to_string(waiting->barrier)
                                                : std::string("shuffle"));
}

bool EmulatedThreads::passes(uint32_t meeting) {
  meetings.reached[meeting] = true;
  return int64_t(meeting) == left_out;
}

void EmulatedThreads::wait(Fiber::State state) {
  Fiber &fiber = current();
  fiber.state = state;
  normforge_switch_stack(&fiber.stack, scheduler);
}

void EmulatedThreads::arrive_at_cluster() { stop_if(cluster.arrive(clocks, running)); }

void EmulatedThreads::wait_for_cluster() {
  stop_if(cluster.wait(running));
  wait(Fiber::at_cluster);
}

char *EmulatedThreads::remote(const char *at, uint32_t rank) {
  if (rank >= kernel.cluster)
    stop("reaches into block " + std::to_string(rank) + " of its cluster, which has " + std::to_string(kernel.cluster));
  return shared.data() + rank * shared_stride + (at - shared_memory());
}

void EmulatedThreads::end_thread() {
  if (copies.owes(running))
    stop("ends while copies are on their way to shared memory");
  wait(Fiber::ended);
}

void EmulatedThreads::prepare(size_t index) {
  fibers[index].state = Fiber::ready;
  fibers[index].stack = new_stack(stacks.get() + index * kStackBytes, kStackBytes, entry);
}

bool EmulatedThreads::all_ended() const {
  return std::ranges::all_of(fibers, [](const Fiber &fiber) { return fiber.state == Fiber::ended; });
}

template <class Condition> std::vector<uint32_t> EmulatedThreads::fibers_where(const Condition &condition) const {
  std::vector<uint32_t> found;
  for (uint32_t i = 0; i < fibers.size(); ++i)
    if (condition(fibers[i]))
      found.push_back(i);
  return found;
}

std::vector<uint32_t> EmulatedThreads::ready() const {
  return fibers_where([](const Fiber &fiber) { return fiber.state == Fiber::ready; });
}

std::optional<uint32_t> EmulatedThreads::rank_of(const char *at) const {
  const auto offset = size_t(at - shared.data());
  return at >= shared.data() && offset < shared_stride * size_t(kernel.cluster) ? std::optional(uint32_t(offset / shared_stride))
                                                                                : std::nullopt;
}

std::string EmulatedThreads::name_of(size_t fiber) const {
  const auto threads = size_t(kernel.threads);
  return "row " + std::to_string(fiber % block_threads / threads) + " thread " + std::to_string(fiber % threads);
}

std::string EmulatedThreads::place_of(size_t fiber) const {
  return std::string(kernel.name) + ": block " + std::to_string(first + fiber / block_threads) + " " + name_of(fiber) + ": ";
}

void EmulatedThreads::stop(const std::string &wrong) {
  what = place_of(running) + wrong;
  wait(Fiber::ready);
}

void EmulatedThreads::stop_if(const std::string &wrong) {
  if (!wrong.empty())
    stop(wrong);
}

bool EmulatedThreads::release() {
  bool any = false;
  cluster.open_barrier(clocks);
  for (uint32_t i = 0; i < fibers.size() && what.empty(); ++i)
    if (fibers[i].state == Fiber::exchanging)
      any |= release_warp(i);
    else if (fibers[i].state == Fiber::at_barrier)
      any |= release_barrier(i);
    else if (passes_alone(i)) {
      fibers[i].state = Fiber::ready;
      any = true;
    }
  return any && what.empty();
}

bool EmulatedThreads::passes_alone(uint32_t index) {
  if (fibers[index].state == Fiber::at_cluster)
    return cluster.pass(clocks, index);
  std::string wrong;
  const bool passes = fibers[index].state == Fiber::at_mbarrier && mbarriers.pass(clocks, index, wrong);
  if (!wrong.empty())
    what = place_of(index) + wrong;
  return passes;
}

bool EmulatedThreads::release_barrier(uint32_t index) {
  const Fiber &one = fibers[index];
  const auto is_there = [&](const Fiber &fiber) {
    return fiber.state == Fiber::at_barrier && fiber.barrier == one.barrier &&
           size_t(&fiber - fibers.data()) / block_threads == index / block_threads;
  };
  const auto met = fibers_where(is_there);
  const auto complain = [&](const std::string &how) {
    what = place_of(index) + "waits at barrier " + std::to_string(one.barrier) + how;
    return false;
  };
  if (one.count % kWarp || one.barrier > kNamedBarriers)
    return complain(" for " + std::to_string(one.count) + " threads; barriers 0 to " + std::to_string(kNamedBarriers) +
                    " take whole warps");
  for (uint32_t other : met)
    if (fibers[other].count != one.count)
      return complain(" for " + std::to_string(one.count) + " threads, but " + name_of(other) + " there for " +
                      std::to_string(fibers[other].count));
  if (met.size() > one.count)
    return complain(" for " + std::to_string(one.count) + " threads, but " + std::to_string(met.size()) + " have come");
  if (met.size() < one.count)
    return false;
  clocks.meet(met);
  for (uint32_t other : met)
    fibers[other].state = Fiber::ready;
  return true;
}

std::vector<uint32_t> EmulatedThreads::warp_of(uint32_t index) {
  const Fiber &one = fibers[index];
  const uint32_t first = index / kWarp * kWarp;
  std::vector<uint32_t> met(kWarp, kAbsent);
  if (!(one.mask >> (index - first) & 1))
    what = place_of(index) + "takes part in a shuffle whose mask leaves it out";
  for (uint32_t lane = 0; lane < kWarp && what.empty(); ++lane) {
    if (!(one.mask >> lane & 1))
      continue;
    if (first + lane >= fibers.size() || fibers[first + lane].state != Fiber::exchanging)
      return {};
    const Fiber &other = fibers[first + lane];
    if (other.mask != one.mask || other.how != one.how)
      what = place_of(index) + "meets " + name_of(first + lane) + " in another shuffle";
    met[lane] = first + lane;
  }
  return what.empty() ? met : std::vector<uint32_t>();
}

bool EmulatedThreads::release_warp(uint32_t index) {
  const std::vector<uint32_t> met = warp_of(index);
  if (met.empty())
    return false;
  const Exchange how = fibers[index].how;
  std::vector<uint32_t> sent(kWarp), threads;
  for (uint32_t lane = 0; lane < kWarp; ++lane)
    if (met[lane] != kAbsent)
      sent[lane] = fibers[met[lane]].value, threads.push_back(met[lane]);
  if (how == Exchange::none)
    clocks.meet(threads);
  for (uint32_t thread : threads) {
    Fiber &fiber = fibers[thread];
    fiber.state = Fiber::ready;
    if (how == Exchange::none)
      continue;
    const uint32_t from = how == Exchange::by_xor ? (thread % kWarp) ^ fiber.lane : fiber.lane;
    if (from < kWarp && met[from] != kAbsent) {
      note(fiber.meeting, fiber.value != sent[from]);
      fiber.value = sent[from];
    } else if (what.empty())
      what = place_of(thread) + "shuffles with lane " + std::to_string(from) + ", which takes no part";
  }
  return true;
}

} // namespace normforge::cuda
