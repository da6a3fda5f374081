// Compiles many kernels on all cores, or finds them in the cache.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "codegen/backend.h"
#include "codegen/package/kernel_cache.h"
#include "codegen/package/selection.h"

namespace normforge {

struct CompileProgress {
  int kernels = 0; ///< to be had
  int compiled = 0, cached = 0;
};

/// Machine code for GPUs, beside the PTX that every kernel has.
struct Assembling {
  std::string ptxas;   ///< empty: there is none
  std::string version; ///< what it says of itself
  std::string refusal; ///< why the first kernel without machine code has none; empty: all have it
  int refused = 0;     ///< kernels that have none, though there is an assembler
  int kernels = 0;     ///< of GPUs
};

/// The assembler of this machine, or why it is of no use.
Assembling find_assembler();

/// A kernel that was in the cache, or was compiled and is there now, unless it lacks machine code that may come later.
struct CompiledKernel {
  Kernel kernel;
  bool cached = false;
  std::string refusal; ///< the assembler's; empty: it gave its code, or there is none to ask
};

/// With entry points called `kernel`, `kernel_1`, …. `assembling`: what gives a GPU's kernel its machine code; null: it gets none.
CompiledKernel compile_kernel(const Backend &, const SweepPlan &, const Schedule &, const Target &, const KernelCache &,
                              const Assembling *assembling);

/// Kernels for `selected`, in its order, with entry points called `kernel`, `kernel_1`, …; equal ones are compiled once. `jobs` threads, 0:
/// one per core. `progress` is called as kernels come in, by one thread at a time. Throws the first error by the kernels' order; kernels
/// that were compiled by then are in the cache. `assembling`: what gives kernels of GPUs their machine code; null: they get none.
std::vector<Kernel> compile_kernels(std::span<const SelectedKernel *const> selected, const KernelCache &cache, int jobs,
                                    const std::function<void(const CompileProgress &)> &progress, Assembling *assembling = nullptr);

} // namespace normforge
