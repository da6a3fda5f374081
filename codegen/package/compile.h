// Compiles many kernels on all cores, or finds them in the cache.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "codegen/package/kernel_cache.h"
#include "codegen/package/selection.h"

namespace normforge {

struct CompileProgress {
  int kernels = 0; ///< to be had
  int compiled = 0, cached = 0;
};

/// Kernels for `selected`, in its order, with entry points called `kernel`, `kernel_1`, …; equal ones are compiled once. `jobs` threads, 0:
/// one per core. `progress` is called as kernels come in, by one thread at a time. Throws the first error by the kernels' order; kernels
/// that were compiled by then are in the cache.
std::vector<Kernel> compile_kernels(std::span<const SelectedKernel *const> selected, const KernelCache &cache, int jobs,
                                    const std::function<void(const CompileProgress &)> &progress);

} // namespace normforge
