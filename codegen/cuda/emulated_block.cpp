// Threads run in rounds: each that can runs until it waits or ends, and then those go on who have all met. So in a round no thread runs
// twice, and the order of a round is all the freedom there is.
#include "codegen/cuda/emulated_block.h"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <ucontext.h>
#include <vector>

#include "codegen/check/guarded.h"
#include "codegen/cuda/emulated_cluster.h"
#include "codegen/cuda/emulated_copies.h"
#include "codegen/cuda/emulated_memory.h"
#include "codegen/cuda/threads.h"
#include "codegen/emulator.h"
#include "runtime/call.h"

namespace normforge::cuda {
namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr size_t kSharedAlignment = 16;

struct Fiber {
  enum State { ready, exchanging, at_barrier, at_cluster, ended } state = ready;
  ucontext_t context;
  uint32_t meeting;
  uint32_t mask, value, lane; ///< of an exchange
  Exchange how;
  uint32_t barrier, count;
};

/// The order of threads or of blocks: 0 ascending, 1 descending, else any.
class Order {
public:
  explicit Order(uint64_t order) : order(order), random(order) {}
  std::vector<uint32_t> of(std::vector<uint32_t> all) {
    if (order == 1)
      std::ranges::reverse(all);
    else if (order)
      std::ranges::shuffle(all, random);
    return all;
  }

private:
  const uint64_t order;
  std::mt19937_64 random;
};

/// Where a kernel's threads may meet, and where they did.
struct Meetings {
  std::vector<Meeting> kinds;
  std::vector<bool> reached, moved;
};

/// A block, or the blocks of a cluster, which run together.
class Block {
public:
  Block(ThreadFunction function, const EmulatedKernel &kernel, const nf_kernel_args *args, int64_t begin, int64_t end, Meetings &meetings,
        int64_t left_out)
      : function(function), kernel(kernel), args(args), begin(begin), end(end), meetings(meetings), left_out(left_out),
        block_threads(uint32_t(kernel.threads * kernel.rows)),
        shared_stride((size_t(kernel.shared_bytes) / kSharedAlignment + (kernel.cluster > 1 ? 2 : 1)) * kSharedAlignment),
        shared(shared_stride * size_t(kernel.cluster)), fibers(size_t(kernel.cluster * block_threads)),
        stacks(new char[fibers.size() * kStackBytes]), clocks(fibers.size()), memory(kernel, *args, shared.data(), int64_t(shared_stride)),
        copies(fibers.size(), shared.data(), int64_t(shared_stride) * kernel.cluster), cluster(size_t(kernel.cluster), block_threads) {}

  /// Runs all threads to their end. False: they never get there, see fault().
  bool run(uint32_t block, Order &order) {
    first = block;
    clocks.start(block);
    cluster.start();
    memory.start_block();
    copies.start_block();
    for (size_t i = 0; i < fibers.size(); ++i)
      prepare(i);
    do {
      for (uint32_t next : order.of(ready())) {
        running = next;
        swapcontext(&scheduler, &fibers[running].context);
        if (!what.empty())
          return false;
      }
    } while (release());
    if (const auto late = cluster.late_reach(clocks); late && all_ended())
      what = place_of(late->first) + "reaches into the shared memory of block " + std::to_string(late->second) +
             " of its cluster, which may have ended";
    return what.empty() && all_ended();
  }

  std::string fault() const {
    if (!what.empty())
      return what;
    const auto waiting = std::ranges::find_if(fibers, [](const Fiber &fiber) { return fiber.state != Fiber::ended; });
    return place_of(size_t(waiting - fibers.begin())) + "waits for threads that never come to its " +
           (waiting->state == Fiber::at_cluster   ? std::string("cluster")
            : waiting->state == Fiber::at_barrier ? "barrier " + std::to_string(waiting->barrier)
                                                  : std::string("shuffle"));
  }

  /// Whether the running thread passes a meeting as if it were not there.
  bool passes(uint32_t meeting) {
    meetings.reached[meeting] = true;
    return int64_t(meeting) == left_out;
  }

  /// Lets other threads run until this one may go on.
  void wait(Fiber::State state) {
    Fiber &fiber = current();
    fiber.state = state;
    swapcontext(&fiber.context, &scheduler);
  }

  void access(const char *at, uint32_t bytes, uint32_t alignment, AccessKind how) {
    const char *stack = stacks.get() + running * kStackBytes;
    if (at >= stack && at < stack + kStackBytes)
      return;
    std::string wrong = memory.access(clocks, running, at, bytes, alignment, how);
    if (const auto rank = rank_of(at); wrong.empty() && rank && *rank != this->rank())
      wrong = cluster.reach(clocks, running, *rank);
    if (wrong.empty() && copies.under_way(at, bytes))
      wrong = "touches shared memory that a copy is on its way to, before the copy has been waited for";
    if (!wrong.empty())
      stop(wrong);
  }

