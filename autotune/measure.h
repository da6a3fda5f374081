// Times the kernels of one problem at one shape, side by side. In each round every kernel that is still alive gives one sample of at least
// a millisecond (of a fifth of one on a GPU), in a new random order, and so does the default, twice: the difference between its two samples
// is what noise makes. Few samples for many kernels, then many for few: after each stage the slower half is dropped (successive halving;
// Jamieson and Talwalkar, 2016).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "autotune/contain.h"
#include "autotune/machine.h"
#include "codegen/kernel.h"
#include "codegen/target.h"
#include "dsl/problem.h"

namespace normforge {

struct MeasureOptions {
  const Machine *machine = &this_cpu();
  int threads = 1;
  uint64_t seed = 1;
  double seconds = 1e9;       ///< to be kept, but for what is needed to compare at all
  int rounds = 15;            ///< of the last stage
  int survivors = 4;          ///< that reach it
  bool confirms = false;      ///< no halving: all kernels in all rounds, warm and then cold
  int64_t rotation_bytes = 0; ///< of cold calls
  bool pin = false;           ///< to as many CPUs as threads
  double silence_seconds = 20;
};

/// What was measured of one kernel, in the order of the kernels given.
struct Timings {
  std::string rejected;         ///< why it cannot be timed after all; empty: none
  std::vector<Samples> samples; ///< one for each regime, and the default's twins
};

/// Measures kernels compiled from `problem` on calls of `shape`, a problem of fixed extents within its own; the first kernel is the
/// default. `progress` is told of each round. Everything runs in a child process; a kernel that ends it, or whose results differ from the
/// default's bits where `same_bits` says that they must not, is rejected, and the others are measured again without it. When stop() says
/// so, what came until then is returned.
std::vector<Timings> measure(const Problem &problem, const Target &target, const Problem &shape, std::span<const Kernel *const> kernels,
                             const std::vector<bool> &same_bits, const MeasureOptions &options,
                             const std::function<void(int alive)> &progress, const std::function<bool()> &stop);

} // namespace normforge
