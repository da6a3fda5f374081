#include "codegen/cuda/thread_clocks.h"

#include <algorithm>

namespace normforge::cuda {

void ThreadClocks::start(uint32_t next) {
  block = next;
  const auto nothing = std::make_shared<const std::vector<uint32_t>>(clocks.size(), 0);
  for (Clock &clock : clocks)
    clock = {nothing, 1};
}

void ThreadClocks::meet(std::span<const uint32_t> threads) {
  auto all = std::make_shared<std::vector<uint32_t>>(*clocks[threads.front()].seen);
  const std::vector<uint32_t> *last = clocks[threads.front()].seen.get();
  for (uint32_t thread : threads)
    if (const auto &seen = *clocks[thread].seen; &seen != last) { // threads that have met before share what they know
      std::ranges::transform(*all, seen, all->begin(), [](uint32_t a, uint32_t b) { return std::max(a, b); });
      last = &seen;
    }
  for (uint32_t thread : threads)
    (*all)[thread] = clocks[thread].epoch;
  for (uint32_t thread : threads)
    clocks[thread] = {all, clocks[thread].epoch + 1};
}

ThreadClocks::Known ThreadClocks::arrive(uint32_t thread) {
  auto known = std::make_shared<std::vector<uint32_t>>(*clocks[thread].seen);
  (*known)[thread] = clocks[thread].epoch++;
  return known;
}

ThreadClocks::Known ThreadClocks::all_of(std::span<const Known> arrived, size_t threads) {
  auto all = std::make_shared<std::vector<uint32_t>>(threads, 0);
  for (const Known &known : arrived)
    std::ranges::transform(*all, *known, all->begin(), [](uint32_t a, uint32_t b) { return std::max(a, b); });
  return all;
}

void ThreadClocks::join(uint32_t thread, const Known &all) {
  Known &seen = clocks[thread].seen;
  ++clocks[thread].epoch;
  auto both = all_of(std::vector{seen, all}, threads());
  seen = *both == *all ? all : both;
}

void AccessHistory::forget() {
  std::ranges::fill(cells, Cell());
  forget_readers();
}

std::optional<AccessHistory::Conflict> AccessHistory::unordered_read(const Cell &cell, const ThreadClocks &clocks, uint32_t thread) const {
  const uint32_t block = clocks.now(thread).block;
  if (cell.elsewhere != kNoBlock)
    return Conflict{{cell.elsewhere}, false};
  if (cell.read.block == kNoBlock)
    return std::nullopt;
  if (cell.read.block != block || !cell.several)
    return clocks.before(cell.read, thread) ? std::nullopt : std::optional(Conflict{cell.read, false});
  const std::vector<uint32_t> &epochs = readers[cell.several - 1];
  for (uint32_t other = 0; other < epochs.size(); ++other)
    if (const Access read{block, other, epochs[other]}; read.epoch && !clocks.before(read, thread))
      return Conflict{read, false};
  return std::nullopt;
}

std::optional<AccessHistory::Conflict> AccessHistory::record(size_t number, const ThreadClocks &clocks, uint32_t thread, bool write) {
  Cell &cell = cells[number];
  const Access me = clocks.now(thread);
  if (cell.write.block != kNoBlock && !clocks.before(cell.write, thread))
    return Conflict{cell.write, true};
  if (write) {
    const auto conflict = unordered_read(cell, clocks, thread);
    cell = {.write = me};
    return conflict;
  }
  if (cell.read.block != me.block) {
    if (cell.read.block != kNoBlock)
      cell.elsewhere = cell.read.block;
    cell.read = me, cell.several = 0;
  } else if (cell.several) {
    readers[cell.several - 1][thread] = me.epoch;
  } else if (cell.read.thread == thread) {
    cell.read = me;
  } else {
    std::vector<uint32_t> &epochs = readers.emplace_back(clocks.threads());
    epochs[cell.read.thread] = cell.read.epoch, epochs[thread] = me.epoch;
    cell.several = uint32_t(readers.size());
  }
  return std::nullopt;
}

} // namespace normforge::cuda
