#include "codegen/cuda/thread_clocks.h"

#include <algorithm>

namespace normforge::cuda {
namespace {

using Epochs = std::vector<uint32_t>;

void raise(Epochs &all, const Epochs &seen) {
  all.resize(std::max(all.size(), seen.size()));
  std::ranges::transform(seen, all, all.begin(), [](uint32_t a, uint32_t b) { return std::max(a, b); });
}

/// Those who know the same share it.
ThreadClocks::Known both(const ThreadClocks::Known &a, const ThreadClocks::Known &b) {
  if (!a || !b || a == b)
    return a ? a : b;
  auto all = std::make_shared<Epochs>(*a);
  raise(*all, *b);
  return *all == *b ? b : all;
}

} // namespace

void ThreadClocks::start(uint32_t next) {
  block = next;
  clocks.assign(own, {std::make_shared<const Epochs>(own, 0), {}, 1});
}

void ThreadClocks::meet(std::span<const uint32_t> threads) {
  auto all = std::make_shared<Epochs>(*clocks[threads.front()].seen);
  const Epochs *last = clocks[threads.front()].seen.get();
  Known fenced;
  for (uint32_t thread : threads)
    if (const auto &seen = *clocks[thread].seen; &seen != last) { // threads that have met before share what they know
      raise(*all, seen);
      last = &seen;
    }
  for (uint32_t thread : threads) {
    (*all)[thread] = clocks[thread].epoch;
    fenced = both(fenced, clocks[thread].fenced);
  }
  for (uint32_t thread : threads)
    clocks[thread] = {all, fenced, clocks[thread].epoch + 1};
}

ThreadClocks::Known ThreadClocks::arrive(uint32_t thread) {
  auto known = std::make_shared<Epochs>(*clocks[thread].seen);
  known->resize(std::max<size_t>(known->size(), thread + 1));
  (*known)[thread] = clocks[thread].epoch++;
  return known;
}

ThreadClocks::Known ThreadClocks::all_of(std::span<const Known> arrived, size_t threads) {
  auto all = std::make_shared<Epochs>(threads, 0);
  for (const Known &known : arrived)
    raise(*all, *known);
  return all;
}

void ThreadClocks::join(uint32_t thread, const Known &all) {
  clocks[thread].seen = both(clocks[thread].seen, all);
  ++clocks[thread].epoch;
}

uint32_t ThreadClocks::add() {
  clocks.push_back({std::make_shared<const Epochs>(), {}, 1});
  return uint32_t(clocks.size()) - 1;
}

void ThreadClocks::fence(uint32_t thread) { clocks[thread].fenced = arrive(thread); }

void ThreadClocks::follow_fenced(uint32_t engine, uint32_t thread) { join(engine, clocks[thread].fenced); }

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
  const Epochs &epochs = readers[cell.several - 1];
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
    Epochs &epochs = readers[cell.several - 1];
    epochs.resize(std::max<size_t>(epochs.size(), thread + 1));
    epochs[thread] = me.epoch;
  } else if (cell.read.thread == thread) {
    cell.read = me;
  } else {
    Epochs &epochs = readers.emplace_back(clocks.threads());
    epochs[cell.read.thread] = cell.read.epoch, epochs[thread] = me.epoch;
    cell.several = uint32_t(readers.size());
  }
  return std::nullopt;
}

} // namespace normforge::cuda