  /// Both ends of a copy are touched when it begins and, for all that other threads know, until it has been waited for.
  void begin_copy(const AsyncCopy &copy) {
    touch(copy);
    copies.begin(running, copy);
  }

  void wait_for_copies(size_t pending) {
    for (const AsyncCopy &copy : copies.wait(running, pending))
      touch(copy);
  }

  void arrive_at_cluster() {
    if (const std::string wrong = cluster.arrive(clocks, running); !wrong.empty())
      stop(wrong);
  }

  void wait_for_cluster() {
    if (const std::string wrong = cluster.wait(running); !wrong.empty())
      stop(wrong);
    wait(Fiber::at_cluster);
  }

  char *remote(const char *at, uint32_t rank) {
    if (rank >= kernel.cluster)
      stop("reaches into block " + std::to_string(rank) + " of its cluster, which has " + std::to_string(kernel.cluster));
    return shared.data() + rank * shared_stride + (at - shared_memory());
  }

  void commit_copies() { copies.commit(running); }

  /// The running thread's code is done.
  void end_thread() {
    if (copies.owes(running))
      stop("ends while copies are on their way to shared memory");
    current().state = Fiber::ended;
  }

  Fiber &current() { return fibers[running]; }
  uint32_t thread() const { return running % uint32_t(kernel.threads); }
  uint32_t row() const { return running % block_threads / uint32_t(kernel.threads); }
  uint32_t rank() const { return running / block_threads; }
  uint32_t number() const { return first + rank(); }
  char *shared_memory() const { return shared.data() + rank() * shared_stride; }
  uint32_t blocks = 0; ///< of the grid

private:
  static void start();

  bool all_ended() const {
    return std::ranges::all_of(fibers, [](const Fiber &fiber) { return fiber.state == Fiber::ended; });
  }

  /// The block whose shared memory an address is of.
  std::optional<uint32_t> rank_of(const char *at) const {
    const auto offset = size_t(at - shared.data());
    return at >= shared.data() && offset < shared_stride * size_t(kernel.cluster) ? std::optional(uint32_t(offset / shared_stride))
                                                                                  : std::nullopt;
  }

  void stop(const std::string &wrong) {
    what = place_of(running) + wrong;
    wait(Fiber::ready);
  }

  void touch(const AsyncCopy &copy) {
    if (copy.exist)
      access(copy.from, copy.exist, copy.bytes, AccessKind::read);
    access(copy.to, copy.bytes, copy.bytes, AccessKind::write);
  }

  void prepare(size_t index) {
    Fiber &fiber = fibers[index];
    fiber.state = Fiber::ready;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stacks.get() + index * kStackBytes;
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, start, 0);
  }

  template <class Condition> std::vector<uint32_t> fibers_where(const Condition &condition) const {
    std::vector<uint32_t> found;
    for (uint32_t i = 0; i < fibers.size(); ++i)
      if (condition(fibers[i]))
        found.push_back(i);
    return found;
  }

  std::vector<uint32_t> ready() const {
    return fibers_where([](const Fiber &fiber) { return fiber.state == Fiber::ready; });
  }

  std::string name_of(size_t fiber) const {
    const auto threads = size_t(kernel.threads);
    return "row " + std::to_string(fiber % block_threads / threads) + " thread " + std::to_string(fiber % threads);
  }

  /// The start of a message about a thread.
  std::string place_of(size_t fiber) const {
    return std::string(kernel.name) + ": block " + std::to_string(first + fiber / block_threads) + " " + name_of(fiber) + ": ";
  }

  /// Lets those go on who have all met. False: nobody has.
  bool release() {
    bool any = false;
    cluster.open_barrier(clocks);
    for (uint32_t i = 0; i < fibers.size() && what.empty(); ++i)
      if (fibers[i].state == Fiber::exchanging)
        any |= release_warp(i);
      else if (fibers[i].state == Fiber::at_barrier)
        any |= release_barrier(i);
      else if (fibers[i].state == Fiber::at_cluster && cluster.pass(clocks, i)) {
        fibers[i].state = Fiber::ready;
        any = true;
      }
    return any && what.empty();
  }

  bool release_barrier(uint32_t index) {
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

  /// The threads of a warp that meet, by lane; those that take no part: kAbsent. Empty: not all have come.
  std::vector<uint32_t> warp_of(uint32_t index) {
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

  bool release_warp(uint32_t index) {
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
        if (fiber.value != sent[from])
          meetings.moved[fiber.meeting] = true;
        fiber.value = sent[from];
      } else if (what.empty())
        what = place_of(thread) + "shuffles with lane " + std::to_string(from) + ", which takes no part";
    }
    return true;
  }

