#include "codegen/cuda/emulated_block.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <ucontext.h>
#include <vector>

#include "codegen/check/guarded.h"
#include "codegen/cuda/threads.h"
#include "codegen/emulator.h"

namespace normforge::cuda {
namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr size_t kSharedAlignment = 16;
constexpr int kNothing = 0xff; ///< bytes of NaNs

struct Fiber {
  enum State { ready, exchanging, at_barrier, ended } state = ready;
  ucontext_t context;
  uint32_t thread, row;
  uint32_t mask, value, lane; ///< of an exchange
  Exchange how;
  uint32_t barrier, count;
};

class Block {
public:
  Block(ThreadFunction function, uint32_t threads, uint32_t rows, size_t shared_bytes)
      : function(function), shared((shared_bytes + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment), shared_bytes(shared_bytes),
        fibers(threads * rows), stacks(new char[fibers.size() * kStackBytes]) {
    for (size_t i = 0; i < fibers.size(); ++i)
      fibers[i].thread = uint32_t(i % threads), fibers[i].row = uint32_t(i / threads);
  }

  /// Runs all threads to their end. False: they never get there, see fault().
  bool run(uint32_t block, const nf_kernel_args *kernel_args, int64_t first, int64_t last, std::mt19937_64 &random, uint64_t order) {
    number = block, args = kernel_args, begin = first, end = last;
    std::memset(shared.data(), kNothing, shared_bytes);
    for (size_t i = 0; i < fibers.size(); ++i)
      prepare(i);
    for (std::vector<size_t> able = runnable(); !able.empty() || release(); able = runnable()) {
      if (able.empty())
        continue;
      const size_t at = order == 0 ? 0 : order == 1 ? able.size() - 1 : random() % able.size();
      running = &fibers[able[at]];
      swapcontext(&scheduler, &running->context);
    }
    return what.empty() && std::ranges::all_of(fibers, [](const Fiber &fiber) { return fiber.state == Fiber::ended; });
  }

  std::string fault() const {
    if (!what.empty())
      return what;
    for (const Fiber &fiber : fibers)
      if (fiber.state != Fiber::ended)
        return name_of(fiber) + " waits for threads that never come to its " +
               (fiber.state == Fiber::at_barrier ? "barrier " + std::to_string(fiber.barrier) : std::string("shuffle"));
    return {};
  }

  /// Lets another thread run until this one may go on.
  void wait(Fiber::State state) {
    running->state = state;
    swapcontext(&running->context, &scheduler);
  }

  Fiber *running = nullptr;
  uint32_t number = 0;
  char *shared_memory() const { return shared.data(); }

private:
  static void start();

  void prepare(size_t index) {
    Fiber &fiber = fibers[index];
    fiber.state = Fiber::ready;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stacks.get() + index * kStackBytes;
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, start, 0);
  }

  std::vector<size_t> runnable() const {
    std::vector<size_t> able;
    for (size_t i = 0; i < fibers.size() && what.empty(); ++i)
      if (fibers[i].state == Fiber::ready)
        able.push_back(i);
    return able;
  }

  std::string name_of(const Fiber &fiber) const {
    return "block " + std::to_string(number) + " row " + std::to_string(fiber.row) + " thread " + std::to_string(fiber.thread);
  }

  /// Lets those go on who have all met. False: nobody has.
  bool release() {
    bool any = false;
    for (size_t i = 0; i < fibers.size() && what.empty(); ++i)
      if (fibers[i].state == Fiber::exchanging)
        any |= release_warp(i);
      else if (fibers[i].state == Fiber::at_barrier)
        any |= release_barrier(fibers[i].barrier, fibers[i].count);
    return any && what.empty();
  }

