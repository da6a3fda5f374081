// One run of measure() as Records: what a search keeps of it, and a pack's runner.
#pragma once

#include "autotune/choose.h"
#include "autotune/measure.h"

namespace normforge {

/// A kernel that takes part.
struct Entry {
  RecordKey key;
  const Kernel *kernel;
  bool same_bits;   ///< as the first, the default
  double deviation; ///< the gate's
};

/// Times the entries at a shape of the question's problem; one Record for each, without samples and reason where it did not get its turn.
/// Threads and cold calls' memory are the question's; the rest is as `options` say.
std::vector<Record> timed_records(const Question &question, const Target &target, const Problem &shape, std::span<const Entry> entries,
                                  MeasureOptions options, const std::function<void(int alive)> &progress,
                                  const std::function<bool()> &stop);

/// Without those that say nothing.
std::vector<Record> telling(std::vector<Record>);

} // namespace normforge
