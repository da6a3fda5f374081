// GPU kernels without a GPU: the kernel that a GPU would get, as code for this CPU, with a fiber for each thread of a block. Where a kernel
// asks for its thread, shared memory, a shuffle or a barrier, it calls the emulator, and fibers switch where threads wait.
//
// The order in which threads run is a setting: a result that depends on it is a race. Shared memory starts as NaNs and ends at a page that
// may not be touched.
#pragma once

#include <cstdint>
#include <string>

#include "codegen/kernel.h"
#include "codegen/schedule.h"
#include "codegen/sweep_plan.h"
#include "codegen/target.h"

namespace normforge {

/// The kernel that `gpu` (of the cuda backend) would run, for this process alone. Throws UserError when the schedule does not apply, or the
/// CPU is below x86-64-v3.
Kernel compile_for_emulator(const SweepPlan &, const Schedule &, const Target &gpu, const std::string &symbol);

/// Which thread runs next: 0: the lowest that can; 1: the highest; otherwise any, from this seed. For this CPU thread.
void set_emulated_order(uint64_t order);

/// What kept a kernel from ending since this was last asked, such as a barrier that some threads never reach; empty: nothing did. Of
/// kernels called on this CPU thread.
std::string take_emulator_fault();

} // namespace normforge