  bool release_barrier(uint32_t id, uint32_t count) {
    const auto waits = [&](const Fiber &fiber) { return fiber.state == Fiber::at_barrier && fiber.barrier == id; };
    if (std::ranges::any_of(fibers, [&](const Fiber &fiber) { return waits(fiber) && fiber.count != count; }))
      what = "threads wait at barrier " + std::to_string(id) + " for different numbers of threads";
    if (!what.empty() || std::ranges::count_if(fibers, waits) < int64_t(count))
      return false;
    for (Fiber &fiber : fibers)
      if (waits(fiber))
        fiber.state = Fiber::ready;
    return true;
  }

  bool release_warp(size_t index) {
    const size_t first = index / kWarp * kWarp;
    const Fiber &one = fibers[index];
    std::vector<Fiber *> met(kWarp, nullptr);
    for (uint32_t lane = 0; lane < kWarp; ++lane) {
      if (!(one.mask >> lane & 1))
        continue;
      if (first + lane >= fibers.size() || fibers[first + lane].state != Fiber::exchanging)
        return false;
      Fiber &other = fibers[first + lane];
      if (other.mask != one.mask || other.how != one.how) {
        what = name_of(one) + " and " + name_of(other) + " meet in different shuffles";
        return false;
      }
      met[lane] = &other;
    }
    std::vector<uint32_t> sent(kWarp);
    for (uint32_t lane = 0; lane < kWarp; ++lane)
      if (met[lane])
        sent[lane] = met[lane]->value;
    for (uint32_t lane = 0; lane < kWarp; ++lane) {
      if (!met[lane])
        continue;
      met[lane]->state = Fiber::ready;
      if (one.how == Exchange::none)
        continue;
      const uint32_t from = one.how == Exchange::by_xor ? lane ^ met[lane]->lane : met[lane]->lane;
      if (from < kWarp && met[from])
        met[lane]->value = sent[from];
      else if (what.empty())
        what = name_of(*met[lane]) + " shuffles with lane " + std::to_string(from) + ", which takes no part";
    }
    return true;
  }

  const ThreadFunction function;
  const Guarded shared;
  const size_t shared_bytes;
  std::vector<Fiber> fibers;
  const std::unique_ptr<char[]> stacks;
  ucontext_t scheduler;
  const nf_kernel_args *args = nullptr;
  int64_t begin = 0, end = 0;
  std::string what;
};

thread_local Block *current = nullptr;
thread_local uint64_t thread_order = 0;
thread_local std::string last_fault;

void Block::start() {
  Block &block = *current;
  block.function(block.args, block.begin, block.end);
  block.running->state = Fiber::ended;
}

} // namespace

uint32_t emulated_thread() { return current->running->thread; }
uint32_t emulated_row() { return current->running->row; }
uint32_t emulated_block() { return current->number; }
void *emulated_shared_memory() { return current->shared_memory(); }

uint32_t emulated_exchange(uint32_t mask, uint32_t value, uint32_t lane, Exchange how) {
  Fiber &fiber = *current->running;
  fiber.mask = mask, fiber.value = value, fiber.lane = lane, fiber.how = how;
  current->wait(Fiber::exchanging);
  return fiber.value;
}

void emulated_barrier(uint32_t id, uint32_t count) {
  current->running->barrier = id, current->running->count = count;
  current->wait(Fiber::at_barrier);
}

void run_emulated(ThreadFunction function, int64_t threads, int64_t rows, int64_t shared_bytes, const nf_kernel_args *args, int64_t begin,
                  int64_t end) {
  Block block(function, uint32_t(threads), uint32_t(rows), size_t(shared_bytes));
  std::mt19937_64 random(thread_order);
  current = &block;
  for (int64_t number = 0; number * rows < end - begin; ++number)
    if (!block.run(uint32_t(number), args, begin, end, random, thread_order)) {
      last_fault = block.fault();
      break;
    }
  current = nullptr;
}

} // namespace normforge::cuda

namespace normforge {

void set_emulated_order(uint64_t order) { cuda::thread_order = order; }

std::string take_emulator_fault() { return std::exchange(cuda::last_fault, {}); }

} // namespace normforge
