// What kernels are measured on: this process's CPU, or a GPU. All that differs between them when a kernel is tried or timed is here.
//
// What uses a Bench, or runs a call, does it in a child process (autotune/contain.h), which no kernel survives that fails: the parent never
// touches a GPU's driver, which a child could not use after it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autotune/device.h"
#include "autotune/record.h"
#include "codegen/check/kernel_call.h"
#include "codegen/kernel.h"
#include "codegen/target.h"
#include "dsl/problem.h"

namespace normforge {

/// What is timed, beside the kernels.
struct BenchOptions {
  Problem problem; ///< that the kernels were compiled from,
  Problem shape;   ///< and at which fixed extents they are called
  const Target *target;
  Regime regime;
  uint64_t seed;
  int64_t rotation_bytes; ///< of cold calls
  int threads;            ///< of a call on a CPU
};

/// Kernels' calls on one workload, by number of the kernel in the order of add(). Throws Fault (autotune/contain.h) where one fails.
class Bench {
public:
  virtual ~Bench() = default;

  virtual void add(const Kernel &) = 0;

  /// Its first call: what it writes, and how long it took.
  struct FirstCall {
    std::vector<char> written;
    double seconds;
  };
  virtual FirstCall first_call(size_t kernel) = 0;
  /// Whether two calls wrote the same values, bit by bit; NaNs count as equal.
  virtual bool same(const std::vector<char> &, const std::vector<char> &) const = 0;

  /// Seconds that so many calls take, on tensors that stay or rotate, as the regime has it. Inputs that a call overwrites are put back
  /// between the calls, outside of the time.
  virtual double seconds(size_t kernel, int64_t calls) = 0;

  /// Warm calls are on other tensors in each round.
  virtual void begin_round(int round) = 0;

  /// Whether an untimed call comes before those of a sample.
  virtual bool prepares() const = 0;
};

class Machine {
public:
  virtual ~Machine() = default;

  virtual Device device() const = 0;

  /// Why it does not run such code (" and this machine …"), or empty.
  virtual std::string cannot_run(const Target &) const = 0;

  /// Runs a call of the gate. Returns what is wrong beside its results; empty: nothing. Throws Fault.
  virtual std::string run(KernelCall &, const Kernel &) const = 0;

  virtual std::unique_ptr<Bench> bench(const BenchOptions &) const = 0;

  /// What a sample takes at least.
  virtual double sample_seconds() const = 0;
};

const Machine &this_cpu();

/// The first of the GPUs that the driver shows (CUDA_VISIBLE_DEVICES says which it does).
const Machine &this_gpu();

/// The one of them that measures what is compiled for `target`. Throws UserError, with what to do instead, where it does not run that.
const Machine &machine_for(const Target &target);

/// The regime whose samples decide: on a CPU warm calls, with a look at cold ones. On a GPU cold ones alone: its tensors pass through a
/// cache that the kernels before and after share.
inline Regime deciding_regime(const Target &target) { return target.gpu() ? Regime::cold : Regime::warm; }

} // namespace normforge
