// A KernelCall on a GPU: its tensors are copied there as they lie, between margins that nobody may write, and what was written comes back.
#pragma once

#include <string>

#include "codegen/check/kernel_call.h"

namespace normforge {

/// Runs `kernel`, compiled from the call's problem, on that GPU. Returns what is wrong beside the results: "it writes beside y"; empty:
/// nothing. Throws UserError where the runtime refuses the call, GpuFault where the driver does or the kernel fails.
std::string run_on_gpu(KernelCall &, const Kernel &kernel, int device);

} // namespace normforge