  static constexpr uint32_t kAbsent = ~0u;
  const ThreadFunction function;
  const EmulatedKernel &kernel;
  const nf_kernel_args *const args;
  const int64_t begin, end;
  Meetings &meetings;
  const int64_t left_out; ///< of the meetings; -1: none
  const uint32_t block_threads;
  const size_t shared_stride; ///< from one block's shared memory to that of the next in the cluster
  const Guarded shared;
  std::vector<Fiber> fibers;
  const std::unique_ptr<char[]> stacks;
  ThreadClocks clocks;
  EmulatedMemory memory;
  EmulatedCopies copies;
  EmulatedCluster cluster;
  uint32_t first = 0; ///< block of the cluster
  ucontext_t scheduler;
  uint32_t running = 0;
  std::string what;
};

thread_local Block *current = nullptr;
thread_local uint64_t thread_order = 0;
thread_local int multiprocessors = 2;
thread_local std::string last_fault;
thread_local std::map<std::string, Meetings> all_meetings; ///< by kernel
thread_local std::optional<MeetingPoint> left_out;

void Block::start() {
  Block &block = *cuda::current;
  block.function(block.args, block.begin, block.end);
  block.end_thread();
}

} // namespace

uint32_t emulated_thread() { return current->thread(); }
uint32_t emulated_row() { return current->row(); }
uint32_t emulated_block() { return current->number(); }
uint32_t emulated_blocks() { return current->blocks; }
void *emulated_shared_memory() { return current->shared_memory(); }

uint32_t emulated_exchange(uint32_t meeting, uint32_t mask, uint32_t value, uint32_t lane, Exchange how) {
  if (current->passes(meeting))
    return value;
  Fiber &fiber = current->current();
  fiber.meeting = meeting, fiber.mask = mask, fiber.value = value, fiber.lane = lane, fiber.how = how;
  current->wait(Fiber::exchanging);
  return fiber.value;
}

void emulated_barrier(uint32_t meeting, uint32_t id, uint32_t count) {
  if (current->passes(meeting))
    return;
  Fiber &fiber = current->current();
  fiber.barrier = id, fiber.count = count;
  current->wait(Fiber::at_barrier);
}

uint32_t emulated_cluster_rank() { return current->rank(); }
void *emulated_remote(void *at, uint32_t rank) { return current->remote(static_cast<char *>(at), rank); }

void emulated_cluster_arrive(uint32_t meeting) {
  if (!current->passes(meeting))
    current->arrive_at_cluster();
}

void emulated_cluster_wait(uint32_t meeting) {
  if (!current->passes(meeting))
    current->wait_for_cluster();
}

void emulated_copy(void *to, const void *from, uint32_t bytes, uint32_t exist) {
  current->begin_copy({static_cast<char *>(to), static_cast<const char *>(from), bytes, exist});
}

void emulated_copy_group(uint32_t meeting) {
  if (!current->passes(meeting))
    current->commit_copies();
}

void emulated_copy_wait(uint32_t meeting, uint32_t pending) {
  if (!current->passes(meeting))
    current->wait_for_copies(pending);
}

void emulated_access(const void *at, uint32_t bytes, uint32_t alignment, AccessKind how) {
  current->access(static_cast<const char *>(at), bytes, alignment, how);
}

void run_emulated(ThreadFunction function, const EmulatedKernel *kernel, const nf_kernel_args *args, int64_t begin, int64_t end) {
  Meetings &meetings = all_meetings[kernel->name];
  meetings.kinds.assign(kernel->kinds(), kernel->kinds() + kernel->meetings);
  meetings.reached.resize(meetings.kinds.size());
  meetings.moved.resize(meetings.kinds.size());
  const bool here = left_out && left_out->kernel == kernel->name;
  Block block(function, *kernel, args, begin, end, meetings, here ? left_out->number : -1);
  Order order(thread_order);
  block.blocks = uint32_t(nf::grid_of(end - begin, kernel->rows, kernel->cluster, kernel->resident, multiprocessors));
  std::vector<uint32_t> numbers(block.blocks / uint32_t(kernel->cluster));
  std::iota(numbers.begin(), numbers.end(), 0);
  current = &block;
  for (uint32_t number : order.of(std::move(numbers)))
    if (!block.run(number * uint32_t(kernel->cluster), order)) {
      last_fault = block.fault();
      break;
    }
  current = nullptr;
}

} // namespace normforge::cuda

namespace normforge {

void set_emulated_order(uint64_t order) { cuda::thread_order = order; }

void set_emulated_multiprocessors(int count) { cuda::multiprocessors = count; }

std::string take_emulator_fault() { return std::exchange(cuda::last_fault, {}); }

std::vector<MeetingPoint> take_meeting_points() {
  std::vector<MeetingPoint> points;
  for (const auto &[kernel, meetings] : std::exchange(cuda::all_meetings, {}))
    for (size_t i = 0; i < meetings.kinds.size(); ++i)
      points.push_back({kernel, int(i), cuda::kMeetingNames[size_t(meetings.kinds[i])], meetings.reached[i], meetings.moved[i]});
  return points;
}

void leave_out(const std::optional<MeetingPoint> &point) { cuda::left_out = point; }

} // namespace normforge
